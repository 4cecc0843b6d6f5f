#include "drivers/http/connection.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/version.hpp>

#include "drivers/http/resolve.h"
#include "provisioner/base/names.h"

namespace homeport::drivers::http {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace wire = beast::http;
using boost::system::error_code;
using tcp = net::ip::tcp;

constexpr std::uint32_t kMaxHeader = 64U << 10U;

// An answer without a body, whatever its header says of one.
bool is_bodiless(const Request& request) {
  return request.method == "HEAD";
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string sentence_of(error_code ec) {
  std::string why = ec.message();
  if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] = static_cast<char>(why[0] - 'A' + 'a');
  return why;
}

}  // namespace

// Beast's timeouts work for asynchronous steps only: each is started here and waited for.
template <class Start>
error_code Connection::run_step(MonoTime deadline, const std::stop_token& stop, Start start) {
  error_code result = net::error::operation_aborted;
  cancelled_ = false;
  socket().expires_at(deadline);
  const std::stop_callback on_stop(stop, [this] {
    net::post(io_, [this] {
      cancelled_ = true;
      socket().cancel();
    });
  });
  start([&result](error_code ec, auto&&...) { result = ec; });
  io_.restart();
  io_.run();
  return result;
}

Result<void> Connection::open(const OpContext& op) {
  const Url& url = settings_.url;
  const MonoTime limit = std::min(op.deadline, clock_.mono() + settings_.connect_limit);
  auto addresses = resolve(op, limit, clock_, url.host, url.port);
  if (!addresses && addresses.error().code == Errc::cancelled) {
    return Error{.code = Errc::cancelled, .message = "asking " + settings_.name + " was stopped"};
  }
  if (!addresses) {
    return unreachable("the name " + printable(url.host) + " cannot be resolved (" + addresses.error().message + ")");
  }
  if (url.tls) {
    HOMEPORT_CHECK(prepare_tls());
  } else {
    plain_ = std::make_unique<Plain>(io_);
  }
  error_code ec = run_step(limit, op.stop, [&](auto done) { socket().async_connect(*addresses, std::move(done)); });
  if (ec) return connect_failed(ec);
  socket().socket().set_option(tcp::no_delay(true), ec);  // a failure costs time only
  if (!url.tls) return {};
  ec = run_step(limit, op.stop,
                [&](auto done) { tls_->async_handshake(net::ssl::stream_base::client, std::move(done)); });
  if (ec) return handshake_failed(ec);
  return {};
}

Result<void> Connection::prepare_tls() {
  context_.emplace(net::ssl::context::tls_client);
  error_code ec;
  context_->set_options(
      net::ssl::context::default_workarounds | net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1, ec);
  if (!ec) context_->set_verify_mode(net::ssl::verify_peer, ec);
  if (!ec && settings_.ca_file.empty()) context_->set_default_verify_paths(ec);
  if (!ec && !settings_.ca_file.empty()) context_->load_verify_file(settings_.ca_file, ec);
  if (ec) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the CA file '" + printable(settings_.ca_file) + "' for " + settings_.name +
                            " cannot be used: " + sentence_of(ec),
                 .hint = "it is a file of PEM certificates that homeportd can read"};
  }
  tls_ = std::make_unique<Tls>(io_, *context_);
  tls_->set_verify_callback(net::ssl::host_name_verification(settings_.url.host), ec);
  if (ec) return unreachable("TLS cannot be set up (" + sentence_of(ec) + ")");
  error_code is_name;
  (void)net::ip::make_address(settings_.url.host, is_name);
  if (is_name) {
    // SNI is for names only. The macro for this hides an old-style cast.
    std::string name = settings_.url.host;
    SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  }
  return {};
}

Result<Reply> Connection::exchange(const OpContext& op, const Request& request) {
  keep_ = false;
  closed_early_ = false;
  auto reply = tls_ ? exchange_on(*tls_, op, request) : exchange_on(*plain_, op, request);
  // A stop that came too late for this call may still be queued, and would end the next one.
  if (op.stop.stop_requested()) keep_ = false;
  return reply;
}

template <class Stream>
Result<Reply> Connection::exchange_on(Stream& stream, const OpContext& op, const Request& request) {
  wire::request<wire::string_body> out;
  out.method_string(request.method);
  out.target(settings_.url.base_path + request.target);
  out.set(wire::field::host, settings_.url.authority());
  out.set(wire::field::user_agent, "homeport/" HOMEPORT_VERSION);
  if (!op.request_id.empty()) out.set("X-Request-Id", op.request_id);
  for (const auto& [name, value] : request.headers) out.set(name, value);
  if (request.bearer) out.set(wire::field::authorization, "Bearer " + request.bearer->reveal());
  out.body() = request.body;
  if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) out.prepare_payload();
  error_code ec = run_step(op.deadline, op.stop, [&](auto done) { wire::async_write(stream, out, std::move(done)); });
  if (ec) return exchange_failed(request, ec, true);
  wire::response_parser<wire::string_body> parser;
  parser.body_limit(settings_.max_body);
  parser.header_limit(kMaxHeader);
  parser.skip(is_bodiless(request));
  ec = run_step(op.deadline, op.stop, [&](auto done) { wire::async_read(stream, buffer_, parser, std::move(done)); });
  if (ec) return exchange_failed(request, ec, !parser.got_some());
  auto answer = parser.release();
  keep_ = answer.keep_alive() && buffer_.size() == 0;
  Reply reply{.status = static_cast<int>(answer.result_int())};
  for (const auto& field : answer) reply.headers[lower(std::string(field.name_string()))] = std::string(field.value());
  reply.body = std::move(answer.body());
  return reply;
}

bool Connection::usable() {
  if (!keep_) return false;
  char byte = 0;
  const auto got = ::recv(socket().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

Error Connection::unreachable(const std::string& why, std::string hint) const {
  return Error{.code = Errc::unavailable,
               .message = "cannot reach " + settings_.name + " at " + settings_.url.to_string() + ": " + why,
               .hint = std::move(hint)};
}

Error Connection::connect_failed(Code ec) const {
  if (cancelled_) return Error{.code = Errc::cancelled, .message = "asking " + settings_.name + " was stopped"};
  if (ec == beast::error::timeout) return unreachable("no answer to the connection attempt");
  return unreachable(sentence_of(ec));
}

Error Connection::handshake_failed(Code ec) const {
  if (cancelled_) return connect_failed(ec);
  if (ec == beast::error::timeout) return unreachable("no answer to the TLS handshake");
  const long verdict = SSL_get_verify_result(tls_->native_handle());
  if (verdict == X509_V_OK) {
    return unreachable("TLS handshake failed (" + sentence_of(ec) + ")",
                       "does it speak TLS on this port? if not, its URL starts with http://");
  }
  // A refusal by the host name check carries no reason of its own.
  const std::string why = verdict == X509_V_ERR_UNSPECIFIED || verdict == X509_V_ERR_HOSTNAME_MISMATCH
                              ? "it was issued for another name than " + printable(settings_.url.host)
                              : X509_verify_cert_error_string(verdict);
  return unreachable("its certificate is not accepted (" + why + ")",
                     settings_.ca_file.empty()
                         ? "name the certificate of its CA in the configuration, and use the name it was issued for"
                         : "is '" + printable(settings_.ca_file) + "' the certificate of its CA, and does the URL " +
                               "have the name it was issued for?");
}

// `early`: no byte of the answer had come.
Error Connection::exchange_failed(const Request& request, Code ec, bool early) {
  const std::string what = request.method + " " + request.target.substr(0, request.target.find('?'));
  const std::string side = settings_.name + " at " + settings_.url.to_string();
  if (cancelled_) return Error{.code = Errc::cancelled, .message = what + " was stopped", .maybe_applied = true};
  if (ec == beast::error::timeout) {
    return Error{.code = Errc::timed_out,
                 .message = "no answer from " + side + " in time (" + what + ")",
                 .maybe_applied = true};
  }
  if (ec == wire::error::body_limit || ec == wire::error::header_limit) {
    return Error{
        .code = Errc::internal,
        .message = side + " answered more than " + std::to_string(settings_.max_body >> 10U) + " KiB to " + what,
        .maybe_applied = true};
  }
  if (ec.category() == wire::make_error_code(wire::error::bad_version).category() && ec != wire::error::end_of_stream &&
      ec != wire::error::partial_message) {
    return Error{.code = Errc::internal,
                 .message = side + " answered something that is not HTTP (" + sentence_of(ec) + ")",
                 .hint = "is this the right address? does it want https:// ?",
                 .maybe_applied = true};
  }
  closed_early_ = early;
  return Error{.code = Errc::unavailable,
               .message = side + " closed the connection without a whole answer (" + what + ")",
               .maybe_applied = true};
}

}  // namespace homeport::drivers::http
