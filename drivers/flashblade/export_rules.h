// Who may mount: between AccessPolicy and the array's rules string. Nothing here ever lets everybody in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/core/types.h"

namespace homeport::drivers::flashblade {

// "*", "0.0.0.0/0", "::/0" and what else means every client there is.
[[nodiscard]] bool is_everybody(std::string_view client);
// An address, a network, a host name (wildcards in it), "@netgroup": what can stand in a rule without breaking it.
[[nodiscard]] bool is_client(std::string_view text);
// Does a rules string let everybody in? The array's own default, "*(rw,no_root_squash)", does.
[[nodiscard]] bool is_world_open(std::string_view rules);
// Does it let everybody write, or be root? A rule without `ro` lets them write; root is squashed unless a rule says
// not.
[[nodiscard]] bool opens_to_all(std::string_view rules);

// "10.0.0.5(rw,no_root_squash) 10.0.0.0/16(rw,root_squash)". `homeport`: hosts that administer, always first; they are
// let in whatever `policy` says. Errors: invalid_argument for what is no client; failed_precondition for everybody.
[[nodiscard]] Result<std::string> rules_of(const std::vector<std::string>& homeport, const AccessPolicy& policy);
// What is not in the form that rules_of() writes is read as far as AccessRule can say it.
[[nodiscard]] AccessPolicy policy_of(std::string_view rules, const std::vector<std::string>& homeport);
// The same clients with the same options, in whatever order the array words the options.
[[nodiscard]] bool same_rules(std::string_view a, std::string_view b);

}  // namespace homeport::drivers::flashblade
