// From a request to a Principal, and from a Principal to yes or no. Nothing here blocks.
#pragma once

#include <string>

#include "api/access.h"
#include "api/http_types.h"
#include "provisioner/core/provisioner.h"

namespace homeport::api {

// The TOKEN of "Authorization: Bearer TOKEN" (RFC 6750 section 2.1; the scheme in any case). Errors: unauthenticated.
[[nodiscard]] Result<std::string_view> bearer_token(const Request& request);

// Our own token's principal. Errors: unauthenticated, saying what is wrong with the credential and how to get one.
[[nodiscard]] Result<policies::Principal> authenticate(const core::Tokens& tokens, const Request& request);
// What a person may be who showed a hub's token: user:self.
[[nodiscard]] policies::Principal principal_of(const core::Catalog& catalog, const core::HubPerson& person);
// Nothing is here for this person, or not yet.
[[nodiscard]] Error no_home_yet(const policies::Principal& person);
// The header Homeport-Hub: which hub the token is of. Absent: empty.
[[nodiscard]] std::string_view hub_of(const Request& request);
// The only person this credential may see anything of; nullopt: it is not bound to one.
[[nodiscard]] std::optional<std::string> bound_to(const policies::Principal& principal);

// Whom {user} (a name, a user key or a space key) stands for; a key that nobody has when it is nobody.
[[nodiscard]] std::string user_key_of(const core::Catalog& catalog, std::string_view realm, std::string_view user);

// The route's rule applied to who asks. Errors: forbidden; not_found for a person who has no home here yet.
[[nodiscard]] Result<void> check_access(const core::Catalog& catalog, const std::string& service_realm,
                                        const Access& access, const Request& request,
                                        const policies::Principal& principal);

// The realm a request is about: ?realm=, else the service's. A credential bound to a hub or a person stays in its own
// realm. Errors: invalid_argument, forbidden.
[[nodiscard]] Result<std::string> realm_of(const Request& request, const policies::Principal& principal,
                                           const std::string& service_realm);

}  // namespace homeport::api
