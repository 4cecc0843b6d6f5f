#include "drivers/flashblade/snapshots.h"

#include <algorithm>

#include "drivers/flashblade/paging.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr std::size_t kLongestSuffix = 63;

Error no_snapshot(const FileSystem& fs, const std::string& suffix) {
  return Error{.code = Errc::not_found,
               .message = "file system " + fs.name + " has no snapshot '" + printable(suffix, 80) + "'"};
}

// What arrays have been seen to take in a suffix; a dot parts it from the file system's name.
Result<void> check_suffix(const std::string& suffix) {
  const bool plain = std::ranges::all_of(suffix, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (plain && !suffix.empty() && suffix.size() <= kLongestSuffix) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(suffix, 80) + "' cannot be the name of a snapshot",
               .hint = "letters, digits, '-' and '_', at most 63"};
}

Snapshot to_snapshot(const Backend& backend, const FileSystemSnapshot& from) {
  return {.id = from.id,
          .name = from.suffix,
          .taken_at = from.created.value_or(WallTime{}),
          .ours = from.suffix.starts_with(backend.prefix())};
}

Result<Standing> live_one(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(auto standing, verify(op, backend, ref, MarkerRule::must_match));
  if (!standing) return gone(ref);
  if (!standing->fs.destroyed) return *std::move(standing);
  return Error{.code = Errc::failed_precondition,
               .message = "file system " + ref.name + " is destroyed",
               .hint = "undelete it first"};
}

}  // namespace

Result<std::optional<FileSystemSnapshot>> standing_snapshot(const OpContext& op, Backend& backend, const FileSystem& fs,
                                                            const std::string& suffix) {
  HOMEPORT_TRY(auto found, backend.api().snapshot(op, fs, suffix));
  if (found && found->destroyed) found.reset();
  return found;
}

Result<void> take_checked(const OpContext& op, Backend& backend, const FileSystem& fs, const std::string& suffix) {
  HOMEPORT_CHECK(check_suffix(suffix));
  HOMEPORT_TRY(const auto stands, backend.api().snapshot(op, fs, suffix));
  if (stands && !stands->destroyed) return {};
  if (stands) {
    return Error{.code = Errc::already_exists,
                 .message = "snapshot " + stands->name +
                            " was destroyed, and its name is free only when the array has "
                            "eradicated it",
                 .hint = "use another name"};
  }
  HOMEPORT_TRY(const auto count, backend.api().count_snapshots(op, &fs));
  if (count >= kSnapshotsPerFileSystem) {
    return Error{.code = Errc::out_of_capacity,
                 .message = "file system " + fs.name + " has " + std::to_string(count) + " snapshots, and " +
                            std::to_string(kSnapshotsPerFileSystem) + " are the most an array is known to keep",
                 .hint =
                     "keep fewer or shorter: beyond that limit the array also stops replicating it. Destroyed ones "
                     "count until they are eradicated"};
  }
  auto taken = backend.api().take_snapshot(op, fs, suffix);
  if (!taken) return std::move(taken).error();
  return {};
}

Result<Snapshot> take_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                     const std::string& name) {
  HOMEPORT_TRY(const auto standing, live_one(op, backend, ref));
  HOMEPORT_CHECK(take_checked(op, backend, standing.fs, name));
  HOMEPORT_TRY(const auto taken, standing_snapshot(op, backend, standing.fs, name));
  if (taken) return to_snapshot(backend, *taken);
  if (op.dry_run) return Snapshot{.id = "planned", .name = name, .taken_at = backend.clock().now(), .ours = true};
  return Error{.code = Errc::conflict,
               .message = "snapshot " + ref.name + "." + name + " was taken and is not there: somebody removed it"};
}

Result<std::optional<Cursor>> list_space_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                                   const std::optional<Cursor>& from, std::vector<Snapshot>& page) {
  HOMEPORT_TRY(const auto token, token_of(from));
  HOMEPORT_TRY(const auto standing, live_one(op, backend, ref));
  HOMEPORT_TRY(const auto listed, backend.api().snapshots(op, standing.fs, token, kPage));
  for (const auto& one : listed.items) page.push_back(to_snapshot(backend, one));
  return cursor_of(listed.next);
}

Result<void> delete_space_snapshot(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                   const Snapshot& snapshot) {
  if (!snapshot.name.starts_with(backend.prefix())) {
    return Error{.code = Errc::failed_precondition,
                 .message = "snapshot '" + printable(snapshot.name, 80) + "' is not one of Homeport's",
                 .hint = "what others took is theirs to remove, on the array"};
  }
  HOMEPORT_TRY(const auto standing, live_one(op, backend, ref));
  HOMEPORT_TRY(const auto found, backend.api().snapshot(op, standing.fs, snapshot.name));
  if (!found) return {};
  if (found->id != snapshot.id) {
    return Error{
        .code = Errc::failed_precondition,
        .message = "snapshot " + found->name + " has the id " + found->id + ", not " + printable(snapshot.id, 60),
        .hint = "nothing was touched; list the snapshots again"};
  }
  if (!found->destroyed) HOMEPORT_CHECK(backend.api().destroy_snapshot(op, found->id));
  HOMEPORT_TRY(const auto array, backend.ready(op));
  if (!backend.config().eradicate || array.safe_mode()) return {};
  return backend.api().eradicate_snapshot(op, found->id);
}

Result<Object> overwrite_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Snapshot& snapshot) {
  HOMEPORT_TRY(auto standing, live_one(op, backend, ref));
  if (!standing.live()) {
    return Error{.code = Errc::failed_precondition, .message = ref.name + " is retired", .hint = "undelete it first"};
  }
  HOMEPORT_TRY(const auto wanted, standing_snapshot(op, backend, standing.fs, snapshot.name));
  if (!wanted) return no_snapshot(standing.fs, snapshot.name);
  if (wanted->id != snapshot.id) {
    return Error{
        .code = Errc::failed_precondition,
        .message = "snapshot " + wanted->name + " has the id " + wanted->id + ", not " + printable(snapshot.id, 60)};
  }
  std::optional<std::string> from;
  do {
    HOMEPORT_TRY(auto listed, backend.api().snapshots(op, standing.fs, from, kPage));
    for (const auto& other : listed.items) {
      if (other.id == wanted->id || !other.created || !wanted->created || *other.created <= *wanted->created) continue;
      return Error{.code = Errc::failed_precondition,
                   .message = "the array goes back to the newest snapshot only, and " + other.name + " is newer than " +
                              wanted->name,
                   .hint = "restore by copying from the snapshot instead, which keeps the newer ones"};
    }
    from = std::move(listed.next);
  } while (from);
  HOMEPORT_CHECK(backend.api().overwrite(op, standing.fs, *wanted));
  if (!op.dry_run) {
    HOMEPORT_TRY(auto now, backend.api().file_system_by_id(op, ref.id));
    if (!now) return gone(ref);
    standing.fs = *std::move(now);
  }
  return to_object(op, backend, ref.pool, ref.key, standing);
}

}  // namespace homeport::drivers::flashblade
