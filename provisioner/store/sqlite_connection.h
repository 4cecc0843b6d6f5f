// One SQLite connection with its prepared statements. Threads: one at a time. Its methods throw SQLite::Exception:
// every use stands inside a sqlite_guard.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "provisioner/base/result.h"

namespace homeport::store {

class Connection {
 public:
  enum class Use {
    write,    // WAL, every commit is synced
    read,     // refuses to change anything
    inspect,  // changes nothing by itself: no checkpoint on close, the journal mode stays
    single,   // a file of its own, without a WAL beside it
  };

  // A statement in use: reset when it goes out of scope, so that no read stays open.
  class Prepared {
   public:
    explicit Prepared(SQLite::Statement& statement) : statement_(statement) {}
    ~Prepared() { (void)statement_.tryReset(); }
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;
    SQLite::Statement* operator->() { return &statement_; }
    SQLite::Statement& operator*() { return statement_; }

   private:
    SQLite::Statement& statement_;
  };

  // The file must exist. Errors: those of sqlite_error().
  static Result<std::unique_ptr<Connection>> open(const std::string& file, Use use);

  // From inspect to write.
  Result<void> begin_writing();

  // Prepared at first use and kept.
  [[nodiscard]] Prepared use(std::string_view sql);
  // One statement without results.
  void run(std::string_view sql);
  // Several statements, or one that is not worth keeping.
  void script(const std::string& sql) { db_.exec(sql); }

  [[nodiscard]] SQLite::Database& db() { return db_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] bool in_transaction() const;

 private:
  explicit Connection(const std::string& file);
  void configure(Use use);

  const std::string file_;
  SQLite::Database db_;
  std::map<std::string, SQLite::Statement, std::less<>> statements_;  // given up before the connection
};

// Rolls back what was not committed. Begins deferred (a consistent view) or immediate (the only writer).
class Transaction {
 public:
  enum class Kind { deferred, immediate };
  Transaction(Connection& connection, Kind kind) : connection_(connection) {
    connection_.run(kind == Kind::deferred ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE");
  }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { connection_.run("COMMIT"); }

 private:
  Connection& connection_;
};

}  // namespace homeport::store
