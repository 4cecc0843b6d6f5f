#include "drivers/nfs/imports.h"

#include <algorithm>
#include <array>

#include "drivers/nfs/nfs_xdr.h"
#include "drivers/nfs/spaces.h"

namespace homeport::drivers::nfs {
namespace {

// The longest of `candidates` that holds `path`.
std::optional<AbsolutePath> longest_holding(const std::vector<AbsolutePath>& candidates, const AbsolutePath& path) {
  std::optional<AbsolutePath> best;
  for (const auto& candidate : candidates) {
    if (!candidate.contains(path)) continue;
    if (!best || best->str().size() < candidate.str().size()) best = candidate;
  }
  return best;
}

AbsolutePath parent_of(const AbsolutePath& path) {
  const auto slash = path.str().rfind('/');
  auto parent = AbsolutePath::parse(slash == 0 ? "/" : path.str().substr(0, slash));
  return parent ? std::move(parent).value() : path;
}

// What no listed export holds is asked for path by path, from the longest: not every server lists all.
Result<AbsolutePath> try_mounts(const OpContext& op, RpcChannel& mount, const AbsolutePath& path, bool listed) {
  std::optional<Error> first;
  for (AbsolutePath at = path;; at = parent_of(at)) {
    auto root = mount_path(op, mount, at.str());
    if (root) return at;
    const Errc code = root.error().code;
    const bool refused =
        code == Errc::not_found || code == Errc::permission_denied || code == Errc::failed_precondition;
    if (!refused) return std::move(root).context("looking for the export that holds " + path.str()).error();
    if (!first) first = std::move(root).error();
    if (at.str() == "/") break;
  }
  if (!listed) return *std::move(first);
  return Error{.code = Errc::not_found,
               .message = "no export of the server holds " + path.str(),
               .hint = "its exports are listed by `homeport backend exports`; export the directory to this host first",
               .upstream = first->upstream};
}

// The export in whose administrative directory the marker of an import lies: its own. A home that is an export of its
// own belongs to a user, who could do to our directory as they please: its marker lies in the first pool. Null:
// nowhere.
Site* marker_site(Backend& backend, Site& site, const Below& below, const SpaceKey& key) {
  if (!below.parts.empty() || key.kind() != SpaceKind::home || site.pool != nullptr) return &site;
  const auto& pools = backend.config().pools;
  return pools.empty() ? nullptr : &backend.export_site(pools.front().export_path.str());
}

// EXPORT/<admin>/markers of any export, where we may look.
Result<MarkerFile> marker_in(const OpContext& op, Backend& backend, Site& site, Session& session, const SpaceKey& key) {
  auto dirs = directories(op, backend, site, session, Make::no);
  if (!dirs && (is_refusal(dirs.error()) || dirs.error().code == Errc::failed_precondition)) return MarkerFile{};
  if (!dirs) return std::move(dirs).error();
  auto file = session.lookup(op, dirs->markers.node, marker_file_name(key));
  if (!file && is_refusal(file.error())) return MarkerFile{};
  if (!file) return std::move(file).error();
  const std::array<std::optional<Entry>, 1> files{*std::move(file)};
  auto read = read_markers(op, session, dirs->markers.node, files);
  if (!read && is_refusal(read.error())) return MarkerFile{};
  if (!read) return std::move(read).error();
  return std::move(read->front());
}

// fn(Site&, Session&) where the marker lies; `otherwise` where it lies nowhere.
template <class T, class Fn>
Result<T> at_marker(const OpContext& op, Backend& backend, Site& site, Session& session, Site* markers, T otherwise,
                    Fn fn) {
  if (markers == nullptr) return otherwise;
  if (markers == &site) return fn(site, session);
  return with_session(op, backend, *markers, [&](Session& other) { return fn(*markers, other); });
}

Result<MarkerFile> marker_beside(const OpContext& op, Backend& backend, Site& site, Session& session,
                                 const Below& below, const SpaceKey& key) {
  return at_marker<MarkerFile>(op, backend, site, session, marker_site(backend, site, below, key), {},
                               [&](Site& where, Session& with) { return marker_in(op, backend, where, with, key); });
}

Object import_object(const Entry& entry, const AbsolutePath& path, const std::string& pool, const SpaceKey& key,
                     MarkerFile marker) {
  return Object{.ref = {.layout = Layout::directory,
                        .pool = pool,
                        .key = key,
                        .name = path.str(),
                        .id = object_id(entry.attributes),
                        .imported = true},
                .state = ObjectState::live,
                .path = path.str(),
                .owner = Owner{entry.attributes.uid, entry.attributes.gid},
                .mode = entry.attributes.mode,
                .marker = std::move(marker.marker)};
}

Result<void> check_import(const ObjectRef& ref, const Entry& entry, const MarkerFile& marker) {
  std::string why;
  if (entry.attributes.type != EntryType::directory) why = "it is not a directory";
  if (object_id(entry.attributes) != ref.id) why = "its id is " + object_id(entry.attributes) + ", not " + ref.id;
  if (marker.marker && marker.marker->key != ref.key) why = "its marker is for " + marker.marker->key.str();
  if (marker.marker && marker.marker->id != ref.id) why = "its marker is for an object with id " + marker.marker->id;
  if (why.empty()) return {};
  return Error{.code = Errc::failed_precondition,
               .message = "what stands at " + ref.name + " is not space " + ref.key.str() + ": " + why,
               .hint = "nothing was touched; if it was put there on purpose, release the space and import it again"};
}

Result<MarkerFile> converge_marker(const OpContext& op, Backend& backend, Site& site, Session& session,
                                   const Marker& wanted, MarkerFile present) {
  HOMEPORT_TRY(const auto dirs, directories(op, backend, site, session, Make::yes));
  if (!present.marker || *present.marker != wanted) {
    HOMEPORT_TRY(present.file, write_marker(op, backend, session, dirs, wanted, present.file));
  }
  present.marker = wanted;
  return present;
}

Result<Object> update_on(const OpContext& op, Backend& backend, Site& site, Session& session, const ObjectRef& ref,
                         const Below& below, const AbsolutePath& path, const Change& change) {
  HOMEPORT_TRY(auto entry, walk_to(op, session, below));
  if (!entry) return Error{.code = Errc::not_found, .message = "there is no " + ref.name + " on the server"};
  HOMEPORT_TRY(auto marker, marker_beside(op, backend, site, session, below, ref.key));
  HOMEPORT_CHECK(check_import(ref, *entry, marker));
  HOMEPORT_TRY(entry->attributes, converge(op, session, *entry, path.str(), change.owner, change.mode));
  if (change.marker) {
    Marker wanted = *change.marker;
    wanted.id = ref.id;
    Site* const markers = marker_site(backend, site, below, ref.key);
    HOMEPORT_TRY(marker, at_marker<MarkerFile>(op, backend, site, session, markers, marker,
                                               [&](Site& where, Session& with) -> Result<MarkerFile> {
                                                 return converge_marker(op, backend, where, with, wanted, marker);
                                               }));
  }
  return import_object(*entry, path, ref.pool, ref.key, std::move(marker));
}

// The end of a path as well as what is on the way to it.
Result<void> must_be_directory(const Entry& entry, const std::string& path) {
  switch (entry.attributes.type) {
    case EntryType::directory: return {};
    case EntryType::symlink:
      return Error{.code = Errc::failed_precondition,
                   .message = path + " is a symbolic link",
                   .hint = "Homeport follows no links on the server: name the directory the link leads to"};
    case EntryType::file:
    case EntryType::other: break;
  }
  const bool file = entry.attributes.type == EntryType::file;
  return Error{.code = Errc::failed_precondition,
               .message = path + " is " + (file ? "a file" : "a device, socket or pipe") + ", not a directory",
               .hint = "name an exported directory, or one below an export"};
}

}  // namespace

std::vector<std::string> parts_below(const AbsolutePath& root, const AbsolutePath& path) {
  std::vector<std::string> parts;
  const std::string& text = path.str();
  std::size_t from = root.str() == "/" ? 1 : root.str().size() + 1;
  while (from < text.size()) {
    const auto slash = std::min(text.find('/', from), text.size());
    parts.push_back(text.substr(from, slash - from));
    from = slash + 1;
  }
  return parts;
}

Result<Below> export_of(const OpContext& op, Backend& backend, const AbsolutePath& path) {
  std::vector<AbsolutePath> candidates;
  for (const auto& pool : backend.config().pools) candidates.push_back(pool.export_path);
  HOMEPORT_TRY(const auto mount, connect_mount(op, backend.reach(), {}));
  auto listed = list_exports(op, *mount);
  if (listed) {
    for (const auto& item : *listed) {
      if (auto parsed = AbsolutePath::parse(item.path)) candidates.push_back(std::move(parsed).value());
    }
  } else if (listed.error().code != Errc::failed_precondition) {
    return std::move(listed).error();
  }
  auto best = longest_holding(candidates, path);
  // "/" is in many lists as the root of a pseudo tree that v3 clients cannot mount.
  const bool usable = best && (best->str() != "/" || mount_path(op, *mount, "/"));
  if (!usable) {
    HOMEPORT_TRY(best, try_mounts(op, *mount, path, listed.has_value()));
  }
  return Below{.export_path = best->str(), .parts = parts_below(*best, path)};
}

Result<std::optional<Entry>> walk_to(const OpContext& op, Session& session, const Below& below) {
  Entry at = session.root();
  std::string path = below.export_path;
  for (const auto& part : below.parts) {
    HOMEPORT_CHECK(must_be_directory(at, path));
    HOMEPORT_TRY(auto next, session.lookup(op, at.node, part));
    if (!next) return next;
    at = *std::move(next);
    path = Backend::join(path, part);
  }
  return std::optional<Entry>(std::move(at));
}

Result<std::vector<Export>> server_exports(const OpContext& op, Backend& backend) {
  HOMEPORT_TRY(const auto mount, connect_mount(op, backend.reach(), {}));
  backend.learn_contact();
  return list_exports(op, *mount);
}

Result<ExportDiscovery::Inspection> inspect_path(const OpContext& op, Backend& backend, const AbsolutePath& path) {
  HOMEPORT_TRY(const auto below, export_of(op, backend, path));
  const auto listed = server_exports(op, backend);
  Site& site = backend.export_site(below.export_path);
  return with_session(op, backend, site, [&](Session& session) -> Result<ExportDiscovery::Inspection> {
    HOMEPORT_TRY(const auto entry, walk_to(op, session, below));
    if (!entry) return Error{.code = Errc::not_found, .message = "there is no " + path.str() + " on the server"};
    HOMEPORT_CHECK(must_be_directory(*entry, path.str()));
    ExportDiscovery::Inspection found{.export_path = below.export_path, .id = object_id(entry->attributes)};
    found.owner = Owner{entry->attributes.uid, entry->attributes.gid};
    found.mode = entry->attributes.mode;
    constexpr std::uint32_t kWrites = ACCESS3_MODIFY | ACCESS3_EXTEND;
    HOMEPORT_TRY(const auto granted, session.access(op, entry->node, kWrites));
    found.read_only_for_us = (granted & kWrites) == 0;
    HOMEPORT_TRY(const auto status, session.fs_status(op));
    if (status.total_bytes >= status.free_bytes) found.filesystem_used = Bytes{status.total_bytes - status.free_bytes};
    if (listed) {
      for (const auto& item : *listed) {
        if (item.path != below.export_path) continue;
        found.clients = item.clients;
        found.clients_known = true;
      }
    }
    return found;
  });
}

Result<std::optional<Object>> find_import(const OpContext& op, Backend& backend, const Lookup& lookup) {
  HOMEPORT_TRY(const auto below, export_of(op, backend, *lookup.path));
  Site& site = backend.export_site(below.export_path);
  return with_session(op, backend, site, [&](Session& session) -> Result<std::optional<Object>> {
    HOMEPORT_TRY(const auto entry, walk_to(op, session, below));
    if (!entry) return std::optional<Object>();
    if (lookup.id && *lookup.id != object_id(entry->attributes)) return std::optional<Object>();
    HOMEPORT_CHECK(must_be_directory(*entry, lookup.path->str()));
    const bool home = lookup.key && lookup.key->kind() == SpaceKind::home;
    if (home && entry->attributes.fs != session.root().attributes.fs) {
      return Error{.code = Errc::failed_precondition,
                   .message = lookup.path->str() + " is on another filesystem than its export " + below.export_path,
                   .hint =
                       "where that one is not mounted, an empty directory would be taken for the home; import it from "
                       "an export of its own"};
    }
    MarkerFile marker;
    if (lookup.key) {
      HOMEPORT_TRY(marker, marker_beside(op, backend, site, session, below, *lookup.key));
    }
    // Before an import there is no key yet; the one of all zeros belongs to nobody.
    const SpaceKey key = lookup.key.value_or(SpaceKey::from_random(SpaceKind::dataset, 0));
    return std::optional<Object>(import_object(*entry, *lookup.path, lookup.pool, key, std::move(marker)));
  });
}

Result<Object> update_import(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change) {
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(ref.name));
  HOMEPORT_TRY(const auto below, export_of(op, backend, path));
  Site& site = backend.export_site(below.export_path);
  return with_session(op, backend, site, [&](Session& session) {
    return update_on(op, backend, site, session, ref, below, path, change);
  });
}

}  // namespace homeport::drivers::nfs
