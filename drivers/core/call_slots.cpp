#include "drivers/core/call_slots.h"

#include <algorithm>

namespace homeport::drivers {
namespace {

// Our clock is not the one a condition variable waits by: look at it again after each slice.
constexpr std::chrono::milliseconds kSlice{250};

}  // namespace

std::uint32_t CallSlots::held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}
std::uint32_t CallSlots::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

Result<CallSlots::Held> CallSlots::take(const OpContext& op, std::uint32_t most, std::string_view whose) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  Result<void> entered;
  while (held_ >= most) {
    entered = still_wanted(
        op, clock_, "waiting for one of " + std::to_string(most) + " calls to " + std::string(whose) + " to end");
    if (!entered) break;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(op.deadline - clock_.mono());
    free_.wait_for(lock, op.stop, std::min(left, kSlice), [&] { return held_ < most; });
  }
  --waiting_;
  if (!entered) {
    auto error = std::move(entered).error();
    error.upstream = Upstream{.system = std::string(kLimitSystem)};
    return error;
  }
  ++held_;
  return Held(*this);
}

void CallSlots::leave() {
  {
    const std::lock_guard lock(mutex_);
    --held_;
  }
  free_.notify_one();
}

}  // namespace homeport::drivers
