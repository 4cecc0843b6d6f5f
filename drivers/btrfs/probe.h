// What can be done on each pool, found by doing it; capacity and headroom.
#pragma once

#include "drivers/btrfs/backend.h"

namespace homeport::drivers::btrfs {

Result<ProbeReport> probe_backend(const OpContext& op, Backend& backend);
Result<std::vector<drivers::Pool>> measure_pools(const OpContext& op, Backend& backend);

}  // namespace homeport::drivers::btrfs
