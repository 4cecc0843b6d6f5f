// homeport home ensure --from: a whole roster, in batches, several at a time.
#pragma once

#include <string>

#include "cli/follow.h"

namespace homeport::cli {

struct RosterJob {
  std::string file;        // "-" is standard input
  std::string failures{};  // where to write the failed lines as a roster; empty: nowhere
  Mutation mutation{};
};

// Nothing is sent unless the whole file is right. The exit code is that of the first line that failed; still_running
// when some homes were not ready within --wait.
[[nodiscard]] Result<ExitCode> ensure_roster(Cli& cli, const RosterJob& job);

}  // namespace homeport::cli
