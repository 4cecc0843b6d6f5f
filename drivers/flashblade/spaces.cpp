#include "drivers/flashblade/spaces.h"

#include <algorithm>
#include <array>
#include <functional>

#include "drivers/flashblade/export_rules.h"
#include "drivers/flashblade/inventory.h"
#include "drivers/flashblade/snapshots.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr std::chrono::milliseconds kCopyLook{500};

Error taken(const std::string& name, const std::string& why) {
  return Error{.code = Errc::already_exists,
               .message = "file system " + name + " stands on the array and was not made for this space: " + why,
               .hint = "it is left as it is; look at it on the array and rename it if it is needed"};
}

Result<void> check_quota(const std::optional<Bytes>& quota) {
  if (!quota || quota->count() > 0) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "a limit of 0 bytes means no limit to the array",
               .hint = "give a limit above 0, or none"};
}

Result<void> check_spec(const Backend& backend, const CreateSpec& spec) {
  if (spec.name != backend.prefix() + spec.key.str()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(spec.name, 60) + "' is not the name of space " + spec.key.str(),
                 .hint = "names are " + backend.prefix() + " and the space's key"};
  }
  if (spec.marker.key != spec.key) {
    return Error{.code = Errc::invalid_argument, .message = "the marker is for " + spec.marker.key.str()};
  }
  return check_quota(spec.quota);
}

// Did an earlier attempt of ours make what stands there without a marker? The name is a nonce; what is in it must be
// nobody else's.
Result<void> check_unmarked(const OpContext& op, Backend& backend, const CreateSpec& spec, const FileSystem& fs) {
  const auto ours = [&](Uid uid) { return uid == Uid{0} || uid == spec.owner.uid; };
  if (fs.destroyed) return taken(fs.name, "it is destroyed, and its name free only when the array has eradicated it");
  auto tree = backend.mount(op, fs, false);
  if (!tree) {
    if (is_transient(tree.error().code)) return std::move(tree).error();
    return taken(fs.name, "Homeport cannot look into it: " + tree.error().sentence());
  }
  const auto root = (*tree)->root();
  if (!ours(root.attributes.uid)) {
    return taken(fs.name, "its root directory belongs to uid " + std::to_string(root.attributes.uid.value));
  }
  const ListRequest first{.directory = root.node};
  auto pages = (*tree)->list(op, std::span(&first, 1));
  if (!pages.front()) return std::move(pages.front()).error();
  for (const auto& inside : pages.front()->entries) {
    if (ours(inside.attributes.uid)) continue;
    return taken(fs.name,
                 "it holds files of uid " + std::to_string(inside.attributes.uid.value) + " and has no marker");
  }
  return {};
}

Error lost(const Backend& backend, const CreateSpec& spec, const std::string& id) {
  return Error{.code = Errc::failed_precondition,
               .message = "space " + spec.key.str() + " was file system " + spec.name + " with id " + id +
                          ", and the array has it no more",
               .hint = "an empty one is not put in its place: bring it back from a backup, or remove its marker " +
                       spec.key.str() + ".json from markers/ of file system " + backend.admin_name()};
}

struct Grown {
  std::optional<FileSystem> fs{};  // nullopt: a dry run that would make it
  bool fresh = false;
};

using Maker = std::function<Result<std::optional<ArrayApi::Made>>(const NewFileSystem& wanted)>;

Result<Grown> known_one(const OpContext& op, Backend& backend, const CreateSpec& spec, const MarkerRecord& record,
                        const std::string& id) {
  if (record.marker && spec.known_id && record.marker->id != *spec.known_id) {
    return taken(spec.name, "its marker is for a file system with id " + record.marker->id);
  }
  HOMEPORT_TRY(auto fs, backend.api().file_system_by_id(op, id));
  if (!fs) {
    HOMEPORT_TRY(const auto other, backend.api().file_system(op, spec.name));
    if (other) return taken(spec.name, "its id is " + other->id + ", not " + id);
    return lost(backend, spec, id);
  }
  if (fs->name != spec.name) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the file system of space " + spec.key.str() + " is called " + printable(fs->name, 80) +
                            " on the array, not " + spec.name,
                 .hint = "if it was renamed there, give it its name back"};
  }
  if (fs->destroyed) {
    return Error{.code = Errc::failed_precondition,
                 .message = "file system " + spec.name + " was destroyed on the array",
                 .hint = "undelete it, on the array or here, before its timer ends"};
  }
  return Grown{.fs = *std::move(fs)};
}

Result<Grown> make_or_adopt(const OpContext& op, Backend& backend, const CreateSpec& spec, const MarkerRecord& record,
                            const Maker& maker) {
  if (record.shelf == Shelf::trash) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + spec.key.str() + " is in the trash of pool " + spec.pool,
                 .hint = "undelete it, or purge it first"};
  }
  if (!record.broken.empty()) return taken(spec.name, "its marker cannot be read: " + record.broken);
  if (record.marker && record.marker->key != spec.key) {
    return taken(spec.name, "its marker is for " + record.marker->key.str());
  }
  const auto id = record.marker ? std::optional(record.marker->id) : spec.known_id;
  if (id) return known_one(op, backend, spec, record, *id);
  NewFileSystem wanted{.name = spec.name, .rules = backend.closed_rules()};
  if (spec.quota) wanted.provisioned = spec.quota->count();
  HOMEPORT_TRY(auto made, maker(wanted));
  if (!made) return Grown{};
  if (made->stood) HOMEPORT_CHECK(check_unmarked(op, backend, spec, made->file_system));
  return Grown{.fs = std::move(made->file_system), .fresh = !made->stood};
}

// Sets what differs. Returns the attributes as they are then.
Result<EntryAttributes> converge_root(const OpContext& op, Tree& tree, const std::string& name,
                                      const std::optional<Owner>& owner, const std::optional<std::uint32_t>& mode) {
  EntryAttributes now = tree.root().attributes;
  AttributeChange change;
  if (owner && *owner != Owner{now.uid, now.gid}) change.owner = owner;
  if (mode && *mode != now.mode) change.mode = mode;
  if (!change.owner && !change.mode) return now;
  // chown(2) clears the set-id bits of what it is applied to: a mode that has them goes with it.
  if (change.owner && !change.mode && mode) change.mode = mode;
  HOMEPORT_CHECK(tree.set_attributes(op, tree.root().node, change)
                     .context("owner and mode of the root directory of " + name +
                              " (exports.homeport names the hosts "
                              "that may set them; their root must not be squashed)"));
  if (op.dry_run) {
    if (owner) now.uid = owner->uid;
    if (owner) now.gid = owner->gid;
    now.mode = mode.value_or(now.mode);
    return now;
  }
  HOMEPORT_TRY(now, tree.stat(op, tree.root().node));
  if ((!owner || *owner == Owner{now.uid, now.gid}) && (!mode || *mode == now.mode)) return now;
  return Error{.code = Errc::permission_denied,
               .message = "the root directory of " + name + " stays uid " + std::to_string(now.uid.value) + " mode " +
                          std::to_string(now.mode) + " although its change was accepted",
               .hint = "exports.homeport must name this host as the array sees it, with root not squashed"};
}

Result<FileSystemChange> missing_quota(const FileSystem& fs, const std::optional<Bytes>& quota) {
  FileSystemChange change;
  const bool right = quota ? fs.hard_limit && fs.provisioned == quota->count() : !fs.hard_limit && !fs.provisioned;
  if (right) return change;
  change.provisioned = quota ? std::optional<std::uint64_t>(quota->count()) : std::nullopt;
  return change;
}

bool changes_anything(const FileSystemChange& change) {
  return change.provisioned || change.nfs || change.rules || change.export_policy || change.destroyed;
}

Object planned(const Backend& backend, const CreateSpec& spec) {
  FileSystem fs{.id = "planned", .name = spec.name, .hard_limit = spec.quota.has_value()};
  if (spec.quota) fs.provisioned = spec.quota->count();
  Standing standing{.fs = std::move(fs), .record = {.shelf = Shelf::live, .marker = spec.marker}};
  standing.record.marker->id = "planned";
  EntryAttributes root{.mode = spec.mode, .uid = spec.owner.uid, .gid = spec.owner.gid};
  return object_of(backend, spec.pool, spec.key, standing, root);
}

// What a dry run cannot ask for, since it is not made.
Result<Object> plan_rest(const OpContext& op, Backend& backend, const CreateSpec& spec, const MarkerRecord& record,
                         Make make) {
  if (op.calls != nullptr) {
    op.calls->add("SETATTR " + Backend::path_of(spec.name) + " uid=" + std::to_string(spec.owner.uid.value) +
                  " gid=" + std::to_string(spec.owner.gid.value));
  }
  auto object = planned(backend, spec);
  HOMEPORT_CHECK(backend.admin().write(op, *object.marker, record, make));
  HOMEPORT_TRY(const auto open, opening(backend, FileSystem{.id = "planned", .name = spec.name}));
  HOMEPORT_CHECK(backend.api().change_file_system(op, "planned", open));
  return object;
}

// Only Homeport can mount it until owner, mode, limit and marker are right: clients are let in by the last call.
Result<Object> finish(const OpContext& op, Backend& backend, const CreateSpec& spec, Standing standing, bool fresh,
                      Make make) {
  HOMEPORT_TRY(const auto tree, backend.mount(op, standing.fs, fresh));
  HOMEPORT_TRY(const auto root, converge_root(op, *tree, spec.name, spec.owner, spec.mode));
  Marker marker = spec.marker;
  marker.id = standing.fs.id;
  if (standing.record.marker != marker) {
    HOMEPORT_CHECK(backend.admin().write(op, marker, standing.record, make));
    standing.record = {.shelf = Shelf::live, .marker = marker};
  }
  HOMEPORT_TRY(auto change, opening(backend, standing.fs));
  HOMEPORT_TRY(const auto quota, missing_quota(standing.fs, spec.quota));
  change.provisioned = quota.provisioned;
  if (changes_anything(change)) {
    HOMEPORT_TRY(auto now, backend.api().change_file_system(op, standing.fs.id, change));
    if (now) standing.fs = *std::move(now);
  }
  return object_of(backend, spec.pool, spec.key, standing, root);
}

Result<Object> grow(const OpContext& op, Backend& backend, const CreateSpec& spec, const Maker& maker) {
  // Only the first space makes the file system that all later ones are recognised by.
  const Make make = spec.pool_in_use || spec.known_id ? Make::where_ours : Make::yes;
  HOMEPORT_TRY(auto record, backend.admin().read(op, spec.key, make));
  HOMEPORT_TRY(auto grown, make_or_adopt(op, backend, spec, record, maker));
  if (!grown.fs) return plan_rest(op, backend, spec, record, make);
  return finish(op, backend, spec, {.fs = *std::move(grown.fs), .record = std::move(record)}, grown.fresh, make);
}

Result<void> check_shrink(const FileSystem& fs, const Change& change) {
  if (!change.quota || !*change.quota || change.force || !fs.used || (*change.quota)->count() >= *fs.used) return {};
  return Error{.code = Errc::over_quota,
               .message = "file system " + fs.name + " uses " + Bytes{*fs.used}.to_string() + ", more than " +
                          (*change.quota)->to_string(),
               .hint = "choose a higher limit, or force it: writes then fail until enough is deleted"};
}

// The copy is made by the array in the background.
Result<FileSystem> wait_for_copy(const OpContext& op, Backend& backend, FileSystem fs) {
  while (fs.promotion_status == "promoting") {
    if (!backend.clock().sleep_for(kCopyLook, op.stop)) {
      return Error{.code = Errc::cancelled, .message = "stopped while the array copies " + fs.name};
    }
    HOMEPORT_CHECK(still_wanted(op, backend.clock(), "the array's copy to " + fs.name));
    HOMEPORT_TRY(auto now, backend.api().file_system_by_id(op, fs.id));
    if (!now) return Error{.code = Errc::conflict, .message = "the copy " + fs.name + " went away while it was made"};
    fs = *std::move(now);
  }
  return fs;
}

}  // namespace

Result<FileSystemChange> opening(const Backend& backend, const FileSystem& fs) {
  FileSystemChange change;
  if (!fs.nfs_v3 || !fs.nfs_v4) change.nfs = true;
  const auto& policy = backend.config().exports.policy;
  if (!policy.empty()) {
    if (fs.export_policy != policy) change.export_policy = policy;
    return change;
  }
  HOMEPORT_TRY(const auto rules, backend.open_rules());
  if (!fs.export_policy.empty() || !same_rules(fs.rules, rules)) change.rules = rules;
  return change;
}

Result<Object> create_space(const OpContext& op, Backend& backend, const CreateSpec& spec) {
  HOMEPORT_CHECK(backend.pool(spec.layout, spec.pool));
  HOMEPORT_CHECK(check_spec(backend, spec));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_CHECK(backend.check_policy(op));
  return grow(op, backend, spec,
              [&](const NewFileSystem& wanted) { return backend.api().create_file_system(op, wanted); });
}

Result<Object> clone_space(const OpContext& op, Backend& backend, const ObjectRef& source,
                           const std::optional<std::string>& snapshot, const CreateSpec& target) {
  HOMEPORT_CHECK(backend.pool(target.layout, target.pool));
  HOMEPORT_CHECK(check_spec(backend, target));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_CHECK(backend.check_policy(op));
  HOMEPORT_TRY(const auto version, backend.api().version(op));
  if (!version.has(since::kCopies)) {
    return Error{.code = Errc::unsupported,
                 .message = "the array speaks REST " + version.str() + " and makes no copies of file systems",
                 .hint = "copies came with REST 2.25 (Purity//FB 4.8); copy the files of a snapshot instead"};
  }
  HOMEPORT_TRY(auto from, verify(op, backend, source, MarkerRule::must_match));
  if (!from) return gone(source);
  return grow(op, backend, target, [&](const NewFileSystem& wanted) -> Result<std::optional<ArrayApi::Made>> {
    // Named after the target: what a crash left half-done is found again.
    const auto suffix = snapshot.value_or(backend.prefix() + "clone-" + target.key.str());
    if (!snapshot) HOMEPORT_CHECK(take_checked(op, backend, from->fs, suffix));
    HOMEPORT_TRY(const auto taken, backend.api().snapshot(op, from->fs, suffix));
    if (!taken && !op.dry_run) {
      return Error{.code = Errc::not_found, .message = source.name + " has no snapshot " + printable(suffix, 80)};
    }
    const auto origin =
        taken.value_or(FileSystemSnapshot{.id = "planned", .name = source.name + "." + suffix, .suffix = suffix});
    HOMEPORT_TRY(auto made, backend.api().copy_file_system(op, wanted, origin));
    if (!made) return made;
    // An earlier attempt's copy of this very snapshot is ours, whoever owns what is in it.
    if (made->stood && made->file_system.source == origin.name) made->stood = false;
    HOMEPORT_TRY(made->file_system, wait_for_copy(op, backend, std::move(made->file_system)));
    return made;
  });
}

Result<Object> update_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  if (change.owner || change.mode) HOMEPORT_CHECK(must_be_made_here(ref, "changes the owner or mode of"));
  if (change.quota) HOMEPORT_CHECK(check_quota(*change.quota));
  if (change.marker && change.marker->key != ref.key) {
    return Error{.code = Errc::invalid_argument, .message = "the marker is for " + change.marker->key.str()};
  }
  HOMEPORT_CHECK(backend.ready(op));
  // Writing the marker is how a lost one comes back.
  HOMEPORT_TRY(auto standing,
               verify(op, backend, ref, change.marker ? MarkerRule::may_be_missing : MarkerRule::must_match));
  if (!standing) return gone(ref);
  if (!standing->live() && (change.owner || change.mode || change.quota)) {
    return Error{.code = Errc::failed_precondition, .message = "space " + ref.key.str() + " is in the trash"};
  }
  if (change.quota) {
    HOMEPORT_CHECK(check_shrink(standing->fs, change));
    HOMEPORT_TRY(auto wanted, missing_quota(standing->fs, *change.quota));
    wanted.ignore_usage = change.force;
    if (wanted.provisioned) {
      HOMEPORT_TRY(auto now, backend.api().change_file_system(op, ref.id, wanted));
      if (now) standing->fs = *std::move(now);
    }
  }
  EntryAttributes root;
  if (!standing->fs.destroyed) {
    HOMEPORT_TRY(const auto tree, backend.mount(op, standing->fs, false));
    HOMEPORT_TRY(root, converge_root(op, *tree, ref.name, change.owner, change.mode));
  }
  if (change.marker) {
    Marker marker = *change.marker;
    marker.id = ref.id;
    if (standing->record.marker != marker) {
      // The first space on an array may be one that was imported.
      const Make make = ref.imported ? Make::yes : Make::where_ours;
      HOMEPORT_CHECK(backend.admin().write(op, marker, standing->record, make));
    }
    if (standing->record.shelf == Shelf::none) standing->record.shelf = Shelf::live;
    standing->record.marker = std::move(marker);
  }
  return object_of(backend, ref.pool, ref.key, *standing, root);
}

Result<void> set_space_access(const OpContext& op, Backend& backend, const ObjectRef& ref, const AccessPolicy& policy) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(must_be_made_here(ref, "changes the export of"));
  HOMEPORT_TRY(const auto rules, rules_of(backend.config().exports.homeport, policy));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(const auto standing, verify(op, backend, ref, MarkerRule::must_match));
  if (!standing) return gone(ref);
  if (!standing->live()) {
    if (policy.rules.empty()) return {};  // withdrawn already
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + ref.key.str() + " is in the trash",
                 .hint = "undelete it first"};
  }
  if (standing->fs.export_policy.empty() && same_rules(standing->fs.rules, rules) && !op.dry_run) return {};
  HOMEPORT_CHECK(backend.api().change_file_system(op, ref.id, {.rules = rules}));
  return {};
}

}  // namespace homeport::drivers::flashblade
