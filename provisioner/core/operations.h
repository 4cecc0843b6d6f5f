// Durable work: the journal and what walks it. Recovery after a crash and the steady loop are the same code.
//
// An operation is written with its whole plan before a backend is touched. Each step is idempotent; after it, one write
// records what was read back. Unknown is not failed: what may have happened is read back, then adopted or repeated.
// A definite refusal ends the operation and restores the space; what cannot be decided is parked, visible, and retried
// or given up by an admin.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "provisioner/base/id_source.h"
#include "provisioner/base/metrics.h"
#include "provisioner/core/backends.h"
#include "provisioner/core/caller.h"
#include "provisioner/core/catalog.h"
#include "provisioner/core/ports/cluster.h"
#include "provisioner/store/records.h"

namespace homeport::core {

// Draws the next uid of the range, in the transaction that pins it (People::take_assigned).
using AssignOwner = std::function<Result<Owner>(store::WriteTransaction&, const std::string& realm)>;

// What one step sees. It changes `space` (and op.progress_*); the engine writes both with the step.
struct StepContext {
  const OpContext& op;
  Clock& clock;
  Backend& backend;
  drivers::StorageDriver& driver;  // the backend's
  BackendMode backend_mode;
  const Catalog& catalog;
  Cluster* cluster;  // null: none is configured
  store::OperationRecord& operation;
  store::SpaceRecord& space;
  bool again = false;  // set by a step that did a piece and must be called again
  const AssignOwner& assign;
  // Set by a step that ends with a decision: written in the transaction that records the step, which it can refuse. Of
  // the space, what is about to be written.
  std::function<Result<void>(store::WriteTransaction&, store::SpaceRecord&)> also_write{};
};
using StepFunction = Result<std::string> (*)(StepContext&);  // what was seen, for people

struct OperationKind {
  std::string_view name;
  struct Step {
    std::string_view name;
    StepFunction run;
    bool on_cluster = false;  // asks the cluster and not the backend; left out where none is configured
    bool looks_only = false;  // done, it has made nothing
  };
  std::vector<Step> steps;
  // The space's state at the end; nullopt: the work is about something of the space, and its record is left alone.
  std::optional<store::SpaceState> success;
  std::optional<store::SpaceState> restored{};  // its state after a refusal; nullopt: `failed`
  bool cancellable = true;                      // before its first step is done
  bool changes_backend = true;                  // so it waits while the backend is only observed
  // Takes back what the intent wrote beside the space, in the transaction that ends the operation as refused.
  // `unknown`: it was given up, and may have been done.
  Result<void> (*refused)(store::WriteTransaction&, const store::OperationRecord&, bool unknown) = nullptr;
};
// Defined with the use cases: homes, datasets, lifecycle.
[[nodiscard]] const OperationKind& operation_kind(std::string_view name);
// A step that can have changed something is done.
[[nodiscard]] bool has_touched(const store::OperationRecord& op);
// The step that is to be done next; null when there is none, or none that this version knows.
[[nodiscard]] const OperationKind::Step* next_step(const store::OperationRecord& op);

// Threads: every method from any thread.
class Operations {
 public:
  Operations(store::Store& store, Catalog& catalog, Backends& backends, Clock& clock, IdSource& ids, Metrics& metrics);
  ~Operations();

  // Before anything is prepared or run. Steps that ask the cluster run on `workers`: one that hangs holds up no
  // backend. Both must outlive this.
  void use_cluster(Cluster& cluster, WorkerPool& workers) {
    cluster_ = &cluster;
    cluster_workers_ = &workers;
  }

  // Before anything is run: for homes whose owner is drawn when it is known that none stands.
  void assign_owners_by(AssignOwner assign) { assign_ = std::move(assign); }

  // A record ready to be put in the same transaction as what it is about. Steps come from the kind.
  [[nodiscard]] store::OperationRecord prepare(std::string_view kind, const store::SpaceRecord& space,
                                               const Caller& caller, nlohmann::json plan) const;
  // After that transaction: hands it to the backend's workers. Never blocks.
  void start(const std::string& operation_id);
  // The same for one that the caller has just written: it need not be read again.
  void start_new(const store::OperationRecord& op);
  // Instead of start(): ends it as refused and restores the space.
  Result<void> withdraw(const std::string& operation_id, const Error& why);
  // Calls done once: when the operation has ended or is parked, or at the deadline with what it is then.
  void await(const std::string& operation_id, MonoTime deadline,
             std::function<void(Result<store::OperationRecord>)> done);

  [[nodiscard]] Result<store::OperationRecord> get(const std::string& id) const;
  struct Filter {
    std::string space{};
    std::optional<store::OperationState> state{};
    bool open_only = false;
    std::string after{};
    std::size_t limit = 100;
  };
  // Newest first. A row that cannot be read is listed as parked, under its id and with what is wrong with it.
  [[nodiscard]] Result<std::vector<store::OperationRecord>> list(const Filter& filter) const;

  Result<store::OperationRecord> retry(const Caller& caller, const std::string& id);
  // Ends a parked or waiting one for good. No backend call is made, so what it did is not known: the space keeps its
  // state (retiring, undeleting, purging) and takes the same verb, or the opposite one, again.
  Result<store::OperationRecord> give_up(const Caller& caller, const std::string& id);
  Result<store::OperationRecord> cancel(const Caller& caller, const std::string& id);

  // An admin changed something that operations may have waited for: all that wait are tried now.
  void try_waiting();

  // Takes up every open operation and starts the loop. Call once, when the lease is held.
  Result<void> recover_and_run();
  void stop();

 private:
  struct Waiter {
    MonoTime deadline;
    std::function<void(Result<store::OperationRecord>)> done;
  };
  void loop(const std::stop_token& stop);
  void fire_timers();
  bool claim(const std::string& id);  // false: somebody has it in hand, or we are stopping
  void hand_out(const std::string& id);
  void queue(const store::OperationRecord& op);  // claimed
  void release(const std::string& id);
  // What the operation is when it is left: settled, or waiting for its next try. nullopt: it cannot be read.
  [[nodiscard]] std::optional<store::OperationRecord> execute(const std::string& id, const std::stop_token& stop);
  [[nodiscard]] store::OperationRecord execute(const store::OperationRecord& op, const std::stop_token& stop);
  [[nodiscard]] store::OperationRecord walk(store::OperationRecord op, const std::stop_token& stop);
  // The configuration may have changed while the work was done: the mount source follows it.
  void keep_source_current(const store::SpaceRecord& space, const Backend& used);
  void look_again(const std::string& id, std::chrono::milliseconds delay);
  Result<void> run_step(store::OperationRecord& op, store::SpaceRecord& space, std::size_t index, Backend& backend,
                        const std::stop_token& stop);
  // Puts our copy over whatever an admin's request (cancel, retry) wrote meanwhile, keeping that request.
  [[nodiscard]] static Result<void> put_own(store::WriteTransaction& tx, store::OperationRecord& op);
  Result<void> write_step(store::OperationRecord& op, store::SpaceRecord& space, std::size_t index,
                          const std::string& detail,
                          const std::function<Result<void>(store::WriteTransaction&, store::SpaceRecord&)>& also_write);
  [[nodiscard]] store::OperationRecord on_failure(store::OperationRecord op, const Error& error, Backend& backend);
  // What an admin asks of an open operation: `change` checks and marks it; then it is written, audited and looked at.
  Result<store::OperationRecord> request(const Caller& caller, const std::string& id, std::string_view action,
                                         const std::function<Result<void>(store::OperationRecord&)>& change);
  Result<store::OperationRecord> close_given_up(const Caller& caller, store::OperationRecord op);
  [[nodiscard]] Result<bool> something_stands(const store::OperationRecord& op, Backend& backend) const;
  store::OperationRecord postpone(store::OperationRecord op, const Error& error);
  store::OperationRecord park(store::OperationRecord op, const Error& error);
  // keep_state: the space stays as the intent left it, because what stands on the backend is not known.
  Result<store::OperationRecord> refuse(const store::OperationRecord& op, const Error& error, store::OperationState end,
                                        bool keep_state = false);
  void count_outcome(const std::string& kind, std::string_view outcome);
  void wake_waiters(const store::OperationRecord& op);
  [[nodiscard]] std::chrono::milliseconds call_time() const;

  store::Store& store_;
  Catalog& catalog_;
  Backends& backends_;
  Clock& clock_;
  IdSource& ids_;
  Metrics& metrics_;
  Cluster* cluster_ = nullptr;
  WorkerPool* cluster_workers_ = nullptr;
  AssignOwner assign_{};
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::multimap<std::string, Waiter> waiters_;
  std::multimap<MonoTime, std::string> due_;
  std::set<std::string> running_;    // being executed by some worker
  std::set<std::string> once_more_;  // asked for meanwhile
  MonoTime next_look_{};             // when the loop wakes by itself
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace homeport::core
