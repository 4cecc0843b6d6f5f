// identity.ldap of the configuration; the members are in README.md.
#pragma once

#include "drivers/identity/identity_config.h"

namespace homeport::drivers::identity {

// Strict: adds every problem it finds and calls finish().
[[nodiscard]] LdapSection read_ldap_section(DocReader in);
// The time at `key`, if there is one; from `low` to `high`, else a problem.
void read_duration(DocReader& in, std::string_view key, std::chrono::milliseconds low, std::chrono::milliseconds high,
                   std::chrono::milliseconds& to);

}  // namespace homeport::drivers::identity
