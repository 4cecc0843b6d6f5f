// Puts the decorators around a driver, in the one right order. Outermost first: log and metrics (what the caller saw),
// fault points, retry (each attempt asks the breaker; nobody sleeps while holding a slot), breaker, limit, dry-run
// guard, driver. Why: docs/decisions/0003-dry-run-in-the-driver.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "drivers/decorators/breaker_driver.h"
#include "drivers/decorators/retrying_driver.h"

namespace homeport {
class Metrics;
}

namespace homeport::drivers {

struct DecoratorSettings {
  std::string backend;         // the label of its metrics and log lines
  Clock& clock;                // outlives the driver
  Metrics* metrics = nullptr;  // outlives the driver; null: none
  RetryPolicy retry{};
  BreakerPolicy breaker{};
  std::optional<std::uint32_t> max_parallel_calls{};  // nullopt: as the driver says
  std::uint64_t seed = 1;                             // of the waits between attempts
};

[[nodiscard]] std::unique_ptr<StorageDriver> wrap(std::unique_ptr<StorageDriver> driver,
                                                  const DecoratorSettings& settings);

}  // namespace homeport::drivers
