// Steps of space.restore; for operation_kinds.cpp. What the plan holds is said in restore_steps.cpp.
#pragma once

#include "provisioner/core/operations.h"
#include "provisioner/trees/restore.h"

namespace homeport::core {

Result<std::string> copy_back_step(StepContext& c);
Result<std::string> place_back_step(StepContext& c);

// `from`: the snapshot's name on the backend.
[[nodiscard]] nlohmann::json restore_plan(const trees::RestoreJob& job, const std::string& from);

}  // namespace homeport::core
