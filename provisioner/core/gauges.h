// What /metrics shows of the present state: spaces, people, backends, pools, open work, and each home's size.
#pragma once

#include <vector>

#include "provisioner/base/metrics.h"
#include "provisioner/core/administration.h"
#include "provisioner/core/cluster_volumes.h"

namespace homeport::core {

[[nodiscard]] std::vector<GaugeFamily> read_gauges(const Catalog& catalog, Backends& backends,
                                                   const Operations& operations, const Administration& administration,
                                                   const ClusterVolumes& cluster_volumes);

}  // namespace homeport::core
