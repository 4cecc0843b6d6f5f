// Who asks, and how long they wait.
#pragma once

#include <string>

#include "policies/authorize.h"
#include "provisioner/base/clock.h"

namespace homeport::core {

// The caller has been authorised for what it asks: core checks facts, not rights.
struct Caller {
  policies::Principal principal;
  std::string request_id;
  MonoTime deadline;  // for what the caller waits for; the work itself may take longer
};

}  // namespace homeport::core
