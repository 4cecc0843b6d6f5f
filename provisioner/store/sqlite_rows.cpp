#include "provisioner/store/sqlite_rows.h"

#include <algorithm>
#include <limits>

#include "provisioner/store/row_rules.h"
#include "provisioner/store/sqlite_guard.h"

namespace homeport::store {
namespace {

// The texts of one table's statements, made once: they are also the keys of the statement caches.
struct TableSql {
  std::string get;
  std::string revision;
  std::string put;
  std::string erase;
  std::string list_all;
  std::string count_all;
  std::array<std::string, kIndexColumns> list_by;
  std::array<std::string, kIndexColumns> list_by_empty;
  std::array<std::string, kIndexColumns> count_by;
  std::array<std::string, kIndexColumns> holder;
};

std::size_t column_count(const TableDef& def) {
  std::size_t n = 0;
  while (n < def.columns.size() && !def.columns[n].empty()) ++n;
  return n;
}

std::string quoted(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

void by_column(TableSql& sql, const TableDef& def, const std::string& select, std::size_t i) {
  const std::string column = quoted(def.columns[i]);
  const std::string table = quoted(def.name);
  // The index of a unique column has no empty values: SQLite uses it only when it is told that none is wanted.
  const std::string wanted = column + " = ?1" + (def.unique[i] ? " AND " + column + " <> ''" : "");
  const std::string rest = " AND \"key\" > ?2 ORDER BY \"key\" LIMIT ?3";
  sql.list_by[i] = select + " WHERE " + wanted + rest;
  sql.list_by_empty[i] = select + " WHERE " + column + " = ?1" + rest;
  sql.count_by[i] = "SELECT count(*) FROM " + table + " WHERE " + column + " = ?1";
  sql.holder[i] = "SELECT \"key\" FROM " + table + " WHERE " + wanted;
}

TableSql make_sql(const TableDef& def) {
  TableSql sql;
  const std::string table = quoted(def.name);
  std::string columns;
  std::string marks;
  std::string updates;
  const std::size_t n = column_count(def);
  for (std::size_t i = 0; i < n; ++i) {
    columns += quoted(def.columns[i]) + ", ";
    marks += "?, ";
    updates += quoted(def.columns[i]) + " = excluded." + quoted(def.columns[i]) + ", ";
  }
  const std::string select = "SELECT \"key\", revision, " + columns + "doc FROM " + table;
  sql.get = select + " WHERE \"key\" = ?";
  sql.revision = "SELECT revision FROM " + table + " WHERE \"key\" = ?";
  sql.put = "INSERT INTO " + table + " (\"key\", revision, " + columns + "doc) VALUES (?, ?, " + marks +
            "?) ON CONFLICT (\"key\") DO UPDATE SET revision = excluded.revision, " + updates + "doc = excluded.doc";
  sql.erase = "DELETE FROM " + table + " WHERE \"key\" = ?";
  sql.list_all = select + " WHERE \"key\" > ?1 ORDER BY \"key\" LIMIT ?2";
  sql.count_all = "SELECT count(*) FROM " + table;
  for (std::size_t i = 0; i < n; ++i) by_column(sql, def, select, i);
  return sql;
}

const TableSql& table_sql(Table table) {
  static const std::vector<TableSql> all = [] {
    std::vector<TableSql> made;
    for (const auto& def : table_defs()) made.push_back(make_sql(def));
    return made;
  }();
  return all.at(static_cast<std::size_t>(table) - 1);
}

// SQLite's integers are signed; a larger number asks for nothing that could exist.
std::int64_t to_signed(std::uint64_t n) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(n, std::numeric_limits<std::int64_t>::max()));
}
std::uint64_t to_unsigned(std::int64_t n) {
  return static_cast<std::uint64_t>(n);
}
std::int64_t ms(WallTime t) {
  return t.time_since_epoch().count();
}
WallTime wall(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

void bind_text(SQLite::Statement& statement, int at, std::string_view text) {
  statement.bind(at, std::string(text));
}

Row row_of(SQLite::Statement& statement, std::size_t columns) {
  Row row{.key = statement.getColumn(0).getString(),
          .revision = to_unsigned(statement.getColumn(1).getInt64()),
          .doc = statement.getColumn(static_cast<int>(columns) + 2).getString()};
  for (std::size_t i = 0; i < columns; ++i) row.index.at(i) = statement.getColumn(static_cast<int>(i) + 2).getString();
  return row;
}

AuditRow audit_row_of(SQLite::Statement& s) {
  return AuditRow{.seq = to_unsigned(s.getColumn(0).getInt64()),
                  .entry = {.at = wall(s.getColumn(1).getInt64()),
                            .principal = s.getColumn(2).getString(),
                            .action = s.getColumn(3).getString(),
                            .subject = s.getColumn(4).getString(),
                            .outcome = s.getColumn(5).getString(),
                            .detail = s.getColumn(6).getString(),
                            .operation = s.getColumn(7).getString()},
                  .hash = s.getColumn(8).getString()};
}

std::string reading(const TableDef& def) {
  return "read " + std::string(def.name);
}

constexpr std::string_view kAuditBySubject =
    "SELECT seq, at, principal, action, subject, outcome, detail, operation, hash FROM audit "
    "WHERE seq > ?1 AND subject = ?3 ORDER BY seq LIMIT ?2";
constexpr std::string_view kAuditAll =
    "SELECT seq, at, principal, action, subject, outcome, detail, operation, hash FROM audit "
    "WHERE seq > ?1 ORDER BY seq LIMIT ?2";

}  // namespace

namespace sql {

Result<std::optional<Row>> get(Connection& c, Table table, std::string_view key) {
  const TableDef& def = table_def(table);
  return sqlite_guard(reading(def), [&]() -> Result<std::optional<Row>> {
    auto statement = c.use(table_sql(table).get);
    bind_text(*statement, 1, key);
    if (!statement->executeStep()) return std::optional<Row>{};
    return std::optional<Row>{row_of(*statement, column_count(def))};
  });
}

Result<std::vector<Row>> list(Connection& c, Table table, const ListQuery& query) {
  const TableDef& def = table_def(table);
  const TableSql& sql = table_sql(table);
  const std::string* text = &sql.list_all;
  if (!query.column.empty()) {
    HOMEPORT_TRY(const auto column, column_number(def, query.column));
    text = query.value.empty() ? &sql.list_by_empty.at(column) : &sql.list_by.at(column);
  }
  return sqlite_guard(reading(def), [&]() -> Result<std::vector<Row>> {
    std::vector<Row> rows;
    auto statement = c.use(*text);
    int at = 1;
    if (!query.column.empty()) statement->bind(at++, query.value);
    statement->bind(at++, query.after);
    statement->bind(at, to_signed(query.limit));
    while (statement->executeStep()) rows.push_back(row_of(*statement, column_count(def)));
    return rows;
  });
}

Result<std::uint64_t> count(Connection& c, Table table, std::string_view column, std::string_view value) {
  const TableDef& def = table_def(table);
  const std::string* text = &table_sql(table).count_all;
  if (!column.empty()) {
    HOMEPORT_TRY(const auto number, column_number(def, column));
    text = &table_sql(table).count_by.at(number);
  }
  return sqlite_guard(reading(def), [&]() -> Result<std::uint64_t> {
    auto statement = c.use(*text);
    if (!column.empty()) bind_text(*statement, 1, value);
    (void)statement->executeStep();
    return to_unsigned(statement->getColumn(0).getInt64());
  });
}

Result<std::vector<AuditRow>> audit(Connection& c, std::uint64_t after, std::size_t limit, std::string_view subject) {
  return sqlite_guard("read audit", [&]() -> Result<std::vector<AuditRow>> {
    std::vector<AuditRow> rows;
    auto statement = c.use(subject.empty() ? kAuditAll : kAuditBySubject);
    statement->bind(1, to_signed(after));
    statement->bind(2, to_signed(limit));
    if (!subject.empty()) bind_text(*statement, 3, subject);
    while (statement->executeStep()) rows.push_back(audit_row_of(*statement));
    return rows;
  });
}

Result<std::vector<Change>> changes(Connection& c, std::uint64_t after, std::size_t limit) {
  return sqlite_guard("read changes", [&]() -> Result<std::vector<Change>> {
    std::vector<Change> rows;
    auto statement = c.use("SELECT seq, at, tbl, \"key\", revision FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    statement->bind(1, to_signed(after));
    statement->bind(2, to_signed(limit));
    while (statement->executeStep()) {
      rows.push_back(Change{.seq = to_unsigned(statement->getColumn(0).getInt64()),
                            .at = wall(statement->getColumn(1).getInt64()),
                            .table = static_cast<Table>(statement->getColumn(2).getInt()),
                            .key = statement->getColumn(3).getString(),
                            .revision = to_unsigned(statement->getColumn(4).getInt64())});
    }
    return rows;
  });
}

Result<AuditHead> audit_head(Connection& c) {
  return sqlite_guard("read audit_head", [&]() -> Result<AuditHead> {
    auto statement = c.use("SELECT seq, hash FROM audit_head WHERE id = 1");
    // Without its row (somebody took it out) the chain starts anew, which the verifier then finds.
    if (!statement->executeStep()) return AuditHead{};
    return AuditHead{.seq = to_unsigned(statement->getColumn(0).getInt64()),
                     .hash = statement->getColumn(1).getString()};
  });
}

Result<void> append_audit(Connection& c, const AuditEntry& entry) {
  HOMEPORT_TRY(const auto head, audit_head(c));
  const AuditRow row = next_audit_row(head, entry);
  return sqlite_guard("write audit", [&]() -> Result<void> {
    auto insert = c.use(
        "INSERT INTO audit (seq, at, principal, action, subject, outcome, detail, operation, hash) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert->bind(1, to_signed(row.seq));
    insert->bind(2, ms(entry.at));
    int at = 3;
    for (const auto* field : {&entry.principal, &entry.action, &entry.subject, &entry.outcome, &entry.detail,
                              &entry.operation, &row.hash}) {
      insert->bind(at++, *field);
    }
    (void)insert->exec();
    auto head_row = c.use("INSERT OR REPLACE INTO audit_head (id, seq, hash) VALUES (1, ?, ?)");
    head_row->bind(1, to_signed(row.seq));
    head_row->bind(2, row.hash);
    (void)head_row->exec();
    return {};
  });
}

Result<AuditCheck> verify_audit(Connection& c) {
  constexpr std::size_t kPage = 1000;
  AuditVerifier verifier;
  std::uint64_t after = 0;
  for (;;) {
    HOMEPORT_TRY(const auto rows, audit(c, after, kPage, {}));
    for (const auto& row : rows) verifier.row(row);
    if (rows.size() < kPage) break;
    after = rows.back().seq;
  }
  HOMEPORT_TRY(const auto head, audit_head(c));
  return verifier.finish(head);
}

Result<std::optional<Lease>> lease(Connection& c) {
  return sqlite_guard("read lease", [&]() -> Result<std::optional<Lease>> {
    auto statement = c.use("SELECT holder, epoch, expires FROM lease WHERE id = 1");
    if (!statement->executeStep() || statement->getColumn(1).getInt64() == 0) return std::optional<Lease>{};
    return std::optional<Lease>{Lease{.holder = statement->getColumn(0).getString(),
                                      .epoch = to_unsigned(statement->getColumn(1).getInt64()),
                                      .expires = wall(statement->getColumn(2).getInt64())}};
  });
}

Result<void> set_lease(Connection& c, const Lease& lease) {
  return sqlite_guard("write lease", [&]() -> Result<void> {
    auto statement = c.use("INSERT OR REPLACE INTO lease (id, holder, epoch, expires) VALUES (1, ?, ?, ?)");
    statement->bind(1, lease.holder);
    statement->bind(2, to_signed(lease.epoch));
    statement->bind(3, ms(lease.expires));
    (void)statement->exec();
    return {};
  });
}

Result<std::uint64_t> last_seq(Connection& c) {
  return sqlite_guard("read changes", [&]() -> Result<std::uint64_t> {
    auto statement = c.use("SELECT seq FROM sqlite_sequence WHERE name = 'changes'");
    return statement->executeStep() ? to_unsigned(statement->getColumn(0).getInt64()) : std::uint64_t{0};
  });
}

}  // namespace sql

template <class T>
Result<T> SqliteWrites::noted(Result<T> result) {
  // Refusals of a row leave the transaction whole; everything else is the store's own trouble.
  if (!result && result.error().upstream && result.error().code != Errc::already_exists && !failure_) {
    failure_ = result.error();
  }
  return result;
}

Result<std::optional<std::uint64_t>> SqliteWrites::check_present(const TableDef& def, std::string_view key,
                                                                 Expect expect) {
  using Revision = std::optional<std::uint64_t>;
  HOMEPORT_TRY(const auto present, noted(sqlite_guard(reading(def), [&]() -> Result<Revision> {
                 auto statement = connection().use(table_sql(def.table).revision);
                 bind_text(*statement, 1, key);
                 if (!statement->executeStep()) return Revision{};
                 return Revision{to_unsigned(statement->getColumn(0).getInt64())};
               })));
  HOMEPORT_CHECK(check_expected(def, key, present, expect));
  return present;
}

Result<void> SqliteWrites::upsert(const TableDef& def, const Row& row, std::uint64_t revision) {
  return sqlite_guard("write " + std::string(def.name), [&]() -> Result<void> {
    auto statement = connection().use(table_sql(def.table).put);
    int at = 1;
    statement->bind(at++, row.key);
    statement->bind(at++, to_signed(revision));
    for (std::size_t i = 0; i < column_count(def); ++i) statement->bind(at++, row.index.at(i));
    statement->bind(at, row.doc);
    (void)statement->exec();
    return {};
  });
}

Result<void> SqliteWrites::note_change(Table table, std::string_view key, std::uint64_t revision) {
  const Change change{
      .seq = last_seq_, .at = clock_.now(), .table = table, .key = std::string(key), .revision = revision};
  HOMEPORT_CHECK(noted(sqlite_guard("write changes", [&]() -> Result<void> {
    auto statement = connection().use("INSERT INTO changes (seq, at, tbl, \"key\", revision) VALUES (?, ?, ?, ?, ?)");
    statement->bind(1, to_signed(change.seq));
    statement->bind(2, ms(change.at));
    statement->bind(3, static_cast<std::int32_t>(table));
    statement->bind(4, change.key);
    statement->bind(5, to_signed(revision));
    (void)statement->exec();
    return {};
  })));
  made_.push_back(change);
  return {};
}

Result<std::uint64_t> SqliteWrites::put(Table table, const Row& row, Expect expect) {
  const TableDef& def = table_def(table);
  HOMEPORT_CHECK(check_row(def, row));
  if (expect.kind != Expect::Kind::anything) HOMEPORT_CHECK(check_present(def, row.key, expect));
  const std::uint64_t revision = ++last_seq_;
  if (const auto stored = noted(upsert(def, row, revision)); !stored) {
    if (stored.error().code != Errc::already_exists) return stored.error();
    for (std::size_t i = 0; i < column_count(def); ++i) {
      if (!def.unique.at(i) || row.index.at(i).empty()) continue;
      auto holder = sqlite_guard(reading(def), [&]() -> Result<std::string> {
        auto statement = connection().use(table_sql(table).holder.at(i));
        statement->bind(1, row.index.at(i));
        return statement->executeStep() ? statement->getColumn(0).getString() : std::string{};
      });
      if (holder && !holder->empty() && *holder != row.key) return taken_error(def, i, row.index.at(i), *holder);
    }
    return stored.error();
  }
  HOMEPORT_CHECK(note_change(table, row.key, revision));
  return revision;
}

Result<void> SqliteWrites::erase(Table table, std::string_view key, Expect expect) {
  const TableDef& def = table_def(table);
  HOMEPORT_TRY(const auto present, check_present(def, key, expect));
  if (!present) return {};
  HOMEPORT_CHECK(noted(sqlite_guard("write " + std::string(def.name), [&]() -> Result<void> {
    auto statement = connection().use(table_sql(table).erase);
    bind_text(*statement, 1, key);
    (void)statement->exec();
    return {};
  })));
  ++last_seq_;
  return note_change(table, key, 0);
}

Result<void> SqliteWrites::append_audit(const AuditEntry& entry) {
  AuditEntry stamped = entry;
  if (stamped.at == WallTime{}) stamped.at = clock_.now();
  return noted(sql::append_audit(connection(), stamped));
}

Result<std::size_t> SqliteWrites::erase_answers(WallTime before, std::size_t limit) {
  HOMEPORT_TRY(const auto keys, noted(sqlite_guard("read answers", [&]() -> Result<std::vector<std::string>> {
                 std::vector<std::string> found;
                 auto statement = connection().use(
                     "SELECT \"key\" FROM answers WHERE created < ?1 ORDER BY created, \"key\" LIMIT ?2");
                 statement->bind(1, sortable_time(before));
                 statement->bind(2, to_signed(limit));
                 while (statement->executeStep()) found.push_back(statement->getColumn(0).getString());
                 return found;
               })));
  for (const auto& key : keys) HOMEPORT_CHECK(erase(Table::answers, key, Expect::any()));
  return keys.size();
}

Result<void> SqliteWrites::drop_changes(std::uint64_t keep) {
  return noted(sqlite_guard("write changes", [&]() -> Result<void> {
    auto statement = connection().use(
        "DELETE FROM changes WHERE seq <= (SELECT seq FROM changes ORDER BY seq DESC LIMIT 1 OFFSET ?1)");
    statement->bind(1, to_signed(keep));
    (void)statement->exec();
    return {};
  }));
}

}  // namespace homeport::store
