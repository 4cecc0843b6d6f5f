#include "drivers/identity/ldap_dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace homeport::drivers::identity {
namespace {

constexpr std::chrono::milliseconds kSlice{50};  // how late a stop is seen

std::chrono::milliseconds time_left(const OpContext& op, const Clock& clock) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(op.deadline - clock.mono());
  return std::max(left, std::chrono::milliseconds(0));
}

// 0, or what errno says.
Result<int> wait_connected(const OpContext& op, const Clock& clock, int fd, const std::string& what) {
  while (true) {
    HOMEPORT_CHECK(still_wanted(op, clock, what));
    pollfd waited{.fd = fd, .events = POLLOUT, .revents = 0};
    const auto slice = std::min(kSlice, time_left(op, clock));
    const int ready = ::poll(&waited, 1, static_cast<int>(slice.count()));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready <= 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
  }
}

Result<int> dial_one(const OpContext& op, const Clock& clock, const addrinfo& address, const std::string& what) {
  const auto failed = [&what](int error) {
    return Error{.code = Errc::unavailable, .message = what + ": " + std::generic_category().message(error)};
  };
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed(errno);
  int error = ::connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    auto waited = wait_connected(op, clock, fd, what);
    if (!waited) {
      ::close(fd);
      return std::move(waited).error();
    }
    error = *waited;
  }
  if (error == 0) {
    const int one = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0 && ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0) return fd;
    error = errno;
  }
  ::close(fd);
  return failed(error);
}

}  // namespace

Result<int> dial(const OpContext& op, const Clock& clock, const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &raw);
  if (error != 0) {
    return Error{.code = Errc::unavailable,
                 .message = "the host name is not resolved: " + std::string(::gai_strerror(error))};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(raw, &::freeaddrinfo);
  int count = 0;
  for (const auto* at = raw; at != nullptr; at = at->ai_next) ++count;
  Result<int> last = Error{.code = Errc::unavailable, .message = "the host name has no address"};
  for (const auto* at = raw; at != nullptr; at = at->ai_next, --count) {
    HOMEPORT_CHECK(still_wanted(op, clock, "connecting"));
    OpContext share = op;
    share.deadline = clock.mono() + (op.deadline - clock.mono()) / count;
    last = dial_one(share, clock, *at, "connecting");
    if (last || last.error().code == Errc::cancelled) return last;
  }
  return last;
}

Watchdog::Watchdog(const OpContext& op, const Clock& clock, int fd)
    : thread_([this, fd, stop = op.stop, left = time_left(op, clock)] {
        std::unique_lock lock(mutex_);
        if (!over_.wait_for(lock, stop, left, [this] { return done_; })) (void)::shutdown(fd, SHUT_RDWR);
      }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  over_.notify_all();
  thread_.join();
}

}  // namespace homeport::drivers::identity
