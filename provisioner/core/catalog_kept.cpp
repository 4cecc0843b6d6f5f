// Catalog, second part: what stands on a backend, whether anybody may still have it or not.
#include "provisioner/core/catalog.h"

namespace homeport::core {

SpacePtr Catalog::kept_by_backend(std::string_view user_key, std::string_view name, WallTime now) const {
  SpacePtr last;
  for (const auto& space : spaces(true)) {
    const bool theirs = space->kind == SpaceKind::home && space->owner == user_key && space->name == name;
    if (!theirs || space->state != store::SpaceState::purged || space->recoverable_until <= now) continue;
    if (!last || last->recoverable_until < space->recoverable_until) last = space;
  }
  return last;
}

std::map<std::string, std::uint64_t> Catalog::own_file_systems(std::string_view backend, WallTime now) const {
  std::map<std::string, std::uint64_t> out;
  for (const auto& space : spaces(true)) {
    if (space->backend != backend || space->imported || space->layout != "filesystem") continue;
    if (!space->label().empty() || space->recoverable_until > now) ++out[space->klass];
  }
  return out;
}

}  // namespace homeport::core
