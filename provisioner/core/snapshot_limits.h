// How many snapshots the classes promise to keep, against what their backends bear: known before the array stops taking
// them (a FlashBlade: 512 of one file system, 50,000 in all).
#pragma once

#include "provisioner/core/administration.h"

namespace homeport::core {

// May one more home of this class be made? Homes of layout filesystem have their own snapshots each; a pool of layout
// directory has one set for all. No backend call. Errors: out_of_capacity with the numbers.
[[nodiscard]] Result<void> check_snapshot_room(const Catalog& catalog, const Backend& backend, const ClassSpec& klass,
                                               WallTime now);
// For `doctor`: classes that nothing can be made of any more, and backends that will soon be full.
[[nodiscard]] std::vector<Finding> snapshot_findings(const Catalog& catalog, const Backends& backends, WallTime now);

}  // namespace homeport::core
