// What the process tells its caller: one error kind, one exit code. `homeport help exit-codes` prints the table.
#pragma once

#include <string>

#include "provisioner/base/error.h"

namespace homeport::cli {

enum class ExitCode : int {
  ok = 0,
  internal = 1,
  usage = 2,
  not_found = 3,
  already_exists = 4,
  conflict = 5,
  failed_precondition = 6,
  unauthenticated = 7,
  forbidden = 8,
  unavailable = 9,
  timed_out = 10,
  unsupported = 11,
  out_of_capacity = 12,
  over_quota = 13,
  backend_permission_denied = 14,
  rate_limited = 15,
  cancelled = 16,
  too_large = 17,
  still_running = 20,
  partial = 21,
};

[[nodiscard]] ExitCode exit_code(Errc code);
// The kind that an HTTP status stands for, for answers without a problem document.
[[nodiscard]] Errc errc_from_status(int status);
[[nodiscard]] std::string exit_code_help();

}  // namespace homeport::cli
