#include "drivers/btrfs/snapshots.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "drivers/btrfs/access.h"
#include "provisioner/base/fault_point.h"

namespace homeport::drivers::btrfs {
namespace {

constexpr std::size_t kLongestName = 63;

Result<void> check_name(const std::string& name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (plain && !name.empty() && name.front() != '.' && name.size() <= kLongestName) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(name, 80) + "' cannot be the name of a snapshot",
               .hint = "letters, digits, '-', '_' and '.', at most 63, not '.' first"};
}

Error no_snapshots(const ObjectRef& ref) {
  return Error{
      .code = Errc::unsupported,
      .message = "pool " + printable(ref.pool, 60) + " keeps spaces as plain directories, which have no snapshots",
      .hint = "use a pool of layout filesystem"};
}

// The folder of a space's snapshots; nullopt: it has none.
Result<std::optional<Folder>> folder_of(const OpenPool& pool, const std::string& space) {
  auto folder = open_folder(pool.admin->snapshots.get(), pool.admin->snapshots.path, space);
  if (folder) return std::optional(*std::move(folder));
  if (folder.error().code == Errc::not_found) return std::optional<Folder>();
  return std::move(folder).error();
}

Result<std::vector<std::string>> names_in(const Folder& folder) {
  const int copy = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
  if (!stream) return from_errno(errno, "listing " + folder.path);
  std::vector<std::string> out;
  while (const dirent* one = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
    std::string name(static_cast<const char*>(one->d_name));
    if (name != "." && name != "..") out.push_back(std::move(name));
  }
  std::ranges::sort(out);
  return out;
}

Snapshot to_snapshot(const Backend& backend, const Found& found) {
  return {.id = found.id,
          .name = found.name,
          .taken_at = found.subvolume->made_at,
          .ours = found.name.starts_with(backend.prefix())};
}

struct Live {
  Pool* pool = nullptr;
  PoolPtr opened;
  std::shared_lock<std::shared_mutex> together{};
  std::unique_lock<std::mutex> alone{};
  std::optional<Placed> placed{};
};

// The space, under the locks of a change: one that is being retired or purged is not looked at half-way.
Result<Live> hold(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  if (ref.imported) return imported_stays(ref);
  Live out;
  HOMEPORT_TRY(out.pool, backend.pool(ref.layout, ref.pool));
  if (ref.layout != Layout::filesystem) return no_snapshots(ref);
  HOMEPORT_TRY(out.opened, backend.open(op, *out.pool, Make::where_ours));
  out.together = std::shared_lock(out.pool->everything());
  out.alone = out.pool->lock_space(ref.key.str());
  HOMEPORT_TRY(const auto standing, look(*out.opened, ref.key, ref.name));
  HOMEPORT_TRY(out.placed, verify(backend, ref, standing, MarkerRule::must_match));
  if (!out.placed) return gone(ref);
  return out;
}

}  // namespace

Result<Found> find_snapshot(const OpenPool& pool, const std::string& space, const std::string& snapshot) {
  HOMEPORT_CHECK(check_name(snapshot));
  HOMEPORT_TRY(const auto folder, folder_of(pool, space));
  std::optional<Found> found;
  if (folder) {
    HOMEPORT_TRY(found, find_entry(pool, *folder, snapshot));
  }
  if (found && found->subvolume) return *std::move(found);
  return Error{.code = Errc::not_found, .message = space + " has no snapshot '" + printable(snapshot, 80) + "'"};
}

Result<Snapshot> take_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                     const std::string& name) {
  HOMEPORT_CHECK(check_name(name));
  HOMEPORT_TRY(const auto live, hold(op, backend, ref));
  if (live.placed->state != ObjectState::live) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + ref.key.str() + " is in the trash: it changes no more",
                 .hint = "undelete it first"};
  }
  const OpenPool& pool = *live.opened;
  if (auto standing = find_snapshot(pool, ref.name, name)) return to_snapshot(backend, *standing);
  const Folder& all = pool.admin->snapshots;
  const std::string path = all.of(ref.name) + "/" + name;
  if (!announce(op, "SNAPSHOT " + path))
    return Snapshot{.id = "planned", .name = name, .taken_at = backend.clock().now(), .ours = true};
  if (::mkdirat(all.get(), ref.name.c_str(), 0700) != 0 && errno != EEXIST)
    return from_errno(errno, "making " + all.of(ref.name));
  HOMEPORT_TRY(const auto folder, open_folder(all.get(), all.path, ref.name));
  HOMEPORT_CHECK(make_snapshot(live.placed->found.fd->get(), folder.get(), name, Writable::no, path));
  fault_point("btrfs.snapshot.made");
  HOMEPORT_CHECK(pool.commit());
  HOMEPORT_TRY(const auto taken, find_snapshot(pool, ref.name, name));
  return to_snapshot(backend, taken);
}

Result<std::optional<Cursor>> list_space_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                                   const std::optional<Cursor>& from, std::vector<Snapshot>& page) {
  if (from) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(*from, 60) + "' is not a place in this listing",
                 .hint = "list again from the beginning"};
  }
  HOMEPORT_TRY(const auto live, hold(op, backend, ref));
  HOMEPORT_TRY(const auto folder, folder_of(*live.opened, ref.name));
  if (!folder) return std::optional<Cursor>();
  HOMEPORT_TRY(const auto names, names_in(*folder));
  for (const auto& name : names) {
    HOMEPORT_TRY(const auto found, find_entry(*live.opened, *folder, name));
    if (found && found->subvolume) page.push_back(to_snapshot(backend, *found));
  }
  return std::optional<Cursor>();
}

Result<void> delete_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                   const Snapshot& snapshot) {
  if (!snapshot.name.starts_with(backend.prefix())) {
    return Error{.code = Errc::failed_precondition,
                 .message = "snapshot '" + printable(snapshot.name, 80) + "' is not one of Homeport's",
                 .hint = "what others took is theirs to remove, on this host"};
  }
  HOMEPORT_TRY(const auto live, hold(op, backend, ref));
  const OpenPool& pool = *live.opened;
  const auto found = find_snapshot(pool, ref.name, snapshot.name);
  if (!found && found.error().code == Errc::not_found) return {};
  if (!found) return found.error();
  if (found->id != snapshot.id) {
    return Error{.code = Errc::failed_precondition,
                 .message = "snapshot " + snapshot.name + " of " + ref.name + " has the id " + found->id + ", not " +
                            printable(snapshot.id, 60),
                 .hint = "nothing was touched; list the snapshots again"};
  }
  HOMEPORT_CHECK(hide_snapshot(op, backend, ref.key, snapshot.name));
  const std::string path = pool.admin->snapshots.of(ref.name) + "/" + snapshot.name;
  if (!announce(op, "DELETE " + path)) return {};
  HOMEPORT_TRY(const auto folder, open_folder(pool.admin->snapshots.get(), pool.admin->snapshots.path, ref.name));
  HOMEPORT_CHECK(delete_subvolume(folder.get(), snapshot.name, path));
  return pool.commit();
}

Result<void> delete_all_snapshots(const OpContext& op, const OpenPool& pool, const std::string& space) {
  HOMEPORT_TRY(const auto folder, folder_of(pool, space));
  if (!folder) return {};
  HOMEPORT_TRY(const auto names, names_in(*folder));
  for (const auto& name : names) {
    if (!announce(op, "DELETE " + folder->of(name))) continue;
    HOMEPORT_CHECK(delete_subvolume(folder->get(), name, folder->of(name)));
  }
  if (!announce(op, "RMDIR " + folder->path)) return {};
  if (::unlinkat(pool.admin->snapshots.get(), space.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return from_errno(errno, "removing " + folder->path);
  return {};
}

}  // namespace homeport::drivers::btrfs
