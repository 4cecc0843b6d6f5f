// What an array really lets us do.
#pragma once

#include "drivers/flashblade/backend.h"

namespace homeport::drivers::flashblade {

// Always a report, within op.deadline. Changes nothing on the array: rights to change are shown by the role of the
// token and by the first create.
Result<ProbeReport> probe_array(const OpContext& op, Backend& backend);

}  // namespace homeport::drivers::flashblade
