// Transactions over one connection: rows, changes, audit.
#pragma once

#include <optional>
#include <vector>

#include "provisioner/store/audit_chain.h"
#include "provisioner/store/sqlite_connection.h"
#include "provisioner/store/store.h"

namespace homeport::store {

// All of these keep exceptions inside.
namespace sql {
Result<std::optional<Row>> get(Connection& c, Table table, std::string_view key);
Result<std::vector<Row>> list(Connection& c, Table table, const ListQuery& query);
Result<std::uint64_t> count(Connection& c, Table table, std::string_view column, std::string_view value);
Result<std::vector<AuditRow>> audit(Connection& c, std::uint64_t after, std::size_t limit, std::string_view subject);
Result<std::vector<Change>> changes(Connection& c, std::uint64_t after, std::size_t limit);
Result<AuditHead> audit_head(Connection& c);
Result<void> append_audit(Connection& c, const AuditEntry& entry);
Result<AuditCheck> verify_audit(Connection& c);  // inside a transaction of the caller
Result<std::optional<Lease>> lease(Connection& c);
Result<void> set_lease(Connection& c, const Lease& lease);
Result<std::uint64_t> last_seq(Connection& c);  // of the change feed, also of changes trimmed away
}  // namespace sql

// `Base` is ReadTransaction or WriteTransaction.
template <class Base>
class SqliteReads : public Base {
 public:
  explicit SqliteReads(Connection& connection) : connection_(connection) {}
  Result<std::optional<Row>> get(Table table, std::string_view key) override {
    return sql::get(connection_, table, key);
  }
  Result<std::vector<Row>> list(Table table, const ListQuery& query) override {
    return sql::list(connection_, table, query);
  }
  Result<std::uint64_t> count(Table table, std::string_view column, std::string_view value) override {
    return sql::count(connection_, table, column, value);
  }
  Result<std::vector<AuditRow>> audit(std::uint64_t after, std::size_t limit, std::string_view subject) override {
    return sql::audit(connection_, after, limit, subject);
  }
  Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) override {
    return sql::changes(connection_, after, limit);
  }

 protected:
  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  Connection& connection_;
};

// One function's part of a commit.
class SqliteWrites final : public SqliteReads<WriteTransaction> {
 public:
  // `last_seq` grows with every change, `made` receives the changes.
  SqliteWrites(Connection& connection, const Clock& clock, std::uint64_t& last_seq, std::vector<Change>& made)
      : SqliteReads(connection), clock_(clock), last_seq_(last_seq), made_(made) {}

  Result<std::uint64_t> put(Table table, const Row& row, Expect expect) override;
  Result<void> erase(Table table, std::string_view key, Expect expect) override;
  Result<void> append_audit(const AuditEntry& entry) override;

  // At most `limit` answers created before `before`; gives how many.
  Result<std::size_t> erase_answers(WallTime before, std::size_t limit);
  Result<void> drop_changes(std::uint64_t keep);

  // The store itself failed under a call: the function must not be committed, even if it did not mind.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  Result<void> upsert(const TableDef& def, const Row& row, std::uint64_t revision);
  Result<void> note_change(Table table, std::string_view key, std::uint64_t revision);
  // The revision that is stored, after comparing it with what is expected.
  Result<std::optional<std::uint64_t>> check_present(const TableDef& def, std::string_view key, Expect expect);
  template <class T>
  Result<T> noted(Result<T> result);

  const Clock& clock_;
  std::uint64_t& last_seq_;
  std::vector<Change>& made_;
  std::optional<Error> failure_;
};

}  // namespace homeport::store
