// A Kubernetes cluster, as far as mounting goes: PersistentVolumes and the claims bound to them. Implemented by
// drivers/kubernetes; the core knows no HTTP and no Kubernetes document.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/op_context.h"

namespace homeport::core {

// A volume and its claim, known by the claim: a volume belongs to one namespace's claim for good.
struct ClusterPair {
  std::string ns;     // namespace
  std::string claim;  // name of the PersistentVolumeClaim, a DNS label; the volume's name follows from both
  std::string space;  // key of the space that it shows
  friend auto operator<=>(const ClusterPair&, const ClusterPair&) = default;
};

// What such a pair is to be. The claim's name holds a digest of source, options and access (render::object_name):
// another source is another pair, because Kubernetes lets nobody change one.
struct ClusterVolume {
  ClusterPair pair;
  std::string kind;    // of the space: "home"
  std::string server;  // IPv6 without brackets
  std::string path;
  std::vector<std::string> mount_options{};
  bool read_only = false;
  std::optional<std::uint64_t> capacity_bytes{};  // empty: the implementation's stated placeholder
};

// What stands of a pair that carries our labels.
struct StandingPair {
  ClusterPair pair;
  bool volume = false;
  bool claim = false;
  bool broken = false;  // the claim lost its volume, or the volume its claim
};

struct CollectedPair {
  ClusterPair pair;
  std::string kept{};  // why it is still there; empty: neither object is
};

// Threads: every method from any thread. Blocking until the deadline at longest; idempotent; no retries inside.
// Errors: unavailable, timed_out and rate_limited for everything that is not the caller's fault and may pass, wrong
// credentials, missing rights and answers that are none included (an admin mends those, and the work goes on);
// failed_precondition when an object of that name is somebody else's, or is ours and differs: it is left alone.
class Cluster {
 public:
  virtual ~Cluster() = default;
  // Fixed; not empty.
  [[nodiscard]] virtual const std::vector<std::string>& namespaces() const = 0;
  // The volume first: a claim that asks for a volume by name waits for it. Both answer what was seen, for people. One
  // that stands and is as wanted is adopted; one that is of no use any more (Released, Lost) is made anew.
  [[nodiscard]] virtual Result<std::string> ensure_volume(const OpContext& op, const ClusterVolume& wanted) = 0;
  [[nodiscard]] virtual Result<std::string> ensure_claim(const OpContext& op, const ClusterVolume& wanted) = 0;
  // Everything in our namespaces that carries our labels.
  [[nodiscard]] virtual Result<std::vector<StandingPair>> standing(const OpContext& op) = 0;
  // Deletes claim and volume of each pair, in this order, unless one is not ours, keeps no Retain, or a pod uses the
  // claim. What they point at is never touched. Appends each pair to `done` when it was looked at, also before an
  // error; an error is about the first one that is not there.
  [[nodiscard]] virtual Result<void> collect(const OpContext& op, const std::vector<ClusterPair>& pairs,
                                             std::vector<CollectedPair>& done) = 0;
};

}  // namespace homeport::core
