#include "tests/unit/drivers/rpc_peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string_view>

namespace homeport::drivers::testing {
namespace {

constexpr std::uint32_t kLastFragment = 0x80000000U;
constexpr std::uint32_t kAnswer = 1;
constexpr std::uint32_t kNfsProgram = 100003;
constexpr std::uint32_t kLookup = 3;
constexpr std::uint32_t kRead = 6;
constexpr std::uint32_t kLink = 15;
constexpr std::uint32_t kReaddirplus = 17;
constexpr std::uint32_t kGetPort = 3;
constexpr std::uint32_t kIoError = 5;
constexpr std::uint32_t kStale = 70;
constexpr std::uint32_t kNotSupported = 10004;
constexpr std::uint32_t kBadCookie = 10003;
constexpr std::size_t kAttributeBytes = 84;

// XDR (RFC 4506): four bytes at a time, big end first.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  std::uint32_t number() {
    const auto bytes = take(4);
    std::uint32_t value = 0;
    for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view take(std::size_t count) {
    const auto bytes = text_.substr(std::min(at_, text_.size()), count);
    at_ += count;
    return bytes;
  }
  // With its length before it and its padding behind it.
  std::string_view opaque() {
    const std::size_t begin = at_;
    const std::size_t length = number();
    take((length + 3) / 4 * 4);
    return text_.substr(std::min(begin, text_.size()), at_ - begin);
  }
  std::string_view rest() { return take(text_.size() - std::min(at_, text_.size())); }
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::string number(std::uint32_t value) {
  std::string out;
  for (unsigned shift = 32; shift > 0; shift -= 8) out += static_cast<char>(value >> (shift - 8) & 0xFFU);
  return out;
}

bool read_all(int fd, std::size_t count, std::string& into) {
  into.resize(count);
  return count == 0 || ::recv(fd, into.data(), count, MSG_WAITALL) == static_cast<ssize_t>(count);
}

// RFC 5531 section 11: a record in fragments. nullopt: the connection ended.
std::optional<std::string> read_record(int fd) {
  std::string record;
  for (bool last = false; !last;) {
    std::string part;
    if (!read_all(fd, 4, part)) return std::nullopt;
    const std::uint32_t head = Reader(part).number();
    last = (head & kLastFragment) != 0;
    if (!read_all(fd, head & ~kLastFragment, part)) return std::nullopt;
    record += part;
  }
  return record;
}

bool write_record(int fd, const std::string& record) {
  const std::string framed = number(kLastFragment | static_cast<std::uint32_t>(record.size())) + record;
  std::size_t sent = 0;
  while (sent < framed.size()) {
    const auto part = ::send(fd, framed.data() + sent, framed.size() - sent, MSG_NOSIGNAL);
    if (part <= 0) return false;
    sent += static_cast<std::size_t>(part);
  }
  return true;
}

struct Call {
  std::uint32_t xid = 0;
  std::uint32_t program = 0;
  std::uint32_t procedure = 0;
  std::string_view arguments{};
};

Call read_call(std::string_view record) {
  Reader in(record);
  Call call{.xid = in.number()};
  in.take(8);  // CALL, RPC version
  call.program = in.number();
  in.take(4);
  call.procedure = in.number();
  for (int i = 0; i < 2; ++i) {  // credential and verifier
    in.take(4);
    in.opaque();
  }
  call.arguments = in.rest();
  return call;
}

// What comes before the procedure's own answer.
std::string_view answer_head(std::string_view record) {
  Reader in(record);
  in.take(12);  // xid, REPLY, accepted
  in.take(4);
  in.opaque();
  in.take(4);
  return record.substr(0, in.at());
}

void copy_if(Reader& in, std::string& out, bool wanted, std::size_t fixed) {
  const bool there = in.number() != 0;
  const auto bytes = there ? (fixed > 0 ? in.take(fixed) : in.opaque()) : std::string_view{};
  out += number(there && wanted ? 1 : 0);
  if (there && wanted) out += bytes;
}

// READDIRPLUS3resok (RFC 1813 section 3.3.17).
std::string without_attributes(std::string_view record, bool entries) {
  std::string out(answer_head(record));
  Reader in(record.substr(out.size()));
  const auto status = in.number();
  out += number(status);
  if (status != 0) return out.append(in.rest());
  copy_if(in, out, true, kAttributeBytes);  // of the directory
  out += in.take(8);                        // verifier
  while (in.number() != 0) {
    std::string entry = number(1);
    entry += in.take(8);  // fileid
    entry += in.opaque();
    entry += in.take(8);  // cookie
    copy_if(in, entry, false, kAttributeBytes);
    copy_if(in, entry, false, 0);
    if (entries) out += entry;
  }
  const auto end = in.number();
  return out + number(0) + number(entries ? end : 0);
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

void RpcPeer::listen(const std::string& address, std::uint16_t port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &at.sin_addr);
  socklen_t size = sizeof at;
  auto* raw = reinterpret_cast<sockaddr*>(&at);
  if (::bind(listener_, raw, size) != 0 || ::listen(listener_, 16) != 0 || ::getsockname(listener_, raw, &size) != 0) {
    return;
  }
  port_ = ntohs(at.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

void RpcPeer::accept_all() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    keep(fd);
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, fd] {
      serve(fd);
      ::shutdown(fd, SHUT_RDWR);
    });
  }
}

void RpcPeer::keep(int fd) {
  const std::lock_guard lock(mutex_);
  fds_.push_back(fd);
  if (stopping_) ::shutdown(fd, SHUT_RDWR);
}

void RpcPeer::stop() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  for (const int fd : fds_) ::close(fd);
  if (listener_ >= 0) ::close(listener_);
}

NfsProxy::NfsProxy(std::uint16_t server_port) : server_port_(server_port) {
  listen("127.0.0.1", 0);
}

NfsProxy::Fate NfsProxy::judge(const std::string& record) {
  const Call call = read_call(record);
  const auto one_of = [](std::atomic<int>& left) {
    int now = left;
    while (now > 0 && !left.compare_exchange_weak(now, now - 1)) {
    }
    return now > 0;
  };
  if (call.program == kNfsProgram && call.procedure == kLookup) {
    ++lookups;
    return one_of(failing_lookups) ? Fate::failed : Fate::pass;
  }
  if (call.program == kNfsProgram && call.procedure == kRead) return one_of(stale_reads) ? Fate::stale : Fate::pass;
  if (call.program == kNfsProgram && call.procedure == kLink) return links == 0 ? Fate::pass : Fate::link;
  if (call.program != kNfsProgram || call.procedure != kReaddirplus) return Fate::pass;
  ++listings;
  if (names_only) return Fate::unsupported;
  Reader in(call.arguments);
  in.opaque();
  const bool from_cookie = (static_cast<std::uint64_t>(in.number()) << 32U | in.number()) != 0;
  if (from_cookie && one_of(bad_cookies)) return Fate::bad_cookie;
  if (empty_listings) return Fate::empty;
  return bare_listings ? Fate::bare : Fate::pass;
}

void NfsProxy::serve(int fd) {
  const int server = connect_to(server_port_);
  if (server < 0) return;
  keep(server);
  std::mutex mutex;
  std::map<std::uint32_t, Fate> fates;  // by xid
  std::thread back([&] {
    while (auto record = read_record(server)) {
      const std::uint32_t xid = Reader(*record).number();
      Fate fate = Fate::pass;
      {
        const std::lock_guard lock(mutex);
        if (const auto at = fates.find(xid); at != fates.end()) {
          fate = at->second;
          fates.erase(at);
        }
      }
      const std::string head(answer_head(*record));
      if (fate == Fate::bare || fate == Fate::empty) *record = without_attributes(*record, fate == Fate::bare);
      if (fate == Fate::bad_cookie) *record = head + number(kBadCookie) + number(0);
      if (fate == Fate::failed) *record = head + number(kIoError) + number(0);
      if (fate == Fate::unsupported) *record = head + number(kNotSupported) + number(0);
      if (fate == Fate::link) *record = head + number(links) + number(0) + number(0) + number(0);
      if (fate == Fate::stale) *record = head + number(kStale) + number(0);
      if (!write_record(fd, *record)) break;
    }
    ::shutdown(fd, SHUT_RDWR);
  });
  while (const auto record = read_record(fd)) {
    const Fate fate = judge(*record);
    if (fate != Fate::pass) {
      const std::lock_guard lock(mutex);
      fates[Reader(*record).number()] = fate;
    }
    if (!write_record(server, *record)) break;
  }
  ::shutdown(server, SHUT_RDWR);
  back.join();
}

void Portmapper::serve(int fd) {
  while (const auto record = read_record(fd)) {
    const Call call = read_call(*record);
    std::string answer = number(call.xid) + number(kAnswer) + number(0) + number(0) + number(0) + number(0);
    if (call.procedure == kGetPort) {
      const auto at = ports_.find(Reader(call.arguments).number());
      answer += number(at == ports_.end() ? 0U : at->second);
    }
    if (!write_record(fd, answer)) return;
  }
}

}  // namespace homeport::drivers::testing
