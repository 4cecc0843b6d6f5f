// From settings to the sources that the core asks: the door to this folder.
#pragma once

#include <memory>
#include <vector>

#include "drivers/identity/identity_config.h"
#include "provisioner/base/clock.h"
#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity {

// static, nss and ldap, as far as settings.order names them and in that order; `request` and `assigned` are the core's
// own. nss and ldap are bounded and cached. Makes no contact: a directory that is down can still be configured. `clock`
// must outlive them, and questions to NSS that are left running (BoundedSource).
[[nodiscard]] std::vector<std::unique_ptr<core::IdentitySource>> make_identity_sources(const IdentitySettings& settings,
                                                                                       const Clock& clock);

}  // namespace homeport::drivers::identity
