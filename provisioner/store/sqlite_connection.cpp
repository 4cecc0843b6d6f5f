#include "provisioner/store/sqlite_connection.h"

#include <sqlite3.h>

#include "provisioner/base/log.h"
#include "provisioner/store/sqlite_guard.h"

namespace homeport::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

}  // namespace

Connection::Connection(const std::string& file)
    : file_(file), db_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs) {}

void Connection::configure(Use use) {
  const int no_checkpoint = use == Use::inspect ? 1 : 0;
  if (sqlite3_db_config(db_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, no_checkpoint, nullptr) != SQLITE_OK) {
    throw SQLite::Exception(db_.getHandle());
  }
  script(
      "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; "
      "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;");
  switch (use) {
    case Use::inspect: break;
    case Use::read:
      // Rows are read by key, and the kernel keeps the pages: a small cache for each of many readers.
      script("PRAGMA query_only = ON; PRAGMA cache_size = -128;");
      break;
    case Use::single: (void)db_.execAndGet("PRAGMA journal_mode = DELETE"); break;
    case Use::write:
      (void)db_.execAndGet("PRAGMA journal_mode = WAL");
      (void)db_.execAndGet("PRAGMA journal_size_limit = 67108864");
      break;
  }
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& file, Use use) {
  return sqlite_guard("open " + file, [&]() -> Result<std::unique_ptr<Connection>> {
    std::unique_ptr<Connection> connection(new Connection(file));
    connection->configure(use);
    return connection;
  });
}

Result<void> Connection::begin_writing() {
  return sqlite_guard("open " + file_ + " for writing", [&]() -> Result<void> {
    configure(Use::write);
    return {};
  });
}

Connection::Prepared Connection::use(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    std::string text(sql);
    SQLite::Statement statement(db_, text);
    found = statements_.emplace(std::move(text), std::move(statement)).first;
  }
  return Prepared(found->second);
}

void Connection::run(std::string_view sql) {
  (void)use(sql)->exec();
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(db_.getHandle()) == 0;
}

Transaction::~Transaction() {
  if (!connection_.in_transaction()) return;
  try {
    connection_.run("ROLLBACK");
  } catch (const SQLite::Exception& e) {
    log::error("store.rollback_failed", {{"file", connection_.file()}, {"detail", e.what()}});
  }
}

}  // namespace homeport::store
