// A circuit breaker: after several failures in a row a backend is left alone for a while, and callers hear so at once.
//
// closed: calls pass. open: calls fail with unavailable and retry_after. half_open: the cool-down is over and one trial
// call is on its way; its outcome closes or opens again. A failure is unavailable, or a timed_out that lasted (a
// caller who brought too little time proves nothing). Every other answer of the backend, also not_found, shows that
// it is there. mount_source always passes: known homes are answered while the backend is away. So does probe, which is
// how an admin finds out what is wrong; when it finds the backend well, the breaker closes.
#pragma once

#include <chrono>
#include <string>
#include <type_traits>

#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/base/guarded.h"

namespace homeport::drivers {

struct BreakerPolicy {
  int failures = 5;  // in a row
  std::chrono::milliseconds cool_down{10000};
  std::chrono::milliseconds patience{1000};  // a timed_out counts when the call lasted at least so long
};

enum class BreakerState { closed, open, half_open };
[[nodiscard]] std::string_view breaker_state_name(BreakerState state);

// For `backend list`: find<BreakerStatus>(driver).
class BreakerStatus {
 public:
  virtual ~BreakerStatus() = default;
  struct Snapshot {
    BreakerState state = BreakerState::closed;
    int failures = 0;                          // in a row
    std::chrono::milliseconds retry_after{0};  // open: until the next trial
    std::string last_error{};                  // of the failure that was counted last; empty when closed
  };
  [[nodiscard]] virtual Snapshot breaker() const = 0;
};

class BreakerDriver final : public InterposingDriver<BreakerDriver>, public BreakerStatus {
 public:
  // The clock must outlive the driver. `backend` is for the log.
  BreakerDriver(std::unique_ptr<StorageDriver> below, const Clock& clock, BreakerPolicy policy, std::string backend)
      : InterposingDriver(std::move(below)), clock_(clock), policy_(policy), backend_(std::move(backend)) {}

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    if (method == DriverMethod::mount_source) return fn();
    if constexpr (std::is_same_v<std::invoke_result_t<Fn&>, Result<ProbeReport>>) return probed(fn());
    if (auto wanted = still_wanted(op, clock_, "the call to backend " + backend_); !wanted)
      return std::move(wanted).error();
    auto admitted = admit();
    if (!admitted) return std::move(admitted).error();
    const auto started = clock_.mono();
    auto result = fn();
    settle(admitted.value(), result ? nullptr : &result.error(), started);
    return result;
  }
  [[nodiscard]] Snapshot breaker() const override;

 private:
  enum class Admission { normal, trial };
  enum class Outcome { answered, failed, unknown };
  struct State {
    BreakerState state = BreakerState::closed;
    int failures = 0;
    MonoTime open_until{};
    std::string last_error{};
  };
  Result<Admission> admit();
  // A report of failed checks is an answer of ours, not of the backend: it proves nothing.
  Result<ProbeReport> probed(Result<ProbeReport> report) {
    if (report && report->management_ok) settle(Admission::normal, nullptr, clock_.mono());
    return report;
  }
  void settle(Admission admission, const Error* error, MonoTime started);
  [[nodiscard]] Outcome judge(const Error* error, MonoTime started) const;
  void log_change(BreakerState to, const std::string& why) const;

  const Clock& clock_;
  const BreakerPolicy policy_;
  const std::string backend_;
  Guarded<State> state_;
};

}  // namespace homeport::drivers
