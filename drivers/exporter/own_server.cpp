// A Ganesha of Homeport's own. It is found again by pid and start time, so that it goes on serving when homeportd dies
// and the next one takes it over; when homeportd ends in order it ends too.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "drivers/exporter/fragments.h"
#include "drivers/exporter/server.h"
#include "provisioner/base/child_process.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::exporter {
namespace {

constexpr const char* kProgram = "/usr/bin/ganesha.nfsd";
constexpr const char* kUp = "NFS SERVER INITIALIZED";
constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::milliseconds kWatch{200};
constexpr std::chrono::milliseconds kFirstBackOff{250};
constexpr std::chrono::milliseconds kLongestBackOff{30'000};
constexpr std::chrono::seconds kSteady{60};  // so long up, and the next fall is a first one again
constexpr std::chrono::seconds kOrderlyEnd{5};
constexpr int kOldLogs = 3;
constexpr int kFallsToTell = 3;  // then whoever waits is told instead of waiting on

struct Process {
  pid_t pid = -1;
  std::string mark;          // of its start; with the pid it names one process
  bool child = false;        // of ours: to be reaped
  std::uint64_t log_at = 0;  // where its words begin in the log
};

class OwnServer final : public Server {
 public:
  OwnServer(const ExporterConfig& config, ExportEndpoint endpoint, Clock& clock)
      : config_(config), endpoint_(std::move(endpoint)), clock_(clock), state_(config.state->str()) {}
  ~OwnServer() override;
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;

  Result<void> ready(const OpContext& op) override;
  Result<void> reload(const OpContext& op) override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] bool ends_with_us() const override { return true; }

 private:
  [[nodiscard]] std::string log() const { return state_ + "/ganesha.log"; }
  [[nodiscard]] std::string run_file() const { return state_ + "/run.json"; }
  [[nodiscard]] bool alive(const Process& process) const { return start_mark(process.pid) == process.mark; }
  std::optional<Result<void>> state(const OpContext& op);
  std::optional<Process> left_behind() const;
  Result<void> start();
  void keep_logs() const;
  void watch(const std::stop_token& stop);
  void end(Process process);
  [[nodiscard]] std::optional<Process> current() const {
    const std::lock_guard lock(mutex_);
    return process_;
  }

  const ExporterConfig config_;
  const ExportEndpoint endpoint_;
  Clock& clock_;
  const std::string state_;
  mutable std::mutex mutex_;
  std::optional<Process> process_{};
  std::string trouble_{};  // why the last start failed
  std::uint64_t starts_ = 0;
  int falls_ = 0;  // one after the other, each soon after its start
  std::jthread watcher_{};
};

OwnServer::~OwnServer() {
  watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  if (const auto process = current()) end(*process);
  ::unlink(run_file().c_str());
}

void OwnServer::end(Process process) {
  if (!alive(process)) return;
  ::kill(process.pid, SIGTERM);
  const auto ended = wait_for_end(process.pid, kOrderlyEnd);
  if (!ended || !*ended) {
    ::kill(process.pid, SIGKILL);
    (void)wait_for_end(process.pid, kOrderlyEnd).has_value();
  }
  if (process.child) ::waitpid(process.pid, nullptr, WNOHANG);
}

std::optional<Process> OwnServer::left_behind() const {
  std::ifstream in(run_file());
  const auto doc = nlohmann::json::parse(in, nullptr, false);
  if (!doc.is_object()) return std::nullopt;
  Process out{
      .pid = doc.value("pid", -1), .mark = doc.value("mark", ""), .log_at = doc.value("log_at", std::uint64_t{0})};
  if (out.pid <= 0 || out.mark.empty() || !alive(out)) return std::nullopt;
  if (doc.value("port", 0) != endpoint_.port) {
    // It was told other ports: it goes, and one with the right ones comes.
    ::kill(out.pid, SIGTERM);
    const auto ended = wait_for_end(out.pid, kOrderlyEnd);
    if (!ended || !*ended) ::kill(out.pid, SIGKILL);
    return std::nullopt;
  }
  return out;
}

// The logs of the last starts stay: they say why it fell.
void OwnServer::keep_logs() const {
  for (int i = kOldLogs; i > 0; --i) {
    const std::string from = log() + (i == 1 ? "" : "." + std::to_string(i - 1));
    ::rename(from.c_str(), (log() + "." + std::to_string(i)).c_str());
  }
}

Result<void> OwnServer::start() {
  keep_logs();
  ::mkdir((state_ + "/recovery").c_str(), 0700);
  const std::string config = state_ + "/ganesha.conf";
  {
    std::ofstream out(config, std::ios::trunc);
    out << configuration(config_, endpoint_, state_);
    if (!out.flush()) return Error{.code = Errc::unavailable, .message = "cannot write " + config};
  }
  auto pid = spawn({.words = {kProgram, "-F", "-f", config, "-L", log(), "-p", state_ + "/ganesha.pid", "-N", "EVENT"},
                    .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                    .output = state_ + "/ganesha.out"});
  if (!pid) {
    auto error = std::move(pid).error();
    if (error.code == Errc::not_found) error.hint = "install nfs-ganesha and nfs-ganesha-vfs";
    return error;
  }
  Process process{.pid = *pid, .mark = start_mark(*pid).value_or(""), .child = true, .log_at = 0};
  {
    std::ofstream out(run_file(), std::ios::trunc);
    out << nlohmann::json{{"pid", process.pid}, {"mark", process.mark}, {"port", endpoint_.port}, {"log_at", 0}}.dump()
        << "\n";
  }
  log::info("ganesha_started", {{"pid", std::to_string(process.pid)}, {"port", std::to_string(endpoint_.port)}});
  const std::lock_guard lock(mutex_);
  process_ = std::move(process);
  ++starts_;
  return {};
}

// Starts it, waits until it has ended, starts it again: at once after a long life, later and later after short ones.
void OwnServer::watch(const std::stop_token& stop) {
  auto back_off = kFirstBackOff;
  while (!stop.stop_requested()) {
    const auto since = clock_.mono();
    if (!current()) {
      if (auto started = start(); !started) {
        const std::lock_guard lock(mutex_);
        trouble_ = started.error().sentence();
        falls_ = kFallsToTell;
      }
    }
    for (;;) {
      const auto process = current();
      if (!process) break;
      const auto ended = wait_for_end(process->pid, kWatch);
      if (stop.stop_requested()) return;
      if (ended && !*ended && alive(*process)) continue;
      if (process->child) ::waitpid(process->pid, nullptr, WNOHANG);
      log::warning("ganesha_ended", {{"pid", std::to_string(process->pid)}, {"log", log()}});
      const std::lock_guard lock(mutex_);
      trouble_ = "it ended";
      falls_ = clock_.mono() - since >= kSteady ? 0 : falls_ + 1;
      process_.reset();
    }
    if (clock_.mono() - since >= kSteady) back_off = kFirstBackOff;
    if (!clock_.sleep_for(back_off, stop)) return;
    back_off = std::min(back_off * 2, kLongestBackOff);
  }
}

Result<void> OwnServer::ready(const OpContext& op) {
  if (::geteuid() != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = "an NFS server of Homeport's own needs root: it opens everybody's files by handle",
                 .hint = "run homeportd as root, or let the site's server serve (site:)"};
  }
  if (!watcher_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      process_ = left_behind();
      if (process_) log::info("ganesha_taken_over", {{"pid", std::to_string(process_->pid)}});
    }
    watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }
  for (;;) {
    if (auto now = state(op)) return *std::move(now);
    (void)clock_.sleep_for(kLook, op.stop);
  }
}

// nullopt: it is on its way.
std::optional<Result<void>> OwnServer::state(const OpContext& op) {
  const auto process = current();
  const bool up = process && alive(*process) && log_from(log(), 0).find(kUp) != std::string::npos;
  auto wanted = still_wanted(op, clock_, "the NFS server to start");
  const std::lock_guard lock(mutex_);
  if (up) {
    falls_ = 0;
    return Result<void>();
  }
  const bool late = !wanted && wanted.error().code == Errc::timed_out && !trouble_.empty();
  if (late || falls_ >= kFallsToTell) {
    falls_ = 0;  // the next one who asks waits for another try
    return Result<void>(Error{.code = Errc::unavailable,
                              .message = "the NFS server does not start: " + trouble_,
                              .hint = "look at " + log() +
                                      " and the older ones beside it; a port that is taken and a missing rpcbind "
                                      "(protocol 3) are common"});
  }
  if (!wanted) return wanted;
  return std::nullopt;
}

Result<void> OwnServer::reload(const OpContext& op) {
  for (;;) {
    HOMEPORT_CHECK(ready(op));
    const auto process = current();
    if (!process) continue;
    const auto offset = log_size(log());
    if (::kill(process->pid, SIGHUP) != 0) continue;
    // It may fall meanwhile: the next one reads everything when it starts.
    for (;;) {
      OpContext moment = op;
      moment.deadline = std::min(op.deadline, clock_.mono() + kWatch);
      auto read = wait_for_reread(moment, clock_, log(), offset);
      if (read || read.error().code == Errc::unavailable) return read;
      HOMEPORT_CHECK(still_wanted(op, clock_, "the NFS server to read its exports again"));
      if (!alive(*process)) break;
    }
    HOMEPORT_CHECK(ready(op));
    return {};
  }
}

std::string OwnServer::describe() const {
  const std::lock_guard lock(mutex_);
  if (!process_) return "does not run" + (trouble_.empty() ? std::string() : ": " + trouble_);
  return "runs as pid " + std::to_string(process_->pid) + ", started " + std::to_string(starts_) + " times";
}

}  // namespace

std::unique_ptr<Server> make_own_server(const ExporterConfig& config, const ExportEndpoint& endpoint, Clock& clock) {
  return std::make_unique<OwnServer>(config, endpoint, clock);
}

}  // namespace homeport::drivers::exporter
