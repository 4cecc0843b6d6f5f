#include "api/responder.h"

#include <atomic>

#include "api/problem.h"
#include "provisioner/base/log.h"

namespace homeport {
namespace {

class ClosedStream final : public EventStream::Sink {
 public:
  bool send(std::string_view) override { return false; }
  void on_closed(std::function<void()> callback) override { callback(); }
  void close() override {}
  [[nodiscard]] bool is_open() const override { return false; }
};

void append_line(std::string& out, std::string_view field, std::string_view value) {
  out += field;
  for (const char c : value) {
    if (c != '\n' && c != '\r' && c != '\0') out += c;
  }
  out += '\n';
}

}  // namespace

EventStream::EventStream(const std::shared_ptr<Sink>& sink) : state_(new State{sink}) {}

std::string format_event(std::string_view id, std::string_view event, std::string_view data) {
  std::string out;
  out.reserve(data.size() + id.size() + event.size() + 24);
  if (!id.empty()) append_line(out, "id: ", id);
  if (!event.empty()) append_line(out, "event: ", event);
  std::size_t from = 0;
  while (true) {
    const auto end = data.find('\n', from);
    append_line(out, "data: ", data.substr(from, end == std::string_view::npos ? end : end - from));
    if (end == std::string_view::npos) break;
    from = end + 1;
  }
  return out + "\n";
}

struct Responder::State {
  State(std::unique_ptr<Sink> s, std::string id) : sink(std::move(s)), request_id(std::move(id)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (answered) return;
    log::error("request_left_unanswered", {{"request_id", request_id}});
    sink->answer(problem_response(Error{.code = Errc::internal,
                                        .message = "the request was given up without an answer",
                                        .hint = "report this with the request id; the service's log says more"},
                                  request_id));
  }
  // True for the first caller only.
  bool claim() {
    if (!answered.exchange(true)) return true;
    log::error("request_answered_twice", {{"request_id", request_id}});
    return false;
  }

  std::unique_ptr<Sink> sink;
  std::string request_id;
  std::atomic<bool> answered = false;
};

Responder::Responder(std::unique_ptr<Sink> sink, std::string request_id)
    : state_(std::make_shared<State>(std::move(sink), std::move(request_id))) {}

void Responder::send(Response response) const {
  if (state_->claim()) state_->sink->answer(std::move(response));
}

EventStream Responder::stream(Response head) const {
  if (!state_->claim()) return EventStream(std::make_shared<ClosedStream>());
  if (head.content_type.empty()) head.content_type = "text/event-stream";
  return EventStream(state_->sink->stream(std::move(head)));
}

bool Responder::answered() const {
  return state_->answered;
}

}  // namespace homeport
