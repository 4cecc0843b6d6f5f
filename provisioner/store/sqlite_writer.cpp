#include "provisioner/store/sqlite_writer.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>

#include "provisioner/base/fault_point.h"
#include "provisioner/base/log.h"
#include "provisioner/store/row_rules.h"
#include "provisioner/store/sqlite_guard.h"

namespace homeport::store {
namespace {

constexpr std::size_t kMaxJobsPerCommit = 512;
constexpr int kCheckpointPages = 1000;
constexpr std::int64_t kNoLease = std::numeric_limits<std::int64_t>::min();

// A function that throws must not take the writer, and with it the service, down.
Result<void> call(const SqliteWriter::Body& body, std::string_view what, SqliteWrites& tx) {
  try {
    return body(tx);
  } catch (const std::exception& e) {
    return Error{.code = Errc::internal, .message = "write '" + std::string(what) + "' threw: " + e.what()};
  }
}

Error lost_transaction() {
  return Error{.code = Errc::unavailable,
               .message = "the database gave the whole transaction up; nothing was written",
               .hint = "repeat; the log says what the database met"};
}

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<Connection> connection, Clock& clock)
    : connection_(std::move(connection)), clock_(clock), lease_until_(kNoLease) {
  // Instead of SQLite's own checkpoints: those hide I/O errors and run before the waiters are released.
  sqlite3_wal_hook(
      connection_->db().getHandle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteWriter*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  thread_ = std::jthread([this] { run(); });
}

SqliteWriter::~SqliteWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<void> SqliteWriter::submit(Job& job) {
  if (std::this_thread::get_id() == thread_.get_id()) return nested_write_error(job.what);
  std::unique_lock lock(mutex_);
  queue_.push_back(&job);
  wake_.notify_one();
  job.released.wait(lock, [&] { return job.done; });
  return job.result;
}

Result<void> SqliteWriter::write(std::string_view what, Body body) {
  Job job{.what = std::string(what), .body = std::move(body)};
  return submit(job);
}

Result<bool> SqliteWriter::acquire_lease(const std::string& holder, std::chrono::milliseconds length,
                                         bool holder_is_dead) {
  HOMEPORT_CHECK(check_lease_request(holder, length));
  const MonoTime until = clock_.mono() + length;  // counted from before: ours ends before the row's
  bool ours = false;
  Lease next;
  Job job{.what = "lease", .body = [&](SqliteWrites&) -> Result<void> {
            HOMEPORT_TRY(const auto row, sql::lease(*connection_));
            const WallTime now = clock_.now();
            const bool renewal = held_ && row && row->epoch == held_->epoch && row->holder == held_->holder;
            ours = renewal || !row || row->holder.empty() || row->expires <= now || holder_is_dead;
            if (!ours) return {};
            const std::uint64_t last_epoch = row ? row->epoch : 0;
            next = Lease{.holder = holder, .epoch = renewal ? last_epoch : last_epoch + 1, .expires = now + length};
            return sql::set_lease(*connection_, next);
          }};
  job.for_lease = true;
  job.committed = [&] {
    held_ = ours ? std::optional<Held>{Held{.holder = next.holder, .epoch = next.epoch}} : std::nullopt;
    lease_until_ = ours ? until.time_since_epoch().count() : kNoLease;
  };
  HOMEPORT_CHECK(submit(job).context("take the lease"));
  return ours;
}

Result<void> SqliteWriter::release_lease() {
  Job job{.what = "lease", .body = [&](SqliteWrites&) -> Result<void> {
            HOMEPORT_TRY(const auto row, sql::lease(*connection_));
            const bool ours = held_ && row && row->epoch == held_->epoch && row->holder == held_->holder;
            if (!ours) return {};
            return sql::set_lease(*connection_, Lease{.holder = "", .epoch = row->epoch, .expires = WallTime{}});
          }};
  job.for_lease = true;
  job.committed = [&] {
    held_.reset();
    lease_until_ = kNoLease;
  };
  return submit(job).context("give the lease back");
}

std::chrono::milliseconds SqliteWriter::lease_left() const {
  const std::int64_t until = lease_until_.load();
  if (until == kNoLease) return std::chrono::milliseconds::zero();
  const auto left = MonoTime(MonoTime::duration(until)) - clock_.mono();
  return std::max(std::chrono::milliseconds::zero(), std::chrono::duration_cast<std::chrono::milliseconds>(left));
}

void SqliteWriter::set_listener(Store::Listener listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void SqliteWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return !queue_.empty() || stopping_; });
    if (queue_.empty()) return;
    const Jobs jobs = take();
    lock.unlock();
    commit(jobs);
    lock.lock();
    for (Job* job : jobs) {
      job->done = true;
      job->released.notify_one();  // with the lock held: the job ends with its waiter
    }
    lock.unlock();
    checkpoint_when_due();
    lock.lock();
  }
}

SqliteWriter::Jobs SqliteWriter::take() {
  Jobs jobs;
  while (!queue_.empty() && jobs.size() < kMaxJobsPerCommit) {
    Job* job = queue_.front();
    if (job->for_lease && !jobs.empty()) break;
    queue_.pop_front();
    jobs.push_back(job);
    if (job->for_lease) break;
  }
  return jobs;
}

void SqliteWriter::commit(const Jobs& jobs) {
  std::vector<Change> changes;
  const auto outcome = transact(jobs, changes);
  if (outcome) return;
  if (is_io_failure(outcome.error())) stop_writing(outcome.error());
  for (Job* job : jobs) {
    if (job->result) job->result = Result<void>(outcome.error()).context("write '" + job->what + "'");
  }
}

Result<void> SqliteWriter::simple(std::string_view what, std::string_view sql) {
  return sqlite_guard(std::string(what) + " " + connection_->file(), [&]() -> Result<void> {
    connection_->run(sql);
    return {};
  });
}

Result<void> SqliteWriter::transact(const Jobs& jobs, std::vector<Change>& changes) {
  if (broken_) return *broken_;
  std::optional<Transaction> transaction;
  HOMEPORT_CHECK(sqlite_guard("write to " + connection_->file(), [&]() -> Result<void> {
    transaction.emplace(*connection_, Transaction::Kind::immediate);
    return {};
  }));
  if (!jobs.front()->for_lease) HOMEPORT_CHECK(check_lease());
  HOMEPORT_TRY(const auto stored_seq, sql::last_seq(*connection_));
  last_seq_ = std::max(last_seq_, stored_seq);  // numbers of functions that were rolled back are not used again
  bool any = false;
  for (Job* job : jobs) {
    job->result = run_one(*job, changes);
    if (!job->result && is_io_failure(job->result.error())) return job->result.error();
    if (!connection_->in_transaction()) return job->result ? lost_transaction() : job->result.error();
    any = any || job->result;
  }
  if (!any) return {};
  HOMEPORT_CHECK(sync_commit(jobs));
  for (Job* job : jobs) {
    if (job->result && job->committed) job->committed();
  }
  tell(changes);
  return {};
}

Result<void> SqliteWriter::run_one(Job& job, std::vector<Change>& changes) {
  HOMEPORT_CHECK(simple("write to", "SAVEPOINT one_write"));
  const std::size_t before = changes.size();
  SqliteWrites tx(*connection_, clock_, last_seq_, changes);
  auto result = call(job.body, job.what, tx);
  if (tx.failure() && (result || is_io_failure(*tx.failure()))) result = *tx.failure();
  if (!result) changes.resize(before);
  if (!connection_->in_transaction()) return result;
  if (auto ended = finish_savepoint(result.has_value()); !ended && result) return ended;
  return result;
}

Result<void> SqliteWriter::finish_savepoint(bool keep) {
  if (!keep) HOMEPORT_CHECK(simple("roll back in", "ROLLBACK TO one_write"));
  return simple("write to", "RELEASE one_write");
}

Result<void> SqliteWriter::check_lease() {
  HOMEPORT_TRY(const auto row, sql::lease(*connection_));
  if (held_ && row && row->epoch == held_->epoch && row->holder == held_->holder) return {};
  if (held_) log::error("store.lease_lost", {{"holder", held_->holder}, {"epoch", std::to_string(held_->epoch)}});
  held_.reset();
  lease_until_ = kNoLease;
  return no_lease_error(row);
}

Result<void> SqliteWriter::sync_commit(const Jobs& jobs) {
  const auto pass = [&](std::string_view where) {
    if (!detail::fault_points_armed) return;
    for (const Job* job : jobs) {
      if (job->result) fault_point("journal." + job->what + std::string(where));
    }
  };
  pass(".before_commit");
  auto committed = simple("commit to", "COMMIT");
  if (!committed) {
    Error error = std::move(committed).error();
    error.maybe_applied = is_io_failure(error);  // its last page may have reached the disk all the same
    return error;
  }
  pass(".after_commit");
  return {};
}

void SqliteWriter::tell(const std::vector<Change>& changes) {
  if (changes.empty()) return;
  Store::Listener listener;
  {
    const std::lock_guard lock(mutex_);
    listener = listener_;
  }
  if (!listener) return;
  try {
    listener(changes);
  } catch (const std::exception& e) {
    log::error("store.listener_threw", {{"detail", e.what()}});
  }
}

void SqliteWriter::checkpoint_when_due() {
  if (broken_ || wal_pages_ < kCheckpointPages) return;
  const auto done = sqlite_guard("checkpoint " + connection_->file(), [&]() -> Result<void> {
    sqlite3* handle = connection_->db().getHandle();
    const int rc = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) throw SQLite::Exception(handle, rc);
    return {};
  });
  wal_pages_ = 0;  // the next commit says anew
  if (done) return;
  log::warning("store.checkpoint_failed", {{"detail", done.error().to_string()}});
  if (is_io_failure(done.error())) stop_writing(done.error());
}

void SqliteWriter::stop_writing(const Error& error) {
  if (broken_) return;
  log::error("store.stopped_writing", {{"file", connection_->file()}, {"detail", error.to_string()}});
  broken_ = Error{.code = Errc::unavailable,
                  .message = "the store does not write any more since its disk reported an I/O error (" +
                             (error.upstream ? error.upstream->detail : error.message) + ")",
                  .hint = "look at the kernel's log (dmesg), mend the disk, then start Homeport again",
                  .upstream = Upstream{.system = "sqlite", .status = SQLITE_OK, .detail = "stopped"}};
}

}  // namespace homeport::store
