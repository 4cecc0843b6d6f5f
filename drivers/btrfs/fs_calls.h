// Every btrfs call of this driver: libbtrfsutil and ioctls, no process. Errors are translated here and nowhere else.
//
// A descriptor parameter is an opened directory of the filesystem (O_RDONLY). Threads: any. Blocking: as the kernel
// does; create, limit and delete take microseconds, a snapshot waits for a transaction commit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/result.h"

namespace homeport::drivers::btrfs {

// `what`: what was tried on what. EDQUOT is over_quota, ENOSPC out_of_capacity.
[[nodiscard]] Error from_errno(int code, const std::string& what);

struct Subvolume {
  std::uint64_t id = 0;     // of its tree and its qgroup; never used again within the filesystem
  std::string uuid;         // 32 hex digits
  std::string parent_uuid;  // of what it is a snapshot of; empty: of nothing
  bool read_only = false;
  WallTime made_at{};
};

// nullopt: the directory is no subvolume's root.
Result<std::optional<Subvolume>> subvolume_of(int fd, const std::string& shown);

Result<void> make_subvolume(int parent, const std::string& name, const std::string& shown);
enum class Writable { no, yes };
Result<void> make_snapshot(int source, int parent, const std::string& name, Writable writable,
                           const std::string& shown);
// With the subvolumes inside it, deepest first. Absent is success.
Result<void> delete_subvolume(int parent, const std::string& name, const std::string& shown);

// Makes everything done so far durable, and usage figures current.
Result<void> commit(int fd, const std::string& shown);

enum class QuotaMode { off, full, simple };
[[nodiscard]] std::string_view quota_mode_name(QuotaMode mode);
// From sysfs; a kernel that does not tell is asked by whether there is a quota tree.
Result<QuotaMode> quota_mode(int fd, const std::string& shown);
// Switching on what is on is success; `full` on one with simple quotas (or the other way) is failed_precondition: the
// switch would erase every limit. Errors: unsupported where the kernel has no simple quotas.
Result<void> enable_quota(int fd, QuotaMode mode, const std::string& shown);

// nullopt lifts the limit.
Result<void> set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes, const std::string& shown);

struct QuotaState {
  std::uint64_t referenced = 0;          // bytes; as of the last commit
  std::optional<std::uint64_t> limit{};  // bytes
};
// Of all subvolumes from `first` to `last`, by subvolume id, in one search. Empty with quotas off.
Result<std::map<std::uint64_t, QuotaState>> quota_states(int fd, std::uint64_t first, std::uint64_t last,
                                                         const std::string& shown);

struct SpaceState {
  std::uint64_t device_bytes = 0;
  std::uint64_t unallocated = 0;  // not in any chunk
  std::uint64_t metadata_total = 0;
  std::uint64_t metadata_used = 0;
  // How full metadata is when nothing more can be allocated for it; 0 to 1.
  [[nodiscard]] double metadata_fill() const;
};
Result<SpaceState> space_state(int fd, const std::string& shown);
// Of the filesystem, 32 hex digits.
Result<std::string> filesystem_uuid(int fd, const std::string& shown);
// Takes all of a device that became larger. `device`: btrfs's own number of it; 1 is the first and only one here.
Result<void> grow_filesystem(int fd, const std::string& shown);
[[nodiscard]] bool is_btrfs(int fd);

}  // namespace homeport::drivers::btrfs
