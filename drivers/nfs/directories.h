// The directories of an export that the driver works in: the pool's own, and the root-only administrative one with
// markers/ and trash/. Made on demand; what is not as it must be is refused, never mended behind an admin's back.
#pragma once

#include "drivers/nfs/backend.h"

namespace homeport::drivers::nfs {

// where_ours: as yes, but only on an export whose administrative directory stands. Without it, an export that earlier
// spaces were made on is the empty directory below a disk that is not mounted.
enum class Make { no, yes, where_ours };

// Remembered per site once complete. With Make::no what is missing has an empty handle. Errors: failed_precondition
// when a link, a file or somebody else's directory stands in the way; missing_pool() for Make::where_ours.
Result<Directories> directories(const OpContext& op, Backend& backend, Site& site, Session& session, Make make);

// One directory; made with `mode` where it is missing and `make` says so. nullopt: not there.
Result<std::optional<Entry>> directory_at(const OpContext& op, Session& session, const Place& place, Make make,
                                          std::uint32_t mode);

// unavailable: what waits for the disk goes on when it is back.
[[nodiscard]] Error missing_pool(const Backend& backend, const std::string& export_path);

}  // namespace homeport::drivers::nfs
