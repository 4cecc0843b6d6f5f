// /alerts, and raising them.
#pragma once

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_alerts(Operations& operations);
// One open alert for each code and component: a second one only updates it.
void raise_alert(World& world, int code, const char* severity, const char* component_type, const std::string& component,
                 const std::string& summary);

}  // namespace homeport::fbsim
