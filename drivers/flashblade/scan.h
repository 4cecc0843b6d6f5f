// Listing spaces that are file systems: one page of /file-systems each, usage with it.
#pragma once

#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {

// No marker, owner or mode: they are one mount per space away, and find() gives them. What is retired is told by one
// listing of the trash.
Result<std::optional<Cursor>> scan_file_systems(const OpContext& op, Backend& backend, const Query& query,
                                                const std::optional<Cursor>& from, std::vector<Object>& page);
// Capacity of the array for each pool of file systems.
Result<std::vector<Pool>> measure_pools(const OpContext& op, Backend& backend);

}  // namespace homeport::drivers::flashblade
