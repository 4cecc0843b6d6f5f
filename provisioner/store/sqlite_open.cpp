#include "provisioner/store/sqlite_open.h"

#include <sqlite3.h>

#include <SQLiteCpp/Backup.h>

#include <charconv>
#include <filesystem>

#include "provisioner/base/log.h"
#include "provisioner/store/open.h"
#include "provisioner/store/sqlite_guard.h"
#include "provisioner/store/sqlite_rows.h"

namespace homeport::store {
namespace {

constexpr const char* kDamageHint =
    "it was left as it is; restore a backup (homeport state restore FILE), or move it away and rebuild from the "
    "backends "
    "(homeport adopt)";

Error damaged(const std::string& file, const std::string& why) {
  return Error{.code = Errc::failed_precondition,
               .message = "the database " + file + " is damaged: " + why,
               .hint = kDamageHint};
}

std::string before_name(const StorePaths& paths, int version) {
  return paths.db + ".before-v" + std::to_string(version);
}

// Made under another name and moved: homeport.db is absent or whole.
Result<void> create_database(const StorePaths& paths, std::span<const Migration> steps) {
  HOMEPORT_CHECK(remove_file(paths.fresh));
  HOMEPORT_CHECK(remove_file(paths.fresh + "-journal"));
  HOMEPORT_CHECK(create_private(paths.fresh));
  {
    HOMEPORT_TRY(const auto fresh, Connection::open(paths.fresh, Connection::Use::single));
    HOMEPORT_CHECK(migrate(*fresh, steps));
  }
  HOMEPORT_CHECK(sync_file(paths.fresh));
  return move_file(paths.fresh, paths.db, Replace::no);
}

Result<void> create_when_absent(const StorePaths& paths, std::span<const Migration> steps) {
  if (file_exists(paths.db)) return {};
  if (file_exists(paths.wal)) {
    return damaged(paths.db, "the file is gone, but what was written last (" + paths.wal + ") is still there");
  }
  return create_database(paths, steps);
}

Result<void> bring_up_to_date(Connection& c, const StorePaths& paths, const DirectoryLock& lock, Clock& clock,
                              std::span<const Migration> steps) {
  HOMEPORT_TRY(const int version, schema_version(c));
  const int known = steps.back().version;
  HOMEPORT_CHECK(check_not_newer(c, version, known, paths.directory));
  if (version == known) return {};
  if (version == 0) return damaged(paths.db, "it is empty");
  if (!lock.exclusive()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the database " + paths.db + " must be migrated, but another Homeport has it open",
                 .hint = "stop the other one first"};
  }
  std::string backup = before_name(paths, version + 1);
  if (file_exists(backup)) backup = free_name(backup + "." + file_time(clock.now()));
  HOMEPORT_CHECK(copy_database(c, backup).context("backup before the migration"));
  log::info("store.backup_before_migration", {{"file", backup}, {"schema", std::to_string(version)}});
  return migrate(c, steps);
}

// Every open store holds the directory lock, also one that hangs: who has it alone knows that the holder of the lease
// is dead and need not wait for its end. The epoch stays, so the next one is higher.
Result<void> free_lease_of_the_dead(Connection& c, const DirectoryLock& lock) {
  if (!lock.exclusive()) return {};
  HOMEPORT_TRY(const auto lease, sql::lease(c));
  if (!lease || lease->holder.empty()) return {};
  log::info("store.lease_of_dead_process", {{"holder", lease->holder}, {"epoch", std::to_string(lease->epoch)}});
  return sql::set_lease(c, Lease{.holder = "", .epoch = lease->epoch, .expires = WallTime{}});
}

// The newest copy that a Homeport which knows `known` can open: before-vN holds a schema older than N.
std::string backup_to_go_back_to(const std::string& directory, int known) {
  constexpr std::string_view kPrefix = "homeport.db.before-v";
  int best = 0;
  std::string name;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with(kPrefix)) continue;
    int version = 0;
    const auto parsed = std::from_chars(file.data() + kPrefix.size(), file.data() + file.size(), version);
    if (parsed.ec != std::errc{} || version > known + 1 || version < best) continue;
    if (version == best && file < name) continue;
    best = version;
    name = file;
  }
  return name.empty() ? std::string{} : directory + "/" + name;
}

}  // namespace

Result<std::unique_ptr<Connection>> open_checked(const std::string& file) {
  HOMEPORT_TRY(const auto size, file_size(file));
  if (size == 0) return damaged(file, "it is empty");
  HOMEPORT_TRY(auto connection, Connection::open(file, Connection::Use::inspect));
  HOMEPORT_TRY(const auto verdict, sqlite_guard("check " + file, [&]() -> Result<std::string> {
                 return connection->db().execAndGet("PRAGMA quick_check(1)").getString();
               }));
  if (verdict != "ok") return damaged(file, verdict);
  return connection;
}

Result<void> check_not_newer(Connection& c, int version, int known, const std::string& directory) {
  if (version <= known) return {};
  HOMEPORT_TRY(const auto writer, schema_writer(c));
  std::string hint = "install Homeport " + (writer.empty() ? "of the version that wrote it" : writer) + " or newer";
  if (const auto backup = backup_to_go_back_to(directory, known); !backup.empty()) {
    hint += "; or go back to the state before the upgrade, losing what came after it: homeport state restore " + backup;
  } else {
    hint += "; or restore a backup made by this version (homeport state restore FILE)";
  }
  return Error{.code = Errc::failed_precondition,
               .message = c.file() + " has schema " + std::to_string(version) + ", this Homeport (" + HOMEPORT_VERSION +
                          ") knows up to " + std::to_string(known),
               .hint = std::move(hint)};
}

Result<void> copy_database(Connection& source, const std::string& file) {
  const std::string partial = free_name(file + ".partial");
  if (file_exists(file)) {
    return Error{.code = Errc::already_exists,
                 .message = "cannot write the copy to " + file + ": the file exists",
                 .hint = "name a file that does not exist yet"};
  }
  HOMEPORT_CHECK(create_private(partial));
  auto copied = sqlite_guard("copy " + source.file() + " to " + file, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto target, Connection::open(partial, Connection::Use::inspect));
    {
      SQLite::Backup backup(target->db(), source.db());
      const int rc = backup.executeStep(-1);
      if (rc != SQLITE_DONE) throw SQLite::Exception("the source is busy", rc);
    }
    // The copy carries the source's WAL mode; one file must be enough.
    (void)target->db().execAndGet("PRAGMA journal_mode = DELETE");
    return {};
  });
  if (copied) copied = sync_file(partial);
  if (copied) copied = move_file(partial, file, Replace::no);
  if (!copied) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) (void)remove_file(partial + suffix);
  }
  return copied;
}

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& directory, Clock& clock,
                                                 std::span<const Migration> steps) {
  const StorePaths paths(directory);
  HOMEPORT_CHECK(check_directory(directory));
  HOMEPORT_TRY(auto lock, DirectoryLock::take(paths.lock, clock));
  if (lock.exclusive()) {
    HOMEPORT_CHECK(place_restore(paths, clock, steps.back().version).context("put the restored database in place"));
    HOMEPORT_CHECK(create_when_absent(paths, steps));
  } else if (file_exists(paths.pending)) {
    return Error{.code = Errc::failed_precondition,
                 .message = "a restore waits in " + paths.pending + ", but another Homeport has the store open",
                 .hint = "stop the other one first, then start this one"};
  }
  HOMEPORT_TRY(auto connection, open_checked(paths.db));
  HOMEPORT_CHECK(bring_up_to_date(*connection, paths, lock, clock, steps));
  HOMEPORT_CHECK(make_private(paths.db));
  HOMEPORT_CHECK(connection->begin_writing());
  HOMEPORT_CHECK(free_lease_of_the_dead(*connection, lock));
  lock.share();
  return make_sqlite_store(std::move(connection), std::move(lock), clock);
}

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& directory, Clock& clock) {
  return open_sqlite_store(directory, clock, migrations());
}

}  // namespace homeport::store
