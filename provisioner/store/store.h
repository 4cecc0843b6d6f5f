// What Homeport remembers. The store is the only truth; everything in memory is fed from it.
//
// Rows: every table has rows of {key, revision, index columns, JSON document}. The index columns of a table are fixed
// (table_def); some are unique. The typed records and their documents are in records.h.
// Transactions are functions: they may be run more than once (group commit, serialisation failures), so they must not
// touch anything outside but through captured results that they reset first. They must not call the store again; a
// write from inside a function or the listener is refused as internal (it would wait for itself). Lease: every write is
// conditional on the epoch of the lease this Store holds; without it a write is failed_precondition and nothing is
// changed. Change feed: each put and erase adds a change with a sequence number, in commit order. write() returns only
// after the listener has seen the changes of that commit, so what was answered is visible to whoever is fed by it.
// Threads: every method from any thread. Blocking: write() waits for the commit (one fsync, shared by all that wait).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/result.h"

namespace homeport::store {

// The numbers are written to the change feed: append only.
enum class Table {
  backends = 1,
  classes = 2,
  rules = 3,
  grants = 4,
  users = 5,
  aliases = 6,
  spaces = 7,
  operations = 8,
  tokens = 9,
  sessions = 10,
  answers = 11,   // stored answers of idempotency keys
  counters = 12,  // daily caps
  snapshots = 13,
};
inline constexpr std::size_t kIndexColumns = 5;
struct TableDef {
  Table table;
  std::string_view name;                                // the SQL table
  std::array<std::string_view, kIndexColumns> columns;  // "" beyond the last
  std::array<bool, kIndexColumns> unique{};             // no two rows share a value there, unless it is empty
};
[[nodiscard]] std::span<const TableDef> table_defs();
[[nodiscard]] const TableDef& table_def(Table table);

struct Row {
  std::string key;
  // Grows with each put of this key, also across an erase (it is the sequence number of the change, which no other put
  // of any row ever gets): an ETag never repeats. 0: not stored yet.
  std::uint64_t revision = 0;
  std::array<std::string, kIndexColumns> index{};
  std::string doc;
};

// What must be there for a put or an erase to happen; otherwise conflict.
struct Expect {
  enum class Kind { anything, absent, revision } kind = Kind::anything;
  std::uint64_t revision = 0;
  static Expect any() { return {}; }
  static Expect none() { return {.kind = Kind::absent}; }
  static Expect at(std::uint64_t revision) { return {.kind = Kind::revision, .revision = revision}; }
};

// All conditions must hold. Order: by key, ascending.
struct ListQuery {
  std::string_view column{};  // an index column of the table; empty: all rows
  std::string value{};
  std::string after{};  // only keys greater than this
  std::size_t limit = static_cast<std::size_t>(-1);
};

struct AuditEntry {
  WallTime at{};          // left at zero: the store's clock
  std::string principal;  // token id or "system"
  std::string action;     // "home.ensure"
  std::string subject;    // key of the space, backend, …: keys only, names live in the alias table
  std::string outcome;    // "ok", an error name, "refused"
  std::string detail{};   // JSON, keys only
  std::string operation{};
};
struct AuditRow {
  std::uint64_t seq = 0;
  AuditEntry entry;
  std::string hash;  // hex SHA-256 over the previous hash and this row
};
struct Change {
  std::uint64_t seq = 0;
  WallTime at{};
  Table table = Table::backends;
  std::string key;
  std::uint64_t revision = 0;  // 0: erased
};

class ReadTransaction {
 public:
  virtual ~ReadTransaction() = default;
  virtual Result<std::optional<Row>> get(Table table, std::string_view key) = 0;
  virtual Result<std::vector<Row>> list(Table table, const ListQuery& query) = 0;
  virtual Result<std::uint64_t> count(Table table, std::string_view column, std::string_view value) = 0;
  // Rows with seq > after, ascending.
  virtual Result<std::vector<AuditRow>> audit(std::uint64_t after, std::size_t limit, std::string_view subject) = 0;
  virtual Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) = 0;
};

class WriteTransaction : public ReadTransaction {
 public:
  // Stores row.doc and row.index under row.key; gives the new revision. Errors: conflict (expectation), already_exists
  // (another row holds a unique column's value).
  virtual Result<std::uint64_t> put(Table table, const Row& row, Expect expect) = 0;
  // Absent with Expect::any() is success.
  virtual Result<void> erase(Table table, std::string_view key, Expect expect) = 0;
  virtual Result<void> append_audit(const AuditEntry& entry) = 0;
};

struct Lease {
  std::string holder;
  std::uint64_t epoch = 0;
  WallTime expires{};
};

struct AuditCheck {
  std::uint64_t rows = 0;
  std::optional<std::uint64_t> first_bad{};  // seq of the first row whose hash does not follow
  std::string detail{};
};

class Store {
 public:
  using ReadFn = std::function<Result<void>(ReadTransaction&)>;
  using WriteFn = std::function<Result<void>(WriteTransaction&)>;
  using Listener = std::function<void(std::span<const Change>)>;

  virtual ~Store() = default;

  // A consistent view. Errors: what fn returned, or the store's own.
  virtual Result<void> read(const ReadFn& fn) = 0;
  // Everything fn did, or nothing. When fn returns an error it is rolled back and that error is the result. `what`
  // names the write in errors and fault points ("journal.<what>"). Errors: failed_precondition without the lease;
  // unavailable when the disk is full or busy (nothing was written), and after an I/O error of the disk: that one write
  // carries maybe_applied, and all later ones are refused until the store is opened anew, because a failed fsync cannot
  // be repeated.
  virtual Result<void> write(std::string_view what, const WriteFn& fn) = 0;

  // Takes the lease if it is free or expired (epoch + 1), or renews our own. False: somebody else holds it.
  // `holder_is_dead`: the caller knows that whoever holds it does not run any more (epoch + 1, as when it had expired).
  virtual Result<bool> acquire_lease(const std::string& holder, std::chrono::milliseconds length,
                                     bool holder_is_dead = false) = 0;
  virtual Result<void> release_lease() = 0;
  // What the row says now; nullopt: nobody ever held it. An empty holder: it was given back.
  virtual Result<std::optional<Lease>> lease() = 0;
  // How long our lease still holds by our own monotonic clock, counted from before the last successful renewal; 0 when
  // we hold none. Never blocks.
  [[nodiscard]] virtual std::chrono::milliseconds lease_left() const = 0;

  // Called on the committing thread, in commit order, before write() returns. One listener; set before the first write.
  // It may read the store, not write to it, and must not throw.
  virtual void set_listener(Listener listener) = 0;

  // Rows that were changed, taken out or cut off at the end are found. Blocking: reads the whole table.
  virtual Result<AuditCheck> verify_audit() = 0;
  // A consistent copy in one file that must not exist yet. Errors: unsupported for the memory store.
  virtual Result<void> backup_to(const std::string& file) = 0;
  // Drops changes older than the newest `keep` ones, answers older than `answers_before`.
  virtual Result<void> trim(std::uint64_t keep, WallTime answers_before) = 0;
};

}  // namespace homeport::store
