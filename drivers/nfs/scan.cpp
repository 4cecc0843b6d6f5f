#include "drivers/nfs/scan.h"

#include <array>

#include "drivers/nfs/imports.h"
#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

// A cursor says which directory is being read, then where in it.
constexpr char kNames = 'n';
constexpr char kMarkers = 'm';

struct Found {
  SpaceKey key;
  Entry entry;
};

// The markers of all of them in two round trips.
Result<std::vector<MarkerFile>> markers_of(const OpContext& op, Session& session, const Directories& dirs,
                                           const std::vector<Found>& found) {
  std::vector<NameRequest> requests;
  requests.reserve(found.size());
  for (const auto& item : found) requests.push_back({.dir = dirs.markers.node, .name = marker_file_name(item.key)});
  auto answers = session.lookup(op, requests);
  std::vector<std::optional<Entry>> files;
  files.reserve(answers.size());
  for (auto& answer : answers) {
    if (!answer) return std::move(answer).error();
    files.push_back(*std::move(answer));
  }
  return read_markers(op, session, dirs.markers.node, files);
}

Result<std::optional<Cursor>> scan_names(const OpContext& op, const Backend& backend, const Site& site,
                                         Session& session, const Directories& dirs, ObjectState state,
                                         const std::optional<Cursor>& from, std::vector<Object>& page) {
  const Entry& dir = state == ObjectState::live ? dirs.homes : dirs.trash;
  HOMEPORT_TRY(auto listed, session.list(op, {.directory = dir.node, .from = from}));
  std::vector<Found> found;
  for (auto& entry : listed.entries) {
    const auto key = key_of(backend, entry.name);
    if (key && entry.attributes.type == EntryType::directory) found.push_back({.key = *key, .entry = std::move(entry)});
  }
  HOMEPORT_TRY(auto markers, markers_of(op, session, dirs, found));
  for (std::size_t i = 0; i < found.size(); ++i) {
    page.push_back(to_object(site, dirs, found[i].key,
                             {.state = state, .entry = std::move(found[i].entry), .marker = std::move(markers[i])}));
  }
  return listed.next;
}

// The markers whose space was imported: each is looked up where it says it stands.
Result<std::optional<Cursor>> scan_imports(const OpContext& op, const Site& site, Session& session,
                                           const Directories& dirs, const std::optional<Cursor>& from,
                                           std::vector<Object>& page) {
  HOMEPORT_TRY(auto listed, session.list(op, {.directory = dirs.markers.node, .from = from}));
  std::vector<std::optional<Entry>> files;
  for (auto& entry : listed.entries) files.emplace_back(std::move(entry));
  HOMEPORT_TRY(const auto markers, read_markers(op, session, dirs.markers.node, files));
  const auto root = AbsolutePath::parse(site.export_path);
  for (const auto& file : markers) {
    if (!file.marker || !file.marker->imported || !file.file || !root) continue;
    if (file.file->name != marker_file_name(file.marker->key)) continue;  // a draft
    const auto path = AbsolutePath::parse(file.marker->path);
    if (!path || !root->contains(*path)) continue;
    const Below below{.export_path = site.export_path, .parts = parts_below(*root, *path)};
    auto entry = walk_to(op, session, below);
    if (!entry && entry.error().code != Errc::failed_precondition) return std::move(entry).error();
    if (!entry || !*entry) continue;
    const auto& attributes = (*entry)->attributes;
    page.push_back({.ref = {.layout = Layout::directory,
                            .pool = site.pool->name,
                            .key = file.marker->key,
                            .name = path->str(),
                            .id = object_id(attributes),
                            .imported = true},
                    .state = ObjectState::live,
                    .path = path->str(),
                    .owner = Owner{attributes.uid, attributes.gid},
                    .mode = attributes.mode,
                    .marker = file.marker});
  }
  return listed.next;
}

std::optional<Cursor> with_phase(char phase, const std::optional<Cursor>& cursor) {
  if (!cursor) return std::nullopt;
  return phase + *cursor;
}

Result<std::optional<Object>> find_by_id(const OpContext& op, Backend& backend, const Site& site, Session& session,
                                         const Directories& dirs, const Lookup& lookup) {
  for (const auto& [dir, state] :
       {std::pair{&dirs.homes, ObjectState::live}, std::pair{&dirs.trash, ObjectState::trashed}}) {
    std::optional<Cursor> from;
    do {
      HOMEPORT_TRY(auto listed, session.list(op, {.directory = dir->node, .from = from}));
      for (auto& entry : listed.entries) {
        if (entry.attributes.type != EntryType::directory || object_id(entry.attributes) != *lookup.id) continue;
        auto key = lookup.key ? lookup.key : key_of(backend, entry.name);
        if (!key) continue;  // nothing says whose it is
        std::vector<Found> found{{.key = *key, .entry = std::move(entry)}};
        HOMEPORT_TRY(auto markers, markers_of(op, session, dirs, found));
        Placed placed{.state = state, .entry = std::move(found.front().entry), .marker = std::move(markers.front())};
        return std::optional<Object>(to_object(site, dirs, *key, placed));
      }
      from = listed.next;
    } while (from);
  }
  return std::optional<Object>();
}

Result<std::optional<Object>> find_on(const OpContext& op, Backend& backend, Site& site, Session& session,
                                      const Lookup& lookup) {
  auto key = lookup.key;
  if (!key && lookup.name) key = key_of(backend, *lookup.name);
  const std::string name = lookup.name.value_or(key ? backend.prefix() + key->str() : std::string());
  if (key && !name.empty()) {
    HOMEPORT_TRY(auto standing, look(op, backend, site, session, *key, name, Make::no));
    const auto fits = [&](const std::optional<Entry>& entry) {
      if (!entry || entry->attributes.type != EntryType::directory) return false;
      return !lookup.id || object_id(entry->attributes) == *lookup.id;
    };
    Placed placed{.entry = {}, .marker = std::move(standing.marker)};
    if (fits(standing.live)) {
      placed.entry = *standing.live;
      return std::optional<Object>(to_object(site, standing.dirs, *key, placed));
    }
    if (fits(standing.trashed)) {
      placed.state = ObjectState::trashed;
      placed.entry = *standing.trashed;
      return std::optional<Object>(to_object(site, standing.dirs, *key, placed));
    }
    if (!lookup.id) return std::optional<Object>();
    // It may have been renamed on the server.
    return find_by_id(op, backend, site, session, standing.dirs, lookup);
  }
  if (!lookup.id) return std::optional<Object>();  // a name that is not one of ours
  HOMEPORT_TRY(const auto dirs, directories(op, backend, site, session, Make::no));
  return find_by_id(op, backend, site, session, dirs, lookup);
}

}  // namespace

Result<std::optional<Cursor>> scan_pool(const OpContext& op, Backend& backend, const Query& query,
                                        const std::optional<Cursor>& from, std::vector<Object>& page) {
  HOMEPORT_TRY(Site * site, backend.pool_site(query.layout, query.pool));
  const char phase = !from ? kNames : from->empty() ? '?' : from->front();
  if (phase != kNames && phase != kMarkers) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(*from, 60) + "' is not a place in this listing",
                 .hint = "list again from the beginning"};
  }
  std::optional<Cursor> at;
  if (from && from->size() > 1) at = from->substr(1);
  return with_session(op, backend, *site, [&](Session& session) -> Result<std::optional<Cursor>> {
    const std::size_t before = page.size();
    HOMEPORT_TRY(const auto dirs, directories(op, backend, *site, session, Make::no));
    const auto next = phase == kNames ? scan_names(op, backend, *site, session, dirs, query.state, at, page)
                                      : scan_imports(op, *site, session, dirs, at, page);
    if (!next) {
      page.erase(page.begin() + static_cast<std::ptrdiff_t>(before), page.end());  // it may run once more
      return next.error();
    }
    if (phase == kNames && !*next && query.state == ObjectState::live)
      return std::optional<Cursor>(std::string(1, kMarkers));
    return with_phase(phase, *next);
  });
}

Result<std::optional<Object>> find_object(const OpContext& op, Backend& backend, const Lookup& lookup) {
  if (lookup.path) return find_import(op, backend, lookup);
  if (!lookup.id && !lookup.name) {
    return Error{.code = Errc::invalid_argument, .message = "a look-up needs an id, a name or a path"};
  }
  HOMEPORT_TRY(Site * site, backend.pool_site(lookup.layout, lookup.pool));
  return with_session(op, backend, *site,
                      [&](Session& session) { return find_on(op, backend, *site, session, lookup); });
}

}  // namespace homeport::drivers::nfs
