// Whose a space is, in names.
#pragma once

#include <string>
#include <vector>

#include "provisioner/core/catalog.h"

namespace homeport::core {

// Who `user_key` is by now: whoever that person was merged into, else the same.
[[nodiscard]] inline std::string present_owner(const Catalog& catalog, const std::string& user_key) {
  std::string key = user_key;
  // What an older Homeport wrote may be a chain, and a damaged row may close it to a circle.
  for (int steps = 0; steps < 100; ++steps) {
    const auto user = catalog.user(key);
    if (!user || !user->merged_into) break;
    key = *user->merged_into;
  }
  return key;
}

// The names of the owner. The homes that a merge retired keep the person who was merged as their owner, who has no name
// any more: they go by the names of who is left.
[[nodiscard]] inline std::vector<std::string> owner_names(const Catalog& catalog, const store::SpaceRecord& space) {
  auto names = catalog.names_of(space.owner);
  return names.empty() ? catalog.names_of(present_owner(catalog, space.owner)) : names;
}

}  // namespace homeport::core
