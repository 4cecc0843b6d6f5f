#include "drivers/btrfs/trash.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "drivers/btrfs/access.h"
#include "drivers/btrfs/snapshots.h"
#include "provisioner/base/fault_point.h"

namespace homeport::drivers::btrfs {
namespace {

// What is left tells where to go on; the cursor only says that something is.
constexpr const char* kAgain = "again";
constexpr std::uint64_t kPurgeStep = 20'000;  // entries of a plain directory in one call
constexpr std::size_t kDeepest = 4096;        // directories open inside each other
constexpr std::chrono::milliseconds kReserve{1000};

// Verified, under the locks of a change.
struct Held {
  Pool* pool = nullptr;
  PoolPtr opened;
  std::shared_lock<std::shared_mutex> together{};
  std::unique_lock<std::mutex> alone{};
  Standing standing;
};

Result<Held> hold(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  Held out;
  HOMEPORT_TRY(out.pool, backend.pool(ref.layout, ref.pool));
  HOMEPORT_TRY(out.opened, backend.open(op, *out.pool, Make::where_ours));
  out.together = std::shared_lock(out.pool->everything());
  out.alone = out.pool->lock_space(ref.key.str());
  HOMEPORT_TRY(out.standing, look(*out.opened, ref.key, ref.name));
  return out;
}

Result<void> move(const OpContext& op, const Folder& from, const Folder& to, const std::string& name) {
  if (!announce(op, "RENAME " + from.of(name) + " " + to.of(name))) return {};
  if (::renameat2(from.get(), name.c_str(), to.get(), name.c_str(), RENAME_NOREPLACE) != 0)
    return from_errno(errno, "moving " + from.of(name) + " to " + to.of(name));
  return {};
}

// Empties a plain directory from its leaves upwards, without following a link and without leaving its filesystem.
class Remover {
 public:
  Remover(const OpContext& op, const Clock& clock, std::string path, dev_t device)
      : op_(op), clock_(clock), path_(std::move(path)), device_(device) {}

  // True: all below is gone. False: the step is over.
  Result<bool> clear(int fd, std::size_t depth) {
    if (depth > kDeepest) {
      return Error{.code = Errc::failed_precondition,
                   .message = path_ + " is nested too deeply",
                   .hint = "remove its innermost directories by hand, then purge again"};
    }
    const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
    if (!stream) return from_errno(errno, "listing below " + path_);
    while (const dirent* one = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
      const std::string name(static_cast<const char*>(one->d_name));
      if (name == "." || name == "..") continue;
      if (removed_ >= kPurgeStep || (removed_ > 0 && clock_.mono() + kReserve >= op_.deadline)) return false;
      HOMEPORT_TRY(const bool done, remove_one(fd, name, depth));
      if (!done) return false;
      ++removed_;
    }
    return true;
  }
  [[nodiscard]] std::uint64_t removed() const { return removed_; }

 private:
  Result<bool> remove_one(int fd, const std::string& name, std::size_t depth) {
    if (::unlinkat(fd, name.c_str(), 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR) return from_errno(errno, "removing " + printable(name) + " below " + path_);
    const Descriptor below(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (below.get() < 0 || ::fstat(below.get(), &status) != 0)
      return from_errno(errno, "opening " + printable(name) + " below " + path_);
    if (status.st_dev != device_) return remove_subvolume(fd, below.get(), name);
    HOMEPORT_TRY(const bool empty, clear(below.get(), depth + 1));
    if (!empty) return false;
    if (::unlinkat(fd, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    return from_errno(errno, "removing " + printable(name) + " below " + path_);
  }

  // People on this host can make subvolumes of their own; anything else of another filesystem is mounted there.
  Result<bool> remove_subvolume(int parent, int fd, const std::string& name) {
    HOMEPORT_TRY(const auto subvolume, subvolume_of(fd, path_));
    if (!subvolume) {
      return Error{.code = Errc::failed_precondition,
                   .message = "another filesystem is mounted inside " + path_ + " as " + printable(name),
                   .hint = "unmount it, then purge again; nothing of it was touched"};
    }
    HOMEPORT_CHECK(delete_subvolume(parent, name, path_ + "/…/" + printable(name)));
    return true;
  }

  const OpContext& op_;
  const Clock& clock_;
  const std::string path_;
  const dev_t device_;
  std::uint64_t removed_ = 0;
};

Result<void> forget(const OpContext& op, const OpenPool& pool, const ObjectRef& ref, const Standing& standing) {
  HOMEPORT_CHECK(delete_all_snapshots(op, pool, ref.name));
  const auto& marker = standing.marker.marker;
  if (!marker || marker->key != ref.key || marker->id != ref.id) return {};
  HOMEPORT_CHECK(forget_rules(op, pool, ref.key));
  return remove_marker(op, pool, ref.key);
}

Result<PurgeStep> purge_held(const OpContext& op, Backend& backend, const ObjectRef& ref, const Held& held) {
  const OpenPool& pool = *held.opened;
  HOMEPORT_TRY(const auto placed, verify(backend, ref, held.standing, MarkerRule::must_match));
  if (!placed) {
    const auto& marker = held.standing.marker.marker;
    // A crash after the last step of a purge leaves a marker alone. A draft is a creation that was cut short.
    HOMEPORT_TRY(const auto draft, find_entry(pool, pool.admin->drafts, ref.name));
    if (!draft && marker && marker->key == ref.key && marker->id == ref.id) {
      HOMEPORT_CHECK(forget(op, pool, ref, held.standing));
      if (!op.dry_run) HOMEPORT_CHECK(pool.commit());
    }
    return PurgeStep{};
  }
  if (placed->state == ObjectState::live) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + ref.key.str() + " is live; only a retired one can be purged",
                 .hint = "retire it first"};
  }
  const Folder& trash = pool.admin->trash;
  const std::string path = trash.of(ref.name);
  PurgeStep step{.removed = 1};
  if (placed->found.subvolume) {
    HOMEPORT_CHECK(delete_all_snapshots(op, pool, ref.name));
    if (announce(op, "DELETE " + path)) HOMEPORT_CHECK(delete_subvolume(trash.get(), ref.name, path));
  } else if (announce(op, "REMOVE " + path + " and everything below it")) {
    Remover remover(op, backend.clock(), path, placed->found.status.st_dev);
    HOMEPORT_TRY(const bool empty, remover.clear(placed->found.fd->get(), 0));
    step.removed += remover.removed();
    if (!empty) return PurgeStep{.next = kAgain, .removed = remover.removed()};
    if (::unlinkat(trash.get(), ref.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      return from_errno(errno, "removing " + path);
  }
  if (!op.dry_run) fault_point("btrfs.space.purged");
  HOMEPORT_CHECK(forget(op, pool, ref, held.standing));
  if (!op.dry_run) HOMEPORT_CHECK(pool.commit());
  return step;
}

}  // namespace

Result<Object> retire_space(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(auto held, hold(op, backend, ref));
  const OpenPool& pool = *held.opened;
  HOMEPORT_TRY(auto placed, verify(backend, ref, held.standing, MarkerRule::must_match));
  if (!placed) return gone(ref);
  if (placed->state == ObjectState::trashed) return to_object(backend, pool, ref.key, *placed);
  if (held.standing.trashed) {
    return Error{.code = Errc::already_exists,
                 .message = "something else stands in the trash as " + ref.name,
                 .hint = "look at " + pool.admin->trash.of(ref.name)};
  }
  HOMEPORT_CHECK(hide(op, backend, ref.key));
  // First the date, then the move: a crash between them leaves a live home with a younger marker, which says nothing.
  if (announce(op, "TOUCH " + pool.admin->markers.of(marker_name(ref.key)))) {
    if (::utimensat(pool.admin->markers.get(), marker_name(ref.key).c_str(), nullptr, AT_SYMLINK_NOFOLLOW) != 0)
      return from_errno(errno, "dating the marker of " + ref.name);
  }
  HOMEPORT_CHECK(move(op, *pool.homes, pool.admin->trash, ref.name));
  if (!op.dry_run) {
    fault_point("btrfs.space.trashed");
    HOMEPORT_CHECK(pool.commit());
    HOMEPORT_TRY(placed->marker, read_marker(pool, ref.key));
  }
  placed->state = ObjectState::trashed;
  return to_object(backend, pool, ref.key, *placed);
}

Result<Object> undelete_space(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(auto held, hold(op, backend, ref));
  const OpenPool& pool = *held.opened;
  // Looked at first: what took its place has another id, which verify() would call a mismatch.
  const bool waits = held.standing.trashed && held.standing.trashed->id == ref.id;
  if (waits && held.standing.live) {
    return Error{.code = Errc::already_exists,
                 .message = "the place of " + ref.name + " is taken: " + pool.homes->of(ref.name),
                 .hint = "move away what stands there, then undelete again"};
  }
  HOMEPORT_TRY(auto placed, verify(backend, ref, held.standing, MarkerRule::must_match));
  if (!placed) return gone(ref);
  if (placed->state == ObjectState::trashed) {
    // Retiring withdrew everybody's access; the configured rules hold again.
    HOMEPORT_CHECK(forget_rules(op, pool, ref.key));
    HOMEPORT_CHECK(move(op, pool.admin->trash, *pool.homes, ref.name));
    if (!op.dry_run) HOMEPORT_CHECK(pool.commit());
  }
  HOMEPORT_CHECK(serve(op, backend, pool, ref.key, ref.name));
  placed->state = ObjectState::live;
  return to_object(backend, pool, ref.key, *placed);
}

Result<PurgeStep> purge_space(const OpContext& op, Backend& backend, const ObjectRef& ref,
                              const std::optional<Cursor>& from) {
  if (from && *from != kAgain) {
    return Error{.code = Errc::invalid_argument, .message = "'" + printable(*from, 60) + "' is not a place in a purge"};
  }
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(const auto held, hold(op, backend, ref));
  return purge_held(op, backend, ref, held);
}

}  // namespace homeport::drivers::btrfs
