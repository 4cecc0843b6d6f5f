// Makes stores. The only header of this folder, with store.h and records.h, that others include.
#pragma once

#include <memory>
#include <string>

#include "provisioner/store/store.h"

namespace homeport::store {

// `directory` must exist; the database is DIRECTORY/homeport.db (0600).
// Errors: failed_precondition on a network filesystem, for a newer schema (says how to go back), for a damaged file
// (says what to do); unavailable when the file cannot be opened. A pending migration first writes a backup beside it.
// A staged restore (see stage_restore) is put in place first, the replaced database kept beside it.
// When no other process has the store open, a lease left by one that died is given back (its epoch stays): a restart
// after a crash need not wait for the lease to end.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& directory, Clock& clock);
[[nodiscard]] std::unique_ptr<Store> make_memory_store(Clock& clock);

// Checks `backup` (integrity, schema version, audit chain) and stages it: the next open puts it in place.
[[nodiscard]] Result<void> stage_restore(const std::string& directory, const std::string& backup);
inline constexpr int kSchemaVersion = 1;

}  // namespace homeport::store
