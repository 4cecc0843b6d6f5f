// How a handler answers later, from any thread, exactly once; or with a stream of events.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_types.h"

namespace homeport {

// One open stream of server-sent events. Copies are the same stream; when the last one dies the stream ends in good
// order. Threads: every method from any thread.
class EventStream {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual bool send(std::string_view text) = 0;
    virtual void on_closed(std::function<void()> callback) = 0;
    virtual void close() = 0;
    [[nodiscard]] virtual bool is_open() const = 0;
  };

  explicit EventStream(const std::shared_ptr<Sink>& sink);

  // Queues text that is complete by the rules of text/event-stream (see format_event). Never blocks. False: the stream
  // is closed, because the peer has gone, reads too slowly (HttpLimits::max_stream_buffer) or the service stops.
  bool send(std::string_view text) const { return state_->sink->send(text); }
  // Runs `callback` once when the stream is closed, by whomever; at once when it is already. The callback may run on an
  // I/O thread: it must not block.
  void on_closed(std::function<void()> callback) const { state_->sink->on_closed(std::move(callback)); }
  void close() const { state_->sink->close(); }
  [[nodiscard]] bool is_open() const { return state_->sink->is_open(); }

 private:
  struct State {
    std::shared_ptr<Sink> sink;
    ~State() { sink->close(); }
  };
  std::shared_ptr<State> state_;
};

// One event (WHATWG HTML, section 9.2). Empty `id` or `event`: left out. Line ends in `data` become several data lines;
// in `id` and `event` they are dropped.
[[nodiscard]] std::string format_event(std::string_view id, std::string_view event, std::string_view data);

// The duty to answer one request. Copies share it. When the last copy dies and nobody has answered, the client gets a
// 500 problem: no request hangs because a path of the code forgot it. Threads: every method from any thread.
class Responder {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    // Exactly one of these is called, once.
    virtual void answer(Response&& response) = 0;
    virtual std::shared_ptr<EventStream::Sink> stream(Response&& head) = 0;
  };

  Responder(std::unique_ptr<Sink> sink, std::string request_id);

  // The first answer counts. A second one is a bug: it is logged and dropped. A client that went away is no error.
  void send(Response response) const;
  // Answers with `head` (status, fields; content type text/event-stream unless it names another) and keeps the
  // connection for events. After an answer: a stream that is closed.
  [[nodiscard]] EventStream stream(Response head) const;
  [[nodiscard]] bool answered() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Answers from memory at once, on the I/O thread: must not block. nullopt: the Handler takes it.
using InlineHandler = std::function<std::optional<Response>(const Request&)>;
// Runs on the I/O thread as well, and hands what may block to a pool.
using Handler = std::function<void(Request&&, Responder)>;

// One answer that was given, for metrics and logs. `request_id` and `remote_address` are valid during the call.
struct Exchange {
  int route;  // -1: none matched
  Method method;
  unsigned status;
  std::size_t body_bytes;
  std::chrono::nanoseconds took;  // from the complete header to the answer; zero where there was no header
  std::string_view request_id;
  std::string_view remote_address;
};

struct HttpHandlers {
  InlineHandler inline_answer{};                   // may be empty
  Handler handler{};                               // required
  std::function<void(const Exchange&)> observe{};  // may be empty; on the I/O threads, must not block
};

}  // namespace homeport
