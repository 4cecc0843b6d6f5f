// Pools on loop files for the suite: one for each layout, made once, unmounted and removed when the process ends.
#pragma once

#include "tests/conformance/driver_suite.h"

namespace homeport::conformance {

// Not available without root, loop devices or btrfs: the error says which.
std::vector<DriverUnderTest> btrfs_pools();

}  // namespace homeport::conformance
