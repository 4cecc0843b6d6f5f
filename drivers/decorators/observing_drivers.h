// Layers that watch: log and metrics for every call, fault points around changing ones, and the guard of dry runs.
#pragma once

#include <array>
#include <string>

#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/base/fault_point.h"

namespace homeport {
class Histogram;
class Metrics;
}  // namespace homeport

namespace homeport::drivers {

// One log line per changing call (backend, method, operation, request, outcome, milliseconds), and for every call
//   homeport_driver_operations_total{backend,operation,outcome}
//   homeport_driver_operation_duration_seconds{backend,operation}
// outcome is "ok" or the error's name.
class LoggingMetricsDriver final : public InterposingDriver<LoggingMetricsDriver> {
 public:
  // `metrics` may be null. Both must outlive the driver.
  LoggingMetricsDriver(std::unique_ptr<StorageDriver> below, const Clock& clock, Metrics* metrics, std::string backend);

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    const auto started = clock_.mono();
    auto result = fn();
    report(op, method, result ? nullptr : &result.error(), started);
    return result;
  }

 private:
  void report(const OpContext& op, DriverMethod method, const Error* error, MonoTime started);

  const Clock& clock_;
  Metrics* metrics_;
  const std::string backend_;
  std::array<Histogram*, kDriverMethods> durations_{};
};

// fault_point("driver.<method>.before") and ".after" around each changing call that is really made.
class FaultPointDriver final : public InterposingDriver<FaultPointDriver> {
 public:
  using InterposingDriver::InterposingDriver;

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    if (op.dry_run || !is_changing(method)) return fn();
    fault_point(before(method));
    auto result = fn();
    fault_point(after(method));
    return result;
  }

 private:
  static std::string_view before(DriverMethod method);
  static std::string_view after(DriverMethod method);
};

// Directly above the driver, which alone can say what it would send and therefore keeps the promise of a dry run
// itself. The guard only catches a driver that gives itself away: one whose dry run "may have been applied".
class DryRunGuard final : public InterposingDriver<DryRunGuard> {
 public:
  using InterposingDriver::InterposingDriver;

  template <class Fn>
  std::invoke_result_t<Fn&> around(const OpContext& op, DriverMethod method, Fn fn) {
    auto result = fn();
    if (op.dry_run && !result && result.error().maybe_applied) return broken_promise(method, result.error());
    return result;
  }

 private:
  static Error broken_promise(DriverMethod method, const Error& error);
};

}  // namespace homeport::drivers
