// Objects: create, update, access, retire, undelete, purge.
#include <algorithm>

#include "drivers/memory/world.h"

namespace homeport::drivers::memory {
namespace {

constexpr std::string_view kPurgeCursor = "purge:";
constexpr std::string_view kNotYetAnId = "not-yet-known";  // ids are the backend's to give; a dry run gets none

std::string owner_text(Owner owner) {
  return std::to_string(owner.uid.value) + ":" + std::to_string(owner.gid.value);
}
std::string mode_text(std::uint32_t mode) {
  std::string text = "0000";
  for (std::size_t i = 4; i-- > 0; mode >>= 3U) text[i] = static_cast<char>('0' + (mode & 7U));
  return text;
}
std::string quota_text(std::optional<Bytes> quota) {
  return quota ? std::to_string(quota->count()) : "none";
}

Error in_trash(const std::string& name) {
  return Error{.code = Errc::failed_precondition,
               .message = "'" + printable(name) + "' is in the trash",
               .hint = "undelete it, or purge it first"};
}
// What a dry run expects to stand there afterwards.
Object with_change(Object out, const Change& change) {
  if (change.quota) out.quota = *change.quota;
  if (change.owner) out.owner = *change.owner;
  if (change.mode) out.mode = *change.mode & 07777U;
  if (change.marker) {
    out.marker = change.marker;
    out.marker->id = out.ref.id;
  }
  return out;
}
Error is_an_import(const ObjectRef& ref, std::string_view what) {
  return Error{.code = Errc::failed_precondition,
               .message = std::string(what) + " is refused for the imported path '" + printable(ref.name) + "'",
               .hint = "what was imported keeps its path, owner and content"};
}

}  // namespace

Result<void> World::check_quota(Layout layout, const StoredObject* object, std::optional<Bytes> quota,
                                bool force) const {
  if (!quota) return {};
  if (capabilities(layout).quota == QuotaClass::none) {
    return Error{.code = Errc::unsupported, .message = "this backend knows no quota", .hint = "leave the quota out"};
  }
  if (object == nullptr || force || object->volume->used() <= quota->count()) return {};
  return Error{.code = Errc::over_quota,
               .message = "'" + printable(object->name) + "' uses " + Bytes(object->volume->used()).to_string() +
                          ", more than the new quota of " + quota->to_string(),
               .hint = "remove files first, or force it"};
}

Result<void> World::check_create(const CreateSpec& spec) {
  HOMEPORT_CHECK(check_component(spec.name));
  if (!key_of(spec.name) || *key_of(spec.name) != spec.key || spec.marker.key != spec.key) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(spec.name) + "' is not " + config.name_prefix + spec.key.str(),
                 .hint = "objects are named by prefix and key"};
  }
  return check_quota(spec.layout, nullptr, spec.quota, false);
}

// What Change asks for and does not hold yet. Nothing is changed when it fails.
Result<void> World::converge(const Step& step, StoredObject& object, const Change& change) {
  const auto path = path_of(object.pool, object.name);
  Inode& root = *object.volume->find(object.volume->root());
  if (change.quota) HOMEPORT_CHECK(check_quota(object.layout, &object, *change.quota, change.force));
  if (change.owner && *change.owner != root.owner && !config.ownership) {
    return Error{
        .code = Errc::unsupported,
        .message = "owner " + owner_text(*change.owner) + " cannot be set: everyone is " + owner_text(root.owner),
        .hint = "use a class with squash identity"};
  }
  const bool dry = step.op.dry_run;
  if (change.owner && *change.owner != root.owner) {
    step.calls.push_back("CHOWN " + path + " " + owner_text(*change.owner));
    if (!dry) root.owner = *change.owner;
  }
  if (change.mode && (*change.mode & 07777U) != root.mode) {
    step.calls.push_back("CHMOD " + path + " " + mode_text(*change.mode));
    if (!dry) root.mode = *change.mode & 07777U;
  }
  if (change.quota && *change.quota != object.quota) {
    step.calls.push_back("SET QUOTA " + path + " " + quota_text(*change.quota));
    if (!dry) {
      object.quota = *change.quota;
      const bool hard = config.quota == QuotaClass::hard && object.quota;
      object.volume->set_limit(hard ? std::optional(object.quota->count()) : std::nullopt);
    }
  }
  if (!dry) root.changed = step.now;
  if (!change.marker) return {};
  if (dry) {
    step.calls.push_back("WRITE MARKER " + change.marker->key.str());
  } else {
    write_marker(step, *change.marker, object.id);
  }
  return {};
}

// Without a marker: did an earlier attempt of ours make it? The name is a nonce; what is in it must be nobody else's.
bool World::nobody_elses(const StoredObject& object, const CreateSpec& spec) const {
  const auto ours = [&](Uid uid) {
    return uid == Uid{0} || uid == spec.owner.uid || (!config.ownership && uid == config.squash_owner.uid);
  };
  const Inode& root = *object.volume->find(object.volume->root());
  if (!ours(root.owner.uid)) return false;
  return std::all_of(root.children.begin(), root.children.end(),
                     [&](const auto& child) { return ours(object.volume->find(child.second)->owner.uid); });
}

Result<Object> World::adopt(const Step& step, StoredObject& object, const CreateSpec& spec) {
  const auto found = marker(spec.key);
  const bool right_id = !spec.known_id || *spec.known_id == object.id;
  const bool ours = found ? found->id == object.id : spec.known_id || nobody_elses(object, spec);
  if (!ours || !right_id) {
    return Error{.code = Errc::already_exists,
                 .message = "'" + printable(spec.name) + "' stands in pool '" + spec.pool + "' and was not made for " +
                            spec.key.str(),
                 .hint = "it was left alone; look at it, and use another key"};
  }
  if (object.state == ObjectState::trashed) return in_trash(object.name);
  Change change{.mode = spec.mode, .marker = spec.marker};
  if (config.ownership) change.owner = spec.owner;
  if (config.quota != QuotaClass::none) change.quota = std::optional<std::optional<Bytes>>(spec.quota);
  HOMEPORT_CHECK(converge(step, object, change));
  return step.op.dry_run ? with_change(show(object), change) : show(object);
}

Result<Object> World::insert(const Step& step, StoredPool& stored, const CreateSpec& spec,
                             std::shared_ptr<Volume> volume) {
  const Owner owner = config.ownership ? spec.owner : config.squash_owner;
  const auto path = path_of(spec.pool, spec.name);
  step.calls.push_back("CREATE " + path + " " + owner_text(owner) + " " + mode_text(spec.mode));
  if (spec.quota) step.calls.push_back("SET QUOTA " + path + " " + quota_text(spec.quota));
  StoredObject object{.layout = spec.layout,
                      .pool = spec.pool,
                      .name = spec.name,
                      .id = std::string(kNotYetAnId),
                      .volume = std::move(volume),
                      .quota = spec.quota};
  Inode& root = *object.volume->find(object.volume->root());
  root.owner = owner;
  root.mode = spec.mode & 07777U;
  if (step.op.dry_run) {
    step.calls.push_back("WRITE MARKER " + spec.key.str());
    auto out = show(object);
    out.marker = spec.marker;
    return out;
  }
  object.id = std::to_string(object.volume->root());
  if (config.quota == QuotaClass::hard && spec.quota) object.volume->set_limit(spec.quota->count());
  write_marker(step, spec.marker, object.id);  // before anybody could see the object
  index[object.id] = {spec.pool, spec.name};
  const auto [at, added] = stored.objects.emplace(spec.name, std::move(object));
  return show(at->second);
}

Result<Object> World::create(const Step& step, const CreateSpec& spec) {
  HOMEPORT_TRY(StoredPool * stored, pool(spec.layout, spec.pool));
  HOMEPORT_CHECK(check_create(spec));
  const auto at = stored->objects.find(spec.name);
  if (at != stored->objects.end()) return adopt(step, at->second, spec);
  if (spec.known_id) {
    return Error{.code = Errc::failed_precondition,
                 .message = "'" + spec.name + "' was made with id " + *spec.known_id + " and is gone",
                 .hint = "an empty one does not replace it; look for it in the trash and in backups"};
  }
  if (stored->config.max_objects && stored->objects.size() >= *stored->config.max_objects) {
    return Error{
        .code = Errc::out_of_capacity,
        .message = "pool '" + spec.pool + "' holds its " + std::to_string(*stored->config.max_objects) + " objects",
        .hint = "purge retired spaces or use another pool"};
  }
  return insert(step, *stored, spec, std::make_shared<Volume>(ids, stored->room, spec.owner, spec.mode, step.now));
}

Result<Object> World::update(const Step& step, const ObjectRef& ref, const Change& change) {
  if (change.marker && change.marker->key != ref.key) return not_what_stands(ref, "the new marker carries another key");
  HOMEPORT_TRY(const Named named, resolve(ref, change.marker ? Proof::identity : Proof::marker));
  if (named.place) {
    if (change.quota || change.owner || change.mode) return is_an_import(ref, "a change of quota, owner or mode");
    if (change.marker && step.op.dry_run) {
      step.calls.push_back("WRITE MARKER " + ref.key.str());
      return with_change(show(*named.place, ref.key), change);
    }
    if (change.marker) {
      write_marker(step, *change.marker, ref.id);
    }
    return show(*named.place, ref.key);
  }
  if (named.object == nullptr) return not_what_stands(ref, "it is the pool itself");
  if (named.object->state == ObjectState::trashed && (change.quota || change.owner || change.mode)) {
    return in_trash(ref.name);
  }
  HOMEPORT_CHECK(converge(step, *named.object, change));
  return step.op.dry_run ? with_change(show(*named.object, ref.key), change) : show(*named.object, ref.key);
}

Result<void> World::set_access(const Step& step, const ObjectRef& ref, const AccessPolicy& policy) {
  if (!config.access_rules) {
    return Error{.code = Errc::unsupported,
                 .message = "this backend has no access rules per space",
                 .hint = "restrict the export on the server"};
  }
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  if (named.object == nullptr) return is_an_import(ref, "a change of access");
  step.calls.push_back("SET ACCESS " + path_of(ref.pool, ref.name) + " " + std::to_string(policy.rules.size()) +
                       " rules");
  if (!step.op.dry_run) named.object->access = policy;
  return {};
}

Result<Object> World::retire(const Step& step, const ObjectRef& ref) {
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  if (named.object == nullptr) return is_an_import(ref, "retiring");
  if (named.object->state == ObjectState::trashed) return show(*named.object);
  step.calls.push_back("MOVE " + path_of(ref.pool, ref.name) + " " + path_of(ref.pool, ".trash/" + ref.name));
  StoredObject expected = *named.object;
  expected.state = ObjectState::trashed;
  expected.trashed_at = step.now;
  expected.sessions.clear();
  if (!step.op.dry_run) *named.object = expected;
  return show(expected);
}

Result<Object> World::undelete(const Step& step, const ObjectRef& ref) {
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  if (named.object == nullptr) return is_an_import(ref, "undeleting");
  if (named.object->state == ObjectState::live) return show(*named.object);
  step.calls.push_back("MOVE " + path_of(ref.pool, ".trash/" + ref.name) + " " + path_of(ref.pool, ref.name));
  StoredObject expected = *named.object;
  expected.state = ObjectState::live;
  expected.trashed_at.reset();
  if (!step.op.dry_run) *named.object = expected;
  return show(expected);
}

Result<PurgeStep> World::purge(const Step& step, const ObjectRef& ref, const std::optional<Cursor>& from) {
  if (from && !from->starts_with(kPurgeCursor)) {
    return Error{.code = Errc::invalid_argument,
                 .message = "cursor '" + printable(*from, 40) + "' is not one of a purge"};
  }
  if (ref.imported) return is_an_import(ref, "purging");
  HOMEPORT_TRY(StoredPool * stored, pool(ref.layout, ref.pool));
  if (!stored->objects.contains(ref.name) && by_id(ref.id) == nullptr && ref.id != stored->id) return PurgeStep{};
  HOMEPORT_TRY(const Named named, resolve(ref, Proof::marker));
  if (named.object == nullptr) return not_what_stands(ref, "it is the pool itself");
  if (named.object->state == ObjectState::live) {
    return Error{.code = Errc::failed_precondition,
                 .message = "'" + printable(ref.name) + "' is live",
                 .hint = "retire it first; only what lies in the trash is purged"};
  }
  Volume& volume = *named.object->volume;
  step.calls.push_back("REMOVE " + path_of(ref.pool, ".trash/" + ref.name));
  if (step.op.dry_run) return PurgeStep{.removed = volume.entries() + 1};
  PurgeStep done{.removed = volume.remove_some(config.purge_step, step.now)};
  if (volume.entries() > 0) {
    done.next = std::string(kPurgeCursor) + ref.id;
    return done;
  }
  ++done.removed;
  snapshots.erase("space:" + ref.id);
  markers.erase(ref.key.str());
  index.erase(ref.id);
  stored->objects.erase(ref.name);
  return done;
}

}  // namespace homeport::drivers::memory
