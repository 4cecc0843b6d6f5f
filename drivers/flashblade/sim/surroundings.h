// What stands around the storage of an array: names, mail, support, certificates, uplinks, and the lists of the object
// side, which is empty here. Inventory and monitoring clients read all of it before they look at a file system.
#pragma once

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_surroundings(Operations& operations);
void furnish_surroundings(World& world);

}  // namespace homeport::fbsim
