#include "provisioner/store/migrations.h"

#include <array>

#include "provisioner/base/log.h"
#include "provisioner/base/names.h"
#include "provisioner/store/open.h"
#include "provisioner/store/sqlite_guard.h"

namespace homeport::store {
namespace {

// Enumerators that are stored as numbers: changes.tbl (Table). Times are UTC milliseconds.
constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE lease (id INTEGER PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, epoch INTEGER NOT NULL,
                    expires INTEGER NOT NULL) STRICT;
INSERT INTO lease (id, holder, epoch, expires) VALUES (1, '', 0, 0);

CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, tbl INTEGER NOT NULL,
                      "key" TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;

CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL,
                    subject TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, operation TEXT NOT NULL,
                    hash TEXT NOT NULL) STRICT;
CREATE INDEX audit_subject ON audit (subject, seq);
CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

CREATE TABLE backends ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE classes ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE rules ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE counters ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;

CREATE TABLE grants ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, space TEXT NOT NULL,
                     doc TEXT NOT NULL) STRICT;
CREATE INDEX grants_space ON grants (space, "key");

CREATE TABLE users ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, uid TEXT NOT NULL,
                    doc TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX users_uid ON users (uid) WHERE uid <> '';

CREATE TABLE aliases ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, "user" TEXT NOT NULL,
                      skeleton TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX aliases_user ON aliases ("user", "key");
CREATE UNIQUE INDEX aliases_skeleton ON aliases (skeleton) WHERE skeleton <> '';

CREATE TABLE spaces ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, kind TEXT NOT NULL,
                     owner TEXT NOT NULL, label TEXT NOT NULL, backend TEXT NOT NULL, place TEXT NOT NULL,
                     doc TEXT NOT NULL) STRICT;
CREATE INDEX spaces_kind ON spaces (kind, "key");
CREATE INDEX spaces_owner ON spaces (owner, "key");
CREATE INDEX spaces_backend ON spaces (backend, "key");
CREATE UNIQUE INDEX spaces_label ON spaces (label) WHERE label <> '';
CREATE UNIQUE INDEX spaces_place ON spaces (place) WHERE place <> '';

CREATE TABLE operations ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, space_open TEXT NOT NULL,
                         open TEXT NOT NULL, state TEXT NOT NULL, backend TEXT NOT NULL, space TEXT NOT NULL,
                         doc TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX operations_space_open ON operations (space_open) WHERE space_open <> '';
CREATE INDEX operations_open ON operations (open, "key");
CREATE INDEX operations_state ON operations (state, "key");
CREATE INDEX operations_backend ON operations (backend, "key");
CREATE INDEX operations_space ON operations (space, "key");

CREATE TABLE tokens ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, hash TEXT NOT NULL,
                     doc TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX tokens_hash ON tokens (hash) WHERE hash <> '';

CREATE TABLE sessions ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, spec_id TEXT NOT NULL,
                       "user" TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX sessions_spec_id ON sessions (spec_id, "key");
CREATE INDEX sessions_user ON sessions ("user", "key");

CREATE TABLE answers ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, created TEXT NOT NULL,
                      doc TEXT NOT NULL) STRICT;
CREATE INDEX answers_created ON answers (created, "key");

CREATE TABLE snapshots ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, space TEXT NOT NULL,
                        scope TEXT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL, deleted TEXT NOT NULL,
                        doc TEXT NOT NULL) STRICT;
CREATE INDEX snapshots_space ON snapshots (space, "key");
CREATE INDEX snapshots_scope ON snapshots (scope, "key");
CREATE UNIQUE INDEX snapshots_name ON snapshots (name) WHERE name <> '';
CREATE UNIQUE INDEX snapshots_label ON snapshots (label) WHERE label <> '';
CREATE INDEX snapshots_deleted ON snapshots (deleted, "key");
)sql";

constexpr std::array<Migration, 1> kMigrations{{{1, kVersion1}}};
static_assert(kMigrations.back().version == kSchemaVersion);

std::string meta(Connection& c, const char* name) {
  auto statement = c.use("SELECT value FROM meta WHERE name = ?");
  statement->bind(1, std::string(name));
  return statement->executeStep() ? statement->getColumn(0).getString() : std::string{};
}

void set_meta(Connection& c, const char* name, const std::string& value) {
  auto statement = c.use("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");
  statement->bind(1, std::string(name));
  statement->bind(2, value);
  (void)statement->exec();
}

Error foreign(Connection& c, const std::string& why) {
  return Error{.code = Errc::failed_precondition,
               .message = c.file() + " is not a database of Homeport: " + why,
               .hint = "name another state directory, or move that file away"};
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

Result<int> schema_version(Connection& c) {
  return sqlite_guard("read the schema of " + c.file(), [&]() -> Result<int> {
    if (c.db().execAndGet("SELECT count(*) FROM sqlite_schema").getInt64() == 0) return 0;
    if (!c.db().tableExists("meta")) return foreign(c, "it has no table meta");
    const std::string text = meta(c, "schema_version");
    const bool digits = !text.empty() && text.size() < 9 && text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(text) < 1) return foreign(c, "its schema version is '" + printable(text) + "'");
    return std::stoi(text);
  });
}

Result<std::string> schema_writer(Connection& c) {
  return sqlite_guard("read the schema of " + c.file(),
                      [&]() -> Result<std::string> { return meta(c, "homeport_version"); });
}

Result<void> migrate(Connection& c, std::span<const Migration> steps) {
  HOMEPORT_TRY(const int present, schema_version(c));
  for (const auto& step : steps) {
    if (step.version <= present) continue;
    const std::string what = "migrate " + c.file() + " to schema " + std::to_string(step.version);
    HOMEPORT_CHECK(sqlite_guard(what, [&]() -> Result<void> {
      Transaction transaction(c, Transaction::Kind::immediate);
      c.script(std::string(step.sql));
      set_meta(c, "schema_version", std::to_string(step.version));
      set_meta(c, "homeport_version", HOMEPORT_VERSION);
      transaction.commit();
      return {};
    }));
    if (present > 0) log::info("store.migrated", {{"file", c.file()}, {"schema", std::to_string(step.version)}});
  }
  return {};
}

}  // namespace homeport::store
