// From a request to a Principal, and from a Principal to yes or no. Nothing here blocks.
#pragma once

#include <string>

#include "api/access.h"
#include "api/http_types.h"
#include "provisioner/core/provisioner.h"

namespace homeport::api {

// The TOKEN of "Authorization: Bearer TOKEN" (RFC 6750 section 2.1; the scheme in any case). Errors: unauthenticated.
[[nodiscard]] Result<std::string_view> bearer_token(const Request& request);

// Errors: unauthenticated, saying what is wrong with the credential and how to get one.
[[nodiscard]] Result<policies::Principal> authenticate(const core::Tokens& tokens, const Request& request);

// Whom {user} (a name, a user key or a space key) stands for; a key that nobody has when it is nobody.
[[nodiscard]] std::string user_key_of(const core::Catalog& catalog, std::string_view realm, std::string_view user);

// The route's rule applied. `metrics_open`: may /metrics be read without a token. Errors: unauthenticated, forbidden.
// Open routes give a principal without an id.
struct AccessCheck {
  const core::Tokens& tokens;
  const core::Catalog& catalog;
  std::string_view realm;
  bool metrics_open = false;
};
[[nodiscard]] Result<policies::Principal> check_access(const AccessCheck& check, const Access& access,
                                                       const Request& request);

// The realm a request is about: ?realm=, else the service's. A credential bound to a hub or a person stays in its own
// realm. Errors: invalid_argument, forbidden.
[[nodiscard]] Result<std::string> realm_of(const Request& request, const policies::Principal& principal,
                                           const std::string& service_realm);

}  // namespace homeport::api
