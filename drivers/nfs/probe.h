// What a server really lets us do, found by doing it in a folder of our own.
#pragma once

#include "drivers/nfs/backend.h"

namespace homeport::drivers::nfs {

// Always a report, within op.deadline; a server that is down or hangs is a failed check. Leaves nothing behind. Under a
// dry run nothing is written: the checks of rights are skipped.
Result<ProbeReport> probe_backend(const OpContext& op, Backend& backend);

}  // namespace homeport::drivers::nfs
