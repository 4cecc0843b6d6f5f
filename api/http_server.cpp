#include "api/http_server.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>
#include <charconv>
#include <mutex>

#include "api/http_loop.h"
#include "api/http_session.h"
#include "api/http_transport.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/log.h"

namespace homeport {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;
using Acceptor = net::basic_socket_acceptor<tcp, net::io_context::executor_type>;
using TlsContext = std::shared_ptr<net::ssl::context>;

constexpr std::size_t kMaxRefusing = 64;  // further ones are closed without a word
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

Error tls_error(std::string_view what, const std::string& file, const error_code& ec) {
  return Error{.code = Errc::invalid_argument,
               .message = "TLS: " + std::string(what) + " " + file + ": " + ec.message(),
               .hint = "the files must be PEM, readable by the service, and belong together; a key without a password"};
}

Result<TlsContext> load_tls(const TlsFiles& files) {
  auto context = std::make_shared<net::ssl::context>(net::ssl::context::tls_server);
  error_code ec;
  context->set_options(net::ssl::context::default_workarounds | net::ssl::context::no_sslv2 |
                           net::ssl::context::no_sslv3 | net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1 |
                           net::ssl::context::no_compression,
                       ec);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  // Never ask a terminal for a password: a service has none.
  context->set_password_callback([](std::size_t, net::ssl::context::password_purpose) { return std::string(); }, ec);
  context->use_certificate_chain_file(files.certificate_file, ec);
  if (ec) return tls_error("cannot use the certificate chain", files.certificate_file, ec);
  context->use_private_key_file(files.key_file, net::ssl::context::pem, ec);
  if (ec) return tls_error("cannot use the key", files.key_file, ec);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return tls_error("the key does not belong to the certificate", files.key_file,
                     error_code(net::error::invalid_argument));
  }
  return context;
}

Error listen_error(const std::string& address, std::string_view what, const error_code& ec) {
  auto code = Errc::unavailable;
  std::string hint = "check the address with `ip addr`";
  if (ec == net::error::address_in_use) {
    code = Errc::already_exists;
    hint = "another program listens there (`ss -ltnp`); stop it or choose another port";
  } else if (ec == net::error::access_denied) {
    code = Errc::permission_denied;
    hint = "ports below 1024 need CAP_NET_BIND_SERVICE";
  }
  return Error{.code = code,
               .message = "listen on " + address + ": " + std::string(what) + ": " + ec.message(),
               .hint = std::move(hint)};
}

Result<tcp::endpoint> resolve(const std::string& text) {
  HOMEPORT_TRY(const auto address, parse_listen_address(text));
  error_code ec;
  const auto ip = net::ip::make_address(address.host, ec);
  if (!ec) return tcp::endpoint(ip, address.port);
  net::io_context io;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "listen on " + text + ": the host is not known: " + ec.message(),
                 .hint = "write an address of this machine, such as 127.0.0.1 or [::1]"};
  }
  return found.begin()->endpoint();
}

net::ip::address plain_address(const net::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6());
}

std::string to_text(const tcp::endpoint& endpoint) {
  const auto host = endpoint.address().to_string();
  const auto port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const Error wrong{.code = Errc::invalid_argument,
                    .message = "\"" + text + "\" is not an address to listen on",
                    .hint = "write HOST:PORT, for example 127.0.0.1:8377 or [::1]:8377"};
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return wrong;
  std::string host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return wrong;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return wrong;
  }
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return wrong;
  return ListenAddress{.host = std::move(host), .port = port};
}

struct HttpServer::Impl {
  Impl(HttpSettings s, Router router, HttpHandlers handlers, const Clock& clock, IdSource& ids)
      : settings(std::move(s)),
        shared{.limits = settings.limits,
               .router = std::move(router),
               .handlers = std::move(handlers),
               .clock = clock,
               .ids = ids} {
    for (unsigned i = 0; i < std::max(1U, settings.io_threads); ++i) loops.push_back(std::make_unique<IoLoop>(shared));
  }

  Result<void> open(const std::string& address);
  void accept(std::size_t index);
  void on_accepted(IoLoop& loop, HttpSocket socket);
  void pause_accepting(std::size_t index, const error_code& why);
  void stop(std::chrono::milliseconds grace);

  HttpSettings settings;
  HttpShared shared;
  Guarded<TlsContext> tls;
  std::vector<std::unique_ptr<IoLoop>> loops;
  // The first loop accepts for all; these are only touched by its thread once it runs.
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  std::vector<std::unique_ptr<net::steady_timer>> pauses;
  std::size_t next_loop = 0;
  std::vector<std::string> bound;
  std::uint16_t port = 0;
  std::mutex stopping;
  bool stopped = false;
};

Result<void> HttpServer::Impl::open(const std::string& address) {
  HOMEPORT_TRY(const auto endpoint, resolve(address));
  auto& io = loops.front()->io();
  auto acceptor = std::make_unique<Acceptor>(io);
  error_code ec;
  acceptor->open(endpoint.protocol(), ec);
  if (ec) return listen_error(address, "open", ec);
  acceptor->set_option(net::socket_base::reuse_address(true), ec);
  // [::] beside 0.0.0.0 must not be in each other's way.
  if (endpoint.address().is_v6()) acceptor->set_option(net::ip::v6_only(true), ec);
  acceptor->bind(endpoint, ec);
  if (ec) return listen_error(address, "bind", ec);
  acceptor->listen(net::socket_base::max_listen_connections, ec);
  if (ec) return listen_error(address, "listen", ec);
  const auto local = acceptor->local_endpoint(ec);
  if (ec) return listen_error(address, "local address", ec);
  bound.push_back(to_text(local));
  if (port == 0) port = local.port();
  acceptors.push_back(std::move(acceptor));
  pauses.push_back(std::make_unique<net::steady_timer>(io));
  return {};
}

void HttpServer::Impl::accept(std::size_t index) {
  IoLoop& loop = *loops[next_loop++ % loops.size()];
  acceptors[index]->async_accept(loop.io(), [this, index, &loop](const error_code& ec, HttpSocket socket) {
    if (ec == net::error::operation_aborted) return;
    if (ec) return pause_accepting(index, ec);
    on_accepted(loop, std::move(socket));
    accept(index);
  });
}

// Out of file descriptors, mostly: trying again at once would only burn the processor.
void HttpServer::Impl::pause_accepting(std::size_t index, const error_code& why) {
  log::warning("accept_failed", {{"address", bound[index]}, {"why", why.message()}});
  pauses[index]->expires_after(kAcceptPause);
  pauses[index]->async_wait([this, index](const error_code& ec) {
    if (!ec) accept(index);
  });
}

void HttpServer::Impl::on_accepted(IoLoop& loop, HttpSocket socket) {
  error_code ec;
  const auto remote = socket.remote_endpoint(ec);
  if (ec) return;  // gone already
  ++shared.accepted;
  const bool full = shared.connections.load() >= settings.limits.max_connections;
  const auto context = tls.with([](const TlsContext& current) { return current; });
  // Saying no inside TLS would cost a handshake, which is what a flood wants.
  if (full) ++shared.refused;
  if (full && (context || shared.refusing.load() >= kMaxRefusing)) return;
  socket.set_option(tcp::no_delay(true), ec);
  socket.set_option(net::socket_base::keep_alive(true), ec);
  socket.non_blocking(true, ec);
  if (ec) return;
  const auto address = plain_address(remote.address());
  HttpPeer peer{.address = address.to_string(), .is_loopback = address.is_loopback(), .is_tls = context != nullptr};
  CountGuard slot(full ? shared.refusing : shared.connections);
  const auto session = context ? make_tls_session(loop, std::move(socket), std::move(peer), std::move(slot), context)
                               : make_plain_session(loop, std::move(socket), std::move(peer), std::move(slot));
  net::dispatch(loop.io(), [&loop, session, full] {
    loop.adopt(session);
    if (full) {
      session->refuse();
    } else {
      session->start();
    }
  });
}

void HttpServer::Impl::stop(std::chrono::milliseconds grace) {
  const std::lock_guard lock(stopping);
  if (std::exchange(stopped, true)) return;
  shared.draining = true;
  const MonoTime cut_at = shared.clock.mono() + grace;
  // In one step on the accepting thread: a connection is adopted either before its loop drains or not at all.
  net::post(loops.front()->io(), [this, cut_at] {
    error_code ignored;
    for (auto& acceptor : acceptors) acceptor->close(ignored);
    for (auto& pause : pauses) pause->cancel();
    for (auto& loop : loops) net::post(loop->io(), [&loop = *loop, cut_at] { loop.drain(cut_at); });
  });
  for (auto& loop : loops) loop->join();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  stop(std::chrono::milliseconds(0));
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpSettings settings, Router router, HttpHandlers handlers,
                                                      const Clock& clock, IdSource& ids) {
  if (settings.listen.empty()) {
    return Error{.code = Errc::invalid_argument, .message = "no address to listen on was named"};
  }
  auto impl = std::make_unique<Impl>(std::move(settings), std::move(router), std::move(handlers), clock, ids);
  if (impl->settings.tls) {
    HOMEPORT_TRY(auto context, load_tls(*impl->settings.tls));
    impl->tls.with([&](TlsContext& current) { current = std::move(context); });
  }
  for (const auto& address : impl->settings.listen) HOMEPORT_CHECK(impl->open(address));
  for (std::size_t i = 0; i < impl->acceptors.size(); ++i) impl->accept(i);
  for (auto& loop : impl->loops) loop->start();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

const std::vector<std::string>& HttpServer::bound() const {
  return impl_->bound;
}
std::uint16_t HttpServer::port() const {
  return impl_->port;
}
void HttpServer::stop(std::chrono::milliseconds grace) {
  impl_->stop(grace);
}

HttpStats HttpServer::stats() const {
  const HttpShared& shared = impl_->shared;
  return HttpStats{.connections = shared.connections.load(),
                   .in_flight = shared.in_flight->load(),
                   .streams = shared.streams.load(),
                   .accepted = shared.accepted.load(),
                   .refused = shared.refused.load(),
                   .cut = shared.cut.load()};
}

Result<void> HttpServer::reload_tls() {
  if (!impl_->settings.tls) return {};
  HOMEPORT_TRY(auto context, load_tls(*impl_->settings.tls));
  impl_->tls.with([&](TlsContext& current) { current.swap(context); });
  return {};
}

}  // namespace homeport
