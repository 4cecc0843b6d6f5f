// backend import-psovalues: a values file of Pure Service Orchestrator becomes a `desired:` document. Needs no service.
#pragma once

#include "cli/commands/registry.h"

namespace homeport::cli {

void add_pso_import_command(const Noun& noun);

}  // namespace homeport::cli
