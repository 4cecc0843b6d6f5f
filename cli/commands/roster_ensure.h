// Many homes in one command, in batches, several at a time: home ensure --from, and the second half of home import.
#pragma once

#include <string>

#include "cli/follow.h"
#include "cli/roster.h"

namespace homeport::cli {

struct RosterJob {
  std::string file;        // "-" is standard input
  std::string failures{};  // where to write the failed lines as a roster; empty: nowhere
  Mutation mutation{};
  const char* done = "made";  // "3 homes: 2 made, …"
};

// Nothing is sent unless the whole file is right. The exit code is that of the first line that failed; still_running
// when some homes were not ready within --wait.
[[nodiscard]] Result<ExitCode> ensure_roster(Cli& cli, const RosterJob& job);
// The same for lines that are there already; job.file is not read.
[[nodiscard]] Result<ExitCode> ensure_lines(Cli& cli, const std::vector<RosterLine>& lines, const RosterJob& job);

}  // namespace homeport::cli
