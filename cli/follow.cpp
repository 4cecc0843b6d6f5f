#include "cli/follow.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/views.h"

namespace homeport::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultWait{600'000};
constexpr milliseconds kFirstPoll{80};
constexpr milliseconds kSlowestPoll{2'000};
// The service holds the request this long before it answers 202: short, so that progress can be shown.
constexpr milliseconds kServerWait{2'000};

// One line on standard error: rewritten in place on a terminal, a new one per step otherwise.
class Progress {
 public:
  explicit Progress(Cli& cli) : cli_(cli) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const Json& operation) {
    if (cli_.quiet()) return;
    const std::string line = operation_progress(operation);
    auto& err = cli_.host().err;
    if (cli_.host().err_terminal) {
      constexpr std::array<std::string_view, 10> kFrames{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
      err << "\r" << kFrames[frame_++ % kFrames.size()] << " " << shortened(line, cli_.host().width - 3) << "\x1b[K"
          << std::flush;
    } else if (line != last_) {
      err << line << std::endl;
    }
    last_ = line;
  }
  void clear() {
    if (frame_ > 0) cli_.host().err << "\r\x1b[K" << std::flush;
    frame_ = 0;
  }

 private:
  Cli& cli_;
  std::string last_{};
  std::size_t frame_ = 0;
};

Error failure_of(const Json& operation) {
  const std::string id = text_at(operation, "id");
  const std::string state = text_at(operation, "state");
  Error error{.code = state == "cancelled" ? Errc::cancelled : Errc::internal};
  if (const Json* failure = member(operation, "failure")) {
    if (const auto code = errc_from_name(text_at(*failure, "code"))) error.code = *code;
    error.message = text_at(*failure, "message");
    if (member(*failure, "hint") != nullptr) error.hint = text_at(*failure, "hint");
  }
  if (error.message.empty()) error.message = "no reason is recorded";
  error.context.push_back("operation " + id + " " + (state == "failed" ? state : "is " + state));
  if (state == "parked") {
    error.hint += (error.hint.empty() ? "" : "; ") + ("then: homeport operation retry " + id + ", or give-up " + id);
  }
  return error;
}

bool is_over(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "cancelled" || state == "parked";
}

Outcome leave(Cli& cli, Json operation, std::string_view why) {
  const std::string id = text_at(operation, "id");
  cli.note("homeport: " + std::string(why) + "; operation " + id + " goes on");
  cli.note("  watch it: homeport operation watch " + id);
  return Outcome{.kind = Outcome::Kind::left, .body = std::move(operation)};
}

// A finished operation is answered with the snapshot or the space it was about, if it was about one.
Result<Json> result_of(Cli& cli, const Json& operation) {
  if (text_at(operation, "kind") == "space.restore") return operation;  // it says where the files went
  const Json* space = member(operation, "space");
  if (space == nullptr || !space->is_string() || space->get_ref<const std::string&>().empty()) return operation;
  HOMEPORT_TRY(Api * api, cli.api());
  const Json* snapshot = member(operation, "plan.snapshot");
  if (text_at(operation, "kind").starts_with("snapshot.") && snapshot != nullptr && snapshot->is_string()) {
    const auto name = space->get<std::string>() + "@" + snapshot->get<std::string>();
    auto shown = api->get(Target("/v1/snapshots").part(name));
    if (!shown && shown.error().code == Errc::not_found) return operation;
    return shown;
  }
  auto found = api->get(Target("/v1/spaces").part(space->get<std::string>()));
  if (!found && found.error().code == Errc::not_found) return operation;  // it is gone, as was asked
  return found;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &watched, &before_);
  thread_ = std::thread([this, watched] {
    int signal = 0;
    while (sigwait(&watched, &signal) == 0 && !done_) {
      if (stop_.stop_requested()) _exit(130);  // asked twice: no more waiting
      stop_.request_stop();
    }
  });
}

InterruptWatch::~InterruptWatch() {
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);  // wakes sigwait
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Result<std::optional<milliseconds>> wait_limit(const Mutation& mutation) {
  if (mutation.wait == "false") return std::optional<milliseconds>{};
  if (mutation.wait == "true") return std::optional<milliseconds>{kDefaultWait};
  std::string text = mutation.wait;
  if (text.find_first_not_of("0123456789") == std::string::npos) text += "s";
  const auto limit = parse_duration(text);
  if (!limit) {
    return Error{.code = Errc::invalid_argument,
                 .message = "--wait=" + safe_text(mutation.wait) + " is no time",
                 .hint = "give seconds or a duration, for example --wait=90 or --wait=5m; --no-wait does not wait"};
  }
  if (limit->count() <= 0) return std::optional<milliseconds>{};
  return std::optional<milliseconds>{*limit};
}

Result<Outcome> follow(Cli& cli, Json operation, milliseconds limit, const std::stop_token& stop) {
  HOMEPORT_TRY(Api * api, cli.api());
  auto& clock = cli.host().clock;
  const MonoTime end = clock.mono() + limit;
  const Target target = Target("/v1/operations").part(text_at(operation, "id"));
  Progress progress(cli);
  milliseconds pause = kFirstPoll;
  for (;;) {
    const std::string state = text_at(operation, "state");
    progress.show(operation);
    if (is_over(state)) {
      progress.clear();
      if (state == "succeeded") return Outcome{.kind = Outcome::Kind::done, .body = std::move(operation)};
      return failure_of(operation);
    }
    const MonoTime now = clock.mono();
    const auto rest = std::chrono::duration_cast<milliseconds>(end - now);
    if (now >= end || stop.stop_requested() || !clock.sleep_for(std::min(pause, rest), stop)) {
      progress.clear();
      return leave(cli, std::move(operation), stop.stop_requested() ? "interrupted" : "the time of --wait is over");
    }
    pause = std::min(pause * 3 / 2, kSlowestPoll);
    auto next = api->get(target);
    if (next) {
      operation = std::move(next).value();
    } else if (next.error().code != Errc::cancelled && !is_transient(next.error().code)) {
      return std::move(next).error();  // transient: the service may be restarting; operations survive that
    }
  }
}

Result<Outcome> mutate(Cli& cli, Call call, const Mutation& mutation) {
  HOMEPORT_TRY(const auto limit, wait_limit(mutation));
  HOMEPORT_TRY(Api * api, cli.api());
  if (mutation.dry_run) {
    call.target.query("dry_run", "true");
    HOMEPORT_TRY(auto body, api->json(call));
    return Outcome{.kind = Outcome::Kind::dry_run, .body = std::move(body)};
  }
  const auto server_wait =
      std::chrono::floor<std::chrono::seconds>(std::min(limit.value_or(milliseconds{0}), kServerWait));
  call.target.query("wait", std::to_string(server_wait.count()));
  call.repeat = Repeat::keyed;
  call.extra = server_wait;
  const InterruptWatch interrupt;
  api->stop_with(interrupt.token());
  const MonoTime sent_at = cli.host().clock.mono();
  HOMEPORT_TRY(const auto reply, api->send(call));
  Json body = Json::object();
  if (!reply.body.empty()) {
    HOMEPORT_TRY(body, api->parse(reply));
  }
  if (reply.status != 202) return Outcome{.kind = Outcome::Kind::done, .body = std::move(body)};
  const Json* started = member(body, "operation");
  if (started == nullptr || !started->is_object()) {
    return Error{.code = Errc::internal, .message = "the service answered 202 without an operation"};
  }
  Json operation = *started;
  if (!limit) return Outcome{.kind = Outcome::Kind::going_on, .body = std::move(operation)};
  const auto spent = std::chrono::duration_cast<milliseconds>(cli.host().clock.mono() - sent_at);
  HOMEPORT_TRY(auto outcome, follow(cli, std::move(operation), *limit - spent, interrupt.token()));
  if (outcome.kind == Outcome::Kind::done) {
    HOMEPORT_TRY(outcome.body, result_of(cli, outcome.body));
  }
  return outcome;
}

ExitCode show_outcome(Cli& cli, const Outcome& outcome, const Cli::Render& render) {
  switch (outcome.kind) {
    case Outcome::Kind::done:
      // Work that was not about a space (or about one that is gone) is answered with the operation itself.
      cli.show(outcome.body, outcome.body.contains("attempts") ? Cli::Render(operation_view) : render);
      return ExitCode::ok;
    case Outcome::Kind::dry_run: cli.show(outcome.body, dry_run_view); return ExitCode::ok;
    case Outcome::Kind::going_on:
      cli.show(outcome.body, operation_view);
      cli.note("  watch it: homeport operation watch " + text_at(outcome.body, "id"));
      return ExitCode::ok;
    case Outcome::Kind::left:
      if (!cli.wants_table()) cli.show(outcome.body, operation_view);
      return ExitCode::still_running;
  }
  return ExitCode::internal;
}

}  // namespace homeport::cli
