// Snapshots of spaces that are file systems. A snapshot's name here is its suffix on the array: FILE-SYSTEM.SUFFIX.
#pragma once

#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {

Result<Snapshot> take_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                     const std::string& name);
Result<std::optional<Cursor>> list_space_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                                   const std::optional<Cursor>& from, std::vector<Snapshot>& page);
// Ours only. Destroyed; eradicated at once where the configuration and the array allow it.
Result<void> delete_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                   const Snapshot& snapshot);
// The array's own overwrite: the newest snapshot only, and what was written since is gone.
Result<Object> overwrite_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Snapshot& snapshot);

// Refused before the file system or the array holds as many as it can. Already there: nothing to do.
Result<void> take_checked(const OpContext& op, Backend& backend, const FileSystem& fs, const std::string& suffix);
// nullopt: none of that name, or it is destroyed.
Result<std::optional<FileSystemSnapshot>> standing_snapshot(const OpContext& op, Backend& backend, const FileSystem& fs,
                                                            const std::string& suffix);

}  // namespace homeport::drivers::flashblade
