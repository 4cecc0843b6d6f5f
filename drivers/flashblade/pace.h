// How fast an array may be asked. It says 429 when that was too fast; a rate is then found that it bears, and given up
// again bit by bit.
#pragma once

#include <chrono>
#include <optional>

#include "provisioner/base/guarded.h"
#include "provisioner/base/op_context.h"

namespace homeport::drivers::flashblade {

// Threads: every method from any thread.
class Pace {
 public:
  explicit Pace(Clock& clock) : clock_(clock) {}

  // Waits for this call's turn; at once while the array never complained. Errors: cancelled; timed_out when the
  // deadline is over; rate_limited, with the wait, when the turn would come after it.
  Result<void> wait(const OpContext& op);
  // The array said 429: from now on half as fast, and nothing before `ask` is over.
  void too_fast(std::optional<std::chrono::milliseconds> ask);
  void fine();
  // Between two calls; 0: as fast as they come.
  [[nodiscard]] std::chrono::microseconds interval() const;

 private:
  struct State {
    std::chrono::microseconds interval{0};
    MonoTime next{};
    MonoTime slowed{};
  };
  Clock& clock_;
  Guarded<State> state_;
};

}  // namespace homeport::drivers::flashblade
