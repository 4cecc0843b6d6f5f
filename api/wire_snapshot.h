// Snapshots as replies show them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "provisioner/core/snapshots.h"

namespace homeport::api {

// `catalog` gives the space's name as people write it.
[[nodiscard]] nlohmann::json snapshot_json(const core::SnapshotInfo& snapshot, const core::Catalog& catalog);
// Keys of a list of them sort by time, then by name.
[[nodiscard]] std::string snapshot_order(const core::SnapshotInfo& snapshot);

}  // namespace homeport::api
