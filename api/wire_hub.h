// Hubs and the looks at their user lists as replies show them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "provisioner/core/hub_people.h"

namespace homeport::api {

// The catalog gives people's names.
[[nodiscard]] nlohmann::json hub_look_json(const core::HubLook& look, const core::Catalog& catalog);
[[nodiscard]] nlohmann::json hub_json(const core::HubPeople::State& hub, const core::Catalog& catalog);

}  // namespace homeport::api
