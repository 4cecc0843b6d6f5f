// Snapshot policies: their members and their clock.
#pragma once

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_policies(Operations& operations);
void add_policy_members(Operations& operations);
void add_qos_policies(Operations& operations);
// From now on, or again after its rules were changed or a state was loaded.
void schedule_policy(World& world, Document& policy);
// {"policy","member"} items of any relation, listed with the query's filter, order and page.
[[nodiscard]] Answer list_members(Call& call, std::vector<Json> items);

}  // namespace homeport::fbsim
