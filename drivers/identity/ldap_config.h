// identity.ldap of the configuration; the members are in README.md.
#pragma once

#include "drivers/identity/identity_config.h"

namespace homeport::drivers::identity {

// Strict: adds every problem it finds and calls finish().
[[nodiscard]] LdapSection read_ldap_section(DocReader in);

}  // namespace homeport::drivers::identity
