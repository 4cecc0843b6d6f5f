// Clients that use a file system, as the control port says.
#pragma once

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_clients(Operations& operations);
void furnish_clients(World& world);

// {"client": "10.0.0.5", "user": "ann", "protocol": "nfs", "path": "/x", "lock": true}
[[nodiscard]] Or<void> open_by_client(World& world, const FileSystem& fs, const Json& order);
void close_by_clients(World& world, const FileSystem& fs);

}  // namespace homeport::fbsim
