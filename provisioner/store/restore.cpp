// A restore has two halves: stage_restore() checks a copy of the backup and leaves it beside the database, the next
// open puts it in place while nobody else has the store open. Both can be repeated after a crash at any point.
#include <filesystem>

#include "provisioner/base/log.h"
#include "provisioner/store/open.h"
#include "provisioner/store/sqlite_guard.h"
#include "provisioner/store/sqlite_open.h"
#include "provisioner/store/sqlite_rows.h"

namespace homeport::store {
namespace {

// What must not be used a second time: who saw an epoch or an ETag of the replaced database must not meet it again.
struct Counters {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  bool sound = false;
};
// Added when the replaced database cannot be read to the end: more than it can have used since any backup.
constexpr std::uint64_t kEpochLeap = 1'000'000;
constexpr std::uint64_t kSeqLeap = 1ULL << 32U;

Result<Counters> read_counters(Connection& c) {
  Counters counters;
  HOMEPORT_TRY(const auto lease, sql::lease(c));
  HOMEPORT_TRY(counters.seq, sql::last_seq(c));
  counters.epoch = lease ? lease->epoch : 0;
  return counters;
}

Counters counters_of_replaced(const StorePaths& paths) {
  Counters counters;
  const bool whole = open_checked(paths.db).has_value();
  if (auto connection = Connection::open(paths.db, Connection::Use::inspect)) {
    if (const auto read = read_counters(**connection)) counters = *read;
  }
  if (!whole) return counters;
  // Folds the WAL in, so that the one file kept is all there was.
  if (auto connection = Connection::open(paths.db, Connection::Use::write)) {
    const auto folded = sqlite_guard("checkpoint " + paths.db, [&]() -> Result<void> {
      (void)(*connection)->db().execAndGet("PRAGMA wal_checkpoint(TRUNCATE)");
      return {};
    });
    if (!folded) log::warning("store.replaced_not_folded", {{"detail", folded.error().to_string()}});
  }
  counters.sound = true;
  return counters;
}

Result<void> remove_with_companions(const std::string& file) {
  for (const char* suffix : {"-wal", "-shm", "-journal", ""}) HOMEPORT_CHECK(remove_file(file + suffix));
  return {};
}

// Checks everything a restored database is relied on for.
Result<void> check_restorable(Connection& c, int known, const std::string& directory) {
  HOMEPORT_TRY(const auto verdict, sqlite_guard("check " + c.file(), [&]() -> Result<std::string> {
                 return c.db().execAndGet("PRAGMA integrity_check(1)").getString();
               }));
  if (verdict != "ok") {
    return Error{.code = Errc::failed_precondition, .message = "the backup is damaged: " + verdict};
  }
  HOMEPORT_TRY(const int version, schema_version(c));
  if (version == 0) return Error{.code = Errc::failed_precondition, .message = "the backup is an empty database"};
  HOMEPORT_CHECK(check_not_newer(c, version, known, directory));
  HOMEPORT_TRY(const auto audit, sql::verify_audit(c));
  if (audit.first_bad) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the audit trail of the backup does not hold: " + audit.detail,
                 .hint = "use another backup: this one was changed by something else than Homeport"};
  }
  return {};
}

// Repeatable: every number only grows.
Result<void> carry_over(Connection& c, const Counters& replaced, const std::string& kept_as, WallTime now) {
  HOMEPORT_TRY(const auto own, read_counters(c));
  const std::uint64_t epoch = std::max(own.epoch, replaced.epoch) + (replaced.sound ? 0 : kEpochLeap);
  const std::uint64_t seq = std::max(own.seq, replaced.seq) + (replaced.sound ? 0 : kSeqLeap);
  return sqlite_guard("prepare " + c.file(), [&]() -> Result<void> {
    Transaction transaction(c, Transaction::Kind::immediate);
    HOMEPORT_CHECK(sql::set_lease(c, Lease{.holder = "", .epoch = epoch, .expires = WallTime{}}));
    c.run("DELETE FROM sqlite_sequence WHERE name = 'changes'");
    {
      auto statement = c.use("INSERT INTO sqlite_sequence (name, seq) VALUES ('changes', ?)");
      statement->bind(1, static_cast<std::int64_t>(seq));
      (void)statement->exec();
    }
    HOMEPORT_CHECK(sql::append_audit(
        c, AuditEntry{.at = now,
                      .principal = "system",
                      .action = "state.restore",
                      .subject = "state",
                      .outcome = "ok",
                      .detail = "{\"replaced\":\"" + std::filesystem::path(kept_as).filename().string() + "\"}"}));
    transaction.commit();
    return {};
  });
}

Result<void> keep_replaced(const StorePaths& paths, const std::string& kept_as) {
  if (file_exists(paths.wal)) HOMEPORT_CHECK(move_file(paths.wal, kept_as + "-wal", Replace::yes));
  HOMEPORT_CHECK(remove_file(paths.shm));
  if (file_exists(paths.db)) HOMEPORT_CHECK(move_file(paths.db, kept_as, Replace::no));
  return {};
}

Result<void> stage_copy(const std::string& directory, const StorePaths& paths, const std::string& backup) {
  HOMEPORT_CHECK(copy_private(backup, paths.staging));
  if (file_exists(backup + "-wal")) HOMEPORT_CHECK(copy_private(backup + "-wal", paths.staging + "-wal"));
  {
    HOMEPORT_TRY(const auto copy, open_checked(paths.staging));
    HOMEPORT_CHECK(check_restorable(*copy, kSchemaVersion, directory));
  }
  { HOMEPORT_TRY(const auto copy, Connection::open(paths.staging, Connection::Use::single)); }
  HOMEPORT_CHECK(sync_file(paths.staging));
  return move_file(paths.staging, paths.pending, Replace::yes);
}

}  // namespace

Result<void> place_restore(const StorePaths& paths, Clock& clock, int known_schema) {
  if (!file_exists(paths.pending)) return {};
  const std::string kept_as = free_name(paths.db + ".replaced-" + file_time(clock.now()));
  // Without a database there is nothing to compare with: it may have been moved away because it was damaged.
  const Counters replaced = file_exists(paths.db) ? counters_of_replaced(paths) : Counters{};
  const auto prepared = [&]() -> Result<void> {
    HOMEPORT_TRY(const auto checked, open_checked(paths.pending));
    HOMEPORT_CHECK(check_restorable(*checked, known_schema, paths.directory));
    return carry_over(*checked, replaced, kept_as, clock.now());
  }();
  if (!prepared) {
    Error error = prepared.error();
    error.hint = "nothing was replaced; remove " + paths.pending + " and stage another backup" +
                 (error.hint.empty() ? "" : " (" + error.hint + ")");
    return error;
  }
  HOMEPORT_CHECK(sync_file(paths.pending));
  HOMEPORT_CHECK(keep_replaced(paths, kept_as));
  HOMEPORT_CHECK(move_file(paths.pending, paths.db, Replace::no));
  log::info("store.restored", {{"file", paths.db}, {"replaced", kept_as}});
  return {};
}

Result<void> stage_restore(const std::string& directory, const std::string& backup) {
  const StorePaths paths(directory);
  HOMEPORT_CHECK(check_directory(directory));
  std::error_code ignored;
  for (const auto* own : {&paths.db, &paths.pending, &paths.staging}) {
    if (!std::filesystem::equivalent(backup, *own, ignored)) continue;
    return Error{.code = Errc::invalid_argument,
                 .message = backup + " is a file of the running store, not a backup",
                 .hint = "name a file made by homeport state backup, or one of homeport.db.before-… and .replaced-…"};
  }
  HOMEPORT_CHECK(remove_with_companions(paths.staging));
  auto staged = stage_copy(directory, paths, backup).context("restore from " + backup);
  if (!staged) {
    const auto removed = remove_with_companions(paths.staging);
    if (!removed) log::warning("store.staging_left_over", {{"detail", removed.error().to_string()}});
  }
  return staged;
}

}  // namespace homeport::store
