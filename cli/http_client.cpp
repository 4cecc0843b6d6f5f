#include "cli/http_client.h"

#include <openssl/err.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/version.hpp>
#include <optional>

#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = net::ip::tcp;

constexpr std::uint64_t kMaxBody = 256ULL << 20U;
constexpr std::uint32_t kMaxHeader = 64U << 10U;

class BeastClient final : public HttpClient {
 public:
  BeastClient(HttpSettings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}

  Result<HttpReply> send(const HttpRequest& request, MonoTime deadline, const std::stop_token& stop) override {
    if (stop.stop_requested()) return stopped(request, false);
    const bool reused = is_open();
    if (!reused) HOMEPORT_CHECK(connect(deadline, stop));
    stale_ = false;
    auto reply = exchange(request, deadline, stop);
    if (reply) return reply;
    close();
    if (!(reused && stale_)) return reply;
    HOMEPORT_CHECK(connect(deadline, stop));  // the service had closed the idle connection
    reply = exchange(request, deadline, stop);
    if (!reply) close();
    return reply;
  }

 private:
  using TlsStream = beast::ssl_stream<beast::tcp_stream>;

  [[nodiscard]] bool is_open() const { return plain_ != nullptr || tls_ != nullptr; }
  void close() {
    plain_.reset();
    tls_.reset();
    buffer_.clear();
  }
  beast::tcp_stream& socket() { return tls_ ? beast::get_lowest_layer(*tls_) : *plain_; }

  // Beast's timeouts work for asynchronous steps only: each is started here and waited for.
  template <class Start>
  error_code run_step(MonoTime deadline, const std::stop_token& stop, Start start) {
    error_code result = net::error::operation_aborted;
    cancelled_ = false;
    socket().expires_at(deadline);
    const std::stop_callback on_stop(stop, [this] {
      net::post(io_, [this] {
        cancelled_ = true;
        if (is_open()) socket().cancel();
      });
    });
    start([&result](error_code ec, auto&&...) { result = ec; });
    io_.restart();
    io_.run();
    return result;
  }

  Result<void> connect(MonoTime deadline, const std::stop_token& stop) {
    const Url& url = settings_.url;
    error_code ec;
    tcp::resolver resolver(io_);
    // The machine's resolver has its own limits and cannot be interrupted; addresses do not get there.
    const auto found = resolver.resolve(url.host, std::to_string(url.port), ec);
    if (ec) return unreachable("the name " + printable(url.host) + " cannot be resolved (" + ec.message() + ")");
    deadline = std::min(deadline, clock_.mono() + settings_.connect_limit);
    if (url.tls) {
      HOMEPORT_CHECK(prepare_tls());
    } else {
      plain_ = std::make_unique<beast::tcp_stream>(io_);
    }
    ec = run_step(deadline, stop, [&](auto done) { socket().async_connect(found, std::move(done)); });
    if (ec) return connect_failed(ec);
    socket().socket().set_option(tcp::no_delay(true), ec);  // a failure costs time only
    if (!url.tls) return {};
    ec = run_step(deadline, stop,
                  [&](auto done) { tls_->async_handshake(net::ssl::stream_base::client, std::move(done)); });
    if (ec) return handshake_failed(ec);
    return {};
  }

  Result<void> prepare_tls() {
    if (!context_) {
      context_.emplace(net::ssl::context::tls_client);
      error_code ec;
      context_->set_options(
          net::ssl::context::default_workarounds | net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1, ec);
      if (!ec) context_->set_verify_mode(net::ssl::verify_peer, ec);
      if (!ec && settings_.ca_file.empty()) context_->set_default_verify_paths(ec);
      if (!ec && !settings_.ca_file.empty()) context_->load_verify_file(settings_.ca_file, ec);
      if (ec) {
        context_.reset();
        return Error{.code = Errc::invalid_argument,
                     .message = "cannot use the CA file '" + printable(settings_.ca_file) + "': " + ec.message(),
                     .hint = "--ca-file (or ca_file of the context) names a readable file of PEM certificates"};
      }
    }
    tls_ = std::make_unique<TlsStream>(io_, *context_);
    error_code ec;
    tls_->set_verify_callback(net::ssl::host_name_verification(settings_.url.host), ec);
    if (!ec && settings_.url.host.find_first_not_of("0123456789.:") != std::string::npos) {
      // SNI, for names only. The macro for this hides an old-style cast.
      std::string name = settings_.url.host;
      SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }
    if (ec) return unreachable("TLS cannot be set up (" + ec.message() + ")");
    return {};
  }

  Result<HttpReply> exchange(const HttpRequest& request, MonoTime deadline, const std::stop_token& stop) {
    if (tls_) return exchange_on(*tls_, request, deadline, stop);
    return exchange_on(*plain_, request, deadline, stop);
  }

  template <class Stream>
  Result<HttpReply> exchange_on(Stream& stream, const HttpRequest& request, MonoTime deadline,
                                const std::stop_token& stop) {
    http::request<http::string_body> out;
    out.method_string(request.method);
    out.target(settings_.url.base_path + request.target);
    out.set(http::field::host, settings_.url.authority());
    for (const auto& [name, value] : request.headers) out.set(name, value);
    out.body() = request.body;
    if (!request.body.empty() || request.method != "GET") out.prepare_payload();
    error_code ec = run_step(deadline, stop, [&](auto done) { http::async_write(stream, out, std::move(done)); });
    if (ec) return exchange_failed(request, ec, true);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    parser.header_limit(kMaxHeader);
    ec = run_step(deadline, stop, [&](auto done) { http::async_read(stream, buffer_, parser, std::move(done)); });
    if (ec) return exchange_failed(request, ec, !parser.got_some());
    auto answer = parser.release();
    HttpReply reply{.status = static_cast<int>(answer.result_int())};
    for (const auto& field : answer) {
      std::string name(field.name_string());
      std::ranges::transform(name, name.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      reply.headers[std::move(name)] = std::string(field.value());
    }
    reply.body = std::move(answer.body());
    if (!answer.keep_alive()) close();
    return reply;
  }

  Error unreachable(const std::string& why) {
    close();
    return Error{.code = Errc::unavailable,
                 .message = "cannot reach " + settings_.url.to_string() + ": " + why,
                 .hint = "is homeportd running? give another address with --url, HOMEPORT_URL or a context"};
  }

  Error connect_failed(error_code ec) {
    if (cancelled_) {
      close();
      return Error{.code = Errc::cancelled, .message = "interrupted"};
    }
    if (ec == beast::error::timeout) return unreachable("no answer to the connection attempt");
    std::string why = ec.message();
    if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] = static_cast<char>(why[0] + 32);
    return unreachable(why);
  }

  Error handshake_failed(error_code ec) {
    if (cancelled_ || ec == beast::error::timeout) return connect_failed(ec);
    const long verdict = SSL_get_verify_result(tls_->native_handle());
    if (verdict == X509_V_OK) {
      auto error = unreachable("TLS handshake failed (" + ec.message() + ")");
      error.hint = "does the service speak TLS on this port? if not, use http://";
      return error;
    }
    // A refusal by the host name check carries no reason of its own.
    const std::string why = verdict == X509_V_ERR_UNSPECIFIED
                                ? "it was issued for another name than " + settings_.url.host
                                : X509_verify_cert_error_string(verdict);
    auto error = unreachable("its certificate is not accepted (" + why + ")");
    error.hint =
        "give the certificate of your CA with --ca-file or ca_file of the context, and use the name it was issued for";
    return error;
  }

  Error stopped(const HttpRequest& request, bool sent) const {
    return Error{
        .code = Errc::cancelled,
        .message = "interrupted before " + settings_.url.to_string() + " answered",
        .hint = sent && request.method != "GET" ? "the service may go on with it: look at homeport operation list" : "",
        .maybe_applied = sent};
  }

  // `early`: no byte of the answer had come.
  Error exchange_failed(const HttpRequest& request, error_code ec, bool early) {
    const std::string what = request.method + " " + request.target;
    const std::string url = settings_.url.to_string();
    if (cancelled_) return stopped(request, true);
    if (ec == beast::error::timeout) {
      return Error{.code = Errc::timed_out,
                   .message = "no answer from " + url + " in time (" + what + ")",
                   .hint = request.method == "GET" ? "a longer --timeout helps when the service is busy"
                                                   : "it may still be working on it: look at homeport operation list; "
                                                     "a longer --timeout helps when it is busy",
                   .maybe_applied = true};
    }
    if (ec == http::error::body_limit || ec == http::error::header_limit) {
      return Error{.code = Errc::internal,
                   .message = url + " sent an answer over " + std::to_string(kMaxBody >> 20U) + " MiB"};
    }
    if (ec.category() == http::make_error_code(http::error::bad_version).category() &&
        ec != http::error::end_of_stream && ec != http::error::partial_message) {
      return Error{.code = Errc::internal,
                   .message = url + " answered something that is not HTTP (" + ec.message() + ")",
                   .hint = "is this the address of a Homeport service? does it want https:// ?"};
    }
    stale_ = early;
    return Error{.code = Errc::unavailable,
                 .message = url + " closed the connection without an answer (" + what + ")",
                 .hint = "did homeportd stop or restart? the same command can be given again",
                 .maybe_applied = true};
  }

  const HttpSettings settings_;
  const Clock& clock_;
  net::io_context io_{1};
  std::optional<net::ssl::context> context_{};
  std::unique_ptr<beast::tcp_stream> plain_{};
  std::unique_ptr<TlsStream> tls_{};
  beast::flat_buffer buffer_{};
  bool cancelled_ = false;
  bool stale_ = false;
};

}  // namespace

std::string HttpReply::header(const std::string& lower_name) const {
  const auto found = headers.find(lower_name);
  return found == headers.end() ? std::string{} : found->second;
}

std::unique_ptr<HttpClient> make_http_client(HttpSettings settings, const Clock& clock) {
  return std::make_unique<BeastClient>(std::move(settings), clock);
}

}  // namespace homeport::cli
