// What stands on the server for one space, looked at in one round trip, and whether it is what a reference says.
#pragma once

#include "drivers/nfs/markers.h"

namespace homeport::drivers::nfs {

struct Standing {
  Directories dirs;
  std::optional<Entry> live{};
  std::optional<Entry> trashed{};
  MarkerFile marker{};
};

// Where one is and what it says.
struct Placed {
  ObjectState state = ObjectState::live;
  Entry entry;
  MarkerFile marker{};
};

Result<Standing> look(const OpContext& op, Backend& backend, Site& site, Session& session, const SpaceKey& key,
                      const std::string& name, Make make);

enum class MarkerRule { must_match, may_be_missing };

// The object `ref` names, live or trashed; nullopt: neither. Errors: failed_precondition when something else stands
// there: another name, id or marker. Nothing has been touched then.
Result<std::optional<Placed>> verify(const Backend& backend, const ObjectRef& ref, const Standing& standing,
                                     MarkerRule rule);

[[nodiscard]] Object to_object(const Site& site, const Directories& dirs, const SpaceKey& key, const Placed& placed);
// not_found; or missing_pool() when nothing of ours stands on the export.
[[nodiscard]] Error gone(const Backend& backend, const Site& site, const Standing& standing, const ObjectRef& ref);
// The key in prefix + key; nullopt: not one of our names.
[[nodiscard]] std::optional<SpaceKey> key_of(const Backend& backend, std::string_view name);

}  // namespace homeport::drivers::nfs
