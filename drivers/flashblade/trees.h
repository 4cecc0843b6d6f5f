// Trees of spaces and their snapshots, over NFSv3.
#pragma once

#include "drivers/core/snapshot_trees.h"
#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {

// A space that is a file system, live or retired, or one snapshot of it (read-only).
Result<std::unique_ptr<Tree>> open_space_tree(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                              const MountView& view);
// Many of its snapshots, side by side.
Result<OpenedSnapshots> open_space_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                             std::span<const std::string> names);
// ".snapshot/NAME" as it is called there: no source says how the array names it. Errors: not_found.
Result<std::string> snapshot_directory(const OpContext& op, Backend& backend, const FileSystem& fs,
                                       const std::string& suffix);

}  // namespace homeport::drivers::flashblade
