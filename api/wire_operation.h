// Operations, previews and planned changes as replies show them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "provisioner/core/administration.h"
#include "provisioner/core/outcome.h"
#include "provisioner/store/records.h"

namespace homeport::api {

[[nodiscard]] nlohmann::json operation_json(const store::OperationRecord& operation);
// The failure an operation keeps, as the error it was. Precondition: operation.failure.
[[nodiscard]] Error failure_of(const store::OperationRecord& operation);
// {"dry_run": true, "steps", "calls", "notes", "result"}.
[[nodiscard]] nlohmann::json preview_json(const core::Preview& preview, nlohmann::json result);
[[nodiscard]] nlohmann::json change_json(const core::PlannedChange& change);
[[nodiscard]] nlohmann::json changes_json(const std::vector<core::PlannedChange>& changes);

}  // namespace homeport::api
