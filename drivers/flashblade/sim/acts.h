// Changes behind a client's back: what an administrator, another client or time does to the array.
#pragma once

#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

// {"do": "rename", "file_system": "a", "to": "b"} and the like; the list is in the README. Errors: 400 that says what
// is wrong with the order. Answers the object afterwards, or null.
[[nodiscard]] Or<Json> act(World& world, const Json& order);

}  // namespace homeport::fbsim
