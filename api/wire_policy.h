// Classes and rules as replies show them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "policies/select.h"
#include "provisioner/core/desired.h"

namespace homeport::api {

[[nodiscard]] nlohmann::json class_json(const core::ClassSpec& klass);
[[nodiscard]] nlohmann::json rule_json(const policies::RuleFacts& rule);

}  // namespace homeport::api
