// What an array has when it comes out of the box.
#pragma once

#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void furnish_array(World& world);
void furnish_network(World& world);

}  // namespace homeport::fbsim
