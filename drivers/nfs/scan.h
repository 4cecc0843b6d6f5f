// Finding spaces: page by page, or one by id or name.
#pragma once

#include "drivers/nfs/standing.h"

namespace homeport::drivers::nfs {

// Live: what bears our names in the pool's directory, then what was imported on this export (known by its marker).
// Trashed: what lies in the trash.
Result<std::optional<Cursor>> scan_pool(const OpContext& op, Backend& backend, const Query& query,
                                        const std::optional<Cursor>& from, std::vector<Object>& page);
Result<std::optional<Object>> find_object(const OpContext& op, Backend& backend, const Lookup& lookup);

}  // namespace homeport::drivers::nfs
