#include "drivers/nfs/standing.h"

#include <array>

#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

Error mismatch(const ObjectRef& ref, const std::string& why) {
  return Error{
      .code = Errc::failed_precondition,
      .message = "what stands as " + printable(ref.name) + " is not space " + ref.key.str() + ": " + why,
      .hint = "nothing was touched; compare the backend with `homeport operation list --parked` and `homeport doctor`"};
}

std::string marker_trouble(const ObjectRef& ref, const Placed& placed, MarkerRule rule) {
  const auto& marker = placed.marker;
  if (!marker.file) return rule == MarkerRule::must_match ? "its marker is missing" : "";
  if (!marker.marker) return rule == MarkerRule::must_match ? "its marker cannot be read: " + marker.broken : "";
  if (marker.marker->key != ref.key) return "its marker is for " + marker.marker->key.str();
  if (marker.marker->id != ref.id) return "its marker is for an object with id " + marker.marker->id;
  return "";
}

}  // namespace

Result<Standing> look(const OpContext& op, Backend& backend, Site& site, Session& session, const SpaceKey& key,
                      const std::string& name, Make make) {
  bool looked_between = false;
  for (int attempt = 0;; ++attempt) {
    HOMEPORT_TRY(auto dirs, directories(op, backend, site, session, make));
    // The directories themselves are asked for again: an admin may have put others in their place meanwhile.
    const std::array<NameRequest, 5> requests{
        {{.dir = dirs.homes.node, .name = name},
         {.dir = dirs.trash.node, .name = name},
         {.dir = dirs.markers.node, .name = marker_file_name(key)},
         {.dir = dirs.homes_parent, .name = dirs.homes.name.empty() ? "homes" : dirs.homes.name},
         {.dir = session.root().node, .name = dirs.admin.name}}};
    auto found = session.lookup(op, requests);
    for (auto& answer : found) HOMEPORT_CHECK(answer ? Result<void>() : Result<void>(answer.error()));
    const auto moved = [](const std::optional<Entry>& now, const Entry& before) {
      if (before.node.handle.empty()) return false;
      return !now || object_id(now->attributes) != object_id(before.attributes);
    };
    const bool stale =
        (!dirs.homes_parent.handle.empty() && moved(*found[3], dirs.homes)) || moved(*found[4], dirs.admin);
    if (stale && attempt < 2) {
      site.known.with([](auto& known) { known.reset(); });
      continue;
    }
    // The server answers in any order: a marker without its space may mean that both were made, or that the space was
    // moved, between two of these answers. The marker comes after the space, so the next look tells.
    if (!*found[0] && !*found[1] && *found[2] && !looked_between) {
      looked_between = true;
      continue;
    }
    Standing standing{.dirs = std::move(dirs), .live = *std::move(found[0]), .trashed = *std::move(found[1])};
    const std::array<std::optional<Entry>, 1> file{*std::move(found[2])};
    HOMEPORT_TRY(auto markers, read_markers(op, session, standing.dirs.markers.node, file));
    standing.marker = std::move(markers.front());
    return standing;
  }
}

Result<std::optional<Placed>> verify(const Backend& backend, const ObjectRef& ref, const Standing& standing,
                                     MarkerRule rule) {
  if (ref.name != backend.prefix() + ref.key.str()) return mismatch(ref, "its name is not the one made for its key");
  std::optional<Placed> placed;
  if (standing.live && object_id(standing.live->attributes) == ref.id) {
    placed = Placed{.state = ObjectState::live, .entry = *standing.live, .marker = standing.marker};
  } else if (standing.trashed && object_id(standing.trashed->attributes) == ref.id) {
    placed = Placed{.state = ObjectState::trashed, .entry = *standing.trashed, .marker = standing.marker};
  } else if (standing.live || standing.trashed) {
    const auto& other = standing.live ? *standing.live : *standing.trashed;
    return mismatch(ref, "its id is " + object_id(other.attributes) + ", not " + ref.id);
  }
  if (!placed) return placed;
  if (placed->entry.attributes.type != EntryType::directory) return mismatch(ref, "it is not a directory");
  if (const auto trouble = marker_trouble(ref, *placed, rule); !trouble.empty()) return mismatch(ref, trouble);
  return placed;
}

Object to_object(const Site& site, const Directories& dirs, const SpaceKey& key, const Placed& placed) {
  const auto& attributes = placed.entry.attributes;
  const bool live = placed.state == ObjectState::live;
  Object object{.ref = {.layout = Layout::directory,
                        .pool = site.pool != nullptr ? site.pool->name : std::string(),
                        .key = key,
                        .name = placed.entry.name,
                        .id = placed.entry.node.handle.empty() ? "planned" : object_id(attributes)},
                .state = placed.state,
                .path = Backend::join(live ? dirs.homes_path : dirs.trash_path(), placed.entry.name),
                .owner = Owner{attributes.uid, attributes.gid},
                .mode = attributes.mode,
                .marker = placed.marker.marker};
  // Retiring sets the marker's modification time; without a marker the directory's own change is the best there is.
  if (!live) object.trashed_at = placed.marker.file ? placed.marker.file->attributes.modified : attributes.changed;
  return object;
}

Error gone(const Backend& backend, const Site& site, const Standing& standing, const ObjectRef& ref) {
  if (standing.dirs.admin.node.handle.empty()) return missing_pool(backend, site.export_path);
  return Error{.code = Errc::not_found,
               .message = "there is no " + printable(ref.name) + " in pool " + printable(ref.pool, 60) +
                          ", live or in the trash"};
}

std::optional<SpaceKey> key_of(const Backend& backend, std::string_view name) {
  if (!name.starts_with(backend.prefix())) return std::nullopt;
  auto key = SpaceKey::parse(name.substr(backend.prefix().size()));
  if (!key) return std::nullopt;
  return std::move(key).value();
}

}  // namespace homeport::drivers::nfs
