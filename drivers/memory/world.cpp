#include "drivers/memory/world.h"

#include <algorithm>

namespace homeport::drivers::memory {

Error not_what_stands(const ObjectRef& ref, std::string_view why) {
  return Error{.code = Errc::failed_precondition,
               .message = "'" + printable(ref.name) + "' in pool '" + printable(ref.pool) + "' is not the object of " +
                          ref.key.str() + ": " + std::string(why),
               .hint = "nothing was changed; compare the record with what stands on the backend"};
}

World::World(MemoryConfig settings, WallTime now) : config(std::move(settings)) {
  for (const auto& item : config.pools) {
    auto room = std::make_shared<Room>(Room{.capacity = item.capacity.count()});
    pools.emplace(item.name, StoredPool{.config = item, .id = std::to_string(ids.next()), .room = std::move(room)});
  }
  for (const auto& item : config.exports) {
    auto volume = std::make_shared<Volume>(ids, nullptr, Owner{Uid{0}, Gid{0}}, 0755, now);
    StoredExport made{.config = item, .id = std::to_string(volume->root()), .volume = volume};
    for (const auto& file : item.files) seed(made, file, now);
    exports.emplace(item.path, std::move(made));
  }
}

// Seeds come from a checked configuration; what cannot be made (a hard link to nothing) is left out.
void World::seed(StoredExport& into, const MemorySeed& seed, WallTime now) {
  Volume& volume = *into.volume;
  std::uint64_t at = volume.root();
  std::string_view rest = seed.path;
  for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    const auto part = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    const Inode* next = volume.child(*volume.find(at), part);
    if (next != nullptr) {
      at = next->id;
      continue;
    }
    const auto made =
        volume.add(ids, at, part, Inode{.type = EntryType::directory, .mode = 0755, .owner = seed.owner}, now);
    if (!made) return;
    at = *made;
  }
  if (seed.kind == MemorySeed::Kind::hard_link) {
    if (const Inode* target = volume.walk(seed.content)) (void)volume.link(at, rest, target->id, now).has_value();
    return;
  }
  const bool directory = seed.kind == MemorySeed::Kind::directory;
  const bool symlink = seed.kind == MemorySeed::Kind::symlink;
  Inode inode{.type = directory ? EntryType::directory
                      : symlink ? EntryType::symlink
                                : EntryType::file,
              .mode = symlink ? 0777U : seed.mode.value_or(directory ? 0755U : 0644U),
              .owner = seed.owner};
  if (symlink) inode.target = seed.content;
  const auto made = volume.add(ids, at, rest, std::move(inode), now);
  if (!made || directory || symlink) return;
  (void)volume.write(*made, 0, std::as_bytes(std::span(seed.content)), now).has_value();
  if (seed.size) (void)volume.truncate(*made, seed.size->count(), now).has_value();
}

std::string World::path_of(const std::string& pool, const std::string& name) {
  const std::string base = pool.starts_with('/') ? pool : "/" + pool;
  return name == "." ? base : base + "/" + name;
}

Result<StoredPool*> World::pool(Layout layout, const std::string& name) {
  const auto at = pools.find(name);
  if (at != pools.end() && at->second.config.layout == layout) return &at->second;
  std::string known;
  for (const auto& [other, stored] : pools) {
    if (stored.config.layout == layout) known += (known.empty() ? "" : ", ") + other;
  }
  return Error{.code = Errc::not_found,
               .message = "there is no pool '" + printable(name) + "' of layout " + std::string(layout_name(layout)),
               .hint = known.empty() ? "this backend has no pool of that layout" : "pools of that layout: " + known};
}

StoredObject* World::by_id(const std::string& id) {
  const auto at = index.find(id);
  if (at == index.end()) return nullptr;
  return &pools.at(at->second.first).objects.at(at->second.second);
}

Capabilities World::capabilities(Layout layout) const {
  const bool own = config.snapshots == SnapshotOwner::space || layout == Layout::filesystem;
  const bool any = config.snapshots != SnapshotOwner::none;
  Capabilities can{.quota = config.quota,
                   .snapshots = any,
                   .snapshots_per_space = any && own,
                   .clones = config.clones,
                   .array_restore = any && own,
                   .access_rules = config.access_rules,
                   .undelete = true,
                   .ownership = config.ownership};
  can.notes.emplace_back("everything lives in this process's memory and is gone when it ends");
  if (!any) can.notes.emplace_back("no snapshots: back spaces up elsewhere");
  if (any && !own) can.notes.emplace_back("snapshots are the pool's: a space sees its own part of them");
  return can;
}

std::optional<SpaceKey> World::key_of(const std::string& name) const {
  if (!name.starts_with(config.name_prefix)) return std::nullopt;
  auto key = SpaceKey::parse(std::string_view(name).substr(config.name_prefix.size()));
  if (!key) return std::nullopt;
  return std::move(key).value();
}

std::optional<SpaceKey> World::key_with_id(const std::string& id) const {
  for (const auto& [key, text] : markers) {
    const auto parsed = marker_from_json(text);
    if (parsed && parsed->id == id) return parsed->key;
  }
  return std::nullopt;
}

std::optional<Marker> World::marker(const SpaceKey& key) const {
  const auto at = markers.find(key.str());
  if (at == markers.end()) return std::nullopt;
  auto parsed = marker_from_json(at->second);
  if (!parsed) return std::nullopt;
  return std::move(parsed).value();
}

void World::write_marker(const Step& step, Marker wanted, const std::string& id) {
  wanted.id = id;
  auto text = marker_to_json(wanted);
  auto& slot = markers[wanted.key.str()];
  if (slot == text) return;
  step.calls.push_back("WRITE MARKER " + wanted.key.str());
  slot = std::move(text);
}

Object World::show(const StoredObject& stored, const std::optional<SpaceKey>& key) const {
  auto whose = key_of(stored.name);
  if (!whose) whose = key;
  if (!whose) whose = key_with_id(stored.id);
  const auto shown_key = whose.value_or(SpaceKey::from_random(SpaceKind::home, 0));
  const Inode& root = *stored.volume->find(stored.volume->root());
  Object out{
      .ref = {.layout = stored.layout, .pool = stored.pool, .key = shown_key, .name = stored.name, .id = stored.id},
      .state = stored.state,
      .path = path_of(stored.pool, stored.state == ObjectState::live ? stored.name : ".trash/" + stored.name),
      .owner = root.owner,
      .mode = root.mode,
      .quota = stored.quota,
      .access = stored.access,
      .trashed_at = stored.trashed_at};
  if (config.quota != QuotaClass::none) {
    out.usage = Usage{.bytes = Bytes(stored.volume->used()), .basis = UsageBasis::exact, .as_of = root.changed};
  }
  if (whose) out.marker = marker(*whose);
  return out;
}

std::optional<World::Place> World::place_at(const std::string& path) {
  for (auto& [base, stored] : exports) {
    if (path != base && !path.starts_with(base == "/" ? base : base + "/")) continue;
    std::string_view rest = std::string_view(path).substr(base.size());
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const Inode* inode = stored.volume->walk(rest);
    if (inode == nullptr || inode->type != EntryType::directory) continue;
    return Place{.exported = &stored, .inode = inode->id, .relative = rest.empty() ? "." : std::string(rest)};
  }
  return std::nullopt;
}

std::optional<World::Place> World::place_with_id(const std::string& id) {
  for (auto& [base, stored] : exports) {
    std::vector<std::pair<std::uint64_t, std::string>> todo{{stored.volume->root(), ""}};
    while (!todo.empty()) {
      const auto [inode_id, path] = todo.back();
      todo.pop_back();
      const Inode* inode = stored.volume->find(inode_id);
      if (inode == nullptr || inode->type != EntryType::directory) continue;
      if (std::to_string(inode_id) == id) {
        return Place{.exported = &stored, .inode = inode_id, .relative = path.empty() ? "." : path};
      }
      for (const auto& [name, child] : inode->children)
        todo.emplace_back(child, path.empty() ? name : path + "/" + name);
    }
  }
  return std::nullopt;
}

Object World::show(const Place& place, const std::optional<SpaceKey>& key) const {
  const Inode& inode = *place.exported->volume->find(place.inode);
  const auto id = std::to_string(inode.id);
  const auto whose = key ? key : key_with_id(id);
  Object out{.ref = {.layout = Layout::directory,
                     .pool = place.exported->config.path,
                     .key = whose.value_or(SpaceKey::from_random(SpaceKind::dataset, 0)),
                     .name = place.relative,
                     .id = id,
                     .imported = true},
             .path = path_of(place.exported->config.path, place.relative),
             .owner = inode.owner,
             .mode = inode.mode};
  const auto tally = place.exported->volume->tally(place.inode);
  out.usage =
      Usage{.bytes = Bytes(tally.bytes), .files = tally.names, .basis = UsageBasis::exact, .as_of = inode.changed};
  if (whose) out.marker = marker(*whose);
  return out;
}

Result<World::Named> World::resolve_import(const ObjectRef& ref, Proof proof) {
  const auto place = place_at(path_of(ref.pool, ref.name));
  if (!place) return not_what_stands(ref, "nothing stands at that path");
  if (std::to_string(place->inode) != ref.id) return not_what_stands(ref, "the directory there has another id");
  const auto found = marker(ref.key);
  if (found && found->id != ref.id) return not_what_stands(ref, "its marker names another id");
  if (proof == Proof::marker && !found) return not_what_stands(ref, "it has no marker of ours");
  return Named{.place = place};
}

Result<World::Named> World::resolve(const ObjectRef& ref, Proof proof) {
  if (ref.imported) return resolve_import(ref, proof);
  HOMEPORT_TRY(StoredPool * stored, pool(ref.layout, ref.pool));
  if (ref.name == "." && ref.id == stored->id) return Named{.pool = stored};
  const auto at = stored->objects.find(ref.name);
  if (at == stored->objects.end()) return not_what_stands(ref, "nothing of that name stands there");
  if (at->second.id != ref.id) return not_what_stands(ref, "what stands there has another id");
  const auto key = key_of(ref.name);
  if (key && *key != ref.key) return not_what_stands(ref, "its name carries another key");
  const auto found = marker(ref.key);
  if (found && found->id != ref.id) return not_what_stands(ref, "its marker names another id");
  if (proof == Proof::marker && !found) return not_what_stands(ref, "it has no marker of ours");
  return Named{.object = &at->second, .pool = stored};
}

Result<std::optional<Object>> World::find(const Lookup& lookup) {
  if (!lookup.id && !lookup.name && !lookup.path) {
    return Error{.code = Errc::invalid_argument, .message = "a lookup needs an id, a name or a path"};
  }
  if (lookup.path) {
    const auto place = place_at(lookup.path->str());
    if (!place || (lookup.id && std::to_string(place->inode) != *lookup.id)) return std::optional<Object>{};
    return std::optional<Object>(show(*place, lookup.key));
  }
  if (exports.contains(lookup.pool)) {
    const auto place = lookup.id ? place_with_id(*lookup.id) : place_at(path_of(lookup.pool, *lookup.name));
    if (!place || place->exported->config.path != lookup.pool) return std::optional<Object>{};
    return std::optional<Object>(show(*place, lookup.key));
  }
  HOMEPORT_TRY(StoredPool * stored, pool(lookup.layout, lookup.pool));
  if (lookup.id) {
    const StoredObject* found = by_id(*lookup.id);
    if (found == nullptr || found->pool != lookup.pool) return std::optional<Object>{};
    if (lookup.name && found->name != *lookup.name) return std::optional<Object>{};
    return std::optional<Object>(show(*found, lookup.key));
  }
  const auto at = stored->objects.find(*lookup.name);
  if (at == stored->objects.end()) return std::optional<Object>{};
  return std::optional<Object>(show(at->second, lookup.key));
}

Result<std::optional<Cursor>> World::scan(const Query& query, const std::optional<Cursor>& from,
                                          std::vector<Object>& page) {
  if (from && !from->starts_with("after:")) {
    return Error{.code = Errc::invalid_argument,
                 .message = "cursor '" + printable(*from, 40) + "' is not one of this backend"};
  }
  const std::string after = from ? from->substr(6) : "";
  if (exports.contains(query.pool)) {  // imports lie where they always lay; only their markers tell of them
    for (const auto& [key, text] : markers) {
      const auto found = marker_from_json(text);
      if (!found || !found->imported || query.state != ObjectState::live) continue;
      const auto place = place_with_id(found->id);
      if (place && place->exported->config.path == query.pool) page.push_back(show(*place, found->key));
    }
    return std::optional<Cursor>{};
  }
  HOMEPORT_TRY(const StoredPool* stored, pool(query.layout, query.pool));
  std::size_t taken = 0;
  for (auto at = stored->objects.upper_bound(after); at != stored->objects.end(); ++at) {
    if (at->second.state != query.state || (!key_of(at->first) && !key_with_id(at->second.id))) continue;
    page.push_back(show(at->second));
    if (++taken == config.scan_page) return std::optional<Cursor>("after:" + at->first);
  }
  return std::optional<Cursor>{};
}

}  // namespace homeport::drivers::memory
