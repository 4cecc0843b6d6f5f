// The answering half of HttpSession, and its life; the reading half is http_session_input.cpp.
#include "api/http_session.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "api/http_wire.h"
#include "api/problem.h"
#include "provisioner/base/log.h"

namespace homeport {
namespace {

constexpr std::size_t kFirstBuffer = 8U << 10U;
constexpr std::size_t kLingerBytes = 4U << 20U;
constexpr std::size_t kKeepBytes = 16U << 10U;
constexpr std::size_t kCopyLimit = 4U << 10U;  // up to here one buffer is cheaper than two

Error too_slow(std::string_view what, std::chrono::milliseconds limit) {
  return Error{.code = Errc::timed_out,
               .message = std::string(what) + " was not complete after " + format_duration(limit),
               .hint = "send the request again, faster"};
}

// Hands the answer of one asynchronous request to its session, wherever it comes from.
class SessionSink final : public Responder::Sink {
 public:
  SessionSink(std::shared_ptr<Mailbox> mailbox, std::weak_ptr<HttpSession> session, std::uint64_t exchange,
              std::shared_ptr<std::atomic<std::size_t>> in_flight, std::size_t max_stream_buffer)
      : mailbox_(std::move(mailbox)),
        session_(std::move(session)),
        exchange_(exchange),
        counter_(std::move(in_flight)),
        in_flight_(*counter_),
        max_stream_buffer_(max_stream_buffer) {}

  void answer(Response&& response) override {
    in_flight_.reset();
    deliver([exchange = exchange_, response = std::move(response)](HttpSession& session) mutable {
      session.on_answer(exchange, std::move(response));
    });
  }

  std::shared_ptr<EventStream::Sink> stream(Response&& head) override {
    in_flight_.reset();
    auto wake = [mailbox = mailbox_, weak = session_] {
      mailbox->post([weak] {
        if (const auto session = weak.lock()) session->pump();
      });
    };
    auto buffer = std::make_shared<SseBuffer>(max_stream_buffer_, std::move(wake));
    deliver([exchange = exchange_, head = std::move(head), buffer](HttpSession& session) mutable {
      session.on_stream(exchange, std::move(head), buffer);
    });
    return buffer;
  }

 private:
  // A session is only ever locked on its own thread: the last reference must not die on another one.
  template <class Fn>
  void deliver(Fn fn) {
    if (mailbox_->on_loop_thread()) {
      const auto session = session_.lock();
      if (session && session->is_dispatching(exchange_)) return fn(*session);
    }
    mailbox_->post([weak = session_, fn = std::move(fn)]() mutable {
      if (const auto session = weak.lock()) fn(*session);
    });
  }

  std::shared_ptr<Mailbox> mailbox_;
  std::weak_ptr<HttpSession> session_;
  std::uint64_t exchange_;
  std::shared_ptr<std::atomic<std::size_t>> counter_;
  std::optional<CountGuard> in_flight_;
  std::size_t max_stream_buffer_;
};

}  // namespace

HttpSession::HttpSession(IoLoop& loop, HttpPeer peer, CountGuard slot)
    : loop_(loop), peer_(std::move(peer)), slot_(std::move(slot)), block_(std::make_shared<Block>()) {
  block_->bytes.resize(kFirstBuffer);
}

HttpSession::~HttpSession() {
  if (stream_) stream_->finish();
}

void HttpSession::start() {
  id_prefix_ = loop_.shared().ids.random64();
  wait_until(now() + limits().header_time);
  start_handshake();
}

void HttpSession::refuse() {
  head_.http11 = true;
  mid_request_ = true;
  keep_alive_ = false;
  respond(problem_response(Error{.code = Errc::unavailable,
                                 .message = "the service has as many connections as it takes",
                                 .hint = "reuse connections; the limit is in the service's configuration",
                                 .retry_after = std::chrono::seconds(1)},
                           {}));
}

void HttpSession::on_ready(bool ok) {
  if (phase_ != Phase::handshake) return;
  if (!ok) return close(false);
  phase_ = Phase::head;
  advance();
}

// ---- time ----

void HttpSession::tick(MonoTime now) {
  if (phase_ == Phase::streaming && !writing_ && now >= heartbeat_at_) {
    events_ = ":\n\n";  // a comment: keeps proxies and NATs from forgetting the connection
    send_stream_text();
    return;
  }
  if (now < deadline_) return;
  switch (phase_) {
    case Phase::head:
      if (begin_ == end_) return close(false);  // idle, or never said a word
      ++loop_.shared().cut;
      refuse_request({too_slow("the request header", limits().header_time), 408});
      return;
    case Phase::body:
      ++loop_.shared().cut;
      if (interim_) return close(true);
      refuse_request({too_slow("the request body", limits().body_time), 408});
      return;
    case Phase::writing:
    case Phase::streaming: ++loop_.shared().cut; return close(true);
    case Phase::handshake:
    case Phase::lingering: return close(false);
    case Phase::handling:
    case Phase::closed: return;
  }
}

void HttpSession::drain() {
  const bool idle = phase_ == Phase::head && begin_ == end_;
  if (idle || phase_ == Phase::handshake) return close(false);
  if (stream_) stream_->close();
}

void HttpSession::cut() {
  close(true);
}

// ---- answering ----

bool HttpSession::dispatch() {
  wait_without_end();
  if (early_) return respond(std::move(*early_));
  if (auto answer = answer_inline()) return respond(std::move(*answer));
  auto& shared = loop_.shared();
  if (shared.in_flight->load(std::memory_order_relaxed) >= limits().max_requests_in_flight) {
    return respond(problem_response(Error{.code = Errc::unavailable,
                                          .message = "the service has as many requests at work as it takes",
                                          .hint = "ask again in a moment",
                                          .retry_after = std::chrono::seconds(1)},
                                    request_id_));
  }
  return dispatch_later();
}

std::optional<Response> HttpSession::answer_inline() {
  const auto& handler = loop_.shared().handlers.inline_answer;
  if (!handler) return std::nullopt;
  try {
    return handler(request_);
  } catch (const std::exception& e) {  // a bug; it must not end the service
    log::error("handler_threw", {{"request_id", request_id_}, {"what", e.what()}});
    return problem_response(Error{.code = Errc::internal, .message = "the service could not handle the request"},
                            request_id_);
  }
}

bool HttpSession::dispatch_later() {
  auto& shared = loop_.shared();
  hand_over_block();
  auto sink = std::make_unique<SessionSink>(loop_.mailbox(), weak_from_this(), exchange_, shared.in_flight,
                                            limits().max_stream_buffer);
  dispatching_ = true;
  try {
    shared.handlers.handler(std::move(request_), Responder(std::move(sink), request_id_));
  } catch (const std::exception& e) {  // unless the handler kept its responder, that has died and answered
    log::error("handler_threw", {{"request_id", request_id_}, {"what", e.what()}});
  }
  dispatching_ = false;
  request_ = Request();
  if (stream_) {
    begin_stream(std::move(*early_));
    return false;
  }
  if (!early_) return false;  // on_answer will come
  return respond(std::move(*early_));
}

// The request keeps the memory its views point to; what came after it moves to new memory.
void HttpSession::hand_over_block() {
  auto fresh = std::make_shared<Block>();
  const auto rest = buffered();
  fresh->bytes.resize(std::max(kFirstBuffer, rest.size() + kBodyRoom));
  std::memcpy(fresh->bytes.data(), rest.data(), rest.size());
  request_.storage = std::exchange(block_, std::move(fresh));
  begin_ = 0;
  end_ = rest.size();
}

void HttpSession::on_answer(std::uint64_t exchange, Response&& response) {
  if (exchange != exchange_ || phase_ != Phase::handling) return;
  if (dispatching_) {
    early_ = std::move(response);  // dispatch_later() sends it when the handler has returned
  } else if (respond(std::move(response))) {
    advance();
  }
}

void HttpSession::observe(const Response& response) {
  const auto& hook = loop_.shared().handlers.observe;
  if (!hook) return;
  hook(Exchange{.route = has_head_ ? route_ : -1,
                .method = has_head_ ? method_ : Method::other,
                .status = response.status,
                .body_bytes = response.text().size(),
                .took = has_head_ ? now() - received_at_ : std::chrono::nanoseconds(0),
                .request_id = request_id_,
                .remote_address = peer_.address});
}

bool HttpSession::respond(Response&& response) {
  phase_ = Phase::writing;
  answer_ = std::move(response);
  keep_alive_ = keep_alive_ && !answer_.close && !draining();
  observe(answer_);
  out_.clear();
  append_head(out_, answer_,
              {.http11 = head_.http11, .keep_alive = keep_alive_, .request_id = request_id_, .date = loop_.date()});
  std::string_view body = answer_.text();
  if ((has_head_ && method_ == Method::head) || !may_have_body(answer_.status)) body = {};
  if (body.size() <= kCopyLimit) {
    out_ += body;
    body = {};
  }
  return send({out_, body}) && finish_exchange();
}

// True: all of it went. False: on_written will come, or the connection is closed.
bool HttpSession::send(const Pieces& pieces) {
  const std::size_t total = pieces[0].size() + pieces[1].size();
  const std::size_t sent = write_now(pieces);
  if (sent == total) return true;
  Pieces rest = pieces;
  const std::size_t first = std::min(sent, rest[0].size());
  rest[0].remove_prefix(first);
  rest[1].remove_prefix(sent - first);
  constexpr std::size_t kFree = 1U << 20U;
  constexpr std::size_t kPerSecond = 32U << 10U;
  const auto more = std::chrono::seconds(total > kFree ? (total - kFree) / kPerSecond : 0);
  if (!interim_) wait_until(now() + limits().write_time + more);
  writing_ = true;
  start_write(rest);
  return false;
}

void HttpSession::on_written(bool ok) {
  writing_ = false;
  if (phase_ == Phase::closed) return;
  if (!ok) return close(false);
  if (std::exchange(interim_, false)) return advance();
  if (phase_ == Phase::streaming) {
    wait_without_end();
    return pump();
  }
  if (phase_ == Phase::writing && finish_exchange()) advance();
}

bool HttpSession::finish_exchange() {
  answer_.shared_body.reset();
  if (!keep_alive_) {
    if (mid_request_ || begin_ != end_) {
      linger();
    } else {
      close(false);
    }
    return false;
  }
  // An idle connection keeps small buffers only.
  if (answer_.body.capacity() > kKeepBytes) std::string().swap(answer_.body);
  if (block_->body.capacity() > kKeepBytes) std::string().swap(block_->body);
  phase_ = Phase::head;
  has_head_ = false;
  return true;
}

bool HttpSession::refuse_request(const Refusal& refusal) {
  mid_request_ = true;
  keep_alive_ = false;
  if (!has_head_) {
    head_ = {};
    ++exchange_;
    request_.headers.clear();
    take_request_id();
  }
  const auto status = refusal.status == 0 ? std::nullopt : std::optional<unsigned>(refusal.status);
  respond(problem_response(refusal.error, request_id_, status));
  return false;
}

// A close with unread input makes the kernel send a reset, which may overtake the answer. So the input is read to its
// end, for a limited time and amount, and thrown away.
void HttpSession::linger() {
  phase_ = Phase::lingering;
  wait_until(now() + limits().linger_time);
  linger_left_ = kLingerBytes;
  end_sending();
  read(block_->bytes.data(), block_->bytes.size());
}

void HttpSession::close(bool reset) {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  const auto self = shared_from_this();
  close_transport(reset);
  if (stream_) stream_->finish();
  stream_slot_.reset();
  loop_.forget(*this);
}

// ---- event streams ----

void HttpSession::on_stream(std::uint64_t exchange, Response&& head, const std::shared_ptr<SseBuffer>& stream) {
  if (exchange != exchange_ || phase_ != Phase::handling) return stream->finish();
  stream_ = stream;
  if (dispatching_) {
    early_ = std::move(head);
  } else {
    begin_stream(std::move(head));
  }
}

void HttpSession::begin_stream(Response&& head) {
  stream_slot_.emplace(loop_.shared().streams);
  phase_ = Phase::streaming;
  keep_alive_ = false;
  head.body.clear();
  head.with("Cache-Control", "no-store").with("X-Accel-Buffering", "no");
  observe(head);
  out_.clear();
  append_head(
      out_, head,
      {.http11 = head_.http11, .keep_alive = false, .chunked = true, .request_id = request_id_, .date = loop_.date()});
  if (method_ == Method::head) stream_->close();
  heartbeat_at_ = now() + limits().heartbeat;
  if (draining()) stream_->close();
  if (send({out_, {}})) pump();
  if (phase_ == Phase::streaming) read(block_->bytes.data(), block_->bytes.size());
}

void HttpSession::pump() {
  while (phase_ == Phase::streaming && !writing_) {
    if (stream_ending_) return end_stream();
    switch (stream_->take(events_)) {
      case SseBuffer::State::overflowed: ++loop_.shared().cut; return close(true);
      case SseBuffer::State::ended: stream_ending_ = true; break;
      case SseBuffer::State::open:
        if (events_.empty()) return;
        break;
    }
    send_stream_text();
  }
}

void HttpSession::send_stream_text() {
  out_.clear();
  if (method_ == Method::head) events_.clear();
  if (head_.http11) {
    append_chunk(out_, events_);
    if (stream_ending_ && method_ != Method::head) out_ += kLastChunk;
  } else {
    out_ += events_;
  }
  heartbeat_at_ = now() + limits().heartbeat;
  if (!out_.empty()) send({out_, {}});
}

void HttpSession::end_stream() {
  stream_->finish();
  linger();
}

}  // namespace homeport
