// Catalog, second part: what stands on a backend, whether anybody may still have it or not.
#include "provisioner/core/catalog_parts.h"

namespace homeport::core {

std::map<std::string, std::uint64_t> OwnFileSystems::count(std::string_view backend, WallTime now) const {
  std::map<std::string, std::uint64_t> out;
  if (const auto at = living_.find(backend); at != living_.end()) out = at->second;
  for (const auto& [key, space] : kept_) {
    if (space->backend == backend && is_own(*space) && !lives(*space) && space->recoverable_until > now)
      ++out[space->klass];
  }
  std::erase_if(out, [](const auto& entry) { return entry.second == 0; });
  return out;
}

SpacePtr OwnFileSystems::last_kept(std::string_view user_key, std::string_view name, WallTime now) const {
  SpacePtr last;
  for (const auto& [key, space] : kept_) {
    const bool theirs = space->kind == SpaceKind::home && space->owner == user_key && space->name == name;
    if (!theirs || space->state != store::SpaceState::purged || space->recoverable_until <= now) continue;
    if (!last || last->recoverable_until < space->recoverable_until) last = space;
  }
  return last;
}

}  // namespace homeport::core
