// Trouble on demand, for tests and drills: a queue of faults per method, then everything is forwarded.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>

#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/base/guarded.h"

namespace homeport::drivers {

struct Fault {
  enum class When {
    instead,  // the call never reaches the backend
    after     // the call takes effect, and its answer is replaced: the reply was lost
  };
  std::optional<Error> error{};  // nullopt: only slow
  When when = When::instead;
  std::chrono::milliseconds latency{0};  // before anything else; ends early at the deadline (timed_out) or a stop
};

// Shared between a test and its driver. Threads: every method from any thread.
class FaultPlan {
 public:
  void add(DriverMethod method, Fault fault, int times = 1);
  // Loses the reply of the next call: it takes effect, the caller hears unavailable with maybe_applied.
  void lose_reply(DriverMethod method, int times = 1);
  [[nodiscard]] std::optional<Fault> next(DriverMethod method);
  [[nodiscard]] std::size_t left() const;
  // Calls that reached the backend.
  [[nodiscard]] std::size_t forwarded(DriverMethod method) const;
  void count_forwarded(DriverMethod method);

 private:
  struct State {
    std::array<std::deque<Fault>, kDriverMethods> queues;
    std::array<std::size_t, kDriverMethods> forwarded{};
  };
  Guarded<State> state_;
};

class FaultyDriver final : public InterposingDriver<FaultyDriver> {
 public:
  // The clock must outlive the driver.
  FaultyDriver(std::unique_ptr<StorageDriver> below, Clock& clock, std::shared_ptr<FaultPlan> plan)
      : InterposingDriver(std::move(below)), clock_(clock), plan_(std::move(plan)) {}

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    const auto fault = plan_->next(method);
    if (fault) {
      if (auto waited = wait(op, *fault); !waited) return std::move(waited).error();
      if (fault->error && fault->when == Fault::When::instead) return *fault->error;
    }
    plan_->count_forwarded(method);
    auto result = fn();
    if (fault && fault->error) return *fault->error;
    return result;
  }

 private:
  Result<void> wait(const OpContext& op, const Fault& fault);

  Clock& clock_;
  std::shared_ptr<FaultPlan> plan_;
};

}  // namespace homeport::drivers
