// Read-only snapshots of spaces: .homeport/snapshots/NAME/SNAPSHOT.
#pragma once

#include "drivers/btrfs/standing.h"
#include "drivers/core/optional.h"

namespace homeport::drivers::btrfs {

Result<Snapshot> take_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                     const std::string& name);
// All of them in one page.
Result<std::optional<Cursor>> list_space_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                                   const std::optional<Cursor>& from, std::vector<Snapshot>& page);
Result<void> delete_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                   const Snapshot& snapshot);
// Errors: not_found, invalid_argument for what cannot be a snapshot's name.
Result<Found> find_snapshot(const OpenPool& pool, const std::string& space, const std::string& snapshot);
Result<void> delete_all_snapshots(const OpContext& op, const OpenPool& pool, const std::string& space);

}  // namespace homeport::drivers::btrfs
