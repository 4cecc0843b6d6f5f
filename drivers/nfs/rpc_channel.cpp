#include "drivers/nfs/rpc_channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <nfsc/libnfs.h>
// After libnfs.h, which they need.
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-zdr.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "provisioner/base/names.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::chrono::milliseconds kSlice{100};  // how soon a stop is noticed
constexpr int kPortAttempts = 8;                  // a low source port may still be waiting out an old connection

std::string text_of(rpc_context* context) {
  const char* text = context == nullptr ? nullptr : rpc_get_error(context);
  return text == nullptr ? "no reason given" : printable(text);
}

// RFC 5531 section 9: accept_stat. libnfs gives only its own words for it.
struct Refusal {
  std::string_view words;
  int status;
};
constexpr std::array<Refusal, 5> kRefusals{{{"Program not available", 1},
                                            {"Program version mismatch", 2},
                                            {"Procedure not available", 3},
                                            {"Garbage arguments", 4},
                                            {"System Error", 5}}};

std::optional<Error> refusal_from(const std::string& text, const std::string& what) {
  if (text.find("Server responded") == std::string::npos) return std::nullopt;
  Error error{.code = Errc::failed_precondition,
              .message = what + ": the server refused the call",
              .upstream = Upstream{.system = "rpc", .status = 0, .detail = text}};
  for (const auto& known : kRefusals) {
    if (text.find(known.words) != std::string::npos) error.upstream->status = known.status;
  }
  if (error.upstream->status == 0) error.code = Errc::permission_denied;  // AUTH_ERROR: our credentials are not taken
  if (error.upstream->status >= 4) error.code = Errc::unavailable;
  return error;
}

Result<std::vector<std::string>> resolve(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  if (failed != 0) {
    return Error{.code = Errc::unavailable,
                 .message = "cannot resolve " + host,
                 .hint = "check the server's name in the backend's service section",
                 .upstream = Upstream{.system = "resolver", .status = failed, .detail = ::gai_strerror(failed)}};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(at->ai_addr, at->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text.data());
    }
  }
  return addresses;
}

// Puts a socket with an ordinary source port in place of the one libnfs opened.
bool replace_socket(int fd, const std::string& address, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) return false;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  const int own = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (own < 0) return false;
  const bool started = ::connect(own, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS;
  const bool replaced = started && ::dup2(own, fd) == fd;
  ::close(own);
  return replaced;
}

struct ConnectState {
  bool done = false;
  Result<void> outcome{};
  std::string what;
};

}  // namespace

struct RpcChannel::Batch {
  std::size_t answered = 0;
  bool closed = false;  // the context is going: what comes now are cancellations
};

struct RpcChannel::Flight {
  RpcCall* call = nullptr;
  Batch* batch = nullptr;
  bool answered = false;
};

void RpcChannel::Destroy::operator()(rpc_context* context) const {
  rpc_destroy_context(context);
}

RpcChannel::RpcChannel(const Clock& clock, std::chrono::milliseconds silence, const RpcTarget& target)
    : clock_(&clock), silence_(silence), target_(target), context_(rpc_init_context()) {}

RpcChannel::~RpcChannel() = default;

Result<std::unique_ptr<RpcChannel>> RpcChannel::open(const OpContext& op, const Clock& clock,
                                                     std::chrono::milliseconds silence, const RpcTarget& target) {
  HOMEPORT_CHECK(still_wanted(op, clock, "connecting to " + target.host));
  HOMEPORT_TRY(const auto addresses, resolve(target.host));
  std::optional<Error> last;
  for (const auto& address : addresses) {
    auto channel = connect_to(op, clock, silence, target, address);
    if (channel) return channel;
    last = std::move(channel).error();
    if (last->code != Errc::unavailable) break;
  }
  if (last) return *std::move(last);
  return Error{.code = Errc::unavailable, .message = target.host + " has no address"};
}

void RpcChannel::become(const Credentials& who) {
  auto groups = who.groups;
  if (!context_) return;
  rpc_set_auth(context_.get(), libnfs_authunix_create("homeport", who.uid, who.gid,
                                                      static_cast<std::uint32_t>(groups.size()), groups.data()));
}

Result<void> RpcChannel::start_connect(const std::string& address, void* state) {
  // libnfs walks through the low source ports with an unguarded counter; the address is numeric, so this never blocks.
  static std::mutex mutex;
  const std::string in_use = std::generic_category().message(EADDRNOTAVAIL);
  std::string why;
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    context_.reset(rpc_init_context());
    if (!context_) return Error{.message = "no memory for a connection"};
    become(target_.credentials);
    const std::lock_guard lock(mutex);
    if (rpc_connect_port_async(context_.get(), address.c_str(), target_.port, target_.program, target_.version,
                               &RpcChannel::on_connected, state) == 0) {
      return {};
    }
    why = text_of(context_.get());
    if (why.find(in_use) == std::string::npos) break;
  }
  return Error{.code = Errc::unavailable,
               .message = "connecting to " + address + " port " + std::to_string(target_.port),
               .upstream = Upstream{.system = "nfs", .status = 0, .detail = why}};
}

void RpcChannel::on_connected(rpc_context* context, int status, void* data, void* state) {
  auto* connect = static_cast<ConnectState*>(state);
  if (status == RPC_STATUS_CANCEL) return;  // the context goes, and perhaps its owner before it
  connect->done = true;
  if (status == RPC_STATUS_SUCCESS) return;
  const std::string text = data != nullptr ? static_cast<const char*>(data) : text_of(context);
  if (auto refusal = refusal_from(text, connect->what)) {
    connect->outcome = *std::move(refusal);
  } else {
    connect->outcome = Error{.code = Errc::unavailable,
                             .message = connect->what + ": no connection",
                             .upstream = Upstream{.system = "nfs", .status = 0, .detail = text}};
  }
}

Result<std::unique_ptr<RpcChannel>> RpcChannel::connect_to(const OpContext& op, const Clock& clock,
                                                           std::chrono::milliseconds silence, const RpcTarget& target,
                                                           const std::string& address) {
  // Before the channel: its destructor may still call back.
  ConnectState state;
  state.what = "connecting to " + target.host + " port " + std::to_string(target.port) + " (program " +
               std::to_string(target.program) + " version " + std::to_string(target.version) + ")";
  std::unique_ptr<RpcChannel> channel(new RpcChannel(clock, silence, target));
  HOMEPORT_CHECK(channel->start_connect(address, &state));
  if (target.high_source_port && !replace_socket(rpc_get_fd(channel->context_.get()), address, target.port)) {
    return Error{.code = Errc::unavailable, .message = state.what + " from an ordinary port"};
  }
  const MonoTime silent_until = clock.mono() + silence;
  while (!state.done) {
    auto turned = channel->turn(op, silent_until, state.what);
    // The library's own words first: it knows why.
    if (!turned && state.done && !state.outcome) break;
    if (!turned) return std::move(turned).error();
  }
  if (!state.outcome) return std::move(state.outcome).error();
  return channel;
}

Error RpcChannel::lost(const std::string& what) const {
  return Error{.code = Errc::unavailable,
               .message = what + ": the connection to " + target_.host + " was lost",
               .upstream = Upstream{.system = "nfs", .status = 0, .detail = text_of(context_.get())}};
}

Result<void> RpcChannel::turn(const OpContext& op, MonoTime silent_until, const std::string& what) {
  HOMEPORT_CHECK(still_wanted(op, *clock_, what));
  const MonoTime now = clock_->mono();
  if (now >= silent_until) {
    return Error{.code = Errc::timed_out,
                 .message = what + ": " + target_.host + " said nothing for " + format_duration(silence_),
                 .hint = "the server hangs or is unreachable: look at it, and at the network between"};
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(std::min(silent_until, op.deadline) - now);
  const auto wait = std::clamp(left, std::chrono::milliseconds(1), kSlice);
  pollfd watched{
      .fd = rpc_get_fd(context_.get()), .events = static_cast<short>(rpc_which_events(context_.get())), .revents = 0};
  if (watched.fd < 0) return lost(what);
  const int ready = ::poll(&watched, 1, static_cast<int>(wait.count()));
  if (ready < 0 && errno != EINTR) return lost(what);
  if (ready > 0 && rpc_service(context_.get(), watched.revents) < 0) return lost(what);
  return {};
}

void RpcChannel::on_answer(rpc_context* context, int status, void* data, void* state) {
  auto* flight = static_cast<Flight*>(state);
  if (flight->batch->closed || status == RPC_STATUS_CANCEL) return;
  flight->answered = true;
  ++flight->batch->answered;
  RpcCall& call = *flight->call;
  if (status == RPC_STATUS_SUCCESS) {
    call.outcome = call.take(data);
    return;
  }
  const std::string text = data != nullptr ? static_cast<const char*>(data) : text_of(context);
  if (auto refusal = refusal_from(text, call.what)) {
    call.outcome = *std::move(refusal);
    return;
  }
  call.outcome = Error{.code = Errc::unavailable,
                       .message = call.what + ": the connection was lost",
                       .upstream = Upstream{.system = "nfs", .status = 0, .detail = text},
                       .maybe_applied = call.changing};
}

void RpcChannel::run(const OpContext& op, std::span<RpcCall> calls) {
  Batch batch;
  std::vector<Flight> flights(calls.size());
  std::size_t sent = 0;
  std::size_t seen = 0;
  std::optional<Error> trouble;
  if (!context_)
    trouble = Error{.code = Errc::unavailable, .message = "the connection to " + target_.host + " is closed"};
  MonoTime silent_until = clock_->mono() + silence_;
  while (!trouble && batch.answered < calls.size()) {
    while (sent < calls.size() && sent - batch.answered < kWindow) {
      RpcCall& call = calls[sent];
      flights[sent] = {.call = &call, .batch = &batch};
      if (call.changing && op.dry_run) {
        trouble = Error{.message = call.what + " was about to be sent under a dry run"};
        break;
      }
      if (call.send(context_.get(), &RpcChannel::on_answer, &flights[sent]) < 0) {
        trouble = Error{.code = Errc::unavailable, .message = call.what + ": could not be sent"};
        break;
      }
      ++sent;
    }
    if (trouble) break;
    auto turned = turn(op, silent_until, calls[std::min(seen, calls.size() - 1)].what);
    if (!turned) trouble = std::move(turned).error();
    if (batch.answered > seen) silent_until = clock_->mono() + silence_;
    seen = batch.answered;
  }
  if (!trouble) return;
  batch.closed = true;
  context_.reset();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i < sent && flights[i].answered) continue;
    Error error = *trouble;
    error.maybe_applied = i < sent && calls[i].changing;
    calls[i].outcome = std::move(error);
  }
}

bool RpcChannel::usable() const {
  if (!context_ || rpc_get_fd(context_.get()) < 0) return false;
  pollfd watched{.fd = rpc_get_fd(context_.get()), .events = POLLIN, .revents = 0};
  // An idle connection has nothing to read: readable means closed.
  return ::poll(&watched, 1, 0) == 0;
}

std::uint16_t RpcChannel::source_port() const {
  if (!context_) return 0;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(rpc_get_fd(context_.get()), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string RpcChannel::source_address() const {
  if (!context_) return {};
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> text{};
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(rpc_get_fd(context_.get()), raw, &size) != 0) return {};
  if (::getnameinfo(raw, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return text.data();
}

}  // namespace homeport::drivers::nfs
