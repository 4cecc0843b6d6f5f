// What an operation does in the Kubernetes cluster, between making a home and calling it ready.
#pragma once

#include "provisioner/core/operations.h"

namespace homeport::core {

[[nodiscard]] Result<std::string> volume_step(StepContext& c);
[[nodiscard]] Result<std::string> claim_step(StepContext& c);

}  // namespace homeport::core
