// The server's own snapshots, where an export shows them: .snapshot or .zfs/snapshot at its top. They are read and
// nothing else; a space sees its own directory of each.
//
// Believed is only what stands at the top of the export and does not belong to whom the space belongs: people could
// make a directory of that name in a home of their own.
#pragma once

#include "drivers/core/snapshot_trees.h"
#include "drivers/nfs/nfs_tree.h"

namespace homeport::drivers::nfs {

// Those that hold the space, oldest first. No such directory, no snapshots.
Result<void> list_server_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                   std::vector<Snapshot>& page);
Result<OpenedSnapshots> open_server_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                              std::span<const std::string> names);
// One of them. Errors: not_found.
Result<std::unique_ptr<Tree>> open_snapshot_tree(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                                 const std::string& name);

// The moment a snapshot's name tells (2026-11-19, 20261119 or 2026.11.19, with or without a time of day, taken as UTC):
// servers give no other. nullopt: it tells none.
[[nodiscard]] std::optional<WallTime> time_in_name(std::string_view name);

}  // namespace homeport::drivers::nfs
