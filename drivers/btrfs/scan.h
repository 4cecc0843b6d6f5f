// Finding spaces: page by page, or one by id or name.
#pragma once

#include "drivers/btrfs/standing.h"

namespace homeport::drivers::btrfs {

Result<std::optional<Cursor>> scan_pool(const OpContext& op, Backend& backend, const Query& query,
                                        const std::optional<Cursor>& from, std::vector<Object>& page);
Result<std::optional<Object>> find_object(const OpContext& op, Backend& backend, const Lookup& lookup);

}  // namespace homeport::drivers::btrfs
