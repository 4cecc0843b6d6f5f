#include "drivers/btrfs/scan.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <limits>

namespace homeport::drivers::btrfs {
namespace {

constexpr std::size_t kPage = 1000;
constexpr std::string_view kCursor = "at:";     // and what telldir(3) said
constexpr std::uint64_t kFirstSubvolume = 256;  // below it are btrfs's own trees

Result<long> place_of(const Cursor& cursor) {
  long at = -1;
  const char* end = cursor.data() + cursor.size();
  if (cursor.starts_with(kCursor)) {
    const auto read = std::from_chars(cursor.data() + kCursor.size(), end, at);
    if (read.ec == std::errc() && read.ptr == end && at >= 0) return at;
  }
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(cursor, 60) + "' is not a place in this listing",
               .hint = "list again from the beginning"};
}

struct Names {
  std::vector<std::string> names{};
  std::optional<Cursor> next{};
};

Result<Names> names_from(const Backend& backend, const Folder& folder, long start) {
  const int copy = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
  if (!stream) return from_errno(errno, "listing " + folder.path);
  if (start >= 0) ::seekdir(stream.get(), start);
  Names out;
  for (;;) {
    if (out.names.size() == kPage) {
      out.next = std::string(kCursor) + std::to_string(::telldir(stream.get()));
      return out;
    }
    errno = 0;
    const dirent* one = ::readdir(stream.get());  // NOLINT(concurrency-mt-unsafe): our own stream
    if (one == nullptr && errno != 0) return from_errno(errno, "listing " + folder.path);
    if (one == nullptr) return out;
    std::string name(static_cast<const char*>(one->d_name));
    if (backend.key_of(name)) out.names.push_back(std::move(name));
  }
}

Result<std::optional<Object>> object_at(Backend& backend, const OpenPool& pool, const SpaceKey& key,
                                        const Standing& standing, const std::optional<std::string>& id) {
  const auto fits = [&](const std::optional<Found>& found) {
    return found && !found->id.empty() && (!id || found->id == *id);
  };
  Placed placed{.found = {}, .marker = standing.marker};
  if (fits(standing.live)) {
    placed.found = *standing.live;
  } else if (fits(standing.trashed)) {
    placed.state = ObjectState::trashed;
    placed.found = *standing.trashed;
  } else {
    return std::optional<Object>();
  }
  HOMEPORT_TRY(auto object, to_object(backend, pool, key, placed));
  return std::optional(std::move(object));
}

// It may have been renamed behind our back: every entry is looked at.
Result<std::optional<Object>> find_by_id(Backend& backend, const OpenPool& pool, const Lookup& lookup) {
  for (const auto state : {ObjectState::live, ObjectState::trashed}) {
    const Folder& folder = state == ObjectState::live ? *pool.homes : pool.admin->trash;
    const int copy = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
    if (!stream) return from_errno(errno, "listing " + folder.path);
    while (const dirent* one = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
      const std::string name(static_cast<const char*>(one->d_name));
      if (name == "." || name == "..") continue;
      HOMEPORT_TRY(auto found, find_entry(pool, folder, name));
      if (!found || found->id.empty() || found->id != *lookup.id) continue;
      const auto key = lookup.key ? lookup.key : backend.key_of(name);
      if (!key) continue;  // nothing says whose it is
      Placed placed{.state = state, .found = *std::move(found), .marker = {}};
      HOMEPORT_TRY(placed.marker, read_marker(pool, *key));
      HOMEPORT_TRY(auto object, to_object(backend, pool, *key, placed));
      return std::optional(std::move(object));
    }
  }
  return std::optional<Object>();
}

}  // namespace

Result<std::optional<Cursor>> scan_pool(const OpContext& op, Backend& backend, const Query& query,
                                        const std::optional<Cursor>& from, std::vector<Object>& page) {
  HOMEPORT_TRY(Pool * pool, backend.pool(query.layout, query.pool));
  HOMEPORT_TRY(const long start, from ? place_of(*from) : Result<long>(-1L));
  HOMEPORT_TRY(const auto opened, backend.open(op, *pool, Make::no));
  const AdminFolders* admin = opened ? opened->admin.get() : nullptr;
  if (admin == nullptr) return std::optional<Cursor>();  // nothing was made here yet
  const Folder& folder = query.state == ObjectState::live ? *opened->homes : admin->trash;
  HOMEPORT_TRY(auto listed, names_from(backend, folder, start));
  // One search for all of them.
  QuotaStates states;
  if (opened->quota != QuotaMode::off && query.layout == Layout::filesystem) {
    HOMEPORT_TRY(states, quota_states(opened->root.get(), kFirstSubvolume, std::numeric_limits<std::int64_t>::max(),
                                      query.pool));
  }
  std::vector<Object> found;
  for (const auto& name : listed.names) {
    HOMEPORT_CHECK(still_wanted(op, backend.clock(), "listing pool " + query.pool));
    const auto key = backend.key_of(name);
    HOMEPORT_TRY(auto entry, find_entry(*opened, folder, name));
    if (!entry || entry->id.empty()) continue;  // gone meanwhile, or not a space of this layout
    Placed placed{.state = query.state, .found = *std::move(entry), .marker = {}};
    HOMEPORT_TRY(placed.marker, read_marker(*opened, *key));
    HOMEPORT_TRY(auto object, to_object(backend, *opened, *key, placed, &states));
    found.push_back(std::move(object));
  }
  for (auto& object : found) page.push_back(std::move(object));
  return listed.next;
}

Result<std::optional<Object>> find_object(const OpContext& op, Backend& backend, const Lookup& lookup) {
  if (lookup.path) {
    return Error{.code = Errc::unsupported,
                 .message = "backend " + backend.name() + " (btrfs) imports nothing by path",
                 .hint = "copy it into a space (`homeport home import --copy`)"};
  }
  if (!lookup.id && !lookup.name)
    return Error{.code = Errc::invalid_argument, .message = "a look-up needs an id or a name"};
  HOMEPORT_TRY(Pool * pool, backend.pool(lookup.layout, lookup.pool));
  HOMEPORT_TRY(const auto opened, backend.open(op, *pool, Make::no));
  if (!opened || !opened->prepared()) return std::optional<Object>();
  auto key = lookup.key;
  if (!key && lookup.name) key = backend.key_of(*lookup.name);
  const std::string name = lookup.name.value_or(key ? backend.prefix() + key->str() : std::string());
  if (key && !name.empty() && backend.key_of(name)) {
    HOMEPORT_TRY(const auto standing, look(*opened, *key, name));
    HOMEPORT_TRY(auto object, object_at(backend, *opened, *key, standing, lookup.id));
    if (object || !lookup.id) return object;
  }
  if (!lookup.id) return std::optional<Object>();  // a name that is not one of ours
  return find_by_id(backend, *opened, lookup);
}

}  // namespace homeport::drivers::btrfs
