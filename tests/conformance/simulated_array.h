// The flashblade driver over flashblade-sim: a process of its own that shares no code with the driver, and serves real
// directories over NFS. One for each version, for the whole run; the cases keep apart by their keys.
#pragma once

#include <vector>

#include "tests/conformance/driver_suite.h"

namespace homeport::conformance {

[[nodiscard]] std::vector<DriverUnderTest> simulated_arrays();

}  // namespace homeport::conformance
