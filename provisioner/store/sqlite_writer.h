// The one thread that writes. Whoever writes queues a function and waits; the thread takes all that is queued, runs
// each function in a savepoint of one transaction, commits once (one fsync for all), tells the listener, lets them go.
//
// The transaction begins with the lease: when the row does not carry our epoch and holder, none of the functions runs.
// After an I/O error nothing is written any more: the kernel may have dropped the pages of a failed fsync and would
// report success for the next one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "provisioner/store/sqlite_rows.h"

namespace homeport::store {

class SqliteWriter {
 public:
  using Body = std::function<Result<void>(SqliteWrites&)>;

  SqliteWriter(std::unique_ptr<Connection> connection, Clock& clock);
  ~SqliteWriter();  // finishes what is queued
  SqliteWriter(const SqliteWriter&) = delete;
  SqliteWriter& operator=(const SqliteWriter&) = delete;

  Result<void> write(std::string_view what, Body body);
  Result<bool> acquire_lease(const std::string& holder, std::chrono::milliseconds length, bool holder_is_dead);
  Result<void> release_lease();
  [[nodiscard]] std::chrono::milliseconds lease_left() const;
  void set_listener(Store::Listener listener);

 private:
  struct Job {
    std::string what;
    Body body;
    bool for_lease = false;  // changes the lease row: a commit of its own, and not conditional on the lease
    std::function<void()> committed{};
    Result<void> result{};
    bool done = false;
    std::condition_variable released{};
  };
  struct Held {
    std::string holder;
    std::uint64_t epoch = 0;
  };
  using Jobs = std::vector<Job*>;

  Result<void> submit(Job& job);
  void run();
  Jobs take();  // with mutex_ held
  void commit(const Jobs& jobs);
  Result<void> transact(const Jobs& jobs, std::vector<Change>& changes);
  Result<void> run_one(Job& job, std::vector<Change>& changes);
  Result<void> finish_savepoint(bool keep);
  Result<void> check_lease();
  Result<void> sync_commit(const Jobs& jobs);
  void tell(const std::vector<Change>& changes);
  void checkpoint_when_due();
  void stop_writing(const Error& error);
  Result<void> simple(std::string_view what, std::string_view sql);

  // The writer thread's own.
  const std::unique_ptr<Connection> connection_;
  Clock& clock_;
  std::uint64_t last_seq_ = 0;
  std::optional<Held> held_;
  std::optional<Error> broken_;
  int wal_pages_ = 0;  // set by SQLite after each commit

  std::atomic<std::int64_t> lease_until_;  // MonoTime ticks
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job*> queue_;
  bool stopping_ = false;
  Store::Listener listener_;
  std::jthread thread_;
};

}  // namespace homeport::store
