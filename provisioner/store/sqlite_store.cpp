#include <mutex>

#include "provisioner/base/log.h"
#include "provisioner/store/sqlite_guard.h"
#include "provisioner/store/sqlite_open.h"
#include "provisioner/store/sqlite_writer.h"

namespace homeport::store {
namespace {

constexpr std::size_t kIdleReaders = 32;  // the API's workers, and those of a backend
constexpr std::size_t kAnswersPerWrite = 500;

// Connections for reading. As many as there are readers at one time, a few of them kept.
class ReaderPool {
 public:
  explicit ReaderPool(std::string file) : file_(std::move(file)) {}

  // Gives its connection back, or closes it if enough are idle.
  class Lent {
   public:
    Lent(ReaderPool& pool, std::unique_ptr<Connection> connection) : pool_(pool), connection_(std::move(connection)) {}
    ~Lent() { pool_.give_back(std::move(connection_)); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    Connection& operator*() { return *connection_; }

   private:
    ReaderPool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  Result<std::unique_ptr<Connection>> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    return Connection::open(file_, Connection::Use::read);
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleReaders) idle_.push_back(std::move(connection));
  }

  const std::string file_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<Connection> writer, DirectoryLock lock, Clock& clock)
      : lock_(std::move(lock)), file_(writer->file()), readers_(file_), writer_(std::move(writer), clock) {}

  Result<void> read(const ReadFn& fn) override {
    return with_view([&](Connection& c) -> Result<void> {
      SqliteReads<ReadTransaction> tx(c);
      return fn(tx);
    });
  }
  Result<void> write(std::string_view what, const WriteFn& fn) override {
    return writer_.write(what, [&fn](SqliteWrites& tx) { return fn(tx); });
  }
  Result<bool> acquire_lease(const std::string& holder, std::chrono::milliseconds length,
                             bool holder_is_dead) override {
    return writer_.acquire_lease(holder, length, holder_is_dead);
  }
  Result<void> release_lease() override { return writer_.release_lease(); }
  Result<std::optional<Lease>> lease() override {
    return with_view([](Connection& c) { return sql::lease(c); });
  }
  [[nodiscard]] std::chrono::milliseconds lease_left() const override { return writer_.lease_left(); }
  void set_listener(Listener listener) override { writer_.set_listener(std::move(listener)); }

  Result<AuditCheck> verify_audit() override {
    return with_view([](Connection& c) { return sql::verify_audit(c); });
  }

  Result<void> backup_to(const std::string& file) override {
    // A connection of its own: it takes its time, and it reads one view while writing goes on.
    HOMEPORT_TRY(const auto source, Connection::open(file_, Connection::Use::read));
    return copy_database(*source, file).context("backup");
  }

  Result<void> trim(std::uint64_t keep, WallTime answers_before) override {
    for (std::size_t erased = kAnswersPerWrite; erased == kAnswersPerWrite;) {
      HOMEPORT_CHECK(writer_.write("trim", [&](SqliteWrites& tx) -> Result<void> {
        HOMEPORT_TRY(erased, tx.erase_answers(answers_before, kAnswersPerWrite));
        return {};
      }));
    }
    return writer_.write("trim", [keep](SqliteWrites& tx) { return tx.drop_changes(keep); });
  }

 private:
  // fn(Connection&) inside one deferred transaction: everything it reads belongs together.
  template <class Fn>
  std::invoke_result_t<Fn&, Connection&> with_view(Fn fn) {
    HOMEPORT_TRY(auto connection, readers_.take());
    ReaderPool::Lent lent(readers_, std::move(connection));
    return sqlite_guard("read " + file_, [&]() -> std::invoke_result_t<Fn&, Connection&> {
      const Transaction view(*lent, Transaction::Kind::deferred);
      return fn(*lent);
    });
  }

  DirectoryLock lock_;  // given up last
  const std::string file_;
  ReaderPool readers_;
  SqliteWriter writer_;
};

}  // namespace

std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<Connection> writer, DirectoryLock lock, Clock& clock) {
  return std::make_unique<SqliteStore>(std::move(writer), std::move(lock), clock);
}

}  // namespace homeport::store
