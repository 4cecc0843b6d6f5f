// The same promises as the SQLite store, kept in memory: for tests and for runs that must leave nothing behind.
#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <thread>

#include "provisioner/store/audit_chain.h"
#include "provisioner/store/open.h"
#include "provisioner/store/row_rules.h"

namespace homeport::store {
namespace {

class MemoryTable {
 public:
  [[nodiscard]] const Row* find(std::string_view key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
  }
  // nullopt takes the row away.
  void set(const std::string& key, std::optional<Row> row) {
    if (const auto old = rows_.find(key); old != rows_.end()) {
      for (std::size_t i = 0; i < kIndexColumns; ++i) drop(i, old->second.index[i], key);
      rows_.erase(old);
    }
    if (!row) return;
    for (std::size_t i = 0; i < kIndexColumns; ++i) index_.at(i)[row->index[i]].insert(key);
    rows_.emplace(key, std::move(*row));
  }
  [[nodiscard]] const std::set<std::string>* holders(std::size_t column, std::string_view value) const {
    const auto found = index_.at(column).find(value);
    return found == index_.at(column).end() ? nullptr : &found->second;
  }
  [[nodiscard]] const std::map<std::string, Row, std::less<>>& rows() const { return rows_; }

 private:
  void drop(std::size_t column, const std::string& value, const std::string& key) {
    const auto found = index_.at(column).find(value);
    found->second.erase(key);
    if (found->second.empty()) index_.at(column).erase(found);
  }

  std::map<std::string, Row, std::less<>> rows_;
  std::array<std::map<std::string, std::set<std::string>, std::less<>>, kIndexColumns> index_;
};

struct State {
  State() {
    for (const auto& def : table_defs()) tables.try_emplace(def.table);  // readers in parallel only look up
  }
  std::map<Table, MemoryTable> tables;
  std::deque<Change> changes;
  std::vector<AuditRow> audit;
  std::uint64_t last_seq = 0;  // never goes back, not even when a function is rolled back

  [[nodiscard]] AuditHead head() const {
    return audit.empty() ? AuditHead{} : AuditHead{.seq = audit.back().seq, .hash = audit.back().hash};
  }
};

// `Base` is ReadTransaction or WriteTransaction.
template <class Base>
class MemoryReads : public Base {
 public:
  explicit MemoryReads(State& state) : state_(state) {}

  Result<std::optional<Row>> get(Table table, std::string_view key) override {
    const Row* row = state_.tables.at(table).find(key);
    return row == nullptr ? std::optional<Row>{} : std::optional<Row>{*row};
  }

  Result<std::vector<Row>> list(Table table, const ListQuery& query) override {
    const MemoryTable& rows = state_.tables.at(table);
    std::vector<Row> out;
    if (query.column.empty()) {
      for (auto it = rows.rows().upper_bound(query.after); it != rows.rows().end() && out.size() < query.limit; ++it) {
        out.push_back(it->second);
      }
      return out;
    }
    HOMEPORT_TRY(const auto column, column_number(table_def(table), query.column));
    const auto* keys = rows.holders(column, query.value);
    if (keys == nullptr) return out;
    for (auto it = keys->upper_bound(query.after); it != keys->end() && out.size() < query.limit; ++it) {
      out.push_back(*rows.find(*it));
    }
    return out;
  }

  Result<std::uint64_t> count(Table table, std::string_view column, std::string_view value) override {
    const MemoryTable& rows = state_.tables.at(table);
    if (column.empty()) return std::uint64_t{rows.rows().size()};
    HOMEPORT_TRY(const auto number, column_number(table_def(table), column));
    const auto* keys = rows.holders(number, value);
    return keys == nullptr ? std::uint64_t{0} : std::uint64_t{keys->size()};
  }

  Result<std::vector<AuditRow>> audit(std::uint64_t after, std::size_t limit, std::string_view subject) override {
    std::vector<AuditRow> out;
    for (const auto& row : state_.audit) {
      if (out.size() >= limit) break;
      if (row.seq > after && (subject.empty() || row.entry.subject == subject)) out.push_back(row);
    }
    return out;
  }

  Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) override {
    std::vector<Change> out;
    for (const auto& change : state_.changes) {
      if (out.size() >= limit) break;
      if (change.seq > after) out.push_back(change);
    }
    return out;
  }

 protected:
  State& state_;  // NOLINT(cppcoreguidelines-non-private-member-variables-in-classes): for the one derived class
};

class MemoryWrites final : public MemoryReads<WriteTransaction> {
 public:
  MemoryWrites(State& state, const Clock& clock)
      : MemoryReads(state), clock_(clock), changes_before_(state.changes.size()), audit_before_(state.audit.size()) {}

  Result<std::uint64_t> put(Table table, const Row& row, Expect expect) override {
    const TableDef& def = table_def(table);
    HOMEPORT_CHECK(check_row(def, row));
    MemoryTable& rows = state_.tables.at(table);
    const Row* present = rows.find(row.key);
    HOMEPORT_CHECK(check_expected(def, row.key, revision_of(present), expect));
    for (std::size_t i = 0; i < kIndexColumns; ++i) {
      if (!def.unique.at(i) || row.index[i].empty()) continue;
      const auto* keys = rows.holders(i, row.index[i]);
      if (keys != nullptr && *keys->begin() != row.key) return taken_error(def, i, row.index[i], *keys->begin());
    }
    remember(table, row.key, present);
    Row stored = row;
    stored.revision = ++state_.last_seq;
    const std::uint64_t revision = stored.revision;
    rows.set(row.key, std::move(stored));
    note_change(table, row.key, revision);
    return revision;
  }

  Result<void> erase(Table table, std::string_view key, Expect expect) override {
    MemoryTable& rows = state_.tables.at(table);
    const Row* present = rows.find(key);
    HOMEPORT_CHECK(check_expected(table_def(table), key, revision_of(present), expect));
    if (present == nullptr) return {};
    remember(table, std::string(key), present);
    rows.set(std::string(key), std::nullopt);
    ++state_.last_seq;
    note_change(table, std::string(key), 0);
    return {};
  }

  Result<void> append_audit(const AuditEntry& entry) override {
    AuditEntry stamped = entry;
    if (stamped.at == WallTime{}) stamped.at = clock_.now();
    state_.audit.push_back(next_audit_row(state_.head(), stamped));
    return {};
  }

  void roll_back() {
    for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) state_.tables.at(it->table).set(it->key, it->before);
    state_.changes.resize(changes_before_);
    state_.audit.resize(audit_before_);
  }

  [[nodiscard]] std::vector<Change> made() const {
    return {state_.changes.begin() + static_cast<std::ptrdiff_t>(changes_before_), state_.changes.end()};
  }

 private:
  struct Undo {
    Table table;
    std::string key;
    std::optional<Row> before;
  };

  static std::optional<std::uint64_t> revision_of(const Row* row) {
    return row == nullptr ? std::optional<std::uint64_t>{} : std::optional<std::uint64_t>{row->revision};
  }
  void remember(Table table, const std::string& key, const Row* present) {
    undo_.push_back(
        {.table = table, .key = key, .before = present == nullptr ? std::nullopt : std::optional<Row>{*present}});
  }
  void note_change(Table table, const std::string& key, std::uint64_t revision) {
    state_.changes.push_back(
        {.seq = state_.last_seq, .at = clock_.now(), .table = table, .key = key, .revision = revision});
  }

  const Clock& clock_;
  const std::size_t changes_before_;
  const std::size_t audit_before_;
  std::vector<Undo> undo_;
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(Clock& clock) : clock_(clock) {}

  Result<void> read(const ReadFn& fn) override {
    const std::shared_lock lock(state_mutex_);
    MemoryReads<ReadTransaction> tx(state_);
    return fn(tx);
  }

  Result<void> write(std::string_view what, const WriteFn& fn) override {
    if (writer_.load() == std::this_thread::get_id()) return nested_write_error(what);
    const std::lock_guard order(commit_mutex_);
    const Writing writing(writer_);
    std::vector<Change> made;
    HOMEPORT_CHECK(run(fn, made));
    if (listener_ && !made.empty()) listener_(made);
    return {};
  }

  Result<bool> acquire_lease(const std::string& holder, std::chrono::milliseconds length,
                             bool holder_is_dead) override {
    HOMEPORT_CHECK(check_lease_request(holder, length));
    const MonoTime started = clock_.mono();
    const std::lock_guard order(lease_mutex_);
    const WallTime now = clock_.now();
    const bool ours = lease_ && lease_->epoch == epoch_;
    const bool held = lease_ && !lease_->holder.empty() && lease_->expires > now;
    if (!ours && held && !holder_is_dead) return false;
    if (!ours) epoch_ = (lease_ ? lease_->epoch : 0) + 1;
    lease_ = Lease{.holder = holder, .epoch = epoch_, .expires = now + length};
    until_ = started + length;
    return true;
  }

  Result<void> release_lease() override {
    const std::lock_guard order(lease_mutex_);
    if (lease_ && lease_->epoch == epoch_) *lease_ = Lease{.holder = "", .epoch = epoch_, .expires = WallTime{}};
    epoch_ = 0;
    until_.reset();
    return {};
  }

  Result<std::optional<Lease>> lease() override {
    const std::lock_guard order(lease_mutex_);
    return lease_;
  }

  [[nodiscard]] std::chrono::milliseconds lease_left() const override {
    const std::lock_guard order(lease_mutex_);
    if (!until_) return std::chrono::milliseconds::zero();
    return std::max(std::chrono::milliseconds::zero(),
                    std::chrono::duration_cast<std::chrono::milliseconds>(*until_ - clock_.mono()));
  }

  void set_listener(Listener listener) override {
    const std::lock_guard order(commit_mutex_);
    listener_ = std::move(listener);
  }

  Result<AuditCheck> verify_audit() override {
    const std::shared_lock lock(state_mutex_);
    AuditVerifier verifier;
    for (const auto& row : state_.audit) verifier.row(row);
    return verifier.finish(state_.head());
  }

  Result<void> backup_to(const std::string& file) override {
    return Error{.code = Errc::unsupported,
                 .message = "cannot back up to " + file + ": this store lives in memory only",
                 .hint = "run Homeport with a state directory"};
  }

  Result<void> trim(std::uint64_t keep, WallTime answers_before) override {
    const std::string before = sortable_time(answers_before);
    auto trimmed = write("trim", [&](WriteTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto answers, tx.list(Table::answers, {}));
      for (const auto& row : answers) {
        if (row.index[0] < before) HOMEPORT_CHECK(tx.erase(Table::answers, row.key, Expect::any()));
      }
      return {};
    });
    if (!trimmed) return trimmed;
    const std::unique_lock lock(state_mutex_);
    while (state_.changes.size() > keep) state_.changes.pop_front();
    return {};
  }

 private:
  // Marks the thread that writes, so that a write from inside is refused instead of waiting for ever.
  class Writing {
   public:
    explicit Writing(std::atomic<std::thread::id>& writer) : writer_(writer) { writer_ = std::this_thread::get_id(); }
    ~Writing() { writer_ = std::thread::id{}; }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

   private:
    std::atomic<std::thread::id>& writer_;
  };

  static Result<void> call(const WriteFn& fn, MemoryWrites& tx) {
    try {
      return fn(tx);
    } catch (const std::exception& e) {
      return Error{.code = Errc::internal, .message = std::string("a write threw: ") + e.what()};
    }
  }

  // The listener runs after this, without the state lock: it may read.
  Result<void> run(const WriteFn& fn, std::vector<Change>& made) {
    const std::unique_lock lock(state_mutex_);
    {
      const std::lock_guard order(lease_mutex_);
      if (epoch_ == 0 || !lease_ || lease_->epoch != epoch_) return no_lease_error(lease_);
    }
    MemoryWrites tx(state_, clock_);
    Result<void> result = call(fn, tx);
    if (!result) {
      tx.roll_back();
      return result;
    }
    made = tx.made();
    return {};
  }

  Clock& clock_;
  std::mutex commit_mutex_;  // one writer at a time, its listener included
  std::shared_mutex state_mutex_;
  State state_;
  Listener listener_;
  std::atomic<std::thread::id> writer_{};
  mutable std::mutex lease_mutex_;
  std::optional<Lease> lease_;
  std::uint64_t epoch_ = 0;  // of the lease this object holds; 0: none
  std::optional<MonoTime> until_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(Clock& clock) {
  return std::make_unique<MemoryStore>(clock);
}

}  // namespace homeport::store
