#include "drivers/decorators/observing_drivers.h"

#include "provisioner/base/log.h"
#include "provisioner/base/metrics.h"

namespace homeport::drivers {
namespace {

struct PointNames {
  DriverMethod method;
  std::string_view before;
  std::string_view after;
};
// Spelled out, so that an unarmed point builds no string.
constexpr std::array<PointNames, 6> kPoints{{
    {DriverMethod::create, "driver.create.before", "driver.create.after"},
    {DriverMethod::update, "driver.update.before", "driver.update.after"},
    {DriverMethod::set_access, "driver.set_access.before", "driver.set_access.after"},
    {DriverMethod::retire, "driver.retire.before", "driver.retire.after"},
    {DriverMethod::undelete, "driver.undelete.before", "driver.undelete.after"},
    {DriverMethod::purge, "driver.purge.before", "driver.purge.after"},
}};

const PointNames& points_of(DriverMethod method) {
  for (const auto& names : kPoints) {
    if (names.method == method) return names;
  }
  return kPoints.front();
}

}  // namespace

LoggingMetricsDriver::LoggingMetricsDriver(std::unique_ptr<StorageDriver> below, const Clock& clock, Metrics* metrics,
                                           std::string backend)
    : InterposingDriver(std::move(below)), clock_(clock), metrics_(metrics), backend_(std::move(backend)) {
  if (metrics_ == nullptr) return;
  for (std::size_t i = 0; i < kDriverMethods; ++i) {
    const auto name = std::string(driver_method_name(static_cast<DriverMethod>(i)));
    durations_[i] =
        &metrics_->histogram("homeport_driver_operation_duration_seconds", "How long backend operations take",
                             {{"backend", backend_}, {"operation", name}}, call_duration_buckets());
  }
}

void LoggingMetricsDriver::report(const OpContext& op, DriverMethod method, const Error* error, MonoTime started) {
  const auto took = clock_.mono() - started;
  const auto name = std::string(driver_method_name(method));
  const auto outcome = error == nullptr ? std::string("ok") : std::string(errc_name(error->code));
  if (metrics_ != nullptr) {
    metrics_
        ->counter("homeport_driver_operations_total", "Backend operations by outcome",
                  {{"backend", backend_}, {"operation", name}, {"outcome", outcome}})
        .add();
    durations_[static_cast<std::size_t>(method)]->observe(std::chrono::duration<double>(took).count());
  }
  if (!is_changing(method)) return;
  const auto level = error == nullptr ? log::Level::info : log::Level::warning;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  log::write(level, op.dry_run ? "backend call (dry run)" : "backend call",
             {{"backend", backend_},
              {"method", name},
              {"operation", op.operation_id},
              {"request", op.request_id},
              {"outcome", outcome},
              {"ms", std::to_string(ms)},
              {"error", error == nullptr ? std::string() : error->to_string()}});
}

std::string_view FaultPointDriver::before(DriverMethod method) {
  return points_of(method).before;
}
std::string_view FaultPointDriver::after(DriverMethod method) {
  return points_of(method).after;
}

Error DryRunGuard::broken_promise(DriverMethod method, const Error& error) {
  return Error{.code = Errc::internal,
               .message = "a dry run of " + std::string(driver_method_name(method)) +
                          " sent a call to the backend: " + error.message,
               .hint = "this is a bug of the driver; please report it",
               .upstream = error.upstream,
               .maybe_applied = true};
}

}  // namespace homeport::drivers
