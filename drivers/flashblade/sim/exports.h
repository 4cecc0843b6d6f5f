// Exports as objects (2.16), servers, and the policies they use.
#pragma once

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_nfs_policies(Operations& operations);
void add_exports(Operations& operations);
void furnish_exports(World& world);  // keeps default exports in step with their file systems

// A file system or an export uses it.
[[nodiscard]] bool uses_policy(const World& world, std::string_view id);

}  // namespace homeport::fbsim
