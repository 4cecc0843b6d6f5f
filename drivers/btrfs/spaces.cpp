// A space is made in the root-only drafts folder, gets owner, mode, limit and marker there, and is moved into place
// last: whoever finds it there finds it complete. What a crash leaves in drafts is taken up by the next attempt.
#include "drivers/btrfs/spaces.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "drivers/btrfs/access.h"
#include "drivers/btrfs/snapshots.h"
#include "provisioner/base/fault_point.h"

namespace homeport::drivers::btrfs {
namespace {

constexpr const char* kPlanned = "planned";  // the id of what a dry run did not make

Error taken(const std::string& path, const std::string& why) {
  return Error{.code = Errc::already_exists,
               .message = path + " stands and was not made for this space: " + why,
               .hint = "it is left as it is; look at it on this host and move it away if nobody needs it"};
}

Result<void> check_spec(const Backend& backend, const OpenPool* pool, const CreateSpec& spec) {
  if (spec.name != backend.prefix() + spec.key.str()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(spec.name, 60) + "' is not the name of space " + spec.key.str(),
                 .hint = "names are " + backend.prefix() + " and the space's key"};
  }
  if (spec.marker.key != spec.key)
    return Error{.code = Errc::invalid_argument, .message = "the marker is for " + spec.marker.key.str()};
  const bool limits = spec.layout == Layout::filesystem && (pool == nullptr || pool->quota != QuotaMode::off);
  if (!spec.quota || limits) return {};
  return Error{.code = Errc::unsupported,
               .message = "pool " + spec.pool + " has no quotas",
               .hint = spec.layout == Layout::filesystem ? "write quota: simple or quota: full into the pool's section"
                                                         : "use layout: filesystem, or leave the quota out"};
}

// An earlier attempt of ours, or of a person's? The name is a nonce; what is in it must be nobody else's.
Result<void> check_unmarked(const CreateSpec& spec, const Found& found, const std::string& path) {
  const auto ours = [&](uid_t uid) { return uid == 0 || uid == spec.owner.uid.value; };
  if (spec.known_id == found.id) return {};
  if (spec.known_id) return taken(path, "its id is " + found.id + ", not " + *spec.known_id);
  if (!ours(found.status.st_uid)) return taken(path, "it belongs to uid " + std::to_string(found.status.st_uid));
  const int copy = ::openat(found.fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
  if (!stream) return from_errno(errno, "listing " + path);
  while (const dirent* one = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
    struct stat inside {};
    const char* name = static_cast<const char*>(one->d_name);
    if (std::string_view(name) == "..") continue;
    if (::fstatat(copy, name, &inside, AT_SYMLINK_NOFOLLOW) != 0) return from_errno(errno, "listing " + path);
    if (!ours(inside.st_uid))
      return taken(path, "it holds files of uid " + std::to_string(inside.st_uid) + " and has no marker");
  }
  return {};
}

Result<void> check_adoptable(const OpenPool& pool, const CreateSpec& spec, const Standing& standing) {
  const std::string path = pool.homes->of(spec.name);
  const Found& found = *standing.live;
  if (found.id.empty()) {
    return taken(path, !found.fd                           ? "it is not a directory"
                       : spec.layout == Layout::filesystem ? "it is not a subvolume"
                                                           : "it is a subvolume");
  }
  const auto& marker = standing.marker.marker;
  if (!marker) return check_unmarked(spec, found, path);
  if (marker->key != spec.key) return taken(path, "its marker is for " + marker->key.str());
  if (marker->id != found.id) return taken(path, "its marker is for an object with id " + marker->id);
  if (spec.known_id && *spec.known_id != found.id)
    return taken(path, "its id is " + found.id + ", not " + *spec.known_id);
  return {};
}

// Nothing stands under the name: may something be made there? `draft`: what an earlier attempt left.
Result<void> check_free(const OpenPool& pool, const CreateSpec& spec, const Standing& standing,
                        const std::optional<Found>& draft) {
  if (standing.trashed) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + spec.key.str() + " is in the trash of pool " + spec.pool,
                 .hint = "undelete it, or purge it first"};
  }
  const auto& marker = standing.marker.marker;
  const std::string marker_path = pool.admin->markers.of(marker_name(spec.key));
  if (marker && marker->key != spec.key) return taken(marker_path, "it is the marker of " + marker->key.str());
  const auto known = marker ? std::optional(marker->id) : spec.known_id;
  if (!known || (draft && draft->id == *known)) return {};
  return Error{
      .code = Errc::failed_precondition,
      .message = "space " + spec.key.str() + " was here with id " + *known + " and is gone",
      .hint = "an empty one is not put in its place: bring it back from a backup, or remove its marker " + marker_path};
}

// Owner before mode: chown(2) clears the set-id bits.
Result<void> converge(const OpContext& op, const Found& found, const std::string& path,
                      const std::optional<Owner>& owner, const std::optional<std::uint32_t>& mode) {
  const bool give = owner && *owner != found.owner();
  if (give &&
      announce(op, "CHOWN " + path + " " + std::to_string(owner->uid.value) + ":" + std::to_string(owner->gid.value))) {
    if (::fchown(found.fd->get(), owner->uid.value, owner->gid.value) != 0)
      return from_errno(errno, "giving away " + path);
    fault_point("btrfs.owner.set");
  }
  if (!mode || (*mode == found.mode() && !give)) return {};
  std::array<char, 8> octal{};
  std::snprintf(octal.data(), octal.size(), "%04o", *mode);
  if (!announce(op, "CHMOD " + path + " " + octal.data())) return {};
  if (::fchmod(found.fd->get(), *mode & 07777U) != 0) return from_errno(errno, "setting the mode of " + path);
  return {};
}

Result<void> converge_limit(const OpContext& op, const OpenPool& pool, const Found& found, const std::string& path,
                            const std::optional<Bytes>& quota) {
  if (!found.subvolume || pool.quota == QuotaMode::off) return {};
  const auto id = found.subvolume->id;
  HOMEPORT_TRY(const auto states, quota_states(pool.root.get(), id, id, path));
  const auto at = states.find(id);
  const auto now = at == states.end() ? std::nullopt : at->second.limit;
  const auto wanted = quota ? std::optional(quota->count()) : std::nullopt;
  if (now == wanted) return {};
  if (!announce(op, "LIMIT " + path + " " + (wanted ? std::to_string(*wanted) : "none"))) return {};
  HOMEPORT_CHECK(set_limit(pool.root.get(), id, wanted, path));
  fault_point("btrfs.limit.set");
  return {};
}

bool same_marker(const std::optional<Marker>& stands, const Marker& wanted) {
  return stands && *stands == wanted;
}

// What a new space is a copy of; null: of nothing.
struct Origin {
  const Found* source = nullptr;
};

Result<Found> make_draft(const OpContext& op, const OpenPool& pool, const CreateSpec& spec, const Origin& origin,
                         std::optional<Found> draft, const Standing& standing) {
  const Folder& drafts = pool.admin->drafts;
  const std::string path = drafts.of(spec.name);
  const bool marked = draft && standing.marker.marker && standing.marker.marker->id == draft->id;
  const std::string wanted = origin.source != nullptr ? origin.source->subvolume->uuid : std::string();
  const bool fits = draft && !draft->id.empty() && (!draft->subvolume || draft->subvolume->parent_uuid == wanted);
  if (fits || marked) return *std::move(draft);
  if (draft && announce(op, "DELETE " + path)) {
    // A draft of something else under our nonce, which nobody was ever given.
    if (draft->subvolume) {
      HOMEPORT_CHECK(delete_subvolume(drafts.get(), spec.name, path));
    } else if (::unlinkat(drafts.get(), spec.name.c_str(), draft->fd ? AT_REMOVEDIR : 0) != 0) {
      return from_errno(errno, "removing " + path);
    }
  }
  if (origin.source != nullptr) {
    if (!announce(op, "SNAPSHOT " + path + " of " + origin.source->name))
      return Found{.name = spec.name, .id = kPlanned};
    HOMEPORT_CHECK(make_snapshot(origin.source->fd->get(), drafts.get(), spec.name, Writable::yes, path));
  } else if (spec.layout == Layout::filesystem) {
    if (!announce(op, "SUBVOLUME " + path)) return Found{.name = spec.name, .id = kPlanned};
    HOMEPORT_CHECK(make_subvolume(drafts.get(), spec.name, path));
  } else {
    if (!announce(op, "MKDIR " + path)) return Found{.name = spec.name, .id = kPlanned};
    if (::mkdirat(drafts.get(), spec.name.c_str(), 0700) != 0) return from_errno(errno, "making " + path);
  }
  fault_point("btrfs.draft.made");
  HOMEPORT_TRY(auto made, find_entry(pool, drafts, spec.name));
  if (!made || made->id.empty()) {
    return Error{.code = Errc::conflict, .message = path + " is not what was just made: something else works there"};
  }
  return *std::move(made);
}

Object planned(const OpenPool& pool, const CreateSpec& spec, const Marker& marker) {
  return {.ref = {.layout = spec.layout, .pool = spec.pool, .key = spec.key, .name = spec.name, .id = marker.id},
          .path = pool.homes->of(spec.name),
          .owner = spec.owner,
          .mode = spec.mode,
          .quota = spec.quota,
          .marker = marker};
}

Result<void> into_place(const OpContext& op, const OpenPool& pool, const std::string& name) {
  const auto from = pool.admin->drafts.of(name);
  const auto to = pool.homes->of(name);
  if (!announce(op, "RENAME " + from + " " + to)) return {};
  if (::renameat2(pool.admin->drafts.get(), name.c_str(), pool.homes->get(), name.c_str(), RENAME_NOREPLACE) != 0)
    return from_errno(errno, "moving " + from + " to " + to);
  fault_point("btrfs.space.placed");
  return {};
}

Result<Object> create_in(const OpContext& op, Backend& backend, const OpenPool& pool, const CreateSpec& spec,
                         const Origin& origin) {
  HOMEPORT_TRY(auto standing, look(pool, spec.key, spec.name));
  std::optional<Found> found;
  const bool adopts = standing.live.has_value();
  if (adopts) {
    HOMEPORT_CHECK(check_adoptable(pool, spec, standing));
    found = standing.live;
  } else {
    HOMEPORT_TRY(auto draft, find_entry(pool, pool.admin->drafts, spec.name));
    HOMEPORT_CHECK(check_free(pool, spec, standing, draft));
    if (const auto trouble = host_disk_trouble(*pool.config)) {
      return Error{.code = Errc::out_of_capacity,
                   .message = "pool " + spec.pool + " takes no new space: " + *trouble,
                   .hint = "free some room there before the pool's own writes fail, or use preallocate: true"};
    }
    HOMEPORT_TRY(found, make_draft(op, pool, spec, origin, std::move(draft), standing));
  }
  Marker marker = spec.marker;
  marker.id = found->id;
  const std::string path = adopts ? pool.homes->of(spec.name) : pool.admin->drafts.of(spec.name);
  const bool real = found->id != kPlanned;
  if (real) {
    HOMEPORT_CHECK(converge(op, *found, path, spec.owner, spec.mode));
    HOMEPORT_CHECK(converge_limit(op, pool, *found, path, spec.quota));
  } else {
    announce(op, "CHOWN, CHMOD" + std::string(spec.quota ? ", LIMIT " : " ") + path);
  }
  if (!same_marker(standing.marker.marker, marker)) {
    HOMEPORT_CHECK(write_marker(op, backend, pool, marker));
    if (!op.dry_run) fault_point("btrfs.marker.written");
  }
  if (!adopts) HOMEPORT_CHECK(into_place(op, pool, spec.name));
  if (op.dry_run) return planned(pool, spec, marker);
  HOMEPORT_CHECK(pool.commit());
  HOMEPORT_CHECK(serve(op, backend, pool, spec.key, spec.name));
  HOMEPORT_TRY(standing, look(pool, spec.key, spec.name));
  if (!standing.live || standing.live->id != marker.id || !standing.marker.marker ||
      standing.marker.marker->id != marker.id) {
    return Error{.code = Errc::conflict,
                 .message = pool.homes->of(spec.name) + " is not what was just made: something else works there"};
  }
  return to_object(backend, pool, spec.key, {.found = *standing.live, .marker = standing.marker});
}

// Only the first space of a pool makes the directories that all later ones are recognised by.
Make make_for(const CreateSpec& spec) {
  return spec.pool_in_use || spec.known_id ? Make::where_ours : Make::yes;
}

Result<void> check_change(const OpenPool& pool, const ObjectRef& ref, const Change& change) {
  const bool limits = ref.layout == Layout::filesystem && pool.quota != QuotaMode::off;
  if (change.quota && *change.quota && !limits) {
    return Error{.code = Errc::unsupported,
                 .message = "pool " + ref.pool + " has no quotas",
                 .hint = "layout: filesystem with quotas switched on has hard ones"};
  }
  if (change.marker && change.marker->key != ref.key)
    return Error{.code = Errc::invalid_argument, .message = "the marker is for " + change.marker->key.str()};
  return {};
}

// Usage as of now: the kernel counts at commits.
Result<void> check_shrink(const OpenPool& pool, const Placed& placed, const std::string& path, const Change& change) {
  if (!change.quota || !*change.quota || change.force || !placed.found.subvolume) return {};
  HOMEPORT_CHECK(pool.commit());
  const auto id = placed.found.subvolume->id;
  HOMEPORT_TRY(const auto states, quota_states(pool.root.get(), id, id, path));
  const auto at = states.find(id);
  if (at == states.end() || at->second.referenced <= (*change.quota)->count()) return {};
  return Error{.code = Errc::over_quota,
               .message = path + " uses " + Bytes{at->second.referenced}.to_string() + ", more than the new quota of " +
                          (*change.quota)->to_string(),
               .hint = "remove files first, or force it"};
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

Result<void> update_marker(const OpContext& op, const Backend& backend, const OpenPool& pool, const ObjectRef& ref,
                           const Placed& placed, Marker marker) {
  marker.id = ref.id;
  if (same_marker(placed.marker.marker, marker)) return {};
  const auto name = marker_name(marker.key);
  if (!announce(op, "WRITE " + pool.admin->markers.of(name))) return {};
  // In the trash the marker's time is the date of retirement: it stays.
  const bool keep = placed.state == ObjectState::trashed && placed.marker.stands;
  return replace_file(backend, pool.admin->markers, name, marker_to_json(marker),
                      keep ? std::optional(placed.marker.modified) : std::nullopt);
}

}  // namespace

Result<Object> create_space(const OpContext& op, Backend& backend, const CreateSpec& spec) {
  HOMEPORT_TRY(Pool * pool, backend.pool(spec.layout, spec.pool));
  HOMEPORT_TRY(const auto opened, backend.open(op, *pool, make_for(spec)));
  HOMEPORT_CHECK(check_spec(backend, opened.get(), spec));
  const std::shared_lock together(pool->everything());
  const auto alone = pool->lock_space(spec.key.str());
  return create_in(op, backend, *opened, spec, {});
}

Result<Object> clone_space(const OpContext& op, Backend& backend, const ObjectRef& source,
                           const std::optional<std::string>& snapshot, const CreateSpec& target) {
  HOMEPORT_TRY(Pool * pool, backend.pool(source.layout, source.pool));
  if (source.layout != Layout::filesystem || target.layout != source.layout || target.pool != source.pool) {
    return Error{.code = Errc::unsupported,
                 .message = "a clone shares data with its source: both are of layout filesystem and lie in one pool",
                 .hint = "copy the files instead, or choose pool " + printable(source.pool, 60)};
  }
  HOMEPORT_TRY(const auto opened, backend.open(op, *pool, Make::where_ours));
  HOMEPORT_CHECK(check_spec(backend, opened.get(), target));
  const std::shared_lock together(pool->everything());
  HOMEPORT_TRY(const auto standing, look(*opened, source.key, source.name));
  HOMEPORT_TRY(const auto placed, verify(backend, source, standing, MarkerRule::must_match));
  if (!placed) return gone(source);
  Found from = placed->found;
  if (snapshot) {
    HOMEPORT_TRY(from, find_snapshot(*opened, source.name, *snapshot));
  } else if (placed->state != ObjectState::live) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + source.key.str() + " is in the trash",
                 .hint = "undelete it first, or clone one of its snapshots"};
  }
  const auto alone = pool->lock_space(target.key.str());
  return create_in(op, backend, *opened, target, {.source = &from});
}

Result<Object> update_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Pool * pool, backend.pool(ref.layout, ref.pool));
  HOMEPORT_TRY(const auto opened, backend.open(op, *pool, Make::where_ours));
  HOMEPORT_CHECK(check_change(*opened, ref, change));
  const std::shared_lock together(pool->everything());
  const auto alone = pool->lock_space(ref.key.str());
  HOMEPORT_TRY(auto standing, look(*opened, ref.key, ref.name));
  // Writing the marker is how a lost one comes back.
  const auto rule = change.marker ? MarkerRule::may_be_missing : MarkerRule::must_match;
  HOMEPORT_TRY(const auto placed, verify(backend, ref, standing, rule));
  if (!placed) return gone(ref);
  const bool live = placed->state == ObjectState::live;
  if (!live && (change.owner || change.mode || change.quota)) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + ref.key.str() + " is in the trash",
                 .hint = "undelete it first"};
  }
  const std::string path = live ? opened->homes->of(ref.name) : opened->admin->trash.of(ref.name);
  HOMEPORT_CHECK(check_shrink(*opened, *placed, path, change));
  HOMEPORT_CHECK(converge(op, placed->found, path, change.owner, change.mode));
  if (change.quota) HOMEPORT_CHECK(converge_limit(op, *opened, placed->found, path, *change.quota));
  if (change.marker) HOMEPORT_CHECK(update_marker(op, backend, *opened, ref, *placed, *change.marker));
  if (op.dry_run) {
    HOMEPORT_TRY(auto now, to_object(backend, *opened, ref.key, *placed));
    return with_change(std::move(now), change);
  }
  HOMEPORT_CHECK(opened->commit());
  HOMEPORT_TRY(standing, look(*opened, ref.key, ref.name));
  HOMEPORT_TRY(const auto after, verify(backend, ref, standing, MarkerRule::must_match));
  if (!after) return gone(ref);
  return to_object(backend, *opened, ref.key, *after);
}

Result<void> set_space_access(const OpContext& op, Backend& backend, const ObjectRef& ref, const AccessPolicy& policy) {
  if (!backend.exports()) {
    return Error{.code = Errc::unsupported,
                 .message = "specs of this backend are binds on its own host: there is nobody to keep out",
                 .hint = "with exporter: each space has rules of its own"};
  }
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Pool * pool, backend.pool(ref.layout, ref.pool));
  HOMEPORT_TRY(const auto opened, backend.open(op, *pool, Make::where_ours));
  const std::shared_lock together(pool->everything());
  const auto alone = pool->lock_space(ref.key.str());
  HOMEPORT_TRY(const auto standing, look(*opened, ref.key, ref.name));
  HOMEPORT_TRY(const auto placed, verify(backend, ref, standing, MarkerRule::must_match));
  if (!placed) return gone(ref);
  HOMEPORT_CHECK(write_rules(op, backend, *opened, ref.key, policy));
  if (!op.dry_run) HOMEPORT_CHECK(opened->commit());
  if (placed->state != ObjectState::live) return {};  // served to nobody; they count when it comes back
  return serve(op, backend, *opened, ref.key, ref.name);
}

}  // namespace homeport::drivers::btrfs
