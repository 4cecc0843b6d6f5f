// Making and changing spaces.
#pragma once

#include "drivers/btrfs/standing.h"

namespace homeport::drivers::btrfs {

Result<Object> create_space(const OpContext& op, Backend& backend, const CreateSpec& spec);
// A writable copy of a live space, or of one of its snapshots, that shares all data with it.
Result<Object> clone_space(const OpContext& op, Backend& backend, const ObjectRef& source,
                           const std::optional<std::string>& snapshot, const CreateSpec& target);
Result<Object> update_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change);
Result<void> set_space_access(const OpContext& op, Backend& backend, const ObjectRef& ref, const AccessPolicy& policy);

}  // namespace homeport::drivers::btrfs
