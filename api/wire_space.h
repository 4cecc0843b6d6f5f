// A space as replies show it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "policies/authorize.h"
#include "provisioner/core/catalog.h"

namespace homeport::api {

// The catalog gives the owner's names and the open operation.
[[nodiscard]] nlohmann::json space_json(const store::SpaceRecord& space, const core::Catalog& catalog);
// The same as `reader` may see it: an admin's note is not for the person whose home it is.
[[nodiscard]] nlohmann::json space_json(const store::SpaceRecord& space, const core::Catalog& catalog,
                                        const policies::Principal& reader);
// When its owner went dormant; nullopt: it has no owner, or the owner is here.
[[nodiscard]] std::optional<WallTime> dormant_since(const store::SpaceRecord& space, const core::Catalog& catalog);
// Shown where nobody asks for a state: not what is gone, but what its backend itself still keeps.
[[nodiscard]] bool is_listed(const store::SpaceRecord& space, WallTime now);
// How people write it: "home/alice", "home/alice/SERVER", "dataset/NAME".
[[nodiscard]] std::string space_label(const store::SpaceRecord& space, const core::Catalog& catalog);
[[nodiscard]] nlohmann::json user_json(const store::UserRecord& user, const core::Catalog& catalog);
[[nodiscard]] nlohmann::json grant_json(const store::GrantRecord& grant, const core::Catalog& catalog);

}  // namespace homeport::api
