#include "provisioner/core/import_watch.h"

#include <algorithm>
#include <vector>

#include "provisioner/core/backends.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr std::size_t kAtOnce = 16;
constexpr int kLooks = 2;  // one may meet a server that is moving something

std::vector<SpacePtr> datasets_on(const Catalog& catalog, const std::string& backend) {
  auto out = catalog.spaces();
  std::erase_if(out, [&](const SpacePtr& space) {
    return space->kind != SpaceKind::dataset || !space->imported || space->backend != backend ||
           space->state != store::SpaceState::ready;
  });
  return out;
}

// Empty: it stands. Errors: nobody knows.
Result<std::string> what_is_wrong(const OpContext& op, Backend& backend, const store::SpaceRecord& space) {
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(space.path));
  HOMEPORT_TRY(const auto key, SpaceKey::parse(space.key));
  const drivers::Lookup lookup{.layout = layout_of(space), .pool = space.pool, .path = path, .key = key};
  const auto found = backend.driver().find(op, lookup);
  const std::string where = space.path + " on backend " + space.backend;
  if (!found && found.error().code == Errc::not_found) return "there is no " + where;
  if (!found && found.error().code == Errc::permission_denied) return where + " is not exported to Homeport any more";
  if (!found) return found.error();
  if (!*found) return "there is no " + where;
  if ((*found)->ref.id != space.backend_id) return where + " is not what was imported: somebody put another one there";
  return std::string();
}

}  // namespace

void look_at_imports(const OpContext& op, Backend& backend, const Catalog& catalog) {
  const auto all = datasets_on(catalog, backend.spec().name.str());
  auto missing = backend.health().missing;
  std::erase_if(missing, [&](const auto& entry) {
    return std::none_of(all.begin(), all.end(), [&](const SpacePtr& space) { return space->key == entry.first; });
  });
  const auto last = backend.imports().state.with([](const auto& seen) { return seen.last; });
  const auto first = std::upper_bound(all.begin(), all.end(), last,
                                      [](const std::string& key, const SpacePtr& space) { return key < space->key; });
  for (std::size_t i = 0; i < std::min(kAtOnce, all.size()); ++i) {
    const auto at = (static_cast<std::size_t>(first - all.begin()) + i) % all.size();
    const auto& space = *all[at];
    const auto wrong = what_is_wrong(op, backend, space);
    if (!wrong && (is_transient(wrong.error().code) || wrong.error().code == Errc::cancelled)) break;
    const int misses = backend.imports().state.with([&](auto& seen) {
      seen.last = space.key;
      auto& count = seen.misses[space.key];
      if (wrong) count = wrong->empty() ? 0 : count + 1;
      return count;
    });
    if (!wrong) continue;  // a refusal of another kind: nobody knows
    if (wrong->empty()) missing.erase(space.key);
    if (!wrong->empty() && misses >= kLooks) missing[space.key] = *wrong;
  }
  backend.note_missing(std::move(missing));
}

}  // namespace homeport::core
