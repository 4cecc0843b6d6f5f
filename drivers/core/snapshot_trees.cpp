#include "drivers/core/snapshot_trees.h"

namespace homeport::drivers {

std::vector<Result<std::optional<Entry>>> lookup_all(const OpContext& op, Tree& tree,
                                                     std::span<const ManyLookups::Request> requests) {
  if (auto* many = dynamic_cast<ManyLookups*>(&tree)) return many->lookup_all(op, requests);
  std::vector<Result<std::optional<Entry>>> out;
  out.reserve(requests.size());
  for (const auto& one : requests) out.push_back(tree.lookup(op, one.directory, one.name));
  return out;
}

}  // namespace homeport::drivers
