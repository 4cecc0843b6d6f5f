#include "drivers/decorators/retrying_driver.h"

#include <algorithm>
#include <cmath>

#include "drivers/core/call_slots.h"

namespace homeport::drivers {

std::chrono::milliseconds delay_before(int attempt, const RetryPolicy& policy,
                                       std::optional<std::chrono::milliseconds> retry_after, std::mt19937_64& engine) {
  const auto ceiling = static_cast<double>(std::max<std::int64_t>(policy.ceiling.count(), 0));
  const double exponent = std::clamp(attempt - 1, 0, 1000);  // beyond that every growth has met the ceiling
  double wait = static_cast<double>(policy.first.count()) * std::pow(std::max(policy.growth, 1.0), exponent);
  wait = std::isfinite(wait) ? std::clamp(wait, 0.0, ceiling) : ceiling;
  const double jitter = std::clamp(policy.jitter, 0.0, 1.0);
  wait -= wait * jitter * std::uniform_real_distribution<double>(0.0, 1.0)(engine);
  return std::max(std::chrono::milliseconds(std::llround(wait)), retry_after.value_or(std::chrono::milliseconds(0)));
}

RetryingDriver::Verdict RetryingDriver::judge(const OpContext& op, int attempt, const Error& error) {
  const bool passing = is_transient(error.code) && error.code != Errc::cancelled;
  if (!passing || refused_by(error, kBreakerSystem) || refused_by(error, kLimitSystem)) return {};
  if (refused_by(error, kMissingPoolSystem)) return {};  // somebody has to mount a disk: not within this call
  if (attempt >= policy_.max_attempts) return {.why = "given up after several attempts"};
  const auto wait =
      engine_.with([&](std::mt19937_64& engine) { return delay_before(attempt, policy_, error.retry_after, engine); });
  if (clock_.mono() + wait >= op.deadline) return {.why = attempt > 1 ? "no time left to try again" : ""};
  return {.again = true, .wait = wait};
}

Error RetryingDriver::last_word(Error error, const Verdict& verdict, bool maybe_applied) {
  if (verdict.again) {  // it was worth another attempt, but somebody asked to stop during the wait
    error = Error{.code = Errc::cancelled,
                  .message = "stopped while waiting to try again after: " + error.message,
                  .upstream = error.upstream};
  } else if (!verdict.why.empty()) {
    error.context.emplace_back(verdict.why);
  }
  error.maybe_applied = maybe_applied;
  return error;
}

}  // namespace homeport::drivers
