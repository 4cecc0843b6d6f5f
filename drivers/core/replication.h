// Copies on another backend of the same kind, kept by the backends themselves. Optional powers: see optional.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/storage_driver.h"

namespace homeport::drivers {

struct ReplicaLink {
  std::string id;
  std::string target;                   // name of the other array
  std::string remote{};                 // what the copy is called there
  std::string direction{};              // "outbound", "inbound"
  std::string state;                    // in the backend's words: "replicating", "idle", "unhealthy"
  std::string detail{};                 // why, where something is wrong
  std::vector<std::string> policies{};  // whose snapshots are sent; empty: nothing new is
  std::optional<std::chrono::milliseconds> lag{};
  std::optional<WallTime> recovery_point{};  // when the newest snapshot that arrived was taken
  [[nodiscard]] bool paused() const { return policies.empty(); }
};
class Replication {
 public:
  virtual ~Replication() = default;
  // All of them, also those that others made.
  virtual Result<std::vector<ReplicaLink>> links(const OpContext& op, const ObjectRef& ref) = 0;
};
// Where we may arrange it, too.
class ReplicationControl {
 public:
  virtual ~ReplicationControl() = default;
  // To an array that is connected, by the snapshots of a policy of the backend's own. One that stands is the one asked
  // for: its policy is attached. The copy is never exported. Errors: not_found (no such connection or policy).
  virtual Result<ReplicaLink> link(const OpContext& op, const ObjectRef& ref, const std::string& target,
                                   const std::string& policy) = 0;
  // Nothing new is sent from then on; what arrived stays. No link is not_found, a paused one success.
  virtual Result<ReplicaLink> pause_link(const OpContext& op, const ObjectRef& ref, const std::string& target) = 0;
  // By that policy again.
  virtual Result<ReplicaLink> resume_link(const OpContext& op, const ObjectRef& ref, const std::string& target,
                                          const std::string& policy) = 0;
};

}  // namespace homeport::drivers
