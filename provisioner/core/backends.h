// The configured storage systems at run time: driver, workers and health of each. One slow backend hurts only itself.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/optional.h"
#include "drivers/core/storage_driver.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/id_source.h"
#include "provisioner/base/metrics.h"
#include "provisioner/base/worker_pool.h"
#include "provisioner/core/caller.h"
#include "provisioner/core/catalog.h"
#include "provisioner/core/desired.h"
#include "provisioner/core/home_guard.h"
#include "provisioner/core/import_watch.h"

namespace homeport::core {

enum class Reachability { unknown, ok, unreachable };
struct BackendHealth {
  Reachability management = Reachability::unknown;
  Reachability data = Reachability::unknown;
  std::string last_error{};
  std::optional<WallTime> last_contact{};
  std::vector<drivers::Pool> pools{};  // as last seen
  // Pools that nobody can be served from although the server answers, and why.
  std::map<std::string, std::string> troubled{};
  // Imported datasets (space keys) whose source is not there any more, and why; see import_watch.h.
  std::map<std::string, std::string> missing{};
};

class Backend {
 public:
  // `reachability_changes` is counted up whenever one of the two reachabilities, or what is troubled, changes.
  Backend(BackendSpec spec, std::unique_ptr<drivers::StorageDriver> driver,
          std::shared_ptr<std::atomic<std::uint64_t>> reachability_changes);

  [[nodiscard]] const BackendSpec& spec() const { return spec_; }
  [[nodiscard]] drivers::StorageDriver& driver() { return *driver_; }
  [[nodiscard]] const drivers::StorageDriver& driver() const { return *driver_; }
  [[nodiscard]] WorkerPool& workers() { return workers_; }
  [[nodiscard]] HomeGuard& guard() { return guard_; }
  [[nodiscard]] ImportsSeen& imports() { return imports_; }
  [[nodiscard]] BackendHealth health() const {
    return health_.with([](const BackendHealth& h) { return h; });
  }
  void note_success(WallTime now);
  void note_failure(const Error& error, WallTime now);
  void note_probe(const drivers::ProbeReport& report, WallTime now);
  void note_pools(std::vector<drivers::Pool> pools, WallTime now);
  void note_troubled(std::map<std::string, std::string> troubled);
  void note_missing(std::map<std::string, std::string> missing);
  // A light look at the server failed for lack of an answer.
  void note_lost(const Error& error, bool data_too);

 private:
  void note(const std::function<void(BackendHealth&)>& change);

  BackendSpec spec_;
  std::shared_ptr<std::atomic<std::uint64_t>> reachability_changes_;
  std::unique_ptr<drivers::StorageDriver> driver_;
  Guarded<BackendHealth> health_;
  HomeGuard guard_;
  ImportsSeen imports_;
  WorkerPool workers_;  // last: its threads end before the driver goes
};
using BackendPtr = std::shared_ptr<Backend>;

// Threads: every method from any thread.
class Backends {
 public:
  Backends(Catalog& catalog, const drivers::DriverFactory& factory, Clock& clock)
      : catalog_(catalog), factory_(factory), clock_(clock) {}

  // Makes, replaces and drops run-time backends so that they follow the catalog. Called after changes. One that could
  // not be made is tried again each time.
  void follow_catalog();
  // Destroys replaced backends whose last job has ended. Must not be called from a backend's worker (it would wait for
  // itself); that is why they are kept until here.
  void reap();
  // No new work; running jobs end or are asked to after `limit`.
  void drain(std::chrono::milliseconds limit);
  [[nodiscard]] std::vector<BackendPtr> all() const;
  // Errors: not_found that lists the backends.
  [[nodiscard]] Result<BackendPtr> get(std::string_view name) const;
  // The same, and it takes work: failed_precondition with the admin's text when paused.
  [[nodiscard]] Result<BackendPtr> get_serving(std::string_view name) const;
  // Grows when any backend becomes reachable or unreachable.
  [[nodiscard]] std::uint64_t reachability_changes() const {
    return reachability_changes_->load(std::memory_order_acquire);
  }
  // Why a backend could not be made (a secret file is missing, …); empty: it was.
  [[nodiscard]] std::string construction_error(std::string_view name) const;

  // Runs fn on the backend's own workers and gives its result to done, on that worker (or on the calling thread when
  // the queue is full). fn gets a context with the caller's deadline.
  template <class T>
  void run(const BackendPtr& backend, const Caller& caller, std::function<Result<T>(const OpContext&)> fn,
           std::function<void(Result<T>)> done) {
    auto job = [this, backend, caller, fn = std::move(fn), done](const std::stop_token& stop) {
      const OpContext op{.request_id = caller.request_id, .deadline = caller.deadline, .stop = stop};
      Result<T> result = fn(op);
      if (result) {
        backend->note_success(clock_.now());
      } else {
        backend->note_failure(result.error(), clock_.now());
      }
      done(std::move(result));
    };
    auto queued = backend->workers().submit(std::move(job));
    if (!queued) done(std::move(queued).error());
  }

 private:
  Catalog& catalog_;
  const drivers::DriverFactory& factory_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, BackendPtr, std::less<>> backends_;
  std::vector<BackendPtr> replaced_;
  std::map<std::string, std::uint64_t, std::less<>> revisions_;
  std::map<std::string, std::string, std::less<>> failures_;
  std::shared_ptr<std::atomic<std::uint64_t>> reachability_changes_ = std::make_shared<std::atomic<std::uint64_t>>(1);
};

}  // namespace homeport::core
