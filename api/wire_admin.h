// Tokens, audit rows, changes, classes, rules and findings as replies show them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "provisioner/core/administration.h"
#include "provisioner/core/tokens.h"

namespace homeport::api {

// Never holds the secret or its hash.
[[nodiscard]] nlohmann::json token_json(const store::TokenRecord& token);
// The same with the secret, for the one answer that shows it.
[[nodiscard]] nlohmann::json created_token_json(const core::Tokens::Created& created);
[[nodiscard]] nlohmann::json audit_row_json(const store::AuditRow& row);
[[nodiscard]] nlohmann::json audit_check_json(const store::AuditCheck& check);
[[nodiscard]] nlohmann::json event_json(const store::Change& change);
[[nodiscard]] nlohmann::json finding_json(const core::Finding& finding);

}  // namespace homeport::api
