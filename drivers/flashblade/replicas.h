// Copies of a space's file system on other arrays, kept by the array. Only own file systems have them.
#pragma once

#include "drivers/core/optional.h"
#include "drivers/flashblade/backend.h"

namespace homeport::drivers::flashblade {

// The contracts are those of Replication and ReplicationControl. REST has no switch to pause a link: its policies are
// taken off it, and nothing new is sent.
Result<std::vector<ReplicaLink>> space_links(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<ReplicaLink> link_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const std::string& target,
                               const std::string& policy);
Result<ReplicaLink> pause_space_link(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                     const std::string& target);
Result<ReplicaLink> resume_space_link(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                      const std::string& target, const std::string& policy);

}  // namespace homeport::drivers::flashblade
