// At most so many calls at once against one backend. Who waits longer than the deadline, or is stopped, gives up.
//
// mount_source is let through: it answers from configuration and must not queue behind a slow backend.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>

#include "drivers/decorators/forwarding_driver.h"

namespace homeport::drivers {

class LimitingDriver final : public InterposingDriver<LimitingDriver> {
 public:
  // No limit given: the driver's own max_parallel_calls, as it stands at each call. The clock must outlive the driver.
  LimitingDriver(std::unique_ptr<StorageDriver> below, const Clock& clock, std::optional<std::uint32_t> limit)
      : InterposingDriver(std::move(below)), clock_(clock), limit_(limit) {}

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    if (method == DriverMethod::mount_source) return fn();
    if (auto entered = enter(op); !entered) return std::move(entered).error();
    const Slot slot{*this};
    return fn();
  }
  [[nodiscard]] std::uint32_t running() const;
  [[nodiscard]] std::uint32_t waiting() const;

 private:
  struct Slot {
    LimitingDriver& owner;
    ~Slot() { owner.leave(); }
  };
  Result<void> enter(const OpContext& op);
  void leave();
  [[nodiscard]] std::uint32_t limit() const;

  const Clock& clock_;
  const std::optional<std::uint32_t> limit_;
  mutable std::mutex mutex_;
  std::condition_variable_any free_;
  std::uint32_t running_ = 0;
  std::uint32_t waiting_ = 0;
};

}  // namespace homeport::drivers
