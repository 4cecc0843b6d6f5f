// Keeps what is made and what is taken away in a Kubernetes cluster apart, space by space.
//
// Taking a pair away is decided in a transaction that finds no operation at work on its space. An operation that begins
// a moment later (an undelete) would find the pair, call its home ready, and then lose it. So its space is held from
// before the decision until the pair is gone; meanwhile making anything for it is refused as unavailable, and tried
// again. Within one process: the store's lease allows no second one.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "provisioner/core/ports/cluster.h"

namespace homeport::core {

// Threads: every method from any thread. `below` must outlive it.
class ClaimGuard final : public Cluster {
 public:
  explicit ClaimGuard(Cluster& below) : below_(below) {}

  class Hold {
   public:
    Hold(ClaimGuard& guard, std::set<std::string> spaces);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    ClaimGuard& guard_;
  };

  [[nodiscard]] const std::vector<std::string>& namespaces() const override { return below_.namespaces(); }
  [[nodiscard]] Result<std::string> ensure_volume(const OpContext& op, const ClusterVolume& wanted) override;
  [[nodiscard]] Result<std::string> ensure_claim(const OpContext& op, const ClusterVolume& wanted) override;
  [[nodiscard]] Result<std::vector<StandingPair>> standing(const OpContext& op) override { return below_.standing(op); }
  [[nodiscard]] Result<void> collect(const OpContext& op, const std::vector<ClusterPair>& pairs,
                                     std::vector<CollectedPair>& done) override {
    return below_.collect(op, pairs, done);
  }

 private:
  [[nodiscard]] Result<void> check(const ClusterVolume& wanted) const;
  Cluster& below_;
  mutable std::mutex mutex_;
  std::set<std::string> held_;  // keys of spaces; of the one Hold there is at a time
};

}  // namespace homeport::core
