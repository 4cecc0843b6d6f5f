// Sending changes and waiting for what they start.
#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "cli/cli.h"

namespace homeport::cli {

// While it lives, an interrupt (Ctrl-C) or a request to terminate asks for a stop instead of ending the process.
// Make it before other threads are started. A second interrupt ends the process.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;
  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_{};
  std::atomic<bool> done_{false};
  sigset_t before_{};
  std::thread thread_{};
};

// How long to wait for operations; nothing: not at all. Errors: invalid_argument.
[[nodiscard]] Result<std::optional<std::chrono::milliseconds>> wait_limit(const Mutation& mutation);

struct Outcome {
  enum class Kind {
    done,      // body: what the service answered, or the space that the finished operation was about
    dry_run,   // body: the preview
    going_on,  // body: the operation, which is not over (asked not to wait)
    left,      // body: the operation; the time is over or the user interrupted, and was told how to go on
  };
  Kind kind = Kind::done;
  Json body;
};

// Sends the change with ?wait= or ?dry_run=true and follows the operation it starts, showing progress. Errors: the
// refusal, or the operation's own failure.
[[nodiscard]] Result<Outcome> mutate(Cli& cli, Call call, const Mutation& mutation);

// Follows an operation that exists. Kind done: body is the operation.
[[nodiscard]] Result<Outcome> follow(Cli& cli, Json operation, std::chrono::milliseconds limit,
                                     const std::stop_token& stop);

// Shows an outcome whose body is a space (or, with `render`, something else) and gives the exit code.
[[nodiscard]] ExitCode show_outcome(Cli& cli, const Outcome& outcome, const Cli::Render& render);

}  // namespace homeport::cli
