// Snapshots, clones and the backend's own restore.
#include <algorithm>

#include "drivers/memory/world.h"

namespace homeport::drivers::memory {
namespace {

constexpr std::size_t kSnapshotPage = 100;
constexpr std::string_view kCursor = "snapshot:";

Error cannot(std::string_view what, std::string_view hint) {
  return Error{
      .code = Errc::unsupported, .message = "this backend has no " + std::string(what), .hint = std::string(hint)};
}
Error no_such_snapshot(const std::string& name) {
  return Error{.code = Errc::not_found,
               .message = "there is no snapshot '" + printable(name) + "'",
               .hint = "list the snapshots of the space"};
}

StoredSnapshot* named_in(std::vector<StoredSnapshot>& list, const std::string& name) {
  const auto at = std::find_if(list.begin(), list.end(), [&](const auto& s) { return s.facts.name == name; });
  return at == list.end() ? nullptr : &*at;
}

}  // namespace

Result<World::Scope> World::scope_of(const ObjectRef& ref, const Named& named) const {
  if (config.snapshots == SnapshotOwner::none) return cannot("snapshots", "back the space up elsewhere");
  if (named.place) {
    const StoredExport& stored = *named.place->exported;
    return Scope{.name = "export:" + stored.config.path, .volumes = {{stored.id, stored.volume}}, .shared = true};
  }
  if (named.object != nullptr && capabilities(ref.layout).snapshots_per_space) {
    return Scope{.name = "space:" + named.object->id, .volumes = {{named.object->id, named.object->volume}}};
  }
  Scope scope{.name = "pool:" + named.pool->config.name, .volumes = {}, .shared = named.object != nullptr};
  for (const auto& [name, object] : named.pool->objects) scope.volumes.emplace_back(object.id, object.volume);
  return scope;
}

Result<Snapshot> World::take_snapshot(const Step& step, const ObjectRef& ref, const std::string& name) {
  HOMEPORT_CHECK(check_component(name));
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  HOMEPORT_TRY(const Scope scope, scope_of(ref, named));
  auto& list = snapshots[scope.name];
  if (const auto* standing = named_in(list, name)) return standing->facts;
  step.calls.push_back("SNAPSHOT " + path_of(ref.pool, ref.name) + " " + name);
  const bool ours = name.starts_with(config.name_prefix);  // another name: as somebody else would have taken it
  StoredSnapshot made{.facts = {.id = "dry-run", .name = name, .taken_at = step.now, .ours = ours}};
  if (step.op.dry_run) return made.facts;
  made.facts.id = std::to_string(ids.next());
  for (const auto& [id, volume] : scope.volumes) made.volumes[id] = volume->frozen(ids);
  list.push_back(std::move(made));
  return list.back().facts;
}

Result<std::optional<Cursor>> World::list_snapshots(const ObjectRef& ref, const std::optional<Cursor>& from,
                                                    std::vector<Snapshot>& page) {
  if (from && !from->starts_with(kCursor)) {
    return Error{.code = Errc::invalid_argument,
                 .message = "cursor '" + printable(*from, 40) + "' is not one of snapshots"};
  }
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::identity));
  HOMEPORT_TRY(const Scope scope, scope_of(ref, named));
  const std::string after = from ? from->substr(kCursor.size()) : "";
  std::size_t taken = 0;
  bool skipping = !after.empty();
  for (const auto& stored : snapshots[scope.name]) {
    if (skipping) {  // ids grow, so a deleted one does not lose the place
      if (stored.facts.id.size() < after.size() || (stored.facts.id.size() == after.size() && stored.facts.id <= after))
        continue;
      skipping = false;
    }
    // A pool's snapshot from before this space was made shows nothing of it.
    if (named.object != nullptr && !stored.volumes.contains(named.object->id)) continue;
    page.push_back(stored.facts);
    if (++taken == kSnapshotPage) return std::optional<Cursor>(std::string(kCursor) + stored.facts.id);
  }
  return std::optional<Cursor>{};
}

Result<void> World::delete_snapshot(const Step& step, const ObjectRef& ref, const Snapshot& snapshot) {
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  HOMEPORT_TRY(const Scope scope, scope_of(ref, named));
  if (scope.shared) {
    return Error{
        .code = Errc::unsupported,
        .message = "snapshot '" + printable(snapshot.name) + "' is the whole pool's; one space cannot delete it",
        .hint = "the pool's retention removes it"};
  }
  auto& list = snapshots[scope.name];
  const auto* standing = named_in(list, snapshot.name);
  if (standing == nullptr) return {};
  if (standing->facts.id != snapshot.id || !standing->facts.ours) {
    return Error{
        .code = Errc::failed_precondition,
        .message = "snapshot '" + printable(snapshot.name) + "' is not the one with id " + printable(snapshot.id),
        .hint = "it was left alone; list the snapshots again"};
  }
  step.calls.push_back("DELETE SNAPSHOT " + path_of(ref.pool, ref.name) + " " + snapshot.name);
  if (step.op.dry_run) return {};
  std::erase_if(list, [&](const auto& s) { return s.facts.id == snapshot.id; });
  return {};
}

Result<std::shared_ptr<const Volume>> World::snapshot_volume(const Named& named, const std::string& name) {
  const ObjectRef where{.layout = named.object != nullptr ? named.object->layout : Layout::directory,
                        .pool = {},
                        .key = SpaceKey::from_random(SpaceKind::home, 0),
                        .name = {},
                        .id = {}};
  HOMEPORT_TRY(const Scope scope, scope_of(where, named));
  const auto* stored = named_in(snapshots[scope.name], name);
  if (stored == nullptr) return no_such_snapshot(name);
  const auto id = named.object != nullptr ? named.object->id : named.place ? named.place->exported->id : std::string{};
  const auto at = stored->volumes.find(id);
  if (at == stored->volumes.end()) return no_such_snapshot(name);
  return at->second;
}

Result<Object> World::overwrite(const Step& step, const ObjectRef& ref, const Snapshot& snapshot) {
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  if (named.object == nullptr || !capabilities(ref.layout).array_restore) {
    return cannot("restore in place", "copy what is needed out of the snapshot");
  }
  auto& list = snapshots["space:" + ref.id];
  const auto* stored = named_in(list, snapshot.name);
  if (stored == nullptr || stored->facts.id != snapshot.id) return no_such_snapshot(snapshot.name);
  step.calls.push_back("OVERWRITE " + path_of(ref.pool, ref.name) + " FROM " + snapshot.name);
  if (step.op.dry_run) return show(*named.object);
  HOMEPORT_CHECK(named.object->volume->become(*stored->volumes.at(ref.id)));
  return show(*named.object);
}

Result<Object> World::clone(const Step& step, const ObjectRef& source, const std::optional<std::string>& snapshot,
                            const CreateSpec& target) {
  if (!config.clones) return cannot("clones", "copy the files instead");
  HOMEPORT_TRY(const Named named, resolve(source, Proof::identity));
  if (named.object == nullptr) return cannot("clones of imported paths", "copy the files instead");
  HOMEPORT_TRY(StoredPool * stored, pool(target.layout, target.pool));
  HOMEPORT_CHECK(check_create(target));
  const auto at = stored->objects.find(target.name);
  if (at != stored->objects.end()) return adopt(step, at->second, target);
  std::shared_ptr<const Volume> content = named.object->volume;
  if (snapshot) {
    HOMEPORT_TRY(auto frozen, snapshot_volume(named, *snapshot));
    content = std::move(frozen);
  }
  if (target.quota && content->used() > target.quota->count()) {
    return Error{.code = Errc::over_quota,
                 .message = "the content of '" + printable(source.name) + "' is larger than the quota of the clone",
                 .hint = "give the clone a larger quota"};
  }
  // A dry run copies into no room and is dropped.
  HOMEPORT_TRY(auto copy, content->clone(ids, step.op.dry_run ? nullptr : stored->room));
  step.calls.push_back("CLONE " + path_of(source.pool, source.name) + (snapshot ? "@" + *snapshot : "") + " " +
                       path_of(target.pool, target.name));
  return insert(step, *stored, target, std::move(copy));
}

}  // namespace homeport::drivers::memory
