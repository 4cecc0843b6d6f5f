// The rules string of an NFS export: "10.0.0.0/8(rw,no_root_squash) *(ro)".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/flashblade/sim/refusal.h"

namespace homeport::fbsim {

// Errors: 400 that names the rule that is wrong. An empty text exports to nobody.
[[nodiscard]] Or<std::vector<std::string>> parse_rules(std::string_view text);
[[nodiscard]] std::string join_rules(const std::vector<std::string>& rules);
// What one side of a PATCH's add_rules, remove_rules and after does. Errors: 400.
[[nodiscard]] Or<std::string> edit_rules(std::string_view rules, std::string_view remove, std::string_view add,
                                         std::string_view after);

}  // namespace homeport::fbsim
