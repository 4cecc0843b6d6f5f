#include "drivers/decorators/breaker_driver.h"

#include <algorithm>

#include "drivers/core/call_slots.h"
#include "provisioner/base/log.h"

namespace homeport::drivers {

std::string_view breaker_state_name(BreakerState state) {
  switch (state) {
    case BreakerState::closed: return "closed";
    case BreakerState::open: return "open";
    case BreakerState::half_open: return "half-open";
  }
  return "closed";
}

Result<BreakerDriver::Admission> BreakerDriver::admit() {
  const auto now = clock_.mono();
  return state_.with([&](State& s) -> Result<Admission> {
    if (s.state == BreakerState::closed) return Admission::normal;
    if (s.state == BreakerState::open && now >= s.open_until) {
      s.state = BreakerState::half_open;
      return Admission::trial;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(s.open_until - now);
    return Error{.code = Errc::unavailable,
                 .message = "backend " + backend_ + " is left alone after " + std::to_string(s.failures) +
                            " failures in a row; the last: " + s.last_error,
                 .hint = "look at the backend (homeport backend probe " + backend_ + "); it is tried again by itself",
                 .upstream = Upstream{.system = std::string(kBreakerSystem)},
                 .retry_after = std::max(left, std::chrono::milliseconds(1000))};
  });
}

BreakerDriver::Outcome BreakerDriver::judge(const Error* error, MonoTime started) const {
  if (error == nullptr) return Outcome::answered;
  if (error->code == Errc::cancelled || refused_by(*error, kLimitSystem)) return Outcome::unknown;
  if (refused_by(*error, kMissingPoolSystem)) return Outcome::answered;  // its other pools may be well
  if (error->code == Errc::unavailable) return Outcome::failed;
  if (error->code != Errc::timed_out) return Outcome::answered;
  return clock_.mono() - started >= policy_.patience ? Outcome::failed : Outcome::unknown;
}

void BreakerDriver::settle(Admission admission, const Error* error, MonoTime started) {
  const Outcome outcome = judge(error, started);
  const auto now = clock_.mono();
  const auto [before, after] = state_.with([&](State& s) {
    const auto was = s.state;
    if (outcome == Outcome::answered) {
      s = State{};  // also from a call that set out before the breaker opened: the backend is there
    } else if (outcome == Outcome::failed && (admission == Admission::trial || s.state == BreakerState::closed)) {
      ++s.failures;
      s.last_error = error->message;
      if (admission == Admission::trial || s.failures >= policy_.failures) {
        s.state = BreakerState::open;
        s.open_until = now + policy_.cool_down;
      }
    } else if (admission == Admission::trial) {  // the trial proved nothing: the next call is one
      s.state = BreakerState::open;
      s.open_until = now;
    }
    return std::pair(was, s.state);
  });
  const bool trouble = after == BreakerState::open && outcome == Outcome::failed;
  if (before != after && (trouble || after == BreakerState::closed))
    log_change(after, trouble ? error->to_string() : "");
}

void BreakerDriver::log_change(BreakerState to, const std::string& why) const {
  if (to == BreakerState::open) {
    log::warning("backend is left alone for a while",
                 {{"backend", backend_}, {"for", format_duration(policy_.cool_down)}, {"error", why}});
  } else {
    log::info("backend answers again", {{"backend", backend_}});
  }
}

BreakerStatus::Snapshot BreakerDriver::breaker() const {
  const auto now = clock_.mono();
  return state_.with([&](const State& s) {
    Snapshot out{.state = s.state, .failures = s.failures, .last_error = s.last_error};
    if (s.state == BreakerState::open && s.open_until > now) {
      out.retry_after = std::chrono::ceil<std::chrono::milliseconds>(s.open_until - now);
    }
    return out;
  });
}

}  // namespace homeport::drivers
