// Tries again what failed for the moment, inside the caller's deadline.
//
// Every method may be repeated: creates, updates, retires, undeletes and purges are idempotent by the driver's
// contract, so an answer that was lost costs nothing but the second call. Tried again: unavailable, timed_out and
// rate_limited; not what was cancelled, and not what the breaker or the limit refused. An attempt whose effect is
// unknown keeps maybe_applied on whatever error is returned in the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/base/guarded.h"

namespace homeport::drivers {

struct RetryPolicy {
  int max_attempts = 6;  // all together
  std::chrono::milliseconds first{100};
  double growth = 2.0;
  std::chrono::milliseconds ceiling{5000};
  double jitter = 0.5;  // the part of a wait that chance decides; 0 to 1
};

// The wait after attempt number `attempt` (from 1) failed. Grows to the ceiling, then chance takes up to `jitter` of
// it; what the backend asked for is the floor, also above the ceiling.
[[nodiscard]] std::chrono::milliseconds delay_before(int attempt, const RetryPolicy& policy,
                                                     std::optional<std::chrono::milliseconds> retry_after,
                                                     std::mt19937_64& engine);

class RetryingDriver final : public InterposingDriver<RetryingDriver> {
 public:
  // The clock must outlive the driver. `seed` spreads the waits of several backends and processes.
  RetryingDriver(std::unique_ptr<StorageDriver> below, Clock& clock, RetryPolicy policy, std::uint64_t seed)
      : InterposingDriver(std::move(below)), clock_(clock), policy_(policy), engine_(std::mt19937_64(seed)) {}

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod, Fn fn) {
    bool maybe_applied = false;
    for (int attempt = 1;; ++attempt) {
      auto result = fn();
      if (result) return result;
      maybe_applied = maybe_applied || result.error().maybe_applied;
      const Verdict verdict = judge(op, attempt, result.error());
      if (verdict.again && clock_.sleep_for(verdict.wait, op.stop)) continue;
      return last_word(std::move(result).error(), verdict, maybe_applied);
    }
  }

 private:
  struct Verdict {
    bool again = false;
    std::chrono::milliseconds wait{0};
    std::string_view why{};  // added to the error's context when not empty
  };
  Verdict judge(const OpContext& op, int attempt, const Error& error);
  static Error last_word(Error error, const Verdict& verdict, bool maybe_applied);

  Clock& clock_;
  const RetryPolicy policy_;
  Guarded<std::mt19937_64> engine_;
};

}  // namespace homeport::drivers
