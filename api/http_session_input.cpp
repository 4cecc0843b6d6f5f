// The reading half of HttpSession: from bytes to a complete request.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "api/http_session.h"
#include "api/http_wire.h"
#include "api/problem.h"
#include "provisioner/base/names.h"

namespace homeport {
namespace {

constexpr std::size_t kBodyStep = 64U << 10U;  // a body grows as it comes, not as it was announced

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

void HttpSession::read(char* at, std::size_t room) {
  if (std::exchange(reading_, true)) return;
  start_read(at, room);
}

void HttpSession::read_into_buffer(std::size_t keep_free) {
  reading_body_ = false;
  read(block_->bytes.data() + end_, block_->bytes.size() - keep_free - end_);
}

void HttpSession::on_read(bool ok, std::size_t count) {
  reading_ = false;
  switch (phase_) {
    case Phase::head:
    case Phase::body:
      if (!ok) return close(false);  // gone in the middle of a request, or done with us
      if (reading_body_) {
        body_have_ += count;
      } else {
        end_ += count;
      }
      if (!interim_) advance();
      return;
    case Phase::lingering:
      if (!ok || count >= linger_left_) return close(false);
      linger_left_ -= count;
      return read(block_->bytes.data(), block_->bytes.size());
    case Phase::streaming:
      if (!ok) return close(false);
      return read(block_->bytes.data(), block_->bytes.size());  // nothing a client says here means anything
    case Phase::handshake:
    case Phase::handling:
    case Phase::writing:
    case Phase::closed: return;
  }
}

void HttpSession::advance() {
  while (true) {
    if (phase_ == Phase::head && !take_head()) return;
    if (phase_ == Phase::body && !take_body()) return;
    if (phase_ == Phase::handling && !dispatch()) return;
    if (phase_ != Phase::head) return;
  }
}

// Text that cannot become a request is answered at once instead of after the whole wait.
std::optional<Refusal> HttpSession::check_unfinished_head() const {
  const auto text = buffered();
  if (!is_token_char(text.front())) return malformed("it does not begin with a method");
  const auto line = text.find('\n');
  if (line != std::string_view::npos && (line == 0 || text[line - 1] != '\r')) {
    return malformed("a line ends without a carriage return");
  }
  if (text.size() >= limits().max_header_bytes) return header_too_large(limits().max_header_bytes);
  return std::nullopt;
}

bool HttpSession::take_head() {
  while (end_ - begin_ >= 2 && buffered().substr(0, 2) == "\r\n") begin_ += 2;  // RFC 9112 section 2.2
  if (begin_ == end_) {
    begin_ = end_ = scanned_ = 0;
    if (draining()) {
      close(false);
      return false;
    }
    if (head_clock_ == HeadClock::off) {
      head_clock_ = HeadClock::idle;
      wait_until(now() + limits().idle_time);
    }
    read_into_buffer(kBodyRoom);
    return false;
  }
  const auto text = buffered();
  const auto blank = text.find("\r\n\r\n", scanned_);
  if (blank != std::string_view::npos) return parse_head(blank + 4);
  if (head_clock_ != HeadClock::running) {
    head_clock_ = HeadClock::running;
    wait_until(now() + limits().header_time);
  }
  if (const auto refusal = check_unfinished_head()) return refuse_request(*refusal);
  scanned_ = text.size() < 3 ? 0 : text.size() - 3;
  if (begin_ > 0) {
    std::memmove(block_->bytes.data(), text.data(), text.size());
    begin_ = 0;
    end_ = text.size();
  }
  if (end_ + kBodyRoom >= block_->bytes.size()) {
    block_->bytes.resize(std::min(2 * block_->bytes.size(), limits().max_header_bytes + 2 * kBodyRoom));
  }
  read_into_buffer(kBodyRoom);
  return false;
}

void HttpSession::take_request_id() {
  const auto sent = request_.header("x-request-id");
  if (is_request_id(sent)) {
    request_id_ = sent;
  } else {
    // Unique without asking the kernel each time: 64 random bits of the connection and a count.
    std::array<char, 48> text{'r', 'e', 'q', '-'};
    auto* at = std::to_chars(text.data() + 4, text.data() + 24, id_prefix_, 16).ptr;
    *at++ = '-';
    at = std::to_chars(at, text.data() + text.size(), exchange_).ptr;
    request_id_.assign(text.data(), at);
  }
  request_.request_id = request_id_;
}

bool HttpSession::parse_head(std::size_t length) {
  const auto text = buffered().substr(0, length);
  begin_ += length;
  scanned_ = 0;
  head_clock_ = HeadClock::off;
  ++exchange_;
  request_.clear();
  early_.reset();
  if (length > limits().max_header_bytes) return refuse_request(header_too_large(limits().max_header_bytes));
  if (const auto refusal = parser_.parse_head(text, limits(), request_, head_)) return refuse_request(*refusal);
  has_head_ = true;
  received_at_ = now();
  keep_alive_ = head_.keep_alive;
  method_ = request_.method;
  take_request_id();
  request_.remote_address = peer_.address;
  request_.is_loopback = peer_.is_loopback;
  request_.is_tls = peer_.is_tls;
  request_.received_at = received_at_;
  request_.deadline = received_at_ + limits().request_time;
  route();
  route_ = request_.route;
  return open_body();
}

void HttpSession::route() {
  max_body_ = limits().max_body_bytes;
  if (auto parsed = parse_target(request_.target.raw, request_.target); !parsed) {
    early_ = problem_response(parsed.error(), request_id_);
    return;
  }
  auto match = loop_.shared().router.match(request_.method, request_.target, request_.params);
  const auto name = [&] { return std::string(method_name(request_.method)) + " "; };
  switch (match.kind) {
    case RouteMatch::Kind::found:
      request_.route = match.route->id;
      max_body_ = match.route->max_body_bytes.value_or(max_body_);
      return;
    case RouteMatch::Kind::options: early_ = Response{.status = 204}.with("Allow", std::move(match.allow)); return;
    case RouteMatch::Kind::method_not_allowed:
      early_ = problem_response(Error{.code = Errc::unsupported,
                                      .message = name() + "is not possible on " + printable(request_.target.path),
                                      .hint = "possible here: " + match.allow},
                                request_id_, 405)
                   .with("Allow", match.allow);
      return;
    case RouteMatch::Kind::not_found:
      early_ = problem_response(Error{.code = Errc::not_found,
                                      .message = "there is no " + printable(request_.target.path) + " here",
                                      .hint = std::move(match.hint)},
                                request_id_);
      return;
  }
}

bool HttpSession::open_body() {
  if (!head_.chunked && head_.content_length == 0) {
    phase_ = Phase::handling;
    return true;
  }
  if (head_.content_length > max_body_) return refuse_request(body_too_large(max_body_));
  phase_ = Phase::body;
  body_start_ = begin_;
  body_have_ = 0;
  block_->body.clear();
  wait_until(received_at_ + limits().body_time);
  if (!head_.expects_continue || begin_ != end_) return true;
  interim_ = true;
  if (!send({kContinue, {}})) return false;
  interim_ = false;
  return true;
}

bool HttpSession::take_body() {
  const bool done = head_.chunked ? take_chunked_body() : take_sized_body();
  if (done) phase_ = Phase::handling;
  return done;
}

bool HttpSession::take_sized_body() {
  const auto length = static_cast<std::size_t>(head_.content_length);
  if (length <= block_->bytes.size() - body_start_) {  // fits behind the header: never copied
    if (end_ - begin_ < length) {
      read_into_buffer(0);
      return false;
    }
    request_.body = buffered().substr(0, length);
    begin_ += length;
    return true;
  }
  auto& body = block_->body;
  if (begin_ != end_) {  // came together with the header; all of it is body, since the body does not fit
    body.assign(buffered());
    body_have_ = body.size();
    begin_ = end_;
  }
  if (body_have_ < length) {
    if (body.size() == body_have_) body.resize(std::min(length, body_have_ + std::max(kBodyStep, body_have_)));
    reading_body_ = true;
    read(body.data() + body_have_, body.size() - body_have_);
    return false;
  }
  request_.body = body;
  return true;
}

bool HttpSession::take_chunked_body() {
  auto state = RequestParser::Chunks::more;
  if (begin_ != end_) {
    std::size_t taken = 0;
    const auto refusal = parser_.parse_chunks(buffered(), max_body_, block_->body, taken, state);
    begin_ += taken;
    if (refusal) return refuse_request(*refusal);
  }
  if (state == RequestParser::Chunks::done) {
    request_.body = block_->body;
    return true;
  }
  const auto rest = buffered();
  std::memmove(block_->bytes.data() + body_start_, rest.data(), rest.size());
  begin_ = body_start_;
  end_ = body_start_ + rest.size();
  if (end_ == block_->bytes.size()) return refuse_request(malformed("a chunk header or trailer is too long"));
  read_into_buffer(0);
  return false;
}

}  // namespace homeport
