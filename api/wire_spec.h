// The question of a login, as requests write it.
#pragma once

#include <string_view>

#include "provisioner/core/logins.h"

namespace homeport::api {

// {hub, user, groups, server, purpose, wanted: {datasets, snapshot}, identity: {uid, gid, gids}}. The hot path: one
// pass over the parsed document, nothing is collected. Errors: invalid_argument with a pointer, also for unknown
// members.
[[nodiscard]] Result<core::SpecRequest> read_spec_request(std::string_view body);

}  // namespace homeport::api
