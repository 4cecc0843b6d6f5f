// Powers of backends that show their snapshots side by side: many of one object's at once, and looked into together.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/core/optional.h"

namespace homeport::drivers {

// A power of a Tree: many lookups kept in flight together.
class ManyLookups {
 public:
  struct Request {
    Node directory;
    std::string name;
  };
  virtual ~ManyLookups() = default;
  // One result per request, in order; each as that of Tree::lookup.
  virtual std::vector<Result<std::optional<Entry>>> lookup_all(const OpContext& op,
                                                               std::span<const Request> requests) = 0;
};
// Together where the tree can, else one after the other.
[[nodiscard]] std::vector<Result<std::optional<Entry>>> lookup_all(const OpContext& op, Tree& tree,
                                                                   std::span<const ManyLookups::Request> requests);

struct OpenedSnapshots {
  std::unique_ptr<Tree> tree;                 // reads only; what the roots' handles belong to
  std::vector<std::optional<Entry>> roots{};  // one per name, in order; nullopt: it shows nothing of the object
};
class SnapshotTrees {
 public:
  virtual ~SnapshotTrees() = default;
  virtual Result<OpenedSnapshots> open_snapshots(const OpContext& op, const ObjectRef& ref,
                                                 std::span<const std::string> names) = 0;
};

}  // namespace homeport::drivers
