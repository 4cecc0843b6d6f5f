// The list of backend kinds in this build. Explicit: a static registration in a library would be dropped by the linker.
#pragma once

#include <memory>

#include "drivers/core/factory.h"

namespace homeport::drivers {

// `environment.clock` must be set; it and `environment.metrics` must outlive the factory and every driver it makes.
[[nodiscard]] std::unique_ptr<DriverFactory> make_driver_factory(const DriverEnvironment& environment);

}  // namespace homeport::drivers
