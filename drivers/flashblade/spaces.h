// Making spaces that are file systems, changing them, and letting clients in.
#pragma once

#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {

Result<Object> create_space(const OpContext& op, Backend& backend, const CreateSpec& spec);
Result<Object> update_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change);
// No rules: withdrawn from everybody but Homeport's hosts.
Result<void> set_space_access(const OpContext& op, Backend& backend, const ObjectRef& ref, const AccessPolicy& policy);
// A new file system with what a snapshot holds (since 2.25); without a snapshot, one is taken for it.
Result<Object> clone_space(const OpContext& op, Backend& backend, const ObjectRef& source,
                           const std::optional<std::string>& snapshot, const CreateSpec& target);

// The export of a space in use, as a change; nothing when it is that way already.
Result<FileSystemChange> opening(const Backend& backend, const FileSystem& fs);

}  // namespace homeport::drivers::flashblade
