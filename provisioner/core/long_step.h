// What steps of many calls need beside their StepContext: the engine hands every step one of these.
#pragma once

#include <functional>
#include <string_view>

#include "provisioner/core/operations.h"

namespace homeport::core {

struct LongStep : StepContext {
  // Until when a call may last that is sent now. Asked before each; the answer moves on as long as the lease is kept.
  std::function<MonoTime()> may_act_until;
  // Writes the operation as it is now (plan, progress), so that a restart goes on from there, and takes up a request to
  // cancel it. `what`: for the journal's fault point.
  std::function<Result<void>(std::string_view what)> keep;
};

// Precondition: the engine made it (Operations::run_step).
[[nodiscard]] inline LongStep& long_step(StepContext& c) {
  return static_cast<LongStep&>(c);
}

}  // namespace homeport::core
