// Exports as bind mounts and fragments. One worker applies what was asked since its last round, so that any number of
// calls costs one reload; rounds are 250 ms apart at least.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <thread>

#include "drivers/exporter/fragments.h"
#include "drivers/exporter/server.h"
#include "provisioner/base/descriptor.h"
#include "provisioner/base/log.h"

namespace homeport::drivers {
namespace exporter {
namespace {

constexpr std::chrono::milliseconds kBetweenRounds{250};
constexpr std::chrono::seconds kRoundLimit{120};  // a cold start with a thousand exports takes seven seconds
// More than a server starts with in a minute; the 16 bits of an id would allow more.
constexpr std::size_t kMostExports = 8000;

Error trouble(const std::string& what) {
  return Error{.code = Errc::unavailable, .message = what + ": " + std::generic_category().message(errno)};
}

Result<void> replace(const std::string& path, const std::string& text) {
  const std::string draft = path + ".new";
  const Descriptor fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return trouble("writing " + draft);
  std::size_t put = 0;
  while (put < text.size()) {
    const auto n = ::write(fd.get(), text.data() + put, text.size() - put);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return trouble("writing " + draft);
    put += static_cast<std::size_t>(n);
  }
  if (::fsync(fd.get()) != 0 || ::rename(draft.c_str(), path.c_str()) != 0) return trouble("writing " + path);
  return {};
}

std::string whole_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Held together, so that they differ.
Result<std::pair<std::uint16_t, std::uint16_t>> two_free_ports() {
  std::array<std::uint16_t, 2> out{};
  std::vector<std::unique_ptr<Descriptor>> held;
  for (auto& port : out) {
    held.push_back(std::make_unique<Descriptor>(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(held.back()->get(), raw, size) != 0 || ::getsockname(held.back()->get(), raw, &size) != 0)
      return trouble("looking for a free port");
    port = ntohs(address.sin_port);
  }
  return std::pair{out[0], out[1]};
}

class GaneshaExporter final : public Exporter {
 public:
  GaneshaExporter(ExporterConfig config, Clock& clock)
      : config_(std::move(config)), clock_(clock), state_(config_.state->str()) {}
  ~GaneshaExporter() override;
  GaneshaExporter(const GaneshaExporter&) = delete;
  GaneshaExporter& operator=(const GaneshaExporter&) = delete;

  Result<void> put(const OpContext& op, std::span<const HostExport> exports) override;
  Result<void> withdraw(const OpContext& op, std::span<const std::string> names) override;
  Result<std::vector<HostExport>> list(const OpContext& op) override;
  [[nodiscard]] Result<ExportEndpoint> endpoint() const override;
  [[nodiscard]] ExportLimits limits() const override;
  std::vector<ProbeCheck> check(const OpContext& op) override;

 private:
  // With mutex_ held.
  Result<void> open(const OpContext& op);
  Result<void> choose_ports();
  Result<void> wait_applied(const OpContext& op, std::unique_lock<std::mutex>& lock, std::uint64_t mine,
                            std::span<const std::string> names);
  void take(const HostExport& item);

  // The worker's, without the lock.
  void work(const std::stop_token& stop);
  Result<void> apply(const OpContext& op, const Remembered& wanted);
  Result<void> bind(const Item& item, std::map<std::string, Error>& failed) const;
  void unbind(std::uint16_t id) const;
  [[nodiscard]] std::string fragments() const {
    return config_.site ? config_.site->fragments.str() : state_ + "/exports.d";
  }
  [[nodiscard]] std::string fragment_path(std::uint16_t id) const {
    return fragments() + "/homeport-" + std::to_string(id) + ".conf";
  }
  [[nodiscard]] std::string mount_path(std::uint16_t id) const { return state_ + "/mounts/" + std::to_string(id); }
  [[nodiscard]] std::optional<ExportEndpoint> known_endpoint() const;

  const ExporterConfig config_;
  Clock& clock_;
  const std::string state_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unique_ptr<Descriptor> lock_{};
  std::unique_ptr<Server> server_{};
  Remembered wanted_{};
  std::set<std::string> served_{};         // names whose wanted state is served
  std::map<std::string, Error> failed_{};  // names that could not be, in the last round
  Result<void> last_round_{};
  std::uint64_t asked_ = 0;    // grows with each change
  std::uint64_t applied_ = 0;  // what the last round began with
  bool last_was_bad_ = false;  // the worker's
  bool reloaded_ = false;      // the worker's
  std::jthread worker_{};      // last: it ends first
};

GaneshaExporter::~GaneshaExporter() {
  worker_.request_stop();
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
  if (!server_) return;
  const bool ends = server_->ends_with_us();
  server_.reset();
  if (!ends) return;
  for (const auto& [name, item] : wanted_.items) unbind(item.id);
}

// A place is one process's; what was served before is remembered.
Result<void> GaneshaExporter::open(const OpContext& op) {
  if (worker_.joinable()) return {};
  HOMEPORT_CHECK(still_wanted(op, clock_, "starting the exporter"));
  if (::geteuid() != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = "exporting directories needs root: they are bound where the NFS server finds them",
                 .hint = "run homeportd as root"};
  }
  std::error_code failure;
  for (const auto& directory : {state_, state_ + "/mounts", state_ + "/exports.d"}) {
    std::filesystem::create_directories(directory, failure);
    if (failure) return Error{.code = Errc::unavailable, .message = "making " + directory + ": " + failure.message()};
  }
  ::chmod(state_.c_str(), 0700);
  auto held = std::make_unique<Descriptor>(::open((state_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (held->get() < 0) return trouble("opening " + state_ + "/lock");
  if (::flock(held->get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{.code = Errc::unavailable,
                 .message = "another exporter works in " + state_,
                 .hint = "one place belongs to one backend of one Homeport"};
  }
  const std::string path = state_ + "/exports.json";
  if (const auto text = whole_file(path); !text.empty()) {
    HOMEPORT_TRY(wanted_, from_json(text, path));
  }
  HOMEPORT_CHECK(choose_ports());
  const auto known = known_endpoint();
  if (!known) return Error{.code = Errc::internal, .message = "the exporter has no ports", .hint = {}};
  server_ = config_.site ? make_site_server(*config_.site, clock_) : make_own_server(config_, *known, clock_);
  lock_ = std::move(held);
  ++asked_;  // the first round serves what is remembered
  worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  return {};
}

// Free ports are chosen once: mounts of clients outlive every restart.
Result<void> GaneshaExporter::choose_ports() {
  if (config_.nfs_port != 0 && (config_.mount_port != 0 || !config_.version3)) return {};
  const std::string path = state_ + "/ports.json";
  if (!whole_file(path).empty()) return {};
  HOMEPORT_TRY(const auto ports, two_free_ports());
  return replace(path, nlohmann::json{{"nfs_port", ports.first}, {"mount_port", ports.second}}.dump() + "\n");
}

std::optional<ExportEndpoint> GaneshaExporter::known_endpoint() const {
  ExportEndpoint out{.server = config_.server, .port = config_.nfs_port};
  std::uint16_t mount_port = config_.mount_port;
  if (out.port == 0 || (mount_port == 0 && config_.version3)) {
    const auto doc = nlohmann::json::parse(whole_file(state_ + "/ports.json"), nullptr, false);
    if (!doc.is_object()) return std::nullopt;
    if (out.port == 0) out.port = doc.value("nfs_port", std::uint16_t{0});
    if (mount_port == 0) mount_port = doc.value("mount_port", std::uint16_t{0});
    if (out.port == 0) return std::nullopt;
  }
  if (config_.version3) {
    out.mount_port = mount_port;
    out.versions.emplace_back("3");
  }
  if (config_.version4) {
    out.versions.emplace_back("4.1");
    out.versions.emplace_back("4.2");
  }
  return out;
}

Result<ExportEndpoint> GaneshaExporter::endpoint() const {
  if (auto known = known_endpoint()) return *std::move(known);
  return Error{.code = Errc::unavailable,
               .message = "the NFS server's ports are not chosen yet: it has never started",
               .hint = "`homeport backend probe` starts it"};
}

ExportLimits GaneshaExporter::limits() const {
  return {.exports = kMostExports,
          .notes = {"exports: one for each space and each snapshot in use, " + std::to_string(kMostExports) +
                        " at most; a restart of the NFS server takes about 7 s with 1,000 of them",
                    "exports: a change reloads the server (about 0.2 s with 1,000 exports) and disturbs nobody"}};
}

void GaneshaExporter::take(const HostExport& item) {
  auto at = wanted_.items.find(item.name);
  const bool stays =
      at != wanted_.items.end() && at->second.what.directory == item.directory && at->second.what.path == item.path;
  if (stays) {
    at->second.what = item;
  } else {
    // Another place needs another id: clients and server take a known id for what it was.
    const auto id = free_id(wanted_).value_or(0);
    wanted_.last_id = id;
    wanted_.items.insert_or_assign(item.name, Item{.what = item, .id = id});
  }
  served_.erase(item.name);
}

Result<void> GaneshaExporter::put(const OpContext& op, std::span<const HostExport> exports) {
  for (const auto& item : exports) HOMEPORT_CHECK(exporter::check(item));
  std::unique_lock lock(mutex_);
  if (op.dry_run) {
    for (const auto& item : exports) {
      if (op.calls != nullptr) op.calls->add("EXPORT " + item.directory.str() + " as " + item.path.str());
    }
    return {};
  }
  HOMEPORT_CHECK(open(op));
  std::vector<std::string> names;
  std::vector<const HostExport*> news;
  for (const auto& item : exports) {
    const auto at = wanted_.items.find(item.name);
    const bool known = at != wanted_.items.end() && same(at->second.what, item);
    if (known && served_.contains(item.name)) continue;
    names.push_back(item.name);
    news.push_back(&item);
  }
  if (news.empty()) return {};
  const auto added = std::ranges::count_if(news, [&](const auto* item) { return !wanted_.items.contains(item->name); });
  if (wanted_.items.size() + static_cast<std::size_t>(added) > kMostExports) {
    return Error{.code = Errc::out_of_capacity,
                 .message = "the NFS server has its " + std::to_string(kMostExports) + " exports",
                 .hint = "retire spaces, or use a pool of layout directory on a server that exports it whole"};
  }
  std::vector<std::string> fresh;
  for (const auto* item : news) {
    if (!wanted_.items.contains(item->name)) fresh.push_back(item->name);
    if (op.calls != nullptr) op.calls->add("EXPORT " + item->directory.str() + " as " + item->path.str());
    take(*item);
  }
  const std::uint64_t mine = ++asked_;
  changed_.notify_all();
  auto done = wait_applied(op, lock, mine, names);
  if (done || done.error().maybe_applied) return done;
  // A definite refusal of something new: it is not kept for later.
  for (const auto& name : fresh) {
    if (failed_.contains(name)) wanted_.items.erase(name);
  }
  return done;
}

Result<void> GaneshaExporter::withdraw(const OpContext& op, std::span<const std::string> names) {
  std::unique_lock lock(mutex_);
  if (!op.dry_run) HOMEPORT_CHECK(open(op));
  bool any = false;
  for (const auto& name : names) {
    const auto at = wanted_.items.find(name);
    if (at == wanted_.items.end()) continue;
    if (op.calls != nullptr) op.calls->add("WITHDRAW " + at->second.what.path.str());
    if (op.dry_run) continue;
    wanted_.items.erase(at);
    served_.erase(name);
    any = true;
  }
  // Nothing of it may still be on its way out, either: an earlier call may have run out of time.
  if (op.dry_run || (!any && applied_ == asked_ && last_round_)) return {};
  const std::uint64_t mine = any ? ++asked_ : asked_;
  changed_.notify_all();
  return wait_applied(op, lock, mine, {});
}

Result<void> GaneshaExporter::wait_applied(const OpContext& op, std::unique_lock<std::mutex>& lock, std::uint64_t mine,
                                           std::span<const std::string> names) {
  while (applied_ < mine) {
    changed_.wait_for(lock, op.stop, std::chrono::milliseconds(50), [&] { return applied_ >= mine; });
    if (applied_ >= mine) break;
    auto wanted = still_wanted(op, clock_, "the NFS server to take the exports");
    if (!wanted) {
      auto error = std::move(wanted).error();
      error.maybe_applied = true;
      return error;
    }
  }
  HOMEPORT_CHECK(last_round_);
  for (const auto& name : names) {
    if (const auto at = failed_.find(name); at != failed_.end()) return at->second;
  }
  return {};
}

Result<std::vector<HostExport>> GaneshaExporter::list(const OpContext& op) {
  const std::lock_guard lock(mutex_);
  Remembered remembered;
  if (op.dry_run && !worker_.joinable()) {
    // Nothing is started for a dry run; what would be served stands in the file.
    const std::string path = state_ + "/exports.json";
    if (const auto text = whole_file(path); !text.empty()) {
      HOMEPORT_TRY(remembered, from_json(text, path));
    }
  } else {
    HOMEPORT_CHECK(open(op));
    remembered = wanted_;
  }
  std::vector<HostExport> out;
  for (const auto& [name, item] : remembered.items) out.push_back(item.what);
  return out;
}

std::vector<ProbeCheck> GaneshaExporter::check(const OpContext& op) {
  ProbeCheck check{.name = "exporter", .detail = {}};
  const auto run = [&]() -> Result<void> {
    std::unique_lock lock(mutex_);
    HOMEPORT_CHECK(open(op));
    if (applied_ == asked_ && !last_round_) {
      ++asked_;  // what stood in the way may be gone
      changed_.notify_all();
    }
    return wait_applied(op, lock, asked_, {});
  };
  const auto running = run();
  const std::lock_guard lock(mutex_);
  if (!running) {
    check.status = CheckStatus::failed;
    check.detail = running.error().sentence();
    check.hint = running.error().hint;
    return {check};
  }
  const auto known = known_endpoint();
  check.detail = "NFS-Ganesha " + server_->describe() + ", port " + std::to_string(known ? known->port : 0) + ", " +
                 std::to_string(wanted_.items.size()) + " of " + std::to_string(kMostExports) + " exports";
  if (wanted_.items.size() * 10 > kMostExports * 9) {
    check.status = CheckStatus::warning;
    check.hint = "soon no space can be exported any more";
  }
  return {check};
}

// Bound already, by us or by a process before us, or bound now.
Result<void> GaneshaExporter::bind(const Item& item, std::map<std::string, Error>& failed) const {
  const std::string place = mount_path(item.id);
  const std::string& source = item.what.directory.str();
  if (::mkdir(place.c_str(), 0755) != 0 && errno != EEXIST) return trouble("making " + place);
  struct stat wanted {};
  struct stat stands {};
  if (::lstat(source.c_str(), &wanted) != 0) {
    failed.insert_or_assign(item.what.name, trouble("exporting " + source));
    return {};
  }
  for (;;) {
    if (::stat(place.c_str(), &stands) != 0) return trouble("looking at " + place);
    if (stands.st_dev == wanted.st_dev && stands.st_ino == wanted.st_ino) return {};
    // Something that was bound there before; EINVAL: nothing is.
    if (::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    break;
  }
  if (::mount(source.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0)
    failed.insert_or_assign(item.what.name, trouble("binding " + source + " at " + place));
  return {};
}

void GaneshaExporter::unbind(std::uint16_t id) const {
  while (::umount2(mount_path(id).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  ::rmdir(mount_path(id).c_str());
}

Result<void> GaneshaExporter::apply(const OpContext& op, const Remembered& wanted) {
  HOMEPORT_CHECK(replace(state_ + "/exports.json", to_json(wanted)));
  std::map<std::string, Error> failed;
  std::set<std::string> keep;
  bool change = false;
  for (const auto& [name, item] : wanted.items) {
    HOMEPORT_CHECK(bind(item, failed));
    if (failed.contains(name)) continue;
    const std::string path = fragment_path(item.id);
    keep.insert(std::filesystem::path(path).filename().string());
    const std::string text = fragment(config_, item, mount_path(item.id));
    if (whole_file(path) == text) continue;
    HOMEPORT_CHECK(replace(path, text));
    change = true;
  }
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(fragments(), failure)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("homeport-") || keep.contains(name)) continue;
    std::filesystem::remove(entry.path(), failure);
    change = true;
  }
  if (failure) return Error{.code = Errc::unavailable, .message = "reading " + fragments() + ": " + failure.message()};
  // One that was left behind, or restarted, has read what stood there then; the first round always asks.
  HOMEPORT_CHECK(change || last_was_bad_ || !reloaded_ ? server_->reload(op) : server_->ready(op));
  reloaded_ = true;
  std::set<std::string> ids;
  for (const auto& [name, item] : wanted.items) ids.insert(std::to_string(item.id));
  for (const auto& entry : std::filesystem::directory_iterator(state_ + "/mounts", failure)) {
    const std::string name = entry.path().filename().string();
    if (ids.contains(name)) continue;
    while (::umount2(entry.path().c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
    ::rmdir(entry.path().c_str());
  }
  const std::lock_guard lock(mutex_);
  failed_ = std::move(failed);
  return {};
}

void GaneshaExporter::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Remembered wanted;
    std::uint64_t begun = 0;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return asked_ > applied_; })) return;
      wanted = wanted_;
      begun = asked_;
    }
    const OpContext op{.request_id = "exports", .deadline = clock_.mono() + kRoundLimit, .stop = stop};
    auto done = apply(op, wanted);
    if (!done) log::warning("exports_not_served", {{"why", done.error().to_string()}});
    {
      const std::lock_guard lock(mutex_);
      last_was_bad_ = !done;
      for (const auto& [name, item] : wanted.items) {
        const auto now = wanted_.items.find(name);
        const bool current = now != wanted_.items.end() && same(now->second.what, item.what);
        if (done && current && !failed_.contains(name)) served_.insert(name);
      }
      last_round_ = std::move(done);
      applied_ = begun;
    }
    changed_.notify_all();
    if (!clock_.sleep_for(kBetweenRounds, stop)) return;
  }
}

}  // namespace
}  // namespace exporter

std::unique_ptr<Exporter> make_ganesha_exporter(ExporterConfig config, Clock& clock) {
  return std::make_unique<exporter::GaneshaExporter>(std::move(config), clock);
}

}  // namespace homeport::drivers
