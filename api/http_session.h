// One connection: reads requests in order, gives each to the handlers, writes the answers. Internal to the server.
//
// A session lives on one loop and is only touched by that loop's thread. It is a state machine driven by three events
// (bytes came, bytes went, a tick of the clock) plus answers from other threads, which arrive through the mailbox. A
// transport (plain or TLS, http_transport.cpp) moves the bytes.
//
// The request at hand lies in one contiguous buffer: views into it are what handlers see. When a request goes to an
// asynchronous handler the buffer goes with it and the session takes a new one.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_loop.h"
#include "api/http_parser.h"
#include "api/responder.h"
#include "api/sse.h"

namespace homeport {

struct HttpPeer {
  std::string address;
  bool is_loopback;
  bool is_tls;
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Place = std::list<std::shared_ptr<HttpSession>>::iterator;

  HttpSession(IoLoop& loop, HttpPeer peer, CountGuard slot);
  virtual ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void start();
  void refuse();  // instead of start(): says 503 and closes
  void tick(MonoTime now);
  void drain();  // ends when the request at hand is answered, at once when there is none
  void cut();    // ends now
  // The answers of asynchronous handlers. `exchange` tells which request is meant; an old one is ignored.
  void on_answer(std::uint64_t exchange, Response&& response);
  void on_stream(std::uint64_t exchange, Response&& head, const std::shared_ptr<SseBuffer>& stream);
  void pump();  // the stream has something for us
  // True while the handler of `exchange` runs: its answer can be taken without a detour.
  [[nodiscard]] bool is_dispatching(std::uint64_t exchange) const { return dispatching_ && exchange == exchange_; }

  void set_place(Place place) { place_ = place; }
  [[nodiscard]] Place place() const { return place_; }

 protected:
  using Pieces = std::array<std::string_view, 2>;
  // What a transport does. Each start_ is followed by exactly one on_, never from within the call; both stay valid
  // after close_transport, when they report failure.
  virtual void start_handshake() = 0;                       // -> on_ready
  virtual void start_read(char* at, std::size_t room) = 0;  // -> on_read
  virtual void start_write(const Pieces& pieces) = 0;       // everything -> on_written
  virtual std::size_t write_now(const Pieces& pieces) = 0;  // what goes without waiting; may be 0
  virtual void end_sending() = 0;                           // no more bytes from us, the peer may go on
  virtual void close_transport(bool reset) = 0;

  void on_ready(bool ok);
  void on_read(bool ok, std::size_t count);
  void on_written(bool ok);

  IoLoop& loop_;
  HttpPeer peer_;

 private:
  // Kept free behind every header, so that a body always has room without moving the header.
  static constexpr std::size_t kBodyRoom = 2U << 10U;

  enum class Phase { handshake, head, body, handling, writing, streaming, lingering, closed };
  // Buffer and body of one request; travels with an asynchronous request.
  struct Block {
    std::vector<char> bytes;
    std::string body;
  };

  // Each returns true when the next step can be taken at once, false when something must happen first.
  void advance();
  bool take_head();
  bool parse_head(std::size_t length);
  bool open_body();
  bool take_body();
  bool take_sized_body();
  bool take_chunked_body();
  bool dispatch();
  bool dispatch_later();
  std::optional<Response> answer_inline();
  bool respond(Response&& response);
  bool send(const Pieces& pieces);
  bool finish_exchange();

  void route();
  bool refuse_request(const Refusal& refusal);
  void read_into_buffer(std::size_t keep_free);
  void read(char* at, std::size_t room);
  [[nodiscard]] std::optional<Refusal> check_unfinished_head() const;
  void take_request_id();
  void hand_over_block();
  void begin_stream(Response&& head);
  void send_stream_text();
  void end_stream();
  void linger();
  void close(bool reset);
  void wait_until(MonoTime deadline) { deadline_ = deadline; }
  void wait_without_end() { deadline_ = MonoTime::max(); }
  [[nodiscard]] const HttpLimits& limits() const { return loop_.shared().limits; }
  [[nodiscard]] MonoTime now() const { return loop_.shared().clock.mono(); }
  [[nodiscard]] bool draining() const { return loop_.shared().draining.load(std::memory_order_relaxed); }
  [[nodiscard]] std::string_view buffered() const { return {block_->bytes.data() + begin_, end_ - begin_}; }
  void observe(const Response& response);

  CountGuard slot_;
  Place place_{};
  Phase phase_ = Phase::handshake;
  MonoTime deadline_ = MonoTime::max();

  // Input: bytes [begin_, end_) of the block are not used yet.
  std::shared_ptr<Block> block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t scanned_ = 0;     // how much of the input holds no end of a header
  std::size_t body_start_ = 0;  // where chunked data may be moved to
  std::size_t body_have_ = 0;   // of a sized body that is collected apart
  bool reading_ = false;
  bool reading_body_ = false;  // straight into block_->body
  // A new connection has only the time for a header, and neither clock starts again before its request is complete.
  enum class HeadClock { off, idle, running };
  HeadClock head_clock_ = HeadClock::running;
  bool interim_ = false;  // "100 Continue" is on its way
  std::size_t linger_left_ = 0;

  // The request at hand.
  RequestParser parser_;
  RequestParser::Head head_{};
  Request request_{};
  std::string request_id_;
  std::uint64_t exchange_ = 0;
  std::uint64_t id_prefix_ = 0;
  std::size_t max_body_ = 0;
  std::optional<Response> early_{};  // decided before the body came
  bool mid_request_ = false;         // the peer may still be sending what we refused
  bool dispatching_ = false;
  Method method_ = Method::get;
  int route_ = -1;
  MonoTime received_at_{};
  bool has_head_ = false;

  // Output.
  Response answer_{};
  std::string out_;
  std::string events_;
  bool writing_ = false;
  bool keep_alive_ = true;

  std::shared_ptr<SseBuffer> stream_{};
  std::optional<CountGuard> stream_slot_{};
  bool stream_ending_ = false;
  MonoTime heartbeat_at_{};
};

}  // namespace homeport
