#include "drivers/nfs/spaces.h"

#include <array>

#include "drivers/nfs/imports.h"
#include "drivers/nfs/nfs_xdr.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kClosed = 0700;  // nobody enters before owner and mode are right

Error taken(const std::string& path, const std::string& why) {
  return Error{.code = Errc::already_exists,
               .message = path + " stands and was not made for this space: " + why,
               .hint = "it is left as it is; look at it on the server and move it away if nobody needs it"};
}

Result<void> check_spec(const Backend& backend, const CreateSpec& spec) {
  if (spec.name != backend.prefix() + spec.key.str()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(spec.name, 60) + "' is not the name of space " + spec.key.str(),
                 .hint = "names are " + backend.prefix() + " and the space's key"};
  }
  if (spec.marker.key == spec.key) return {};
  return Error{.code = Errc::invalid_argument, .message = "the marker is for " + spec.marker.key.str()};
}

// Did an earlier attempt of ours make what stands there without a marker? The name is a nonce; what is in it must be
// nobody else's.
Result<void> check_unmarked(const OpContext& op, const Backend& backend, Session& session, const CreateSpec& spec,
                            const Entry& entry, const std::string& path) {
  const auto ours = [&](Uid uid) { return uid == Uid{0} || uid == spec.owner.uid || backend.squashed_uid() == uid; };
  if (spec.known_id == object_id(entry.attributes)) return {};
  if (spec.known_id) return taken(path, "its id is " + object_id(entry.attributes) + ", not " + *spec.known_id);
  if (!ours(entry.attributes.uid))
    return taken(path, "it belongs to uid " + std::to_string(entry.attributes.uid.value));
  HOMEPORT_TRY(const auto page, session.list(op, {.directory = entry.node}));
  for (const auto& inside : page.entries) {
    if (!ours(inside.attributes.uid)) {
      return taken(path, "it holds files of uid " + std::to_string(inside.attributes.uid.value) + " and has no marker");
    }
  }
  return {};
}

Result<void> check_adoptable(const OpContext& op, const Backend& backend, Session& session, const CreateSpec& spec,
                             const Standing& standing) {
  const std::string path = Backend::join(standing.dirs.homes_path, spec.name);
  const Entry& entry = *standing.live;
  if (entry.attributes.type == EntryType::symlink) return taken(path, "it is a symbolic link");
  if (entry.attributes.type != EntryType::directory) return taken(path, "it is not a directory");
  const auto& marker = standing.marker.marker;
  if (!marker) return check_unmarked(op, backend, session, spec, entry, path);
  if (marker->key != spec.key) return taken(path, "its marker is for " + marker->key.str());
  if (marker->id != object_id(entry.attributes))
    return taken(path, "its marker is for an object with id " + marker->id);
  return {};
}

// Nothing stands under the name: may something be made there?
Result<void> check_free(const CreateSpec& spec, const Standing& standing) {
  if (standing.trashed) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + spec.key.str() + " is in the trash of pool " + spec.pool,
                 .hint = "undelete it, or purge it first"};
  }
  if (standing.marker.marker && standing.marker.marker->key != spec.key) {
    return taken(standing.dirs.markers_path() + "/" + marker_file_name(spec.key),
                 "it is the marker of " + standing.marker.marker->key.str());
  }
  const bool lost = standing.marker.marker || spec.known_id;
  if (!lost) return {};
  return Error{
      .code = Errc::failed_precondition,
      .message = "space " + spec.key.str() + " was here with id " +
                 (standing.marker.marker ? standing.marker.marker->id : *spec.known_id) + " and is gone",
      .hint =
          "an empty one is not put in its place: bring it back from the server's snapshots or a backup, or remove "
          "its marker " +
          standing.dirs.markers_path() + "/" + marker_file_name(spec.key)};
}

// Only the first space of a pool makes the directories that all later ones are recognised by.
Make make_for(const CreateSpec& spec) {
  return spec.pool_in_use || spec.known_id ? Make::where_ours : Make::yes;
}

struct Grown {
  Entry entry;
  bool made = false;  // by this call
};

Result<Grown> make_or_adopt(const OpContext& op, Backend& backend, Site& site, Session& session, const CreateSpec& spec,
                            Standing& standing) {
  if (!standing.live) {
    HOMEPORT_CHECK(check_free(spec, standing));
    const Place place{.dir = standing.dirs.homes.node, .dir_path = standing.dirs.homes_path, .name = spec.name};
    auto made = session.make_directory(op, place, {.mode = kClosed});
    if (made) return Grown{.entry = std::move(made).value(), .made = true};
    if (made.error().code != Errc::already_exists) return std::move(made).error();
    HOMEPORT_TRY(standing, look(op, backend, site, session, spec.key, spec.name, make_for(spec)));
    if (!standing.live) {
      return Error{.code = Errc::conflict, .message = place.path() + " comes and goes: something else works there"};
    }
  }
  HOMEPORT_CHECK(check_adoptable(op, backend, session, spec, standing));
  return Grown{.entry = *standing.live};
}

bool same_marker(const std::optional<Marker>& stands, const Marker& wanted) {
  return stands && *stands == wanted;
}

// The name and the marker, as the server has them now.
Result<Object> read_back(const OpContext& op, Site& site, Session& session, const CreateSpec& spec,
                         const Directories& dirs, const std::string& id, const Entry& marker_file) {
  const std::array<NameRequest, 2> requests{
      {{.dir = dirs.homes.node, .name = spec.name}, {.dir = dirs.markers.node, .name = marker_file.name}}};
  auto found = session.lookup(op, requests);
  for (auto& answer : found) HOMEPORT_CHECK(answer ? Result<void>() : Result<void>(answer.error()));
  const std::array<std::optional<Entry>, 1> file{*std::move(found[1])};
  HOMEPORT_TRY(auto markers, read_markers(op, session, dirs.markers.node, file));
  const auto& stands = *found[0];
  if (!stands || object_id(stands->attributes) != id || !markers.front().marker || markers.front().marker->id != id) {
    return Error{.code = Errc::conflict,
                 .message = Backend::join(dirs.homes_path, spec.name) +
                            " is not what was just made: something else works there"};
  }
  return to_object(site, dirs, spec.key, {.entry = *stands, .marker = std::move(markers.front())});
}

Result<Object> create_on(const OpContext& op, Backend& backend, Site& site, Session& session, const CreateSpec& spec) {
  HOMEPORT_TRY(auto standing, look(op, backend, site, session, spec.key, spec.name, make_for(spec)));
  HOMEPORT_TRY(auto grown, make_or_adopt(op, backend, site, session, spec, standing));
  const std::string path = Backend::join(standing.dirs.homes_path, spec.name);
  if (grown.made && !op.dry_run) {
    const auto& got = grown.entry.attributes;
    backend.learn_identity(got.uid == Uid{0} ? std::nullopt : std::optional(Owner{got.uid, got.gid}));
  }
  auto attributes = converge(op, session, grown.entry, path, spec.owner, spec.mode);
  if (!attributes) {
    // A definite refusal of what this very call made: nothing half-made stays. RMDIR takes an empty directory only.
    if (grown.made && attributes.error().code == Errc::permission_denied) {
      const Place place{.dir = standing.dirs.homes.node, .dir_path = standing.dirs.homes_path, .name = spec.name};
      if (auto removed = session.remove_one(op, place, true); !removed) {
        log::warning("nfs_left_behind", {{"path", path}, {"error", removed.error().to_string()}});
      }
    }
    return std::move(attributes).error();
  }
  grown.entry.attributes = *attributes;
  Marker marker = spec.marker;
  marker.id = grown.entry.node.handle.empty() ? "planned" : object_id(grown.entry.attributes);
  Entry file{.name = marker_file_name(spec.key), .node = {}, .attributes = {}};
  if (!same_marker(standing.marker.marker, marker)) {
    HOMEPORT_TRY(file, write_marker(op, backend, session, standing.dirs, marker, standing.marker.file));
  }
  if (op.dry_run) {
    MarkerFile planned{.marker = marker};
    return to_object(site, standing.dirs, spec.key, {.entry = grown.entry, .marker = std::move(planned)});
  }
  return read_back(op, site, session, spec, standing.dirs, marker.id, file);
}

Result<void> check_change(const ObjectRef& ref, const Change& change) {
  if (change.quota && *change.quota) {
    return Error{.code = Errc::unsupported,
                 .message = "this server has no quota that Homeport could set",
                 .hint = "the limit can be recorded in Homeport; to enforce one, set it on the server itself"};
  }
  if (change.marker && change.marker->key != ref.key) {
    return Error{.code = Errc::invalid_argument, .message = "the marker is for " + change.marker->key.str()};
  }
  return {};
}

Result<Object> update_on(const OpContext& op, Backend& backend, Site& site, Session& session, const ObjectRef& ref,
                         const Change& change) {
  HOMEPORT_TRY(const auto standing,
               look(op, backend, site, session, ref.key, ref.name, change.marker ? Make::where_ours : Make::no));
  // Writing the marker is how a lost one comes back.
  const auto rule = change.marker ? MarkerRule::may_be_missing : MarkerRule::must_match;
  HOMEPORT_TRY(auto placed, verify(backend, ref, standing, rule));
  if (!placed) return gone(backend, site, standing, ref);
  const bool live = placed->state == ObjectState::live;
  if (!live && (change.owner || change.mode)) {
    return Error{.code = Errc::failed_precondition, .message = "space " + ref.key.str() + " is in the trash"};
  }
  const std::string path = Backend::join(live ? standing.dirs.homes_path : standing.dirs.trash_path(), ref.name);
  HOMEPORT_TRY(placed->entry.attributes, converge(op, session, placed->entry, path, change.owner, change.mode));
  if (change.marker) {
    Marker marker = *change.marker;
    marker.id = ref.id;
    if (!same_marker(placed->marker.marker, marker)) {
      const auto retired_at =
          placed->marker.file ? std::optional(placed->marker.file->attributes.modified) : std::nullopt;
      HOMEPORT_TRY(auto file, write_marker(op, backend, session, standing.dirs, marker, placed->marker.file));
      const std::string file_path = standing.dirs.markers_path() + "/" + file.name;
      // In the trash the marker's time is the date of retirement: it stays.
      if (!live && retired_at) {
        HOMEPORT_CHECK(session.set_attributes(op, file.node, file_path, {.modified = retired_at}));
        file.attributes.modified = *retired_at;
      }
      placed->marker = MarkerFile{.file = std::move(file), .marker = std::move(marker)};
    }
  }
  return to_object(site, standing.dirs, ref.key, *placed);
}

}  // namespace

Result<EntryAttributes> converge(const OpContext& op, Session& session, const Entry& entry, const std::string& path,
                                 const std::optional<Owner>& owner, const std::optional<std::uint32_t>& mode) {
  EntryAttributes now = entry.attributes;
  AttributeChange change;
  if (owner && *owner != Owner{now.uid, now.gid}) change.owner = owner;
  if (mode && *mode != now.mode) change.mode = mode;
  if (!change.owner && !change.mode) return now;
  // chown(2) clears the set-id bits of what it is applied to: a mode that has them goes with it.
  if (change.owner && !change.mode && mode) change.mode = mode;
  const auto done = session.set_attributes(op, entry.node, path, change);
  if (op.dry_run) {
    if (owner) now.uid = owner->uid;
    if (owner) now.gid = owner->gid;
    now.mode = mode.value_or(now.mode);
    return now;
  }
  if (!done && !is_refusal(done.error())) return done.error();
  HOMEPORT_TRY(now, session.attributes(op, entry.node));
  const bool right = (!owner || *owner == Owner{now.uid, now.gid}) && (!mode || *mode == now.mode);
  if (right) return now;
  Error error{.code = Errc::permission_denied,
              .message = path + " stays uid " + std::to_string(now.uid.value) + " gid " +
                         std::to_string(now.gid.value) + ": the export does not let us give it away",
              .hint = "the export needs no_root_squash for this host: " +
                      export_line_hint(session.export_path(), session.channel().source_address())};
  if (!done) error.upstream = done.error().upstream;
  return error;
}

Result<Object> create_space(const OpContext& op, Backend& backend, const CreateSpec& spec) {
  HOMEPORT_TRY(Site * site, backend.pool_site(spec.layout, spec.pool));
  HOMEPORT_CHECK(check_spec(backend, spec));
  return with_session(op, backend, *site,
                      [&](Session& session) { return create_on(op, backend, *site, session, spec); });
}

Result<Object> update_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change) {
  HOMEPORT_CHECK(check_change(ref, change));
  if (ref.imported) return update_import(op, backend, ref, change);
  HOMEPORT_TRY(Site * site, backend.pool_site(ref.layout, ref.pool));
  return with_session(op, backend, *site,
                      [&](Session& session) { return update_on(op, backend, *site, session, ref, change); });
}

}  // namespace homeport::drivers::nfs
