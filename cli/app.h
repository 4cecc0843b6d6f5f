// The command line as a whole: reading it, running the command, and turning what happened into an exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/cli.h"

namespace homeport::cli {

// `args` without the program's name. Never throws; writes to host.out and host.err only.
[[nodiscard]] int run(const std::vector<std::string>& args, Host& host);

}  // namespace homeport::cli
