// Commands that look into snapshots and bring files back.
#pragma once

#include "cli/commands/registry.h"

namespace homeport::cli {

void add_snapshot_file_commands(const Noun& noun);  // snapshot browse, snapshot versions
void add_restore_command(const Noun& root);         // restore: a command of one word

}  // namespace homeport::cli
