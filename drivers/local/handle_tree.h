// A directory of this machine as a tree for reading and writing, on a filesystem whose files have handles
// (open_by_handle_at(2)): a node stays right when its path changes. Needs root (CAP_DAC_READ_SEARCH).
#pragma once

#include <memory>

#include "drivers/core/optional.h"
#include "provisioner/base/descriptor.h"

namespace homeport::drivers {

enum class TreeRights { read, write };

// `root` is the opened directory (O_RDONLY), whose path `shown` stands in messages and calls. No link is followed, and
// what lies on another filesystem below it (another subvolume too) shows another EntryAttributes::fs. Deadline and stop
// of each call are kept, by `clock`, which must outlive the tree. What is written is on stable storage when write()
// returns. With TreeRights::read changing calls are failed_precondition.
//
// Errors: not_found, already_exists, permission_denied, failed_precondition, over_quota, out_of_capacity, unavailable.
Result<std::unique_ptr<Tree>> open_handle_tree(std::unique_ptr<Descriptor> root, const std::string& shown,
                                               TreeRights rights, const Clock& clock);

}  // namespace homeport::drivers
