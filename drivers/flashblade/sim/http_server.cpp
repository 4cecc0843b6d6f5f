#include "drivers/flashblade/sim/http_server.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <list>
#include <mutex>
#include <thread>

#include "drivers/flashblade/sim/table.h"

namespace homeport::fbsim {
namespace {

namespace net = boost::asio;
namespace ssl = boost::asio::ssl;
namespace wire = boost::beast::http;
using boost::system::error_code;
using tcp = net::ip::tcp;

constexpr std::uint64_t kMaxBody = std::uint64_t{16} << 20U;
constexpr std::size_t kMaxConnections = 2'000;  // each is a thread

HttpRequest from_wire(wire::request<wire::string_body>& in, const std::string& peer) {
  HttpRequest out;
  out.method = std::string(in.method_string());
  out.target = std::string(in.target());
  for (const auto& field : in) out.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  out.body = std::move(in.body());
  out.peer = peer;
  return out;
}

wire::response<wire::string_body> to_wire(HttpAnswer&& answer, const wire::request<wire::string_body>& request) {
  wire::response<wire::string_body> out(static_cast<wire::status>(answer.status), request.version());
  out.set(wire::field::server, "flashblade-sim");
  if (!answer.body.empty()) out.set(wire::field::content_type, answer.content_type);
  for (const auto& [name, value] : answer.headers) out.set(name, value);
  out.body() = std::move(answer.body);
  out.keep_alive(request.keep_alive());
  out.prepare_payload();
  return out;
}

// Head and half of the body, whatever Content-Length promised.
template <class Stream>
void write_half(Stream& stream, const wire::response<wire::string_body>& response) {
  std::ostringstream text;
  text << response;
  const auto whole = text.str();
  error_code ignored;
  net::write(stream, net::buffer(whole.data(), whole.size() - response.body().size() / 2 - 1), ignored);
}

}  // namespace

struct HttpServer::Impl {
  struct Connection {
    int fd = -1;
    std::jthread thread{};
    bool done = false;
  };

  explicit Impl(Handle handle_in) : handle(std::move(handle_in)) {}

  Result<void> listen(const ListenOptions& options);
  Result<void> use_tls(const TlsFiles& files);
  void accept_all(const std::stop_token& stop);
  void serve(tcp::socket socket, Connection& own, const std::stop_token& stop);
  template <class Stream>
  void talk(Stream& stream, const std::string& peer, const std::stop_token& stop);
  template <class Stream>
  bool deliver(Stream& stream, HttpAnswer&& answer, const wire::request<wire::string_body>& request,
               const std::stop_token& stop);
  void reap();

  Handle handle;
  net::io_context io{};
  tcp::acceptor acceptor{io};
  std::optional<ssl::context> tls{};
  std::mutex mutex{};
  std::list<Connection> connections{};
  std::jthread acceptor_thread{};
};

Result<void> HttpServer::Impl::use_tls(const TlsFiles& files) {
  tls.emplace(ssl::context::tls_server);
  tls->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  error_code ec;
  tls->use_certificate_chain_file(files.certificate, ec);
  if (!ec) tls->use_private_key_file(files.key, ssl::context::pem, ec);
  if (!ec) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "cannot use the certificate " + files.certificate + ": " + ec.message(),
               .hint = "remove it and its key, then new ones are made"};
}

Result<void> HttpServer::Impl::listen(const ListenOptions& options) {
  error_code ec;
  const auto address = net::ip::make_address(options.address, ec);
  if (ec) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + options.address + "' is not an IP address",
                 .hint = "give an address of this machine, for example 127.0.0.1"};
  }
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(net::socket_base::max_listen_connections, ec);
  if (!ec) return {};
  return Error{
      .code = Errc::unavailable,
      .message = "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " + ec.message(),
      .hint = "choose another port; 0 takes any free one"};
}

void HttpServer::Impl::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    error_code ec;
    tcp::socket socket(io);
    acceptor.accept(socket, ec);
    if (stop.stop_requested()) return;
    if (ec) continue;
    reap();
    const std::lock_guard lock(mutex);
    if (connections.size() >= kMaxConnections) continue;  // the socket closes: refused
    auto& own = connections.emplace_back();
    own.fd = socket.native_handle();
    own.thread = std::jthread([this, &own, moved = std::move(socket)](const std::stop_token& token) mutable {
      serve(std::move(moved), own, token);
    });
  }
}

void HttpServer::Impl::reap() {
  std::list<Connection> ended;
  const std::lock_guard lock(mutex);
  for (auto at = connections.begin(); at != connections.end();) {
    const auto next = std::next(at);
    if (at->done) ended.splice(ended.end(), connections, at);
    at = next;
  }
}

void HttpServer::Impl::serve(tcp::socket socket, Connection& own, const std::stop_token& stop) {
  error_code ec;
  socket.set_option(tcp::no_delay(true), ec);
  const auto endpoint = socket.remote_endpoint(ec);
  const std::string peer = ec ? std::string() : endpoint.address().to_string();
  if (tls) {
    ssl::stream<tcp::socket&> stream(socket, *tls);
    stream.handshake(ssl::stream_base::server, ec);
    if (!ec) talk(stream, peer, stop);
  } else {
    talk(socket, peer, stop);
  }
  const std::lock_guard lock(mutex);
  own.fd = -1;  // the number may belong to another one from now on
  own.done = true;
  socket.close(ec);
}

template <class Stream>
void HttpServer::Impl::talk(Stream& stream, const std::string& peer, const std::stop_token& stop) {
  boost::beast::flat_buffer buffer;
  while (!stop.stop_requested()) {
    error_code ec;
    wire::request_parser<wire::string_body> parser;
    parser.body_limit(kMaxBody);
    wire::read_header(stream, buffer, parser, ec);
    if (ec) return;
    // Some clients wait for this before they send a body.
    if (folded(std::string(parser.get()[wire::field::expect])) == "100-continue") {
      net::write(stream, net::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), ec);
    }
    wire::read(stream, buffer, parser, ec);
    if (ec) return;
    auto request = parser.release();
    if (!deliver(stream, handle(from_wire(request, peer), stop), request, stop)) return;
  }
}

template <class Stream>
bool HttpServer::Impl::deliver(Stream& stream, HttpAnswer&& answer, const wire::request<wire::string_body>& request,
                               const std::stop_token& stop) {
  const auto how = answer.delivery;
  const auto response = to_wire(std::move(answer), request);
  error_code ec;
  switch (how) {
    case Delivery::whole: wire::write(stream, response, ec); return !ec && response.keep_alive();
    case Delivery::cut: return false;
    case Delivery::truncated: write_half(stream, response); return false;
    case Delivery::hold: {
      // Until the peer goes, or we stop: both end the read.
      while (!stop.stop_requested() && !ec) {
        std::array<char, 1024> swallowed{};
        stream.read_some(net::buffer(swallowed), ec);
      }
      return false;
    }
  }
  return false;
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ListenOptions& options, Handle handle) {
  auto impl = std::make_unique<Impl>(std::move(handle));
  if (options.tls) HOMEPORT_CHECK(impl->use_tls(*options.tls));
  HOMEPORT_CHECK(impl->listen(options));
  auto* raw = impl.get();
  impl->acceptor_thread = std::jthread([raw](const std::stop_token& stop) { raw->accept_all(stop); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->acceptor_thread.request_stop();
  // Wakes the accept that a close would not.
  ::shutdown(impl_->acceptor.native_handle(), SHUT_RDWR);
  impl_->acceptor_thread.join();
  {
    const std::lock_guard lock(impl_->mutex);
    for (auto& connection : impl_->connections) {
      connection.thread.request_stop();
      if (connection.fd >= 0) ::shutdown(connection.fd, SHUT_RDWR);
    }
  }
  for (auto& connection : impl_->connections) connection.thread.join();
}

std::string HttpServer::address() const {
  error_code ec;
  const auto endpoint = impl_->acceptor.local_endpoint(ec);
  const auto host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? '[' + host + ']' : host) + ':' + std::to_string(endpoint.port());
}

Result<ListenOptions> parse_listen(const std::string& text) {
  const Error bad{.code = Errc::invalid_argument,
                  .message = "'" + text + "' is not ADDRESS:PORT",
                  .hint = "for example 127.0.0.1:8443; port 0 takes any free one"};
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return bad;
  ListenOptions out;
  out.address = text.substr(0, colon);
  if (out.address.starts_with('[') && out.address.ends_with(']'))
    out.address = out.address.substr(1, out.address.size() - 2);
  const auto* first = text.data() + colon + 1;
  const auto* last = text.data() + text.size();
  const auto [end, wrong] = std::from_chars(first, last, out.port);
  if (wrong != std::errc() || end != last || out.address.empty()) return bad;
  return out;
}

}  // namespace homeport::fbsim
