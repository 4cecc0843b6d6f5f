#include "drivers/btrfs/standing.h"

#include <fcntl.h>

#include <cerrno>
#include <charconv>

#include "drivers/btrfs/access.h"

namespace homeport::drivers::btrfs {
namespace {

constexpr std::size_t kMostMarkerBytes = 65536;

std::string hex(std::uint64_t value) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  return {text.data(), end};
}

Error mismatch(const ObjectRef& ref, const std::string& why) {
  return Error{
      .code = Errc::failed_precondition,
      .message = "what stands as " + printable(ref.name) + " is not space " + ref.key.str() + ": " + why,
      .hint = "nothing was touched; compare the backend with `homeport operation list --parked` and `homeport doctor`"};
}

std::string marker_trouble(const ObjectRef& ref, const MarkerFile& marker, MarkerRule rule) {
  if (!marker.stands) return rule == MarkerRule::must_match ? "its marker is missing" : "";
  if (!marker.marker) return rule == MarkerRule::must_match ? "its marker cannot be read: " + marker.broken : "";
  if (marker.marker->key != ref.key) return "its marker is for " + marker.marker->key.str();
  if (marker.marker->id != ref.id) return "its marker is for an object with id " + marker.marker->id;
  return "";
}

WallTime time_of(const timespec& at) {
  return WallTime(std::chrono::floor<std::chrono::milliseconds>(std::chrono::seconds(at.tv_sec) +
                                                                std::chrono::nanoseconds(at.tv_nsec)));
}

}  // namespace

bool announce(const OpContext& op, std::string line) {
  if (op.calls != nullptr) op.calls->add(std::move(line));
  return !op.dry_run;
}

Result<std::optional<Found>> find_entry(const OpenPool& pool, const Folder& folder, const std::string& name) {
  const std::string path = folder.of(printable(name));
  Found out{.name = name};
  auto fd = std::make_shared<const Descriptor>(
      ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd->get() < 0) {
    const int code = errno;
    if (code == ENOENT) return std::optional<Found>();
    if (code != ENOTDIR && code != ELOOP) return from_errno(code, "opening " + path);
    if (::fstatat(folder.get(), name.c_str(), &out.status, AT_SYMLINK_NOFOLLOW) != 0)
      return from_errno(errno, "looking at " + path);
    return std::optional(std::move(out));
  }
  if (::fstat(fd->get(), &out.status) != 0) return from_errno(errno, "looking at " + path);
  HOMEPORT_TRY(out.subvolume, subvolume_of(fd->get(), path));
  out.fd = std::move(fd);
  // btrfs gives neither a subvolume's uuid nor, within one tree, an inode's number a second time.
  if (pool.config->layout == Layout::filesystem) {
    if (out.subvolume) out.id = out.subvolume->uuid;
  } else if (!out.subvolume) {
    out.id = hex(out.status.st_ino) + "@" + pool.filesystem;
  }
  return std::optional(std::move(out));
}

std::string marker_name(const SpaceKey& key) {
  return key.str() + ".json";
}

Result<std::optional<std::string>> small_file(const Folder& folder, const std::string& name) {
  const Descriptor fd(::openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return from_errno(errno, "opening " + folder.of(name));
  }
  std::string text(kMostMarkerBytes, '\0');
  const auto got = ::pread(fd.get(), text.data(), text.size(), 0);
  if (got < 0) return from_errno(errno, "reading " + folder.of(name));
  text.resize(static_cast<std::size_t>(got));
  return std::optional(std::move(text));
}

Result<void> replace_file(const Backend& backend, const Folder& folder, const std::string& name,
                          const std::string& text, std::optional<WallTime> modified) {
  const std::string draft = name + "." + backend.nonce() + ".new";
  const std::string path = folder.of(draft);
  {
    const Descriptor fd(
        ::openat(folder.get(), draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd.get() < 0) return from_errno(errno, "writing " + path);
    std::size_t put = 0;
    while (put < text.size()) {
      const auto n = ::pwrite(fd.get(), text.data() + put, text.size() - put, static_cast<off_t>(put));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        const int code = errno;
        ::unlinkat(folder.get(), draft.c_str(), 0);
        return from_errno(code, "writing " + path);
      }
      put += static_cast<std::size_t>(n);
    }
    if (modified) {
      const auto since = modified->time_since_epoch();
      const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
      const timespec at{.tv_sec = static_cast<time_t>(seconds.count()),
                        .tv_nsec = static_cast<long>(std::chrono::nanoseconds(since - seconds).count())};
      const std::array<timespec, 2> times{at, at};
      if (::futimens(fd.get(), times.data()) != 0) return from_errno(errno, "writing " + path);
    }
  }
  if (::renameat(folder.get(), draft.c_str(), folder.get(), name.c_str()) != 0)
    return from_errno(errno, "renaming " + path);
  return {};
}

Result<MarkerFile> read_marker(const OpenPool& pool, const SpaceKey& key) {
  MarkerFile out;
  const Folder& folder = pool.admin->markers;
  HOMEPORT_TRY(const auto text, small_file(folder, marker_name(key)));
  if (!text) return out;
  out.stands = true;
  struct stat status {};
  if (::fstatat(folder.get(), marker_name(key).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    out.modified = time_of(status.st_mtim);
  auto marker = marker_from_json(*text);
  if (marker) {
    out.marker = std::move(marker).value();
  } else {
    out.broken = marker.error().message;
  }
  return out;
}

Result<void> write_marker(const OpContext& op, const Backend& backend, const OpenPool& pool, const Marker& marker) {
  const auto name = marker_name(marker.key);
  if (!announce(op, "WRITE " + pool.admin->markers.of(name))) return {};
  return replace_file(backend, pool.admin->markers, name, marker_to_json(marker), std::nullopt);
}

Result<void> remove_marker(const OpContext& op, const OpenPool& pool, const SpaceKey& key) {
  const auto name = marker_name(key);
  if (!announce(op, "REMOVE " + pool.admin->markers.of(name))) return {};
  if (::unlinkat(pool.admin->markers.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return from_errno(errno, "removing " + pool.admin->markers.of(name));
  return {};
}

Result<Standing> look(const OpenPool& pool, const SpaceKey& key, const std::string& name) {
  Standing out;
  HOMEPORT_TRY(out.live, find_entry(pool, *pool.homes, name));
  HOMEPORT_TRY(out.trashed, find_entry(pool, pool.admin->trash, name));
  HOMEPORT_TRY(out.marker, read_marker(pool, key));
  return out;
}

Result<std::optional<Placed>> verify(const Backend& backend, const ObjectRef& ref, const Standing& standing,
                                     MarkerRule rule) {
  if (ref.name != backend.prefix() + ref.key.str()) return mismatch(ref, "its name is not the one made for its key");
  const auto fits = [&](const std::optional<Found>& found) { return found && !ref.id.empty() && found->id == ref.id; };
  std::optional<Placed> placed;
  if (fits(standing.live)) {
    placed = Placed{.state = ObjectState::live, .found = *standing.live, .marker = standing.marker};
  } else if (fits(standing.trashed)) {
    placed = Placed{.state = ObjectState::trashed, .found = *standing.trashed, .marker = standing.marker};
  } else if (standing.live || standing.trashed) {
    const auto& other = standing.live ? *standing.live : *standing.trashed;
    return mismatch(ref, other.id.empty() ? "it is not a space of this layout"
                                          : "its id is " + other.id + ", not " + printable(ref.id, 80));
  }
  if (!placed) return placed;
  if (const auto trouble = marker_trouble(ref, placed->marker, rule); !trouble.empty()) return mismatch(ref, trouble);
  return placed;
}

Error gone(const ObjectRef& ref) {
  return Error{.code = Errc::not_found,
               .message = "there is no " + printable(ref.name) + " in pool " + printable(ref.pool, 60) +
                          ", live or in the trash"};
}

Error imported_stays(const ObjectRef& ref) {
  return Error{.code = Errc::failed_precondition,
               .message = printable(ref.name) + " was not made by Homeport: this backend imports nothing",
               .hint = "copy it into a space (`homeport home import --copy`)"};
}

Result<Object> to_object(Backend& backend, const OpenPool& pool, const SpaceKey& key, const Placed& placed,
                         const QuotaStates* states) {
  const auto& found = placed.found;
  const bool live = placed.state == ObjectState::live;
  Object object{.ref = {.layout = pool.config->layout,
                        .pool = pool.config->name,
                        .key = key,
                        .name = found.name,
                        .id = found.id.empty() ? "none" : found.id},
                .state = placed.state,
                .path = live ? pool.homes->of(found.name) : pool.admin->trash.of(found.name),
                .owner = found.owner(),
                .mode = found.mode(),
                .marker = placed.marker.marker};
  if (!live) object.trashed_at = placed.marker.stands ? placed.marker.modified : time_of(found.status.st_ctim);
  if (found.subvolume && pool.quota != QuotaMode::off) {
    QuotaStates own;
    if (states == nullptr) {
      HOMEPORT_TRY(own, quota_states(pool.root.get(), found.subvolume->id, found.subvolume->id, pool.config->name));
      states = &own;
    }
    if (const auto at = states->find(found.subvolume->id); at != states->end()) {
      if (at->second.limit) object.quota = Bytes{*at->second.limit};
      object.usage =
          Usage{.bytes = Bytes{at->second.referenced}, .basis = UsageBasis::exact, .as_of = backend.clock().now()};
    }
  }
  HOMEPORT_TRY(object.access, rules_of(backend, pool, key));
  return object;
}

}  // namespace homeport::drivers::btrfs
