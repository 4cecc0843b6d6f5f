#include "drivers/flashblade/pace.h"

#include <algorithm>

namespace homeport::drivers::flashblade {
namespace {

using std::chrono::microseconds;

constexpr microseconds kFirst{20'000};
constexpr microseconds kSlowest{2'000'000};
constexpr microseconds kNegligible{2'000};
constexpr int kRecovery = 16;  // each good answer gives back one part in so many

}  // namespace

Result<void> Pace::wait(const OpContext& op) {
  HOMEPORT_CHECK(still_wanted(op, clock_, "the array"));
  const auto now = clock_.mono();
  const auto turn = state_.with([&](State& s) -> std::optional<MonoTime> {
    const auto at = std::max(now, s.next);
    if (at >= op.deadline) return std::nullopt;
    s.next = at + s.interval;
    return at;
  });
  if (!turn) {
    return Error{.code = Errc::rate_limited,
                 .message = "the array asked to be called less often, and this call's turn comes after its deadline",
                 .hint = "it goes on by itself; other clients of the array's API may be what keeps it busy",
                 .retry_after = std::chrono::ceil<std::chrono::milliseconds>(op.deadline - now)};
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*turn - now);
  if (left.count() > 0 && !clock_.sleep_for(left, op.stop)) {
    return Error{.code = Errc::cancelled, .message = "stopped while waiting for the array"};
  }
  return {};
}

void Pace::too_fast(std::optional<std::chrono::milliseconds> ask) {
  const auto now = clock_.mono();
  state_.with([&](State& s) {
    // Many calls in flight are refused together: that is one complaint.
    if (s.interval.count() == 0 || now >= s.slowed + s.interval) {
      s.interval = std::clamp(s.interval * 2, kFirst, kSlowest);
      s.slowed = now;
    }
    s.next = std::max(s.next, now + (ask ? microseconds(*ask) : s.interval));
  });
}

void Pace::fine() {
  state_.with([](State& s) {
    s.interval -= s.interval / kRecovery;
    if (s.interval < kNegligible) s.interval = microseconds(0);
  });
}

std::chrono::microseconds Pace::interval() const {
  return state_.with([](const State& s) { return s.interval; });
}

}  // namespace homeport::drivers::flashblade
