#include "drivers/decorators/limiting_driver.h"

#include <algorithm>

namespace homeport::drivers {
namespace {

// Our clock is not the one a condition variable waits by: look at it again after each slice.
constexpr std::chrono::milliseconds kSlice{250};

}  // namespace

std::uint32_t LimitingDriver::limit() const {
  return std::max(limit_.value_or(info()->max_parallel_calls), 1U);
}

std::uint32_t LimitingDriver::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}
std::uint32_t LimitingDriver::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

Result<void> LimitingDriver::enter(const OpContext& op) {
  const std::uint32_t most = limit();
  std::unique_lock lock(mutex_);
  ++waiting_;
  Result<void> entered;
  while (running_ >= most) {
    entered = still_wanted(op, clock_, "waiting for one of " + std::to_string(most) + " calls to the backend to end");
    if (!entered) break;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(op.deadline - clock_.mono());
    free_.wait_for(lock, op.stop, std::min(left, kSlice), [&] { return running_ < most; });
  }
  --waiting_;
  if (!entered) {
    auto error = std::move(entered).error();
    error.upstream = Upstream{.system = std::string(kLimitSystem)};
    return error;
  }
  ++running_;
  return {};
}

void LimitingDriver::leave() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  free_.notify_one();
}

}  // namespace homeport::drivers
