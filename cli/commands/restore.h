// Commands that look into snapshots and bring files back.
#pragma once

#include "cli/commands/registry.h"

namespace homeport::cli {

void add_snapshot_file_commands(const Noun& noun);  // snapshot browse, snapshot versions
void add_restore_command(const Noun& root);         // restore: a command of one word

// The storage system's own overwrite of a whole space: `restore --array`, and `snapshot overwrite` before it.
struct OverwriteOptions {
  std::string confirmed{};  // the name of the owner or the dataset once more
  bool force = false;
  Mutation mutation{};
};
// `snapshot`: SPACE@SNAPSHOT as the service takes it.
Result<ExitCode> overwrite_by_storage(Cli& cli, const std::string& snapshot, const OverwriteOptions& o);

}  // namespace homeport::cli
