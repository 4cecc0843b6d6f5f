// Load at a constant rate over HTTP/1.1 keep-alive connections, and the latencies it met.
//
// The load is open: request i is due at start + i / rate whatever became of those before it. When every connection is
// busy it waits, and its latency still counts from when it was due, so that a server which stalls pays for all the
// requests it held up, not just for one (no coordinated omission).
//
//   constant_rate --url http://127.0.0.1:8377/v1/mountspecs --rate 20000 --connections 16 --seconds 10
//                 [--warmup 1] [--bodies FILE] [--token-file FILE] [--method POST]
//
// FILE holds one body per line, taken in turn; without it a GET is sent. Prints one line of JSON. Exit code 1 when an
// answer was not 2xx or a connection broke.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"

namespace {

using homeport::Clock;
using homeport::MonoTime;

struct Options {
  std::string url;
  double rate = 1000;
  unsigned connections = 16;
  double seconds = 10;
  double warmup = 1;
  std::string bodies_file;
  std::string token_file;
  std::string method;
};

// Counts nanoseconds in buckets whose width is at most 1/128 of their value, as HDR histograms do.
class LatencyHistogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[index_of(nanoseconds)];
    ++total_;
    max_ = std::max(max_, nanoseconds);
  }
  // The value below which the share `quantile` of all lies, in microseconds (upper end of its bucket).
  [[nodiscard]] double microseconds(double quantile) const {
    const auto wanted = static_cast<std::uint64_t>(quantile * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return static_cast<double>(std::min(upper_of(i), max_)) / 1000.0;
    }
    return static_cast<double>(max_) / 1000.0;
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] double max_microseconds() const { return static_cast<double>(max_) / 1000.0; }

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr std::uint64_t kSub = 1U << kSubBits;

  // Values below 2 * kSub have a bucket each; every further power of two is cut into kSub buckets.
  static std::size_t index_of(std::uint64_t value) {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kSubBits + 1 ? width - kSubBits - 1 : 0;
    return shift * kSub + (value >> shift);
  }
  static std::uint64_t upper_of(std::size_t index) {
    if (index < 2 * kSub) return index;
    const std::size_t shift = index / kSub - 1;
    return ((index - shift * kSub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (66 - kSubBits) * kSub> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

struct Target {
  sockaddr_in address{};
  std::string host;
  std::string path;
};

Target parse_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) throw std::runtime_error("--url must begin with http://");
  const auto slash = url.find('/', kScheme.size());
  Target target;
  target.host = url.substr(kScheme.size(), slash - kScheme.size());
  target.path = slash == std::string::npos ? "/" : url.substr(slash);
  const auto colon = target.host.find(':');
  const std::string ip = target.host.substr(0, colon);
  target.address.sin_family = AF_INET;
  target.address.sin_port =
      htons(static_cast<std::uint16_t>(colon == std::string::npos ? 80 : std::stoul(target.host.substr(colon + 1))));
  if (inet_pton(AF_INET, ip.c_str(), &target.address.sin_addr) != 1) {
    throw std::runtime_error("--url needs an IPv4 address, not " + ip);
  }
  return target;
}

std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  if (lines.empty()) throw std::runtime_error(file + " is empty");
  return lines;
}

std::vector<std::string> build_requests(const Options& options, const Target& target) {
  const std::string method = !options.method.empty() ? options.method : options.bodies_file.empty() ? "GET" : "POST";
  std::string head = method + " " + target.path + " HTTP/1.1\r\nHost: " + target.host + "\r\n";
  if (!options.token_file.empty()) head += "Authorization: Bearer " + lines_of(options.token_file).front() + "\r\n";
  if (options.bodies_file.empty()) return {head + "\r\n"};
  std::vector<std::string> requests;
  for (const auto& body : lines_of(options.bodies_file)) {
    requests.push_back(head + "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                       "\r\n\r\n" + body);
  }
  return requests;
}

struct Connection {
  int fd = -1;
  bool busy = false;
  MonoTime due{};
  std::string_view unsent{};
  std::string input;
};

class Generator {
 public:
  Generator(const Options& options, const Clock& clock)
      : options_(options),
        clock_(clock),
        target_(parse_url(options.url)),
        requests_(build_requests(options, target_)),
        connections_(options.connections),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connect(i);
      free_.push_back(i);
    }
  }
  ~Generator() {
    for (const auto& connection : connections_) ::close(connection.fd);
    ::close(epoll_);
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  void run();
  [[nodiscard]] nlohmann::json report() const;
  [[nodiscard]] bool clean() const { return broken_ == 0 && bad_statuses_.empty(); }

 private:
  void connect(std::size_t index);
  void issue_due(MonoTime now);
  void send(std::size_t index, MonoTime due);
  void flush(std::size_t index);
  void receive(std::size_t index);
  bool take_answer(std::size_t index);
  void lost(std::size_t index);
  void poll(MonoTime next);

  const Options& options_;
  const Clock& clock_;
  Target target_;
  std::vector<std::string> requests_;
  std::vector<Connection> connections_;
  int epoll_;
  std::vector<std::size_t> free_;
  std::deque<MonoTime> waiting_;  // due, but every connection is busy
  LatencyHistogram latencies_;
  MonoTime measure_from_{};
  MonoTime started_{};
  MonoTime last_answer_{};
  std::chrono::nanoseconds gap_{};
  std::uint64_t issued_ = 0;
  std::uint64_t planned_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t measured_ = 0;
  std::uint64_t broken_ = 0;
  std::size_t next_request_ = 0;
  std::map<int, std::uint64_t> bad_statuses_;
};

void Generator::connect(std::size_t index) {
  auto& connection = connections_[index];
  connection = Connection{};
  connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&target_.address), sizeof target_.address) != 0) {
    throw std::runtime_error("cannot connect to " + target_.host);
  }
  const int on = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(connection.fd, F_SETFL, O_NONBLOCK);
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = index}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
}

void Generator::run() {
  gap_ = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options_.rate));
  planned_ = static_cast<std::uint64_t>((options_.warmup + options_.seconds) * options_.rate);
  started_ = clock_.mono();
  measure_from_ = started_ + std::chrono::nanoseconds(static_cast<std::int64_t>(options_.warmup * 1e9));
  // A server that cannot keep up gets as long again for the rest; what is then missing shows in the rate.
  const auto give_up =
      started_ + 2 * std::chrono::nanoseconds(static_cast<std::int64_t>((options_.warmup + options_.seconds) * 1e9));
  while (answered_ + broken_ < planned_) {
    const MonoTime now = clock_.mono();
    if (now > give_up) break;
    issue_due(now);
    poll(started_ + gap_ * static_cast<std::int64_t>(issued_ + 1));
  }
}

void Generator::issue_due(MonoTime now) {
  while (issued_ < planned_) {
    const MonoTime due = started_ + gap_ * static_cast<std::int64_t>(issued_);
    if (due > now) break;
    waiting_.push_back(due);
    ++issued_;
  }
  while (!waiting_.empty() && !free_.empty()) {
    const std::size_t index = free_.back();
    free_.pop_back();
    const MonoTime due = waiting_.front();
    waiting_.pop_front();
    send(index, due);
  }
}

void Generator::send(std::size_t index, MonoTime due) {
  auto& connection = connections_[index];
  connection.busy = true;
  connection.due = due;
  connection.unsent = requests_[next_request_];
  next_request_ = (next_request_ + 1) % requests_.size();
  flush(index);
}

void Generator::flush(std::size_t index) {
  auto& connection = connections_[index];
  while (!connection.unsent.empty()) {
    const auto sent = ::send(connection.fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) return;  // not now, or broken, which the next read shows
    connection.unsent.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Sleeps only where the next request is far enough away for the kernel's timers to be exact enough.
void Generator::poll(MonoTime next) {
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next - clock_.mono());
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                 issued_ >= planned_ ? 10 : std::max<int>(0, static_cast<int>(wait.count()) - 1));
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if ((event.events & EPOLLOUT) != 0) flush(event.data.u64);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(event.data.u64);
  }
}

void Generator::receive(std::size_t index) {
  auto& connection = connections_[index];
  std::array<char, 65536> buffer;
  while (true) {
    const auto count = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return lost(index);
    connection.input.append(buffer.data(), static_cast<std::size_t>(count));
    if (connection.busy && take_answer(index) && static_cast<std::size_t>(count) < buffer.size()) return;
  }
}

// True: the answer was complete, and the connection is free again.
bool Generator::take_answer(std::size_t index) {
  auto& connection = connections_[index];
  const auto end = connection.input.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string_view head = std::string_view(connection.input).substr(0, end);
  auto at = head.find("\r\nContent-Length: ");
  if (at == std::string_view::npos) at = head.find("\r\ncontent-length: ");
  std::size_t length = 0;
  if (at != std::string_view::npos) std::from_chars(head.data() + at + 18, head.data() + head.size(), length);
  if (connection.input.size() < end + 4 + length) return false;
  int status = 0;
  if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, status);
  connection.input.clear();
  connection.busy = false;
  free_.push_back(index);
  ++answered_;
  if (status < 200 || status > 299) ++bad_statuses_[status];
  last_answer_ = clock_.mono();
  if (connection.due >= measure_from_) {
    ++measured_;
    latencies_.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(last_answer_ - connection.due).count()));
  }
  return true;
}

void Generator::lost(std::size_t index) {
  const bool was_busy = connections_[index].busy;
  ::close(connections_[index].fd);
  if (was_busy) {
    ++broken_;
    free_.push_back(index);
  }
  connect(index);
}

nlohmann::json Generator::report() const {
  const double took = std::chrono::duration<double>(last_answer_ - measure_from_).count();
  nlohmann::json statuses = nlohmann::json::object();
  for (const auto& [status, count] : bad_statuses_) statuses[std::to_string(status)] = count;
  return {{"target_rate", options_.rate},
          {"achieved_rate", took > 0 ? static_cast<double>(measured_) / took : 0.0},
          {"connections", options_.connections},
          {"requests", latencies_.total()},
          {"unanswered", planned_ - answered_ - broken_},
          {"broken", broken_},
          {"bad_statuses", std::move(statuses)},
          {"p50_us", latencies_.microseconds(0.5)},
          {"p90_us", latencies_.microseconds(0.9)},
          {"p99_us", latencies_.microseconds(0.99)},
          {"p999_us", latencies_.microseconds(0.999)},
          {"max_us", latencies_.max_microseconds()}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("HTTP load at a constant rate");
  app.add_option("--url", options.url, "http://IPV4:PORT/PATH")->required();
  app.add_option("--rate", options.rate, "requests per second")->check(CLI::PositiveNumber);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 10000));
  app.add_option("--seconds", options.seconds, "measured")->check(CLI::PositiveNumber);
  app.add_option("--warmup", options.warmup, "seconds before, not measured")->check(CLI::NonNegativeNumber);
  app.add_option("--bodies", options.bodies_file, "one request body per line");
  app.add_option("--token-file", options.token_file, "its first line is sent as bearer token");
  app.add_option("--method", options.method, "instead of POST with bodies and GET without");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto clock = homeport::make_system_clock();
    Generator generator(options, *clock);
    generator.run();
    std::printf("%s\n", generator.report().dump().c_str());
    return generator.clean() ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "constant_rate: %s\n", e.what());
    return 2;
  }
}
