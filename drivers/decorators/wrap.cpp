#include "drivers/decorators/wrap.h"

#include "drivers/decorators/limiting_driver.h"
#include "drivers/decorators/observing_drivers.h"

namespace homeport::drivers {

std::unique_ptr<StorageDriver> wrap(std::unique_ptr<StorageDriver> driver, const DecoratorSettings& settings) {
  auto& clock = settings.clock;
  driver = std::make_unique<DryRunGuard>(std::move(driver));
  driver = std::make_unique<LimitingDriver>(std::move(driver), clock, settings.max_parallel_calls);
  driver = std::make_unique<BreakerDriver>(std::move(driver), clock, settings.breaker, settings.backend);
  driver = std::make_unique<RetryingDriver>(std::move(driver), clock, settings.retry, settings.seed);
  driver = std::make_unique<FaultPointDriver>(std::move(driver));
  return std::make_unique<LoggingMetricsDriver>(std::move(driver), clock, settings.metrics, settings.backend);
}

}  // namespace homeport::drivers
