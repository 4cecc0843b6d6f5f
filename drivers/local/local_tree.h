// A directory of this machine as a tree, read-only: what is copied from local disks. No driver: nothing is made here.
#pragma once

#include <memory>

#include "drivers/core/optional.h"

namespace homeport::drivers {

// Every step is taken from the directory above it and follows no link, also when somebody exchanges a directory for a
// link meanwhile. A node is the names below the root: it follows the path, not a directory that is renamed. Times are
// cut to milliseconds. Access times are left alone where the kernel allows it. Changing calls are `unsupported`.
//
// Errors: not_found, permission_denied, failed_precondition (no directory, a link), unavailable (the disk fails).
Result<std::unique_ptr<Tree>> open_local_tree(const AbsolutePath& path);

}  // namespace homeport::drivers
