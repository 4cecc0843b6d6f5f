// The use of homes that stood before us, on backends that do not tell it: counted by walking each home once.
//
// An import makes it due with the home itself (SpaceRecord::measure), so neither a crash nor a backend that is away
// loses it; import and logins wait for none of it. One home of a backend at a time, on threads of their own, at most
// BackendSpec::measure_rate entries a second. Then the limit that waited is set (settle_limit). A walk that is
// interrupted goes on from where it was last written, or begins again. What cannot be counted whole sets no limit: it
// is given up, with the reason beside the home, until somebody asks again.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "drivers/core/tree_walk.h"
#include "provisioner/base/worker_pool.h"
#include "provisioner/core/administration.h"

namespace homeport::core {

// Threads: every method from any thread.
class Measures {
 public:
  explicit Measures(Homes::Parts parts);

  // Starts what is due. Never blocks.
  void tick();
  void stop();
  // Makes it due (again), also where it was left out or given up. Errors: not_found; failed_precondition (no home, not
  // ready, its backend is never measured); unsupported (a backend whose trees cannot be listed).
  Result<store::SpaceRecord> ask(const Caller& caller, const std::string& space);
  [[nodiscard]] std::vector<Finding> findings() const;

 private:
  void work_on(const std::string& backend, const std::stop_token& stop);
  [[nodiscard]] std::vector<std::string> due_on(const std::string& backend) const;  // keys
  // False: enough for now of this backend.
  bool measure(const BackendPtr& backend, const SpacePtr& home, const std::stop_token& stop);
  Result<void> walk(const BackendPtr& backend, const SpacePtr& home, const std::stop_token& stop);
  Result<void> change(const SpacePtr& home,
                      const std::function<Result<void>(store::WriteTransaction&, store::SpaceRecord&)>& change);
  Result<void> keep_place(const SpacePtr& home, const drivers::TreeWalk& walk);
  Result<void> give_up(const SpacePtr& home, const std::string& why);
  Result<void> finish(const SpacePtr& home, const drivers::TreeTotals& totals);

  Homes::Parts p_;
  mutable std::mutex mutex_;
  std::set<std::string> underway_;           // backends
  std::map<std::string, MonoTime> not_yet_;  // backend -> when it is tried again
  WorkerPool pool_;                          // last: its jobs use all of the above
};

// Is the use of an imported home on this backend to be counted by walking? By what is configured: no backend call.
[[nodiscard]] bool can_measure(Backend& backend);

}  // namespace homeport::core
