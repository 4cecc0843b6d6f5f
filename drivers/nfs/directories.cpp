#include "drivers/nfs/directories.h"

#include "provisioner/base/log.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kParentMode = 0755;
constexpr std::uint32_t kAdminMode = 0700;
constexpr std::uint32_t kOthersMask = 077;
constexpr std::chrono::milliseconds kDiskPause{5000};  // somebody has to go and mount it

Error not_a_directory(const std::string& path, EntryType type) {
  return Error{.code = Errc::failed_precondition,
               .message = path + " is " + (type == EntryType::symlink ? "a symbolic link" : "not a directory"),
               .hint = "Homeport follows no links; move it away, or name another directory in the backend's section"};
}

// Whom the server makes of us: the owner of a directory we make for the purpose.
Result<Uid> own_identity(const OpContext& op, Backend& backend, Session& session, const Directories& dirs) {
  const Place place{.dir = dirs.admin.node, .dir_path = dirs.admin_path, .name = "whoami-" + backend.nonce()};
  HOMEPORT_TRY(const auto made, session.make_directory(op, place, {.mode = kAdminMode}));
  HOMEPORT_CHECK(session.remove_one(op, place, true));
  if (op.dry_run) return dirs.admin.attributes.uid;
  return made.attributes.uid;
}

// The administrative directory proves what is ours. One that a user owns could be forged.
Result<void> check_admin(const OpContext& op, Backend& backend, Session& session, const Directories& dirs) {
  const auto& attributes = dirs.admin.attributes;
  if (attributes.uid != Uid{0} && backend.squashed_uid() != attributes.uid) {
    auto self = own_identity(op, backend, session, dirs);
    if (!self || *self != attributes.uid) {
      return Error{
          .code = Errc::failed_precondition,
          .message = dirs.admin_path + " belongs to uid " + std::to_string(attributes.uid.value) + ", not to root",
          .hint = "somebody else made it: look at it on the server, then remove it or give it to root, mode 0700"};
    }
    backend.learn_identity(Owner{attributes.uid, attributes.gid});
  }
  if ((attributes.mode & kOthersMask) == 0) return {};
  return session.set_attributes(op, dirs.admin.node, dirs.admin_path, {.mode = kAdminMode});
}

Result<void> check_ours(const OpContext& op, const Backend& backend, const Site& site, Session& session) {
  HOMEPORT_TRY(const auto admin, session.lookup(op, session.root().node, backend.config().service.admin_directory));
  if (!admin) return missing_pool(backend, site.export_path);
  return {};
}

Result<void> find_homes(const OpContext& op, Site& site, Session& session, Make make, Directories& dirs) {
  dirs.homes = session.root();
  dirs.homes_path = site.export_path;
  if (site.pool == nullptr) return {};
  for (const auto& part : site.pool->directory) {
    const Place place{.dir = dirs.homes.node, .dir_path = dirs.homes_path, .name = part};
    HOMEPORT_TRY(auto found, directory_at(op, session, place, make, kParentMode));
    dirs.homes_parent = dirs.homes.node;
    dirs.homes_path = place.path();
    dirs.homes = std::move(found).value_or(Entry{.name = part, .node = {}, .attributes = {}});
  }
  return {};
}

Result<void> find_admin(const OpContext& op, Backend& backend, Session& session, Make make, Directories& dirs) {
  const std::string& name = backend.config().service.admin_directory;
  const Place place{.dir = session.root().node, .dir_path = session.export_path(), .name = name};
  dirs.admin_path = place.path();
  HOMEPORT_TRY(auto stands, directory_at(op, session, place, Make::no, kAdminMode));
  const bool was_there = stands.has_value();
  if (!was_there) {
    HOMEPORT_TRY(stands, directory_at(op, session, place, make, kAdminMode));
  }
  dirs.admin = std::move(stands).value_or(Entry{.name = name, .node = {}, .attributes = {}});
  if (was_there && make == Make::yes) HOMEPORT_CHECK(check_admin(op, backend, session, dirs));
  if (!was_there && make == Make::yes && !op.dry_run) {
    const auto& attributes = dirs.admin.attributes;
    backend.learn_identity(attributes.uid == Uid{0} ? std::nullopt
                                                    : std::optional(Owner{attributes.uid, attributes.gid}));
  }
  for (const auto& [part, into] : {std::pair{"markers", &dirs.markers}, std::pair{"trash", &dirs.trash}}) {
    const Place below{.dir = dirs.admin.node, .dir_path = dirs.admin_path, .name = part};
    HOMEPORT_TRY(auto found, directory_at(op, session, below, make, kAdminMode));
    *into = std::move(found).value_or(Entry{.name = part, .node = {}, .attributes = {}});
  }
  return {};
}

}  // namespace

Result<std::optional<Entry>> directory_at(const OpContext& op, Session& session, const Place& place, Make make,
                                          std::uint32_t mode) {
  HOMEPORT_TRY(auto found, session.lookup(op, place.dir, place.name));
  if (!found && make == Make::yes) {
    auto made = session.make_directory(op, place, {.mode = mode});
    if (made) return std::optional<Entry>(std::move(made).value());
    if (made.error().code != Errc::already_exists) return std::move(made).error();
    HOMEPORT_TRY(found, session.lookup(op, place.dir, place.name));  // another thread was faster
  }
  if (found && found->attributes.type != EntryType::directory)
    return not_a_directory(place.path(), found->attributes.type);
  return found;
}

Result<Directories> directories(const OpContext& op, Backend& backend, Site& site, Session& session, Make make) {
  if (auto known = site.known.with([](const auto& dirs) { return dirs; })) return *std::move(known);
  if (make == Make::where_ours) {
    HOMEPORT_CHECK(check_ours(op, backend, site, session));
    make = Make::yes;
  }
  Directories dirs;
  HOMEPORT_CHECK(find_homes(op, site, session, make, dirs));
  HOMEPORT_CHECK(find_admin(op, backend, session, make, dirs));
  const bool complete = !dirs.homes.node.handle.empty() && !dirs.admin.node.handle.empty() &&
                        !dirs.markers.node.handle.empty() && !dirs.trash.node.handle.empty();
  // One that was only looked at was not checked: it is remembered when it has been.
  if (complete && make == Make::yes) site.known.with([&](auto& known) { known = dirs; });
  return dirs;
}

Error missing_pool(const Backend& backend, const std::string& export_path) {
  const std::string admin = Backend::join(export_path, backend.config().service.admin_directory);
  return Error{.code = Errc::unavailable,
               .message = "the export " + export_path + " does not hold the administrative directory " + admin +
                          " that earlier homes were made with: is its disk mounted on the server?",
               .hint = "mount it; what waits goes on by itself. If a new, empty disk is there on purpose, make " +
                       admin + " on it (owner root, mode 0700)",
               .upstream = Upstream{.system = std::string(kMissingPoolSystem)},
               .retry_after = kDiskPause};
}

}  // namespace homeport::drivers::nfs
