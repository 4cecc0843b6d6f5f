#include "api/http_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

#include "provisioner/base/bytes.h"
#include "provisioner/base/names.h"

namespace homeport {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

Refusal unsupported(unsigned status, std::string message, std::string hint) {
  return Refusal{Error{.code = Errc::unsupported, .message = std::move(message), .hint = std::move(hint)}, status};
}

struct FieldFacts {
  int hosts = 0;
  bool too_many = false;
  std::string_view transfer_encoding{};
  std::string_view expect{};
  bool has_transfer_encoding = false;
};

// Collects views. Lives for one request.
class Collector final : public http::basic_parser<true> {
 public:
  Collector(std::size_t max_fields, Request& request) : max_fields_(max_fields), request_(&request) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // measured by the caller before the first byte
    body_limit(boost::none);                                  // likewise, as each route has its own
  }

  FieldFacts facts{};
  int version = 11;
  std::string* body = nullptr;
  std::size_t max_body = 0;
  bool body_over_limit = false;

 private:
  void on_request_impl(http::verb, boost::beast::string_view method, boost::beast::string_view target, int number,
                       error_code&) override {
    request_->method = method_from_name(view(method));
    request_->target.raw = view(target);
    version = number;
  }

  void on_field_impl(http::field field, boost::beast::string_view name, boost::beast::string_view value,
                     error_code&) override {
    if (request_ == nullptr) return;  // a trailer: nobody here needs one
    if (request_->headers.size() >= max_fields_) {
      facts.too_many = true;
      return;
    }
    request_->headers.push_back({view(name), view(value)});
    if (field == http::field::host) {
      ++facts.hosts;
    } else if (field == http::field::transfer_encoding) {
      facts.has_transfer_encoding = true;
      facts.transfer_encoding = view(value);
    } else if (field == http::field::expect) {
      facts.expect = view(value);
    }
  }

  void on_header_impl(error_code&) override { request_ = nullptr; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t size, boost::beast::string_view, error_code& ec) override {
    if (body == nullptr || size <= max_body - body->size()) return;
    body_over_limit = true;
    ec = http::error::body_limit;
  }
  std::size_t on_body_impl(boost::beast::string_view data, error_code&) override { return data.size(); }
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view data, error_code&) override {
    if (body != nullptr) body->append(data.data(), data.size());
    return data.size();
  }
  void on_finish_impl(error_code&) override {}
  // Only for answers; this parser reads requests.
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}

  std::size_t max_fields_;
  Request* request_;  // null once the header is complete
};

// A line that begins with a blank goes on with the field before it, by rules that are obsolete (RFC 9112 section 5.2).
// Nobody sends these but to be understood differently by a proxy and by us, and Beast would hand out a value that lies
// in a buffer of its own.
bool has_folded_line(std::string_view text) {
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1)) {
    if (end + 1 < text.size() && (text[end + 1] == ' ' || text[end + 1] == '\t')) return true;
  }
  return false;
}

std::optional<Refusal> from_beast(error_code ec) {
  if (ec == http::error::bad_version) {
    return unsupported(505, "the protocol version is not HTTP/1.1 or HTTP/1.0", "speak HTTP/1.1");
  }
  return malformed(ec.message());
}

std::optional<Refusal> check_fields(const Collector& parsed, const HttpLimits& limits) {
  const FieldFacts& facts = parsed.facts;
  if (facts.too_many) {
    return Refusal{Error{.code = Errc::too_large,
                         .message = "the header has more than " + std::to_string(limits.max_headers) + " fields"},
                   431};
  }
  if (facts.hosts > 1) return malformed("there are several Host fields");
  if (facts.hosts == 0 && parsed.version >= 11) return malformed("HTTP/1.1 needs a Host field");
  if (facts.has_transfer_encoding) {
    if (parsed.version < 11) return malformed("HTTP/1.0 has no Transfer-Encoding");
    if (!equal_ignoring_case(facts.transfer_encoding, "chunked")) {
      return unsupported(501, "Transfer-Encoding " + printable(facts.transfer_encoding, 40) + " is not known here",
                         "send the body as it is, with Content-Length or Transfer-Encoding: chunked");
    }
  }
  if (!facts.expect.empty() && !equal_ignoring_case(facts.expect, "100-continue")) {
    return unsupported(417, "Expect " + printable(facts.expect, 40) + " cannot be met", "leave the Expect field out");
  }
  return std::nullopt;
}

}  // namespace

Refusal malformed(std::string what) {
  return Refusal{Error{.code = Errc::invalid_argument,
                       .message = "this is not a well-formed HTTP/1.1 request: " + std::move(what),
                       .hint = "check that the client speaks plain HTTP or HTTPS as the service was told to"}};
}

Refusal body_too_large(std::size_t max_body) {
  return Refusal{Error{.code = Errc::too_large,
                       .message = "the request body is larger than " + Bytes(max_body).to_string(),
                       .hint = "split the request; lists are taken in parts"}};
}

Refusal header_too_large(std::size_t max_header) {
  return Refusal{Error{.code = Errc::too_large,
                       .message = "request line and header fields are larger than " + Bytes(max_header).to_string(),
                       .hint = "send fewer or shorter fields; long data belongs into the body"},
                 431};
}

struct RequestParser::Impl {
  std::optional<Collector> parser;
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

std::optional<Refusal> RequestParser::parse_head(std::string_view text, const HttpLimits& limits, Request& request,
                                                 Head& head) {
  if (has_folded_line(text)) return malformed("a header field is folded over two lines");
  auto& parser = impl_->parser.emplace(limits.max_headers, request);
  error_code ec;
  const std::size_t taken = parser.put(boost::asio::const_buffer(text.data(), text.size()), ec);
  if (ec == http::error::need_more) return malformed("the blank line came too early");
  if (ec) return from_beast(ec);
  if (!parser.is_header_done() || taken != text.size()) return malformed("the header does not end where it should");
  head.http11 = parser.version >= 11;
  head.keep_alive = parser.keep_alive();
  head.chunked = parser.chunked();
  head.content_length = parser.content_length().value_or(0);
  head.expects_continue = head.http11 && !parser.facts.expect.empty();
  if (head.chunked) parser.eager(true);
  return check_fields(parser, limits);
}

std::optional<Refusal> RequestParser::parse_chunks(std::string_view text, std::size_t max_body, std::string& body,
                                                   std::size_t& taken, Chunks& state) {
  auto& parser = *impl_->parser;
  parser.body = &body;
  parser.max_body = max_body;
  error_code ec;
  taken = parser.put(boost::asio::const_buffer(text.data(), text.size()), ec);
  state = parser.is_done() ? Chunks::done : Chunks::more;
  if (parser.body_over_limit) return body_too_large(max_body);
  if (ec && ec != http::error::need_more) return from_beast(ec);
  return std::nullopt;
}

}  // namespace homeport
