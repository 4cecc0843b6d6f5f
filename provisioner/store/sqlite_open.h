// Opening, copying and putting back of database files. open.h is the door for others; this one takes the migrations, so
// that tests can bring their own.
#pragma once

#include "provisioner/store/files.h"
#include "provisioner/store/migrations.h"
#include "provisioner/store/store.h"

namespace homeport::store {

[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& directory, Clock& clock,
                                                               std::span<const Migration> steps);

// Opens without changing anything and looks at every page. Errors: failed_precondition for a damaged file.
[[nodiscard]] Result<std::unique_ptr<Connection>> open_checked(const std::string& file);

// failed_precondition when the schema is newer than `known`; says which version or which backup helps.
[[nodiscard]] Result<void> check_not_newer(Connection& c, int version, int known, const std::string& directory);

// A consistent copy of what `source` sees, into a new file (0600, synced, without a WAL). Errors: already_exists.
[[nodiscard]] Result<void> copy_database(Connection& source, const std::string& file);

// With the directory locked: puts a staged restore in place, if there is one.
[[nodiscard]] Result<void> place_restore(const StorePaths& paths, Clock& clock, int known_schema);

// Defined in sqlite_store.cpp.
[[nodiscard]] std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<Connection> writer, DirectoryLock lock,
                                                       Clock& clock);

}  // namespace homeport::store
