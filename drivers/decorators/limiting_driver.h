// At most so many calls at once against one backend.
//
// mount_source is let through: it answers from configuration and must not queue behind a slow backend.
#pragma once

#include <algorithm>
#include <optional>

#include "drivers/core/call_slots.h"
#include "drivers/decorators/forwarding_driver.h"

namespace homeport::drivers {

class LimitingDriver final : public InterposingDriver<LimitingDriver> {
 public:
  // No limit given: the driver's own max_parallel_calls, as it stands at each call. The clock must outlive the driver.
  LimitingDriver(std::unique_ptr<StorageDriver> below, const Clock& clock, std::optional<std::uint32_t> limit)
      : InterposingDriver(std::move(below)), limit_(limit), slots_(clock) {}

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    if (method == DriverMethod::mount_source) return fn();
    auto held = slots_.take(op, std::max(limit_.value_or(info()->max_parallel_calls), 1U), "the backend");
    if (!held) return std::move(held).error();
    return fn();
  }
  [[nodiscard]] std::uint32_t running() const { return slots_.held(); }
  [[nodiscard]] std::uint32_t waiting() const { return slots_.waiting(); }

 private:
  const std::optional<std::uint32_t> limit_;
  CallSlots slots_;
};

}  // namespace homeport::drivers
