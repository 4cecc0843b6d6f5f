// Volumes and claims for the spaces of this service, in a Kubernetes cluster.
//
// A new home gets its own as steps of the operation that makes it, before it is ready. For everything else (homes that
// were ready before the cluster was configured, imports, datasets, another class or source, what somebody deleted) a
// loop brings the cluster to what the records want; it also takes away what nothing wants. Both do the same calls. A
// record's `claims` are what was seen to stand: nobody is told to mount anything else.
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
#include <unordered_map>
#include <vector>

#include "provisioner/base/worker_pool.h"
#include "provisioner/core/administration.h"
#include "provisioner/core/catalog.h"
#include "provisioner/core/claim_guard.h"
#include "provisioner/core/ports/cluster.h"
#include "provisioner/render/mount_spec.h"

namespace homeport::core {

// Every pair that the space needs now, in each namespace; empty when nothing of it can be mounted by a pod (a local
// source, no source yet, a class that is gone). A dataset, and a home that was merged into another one's,
// is seen through every class that may look at it.
[[nodiscard]] std::vector<ClusterVolume> wanted_volumes(const Catalog& catalog,
                                                        const std::vector<std::string>& namespaces,
                                                        const store::SpaceRecord& space);
// As a record's `claims` names a pair: "NAMESPACE/CLAIM".
[[nodiscard]] std::string claim_word(const ClusterPair& pair);

// Threads: every method from any thread.
class ClusterVolumes {
 public:
  // `cluster` may be null: then nothing is done, and asking for a namespace is refused. All must outlive this.
  ClusterVolumes(Cluster* cluster, store::Store& store, Catalog& catalog, Clock& clock);
  ~ClusterVolumes();

  // For operations: makes nothing for a space whose pairs are just being taken away.
  [[nodiscard]] Cluster* cluster() const { return guard_.get(); }
  // Threads that may wait for the cluster; nothing else runs there, so that a cluster that hangs holds up nobody else.
  // Null without a cluster.
  [[nodiscard]] WorkerPool* workers() const { return workers_.get(); }

  // Calls done once, when every claim that the spec stands for is there in that namespace, or when it is known that
  // they will not be within the time. Never blocks; done may run on the calling thread. `spaces`: keys of what the spec
  // mounts. Errors: invalid_argument (not one of our namespaces), failed_precondition (no cluster is configured; an
  // object is in the way), unavailable with a reason and retry_after.
  void when_mountable(const render::MountSpec& spec, std::vector<std::string> spaces, const std::string& ns,
                      MonoTime deadline, std::function<void(Result<void>)> done);

  void start();
  void stop();

  struct State {                                 // as of the last round
    std::optional<Error> trouble{};              // why it could not be finished
    std::map<std::string, std::string> missing;  // space key -> why its claims are not all there; may be empty
    std::map<ClusterPair, std::string> kept;     // what nothing wants and stays for now, and why
  };
  [[nodiscard]] State state() const;
  // For `homeport doctor`; empty when all is well.
  [[nodiscard]] std::vector<Finding> findings() const;

 private:
  struct Waiter {
    std::vector<std::string> spaces;
    std::set<std::string> claims;
    MonoTime deadline;
    std::function<void(Result<void>)> done;
  };
  void loop(const std::stop_token& stop);
  void start_round();
  void round(const std::stop_token& stop);
  Result<void> try_round(const std::stop_token& stop);
  Result<void> make_missing(const std::stop_token& stop);
  Result<void> make(const store::SpaceRecord& space, const std::vector<ClusterVolume>& missing,
                    const std::stop_token& stop);
  // What stands against what should: what is gone is made again, what nothing wants is taken away.
  Result<void> compare(const std::stop_token& stop);
  // One page of what nothing wants, from where the last one ended; what was done before an error stays done.
  Result<void> collect(const std::stop_token& stop);
  [[nodiscard]] std::vector<ClusterPair> next_page();
  // Which of them go, decided where nobody can be in between; struck off their records.
  [[nodiscard]] Result<std::vector<ClusterPair>> give_up(const std::vector<ClusterPair>& pairs);
  // Takes claims that `gone` accepts off the record, if nobody is at work on the space. Gives those that were.
  [[nodiscard]] std::vector<std::string> strike(const std::string& space,
                                                const std::function<bool(const std::string&)>& gone);
  [[nodiscard]] bool is_wanted(const ClusterPair& pair) const;
  [[nodiscard]] bool is_wanted(const ClusterPair& pair, const store::SpaceRecord& space) const;
  [[nodiscard]] std::optional<Error> verdict(const Waiter& waiter, bool last_word) const;
  void answer_waiters();
  [[nodiscard]] OpContext context(const std::stop_token& stop) const;

  Cluster* const cluster_;
  store::Store& store_;
  Catalog& catalog_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<Waiter> waiters_;
  State state_;
  bool asked_ = false;  // somebody waits: a round is due now
  bool at_work_ = false;
  bool stopping_ = false;
  MonoTime next_round_{};
  std::chrono::milliseconds pause_;
  // Of the round alone, and no two run at a time.
  std::unordered_map<std::string, std::uint64_t> settled_;  // space key -> revision in which nothing was due
  std::uint64_t settled_generation_ = 0;
  MonoTime next_compare_{};
  std::map<std::string, std::string> missing_;
  std::map<ClusterPair, std::string> unwanted_;
  std::optional<ClusterPair> collected_to_;  // within a pass over unwanted_; not set: the pass is over
  const std::unique_ptr<ClaimGuard> guard_;  // null without a cluster
  std::unique_ptr<WorkerPool> workers_;
  std::jthread thread_;
};

}  // namespace homeport::core
