// Array connections, targets and file-system replica links; transfers progress with the array's clock.
//
// The other array is not there: a connection is made with any key, and what it would hold is known from the transfers.
#pragma once

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_connections(Operations& operations);
void add_replica_links(Operations& operations);
void furnish_replication(World& world);  // a link goes with its file system

// Ids of the connections over which `fs` replicates by that policy.
[[nodiscard]] std::vector<std::string> connections_by_policy(World& world, const FileSystem& fs,
                                                             std::string_view policy);
// {"policy","member","link"} items of all links.
[[nodiscard]] std::vector<Json> link_members(Call& call, const Found<Document>& policies);

}  // namespace homeport::fbsim
