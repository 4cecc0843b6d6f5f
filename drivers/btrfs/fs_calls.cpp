#include "drivers/btrfs/fs_calls.h"

#include <btrfsutil.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <system_error>

#include "provisioner/base/descriptor.h"

namespace homeport::drivers::btrfs {
namespace {

// linux/btrfs.h of Linux 6.7 and later; older headers do not name it.
constexpr std::uint64_t kEnableSimpleQuota = 4;

template <std::size_t N>
std::string hex(const std::uint8_t (&bytes)[N]) {  // NOLINT(modernize-avoid-c-arrays): the kernel's own type
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  bool any = false;
  for (const auto byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
    any = any || byte != 0;
  }
  return any ? out : std::string();
}

Error from_library(btrfs_util_error code, const std::string& what) {
  const int number = errno;
  if (code == BTRFS_UTIL_ERROR_NOT_BTRFS) {
    return Error{.code = Errc::failed_precondition, .message = what + ": it is not on a btrfs filesystem"};
  }
  auto error = from_errno(number, what);
  if (error.upstream) error.upstream->detail = btrfs_util_strerror(code);
  return error;
}

// Fields of the quota tree come in little endian, unaligned.
std::uint64_t little(const char* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8U | static_cast<std::uint8_t>(at[i]);
  return value;
}

std::string sysfs_of(const std::string& uuid) {
  std::string dashed = uuid;
  for (const std::size_t at : {8U, 13U, 18U, 23U}) dashed.insert(at, "-");
  return "/sys/fs/btrfs/" + dashed;
}

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

Error from_errno(int code, const std::string& what) {
  Errc kind = Errc::unavailable;
  std::string hint;
  if (code == ENOENT || code == ESTALE) kind = Errc::not_found;
  if (code == EEXIST) kind = Errc::already_exists;
  if (code == EACCES || code == EPERM) {
    kind = Errc::permission_denied;
    hint = "Homeport administers btrfs as root: run homeportd as root, or use a backend of kind nfs";
  }
  if (code == EROFS) {
    kind = Errc::unavailable;
    hint = "the filesystem is read-only, mounted so or after an error: look at the kernel's log (dmesg)";
  }
  if (code == ELOOP || code == ENOTDIR || code == EISDIR || code == ENOTEMPTY || code == EBUSY)
    kind = Errc::failed_precondition;
  if (code == EINVAL || code == ENAMETOOLONG) kind = Errc::invalid_argument;
  if (code == EDQUOT) {
    kind = Errc::over_quota;
    hint = "remove files first, or raise the quota";
  }
  if (code == ENOSPC) {
    kind = Errc::out_of_capacity;
    hint = "the pool is full, in data or in metadata (`btrfs filesystem usage` tells): purge, or make it larger";
  }
  Error error{.code = kind, .message = what + ": " + std::generic_category().message(code), .hint = std::move(hint)};
  error.upstream = Upstream{.system = "btrfs", .status = code};
  return error;
}

Result<std::optional<Subvolume>> subvolume_of(int fd, const std::string& shown) {
  const auto is = btrfs_util_is_subvolume_fd(fd);
  if (is == BTRFS_UTIL_ERROR_NOT_SUBVOLUME || is == BTRFS_UTIL_ERROR_NOT_BTRFS) return std::optional<Subvolume>();
  if (is != BTRFS_UTIL_OK) return from_library(is, shown);
  struct btrfs_util_subvolume_info info {};
  if (const auto code = btrfs_util_subvolume_info_fd(fd, 0, &info); code != BTRFS_UTIL_OK)
    return from_library(code, shown);
  constexpr std::uint64_t kReadOnly = 1;  // BTRFS_ROOT_SUBVOL_RDONLY, as it lies on the disk
  return std::optional(Subvolume{.id = info.id,
                                 .uuid = hex(info.uuid),
                                 .parent_uuid = hex(info.parent_uuid),
                                 .read_only = (info.flags & kReadOnly) != 0,
                                 .made_at = WallTime(std::chrono::seconds(info.otime.tv_sec) +
                                                     std::chrono::milliseconds(info.otime.tv_nsec / 1'000'000))});
}

Result<void> make_subvolume(int parent, const std::string& name, const std::string& shown) {
  const auto code = btrfs_util_create_subvolume_fd(parent, name.c_str(), 0, nullptr, nullptr);
  if (code != BTRFS_UTIL_OK) return from_library(code, "making subvolume " + shown);
  return {};
}

Result<void> make_snapshot(int source, int parent, const std::string& name, Writable writable,
                           const std::string& shown) {
  const int flags = writable == Writable::yes ? 0 : BTRFS_UTIL_CREATE_SNAPSHOT_READ_ONLY;
  const auto code = btrfs_util_create_snapshot_fd2(source, parent, name.c_str(), flags, nullptr, nullptr);
  if (code != BTRFS_UTIL_OK) return from_library(code, "making snapshot " + shown);
  return {};
}

Result<void> delete_subvolume(int parent, const std::string& name, const std::string& shown) {
  const auto code = btrfs_util_delete_subvolume_fd(parent, name.c_str(), BTRFS_UTIL_DELETE_SUBVOLUME_RECURSIVE);
  if (code != BTRFS_UTIL_OK && errno != ENOENT) return from_library(code, "deleting subvolume " + shown);
  return {};
}

Result<void> commit(int fd, const std::string& shown) {
  if (const auto code = btrfs_util_sync_fd(fd); code != BTRFS_UTIL_OK) return from_library(code, "syncing " + shown);
  return {};
}

std::string_view quota_mode_name(QuotaMode mode) {
  switch (mode) {
    case QuotaMode::off: return "off";
    case QuotaMode::full: return "full";
    case QuotaMode::simple: return "simple";
  }
  return "off";
}

Result<QuotaMode> quota_mode(int fd, const std::string& shown) {
  HOMEPORT_TRY(const auto uuid, filesystem_uuid(fd, shown));
  const std::string mode = first_line(sysfs_of(uuid) + "/qgroups/mode");  // Linux 6.7
  if (mode == "squota") return QuotaMode::simple;
  if (mode == "qgroup") return QuotaMode::full;
  if (mode == "disabled") return QuotaMode::off;
  const std::string enabled = first_line(sysfs_of(uuid) + "/qgroups/enabled");  // Linux 5.9
  return enabled == "1" ? QuotaMode::full : QuotaMode::off;
}

Result<void> enable_quota(int fd, QuotaMode mode, const std::string& shown) {
  HOMEPORT_TRY(const auto now, quota_mode(fd, shown));
  if (now == mode) return {};
  if (now != QuotaMode::off) {
    return Error{.code = Errc::failed_precondition,
                 .message = shown + " has " + std::string(quota_mode_name(now)) + " quotas, and " +
                            std::string(quota_mode_name(mode)) + " ones are configured",
                 .hint = "switching erases every limit: write quota: " + std::string(quota_mode_name(now))};
  }
  btrfs_ioctl_quota_ctl_args args{};
  args.cmd = mode == QuotaMode::simple ? kEnableSimpleQuota : BTRFS_QUOTA_CTL_ENABLE;
  if (::ioctl(fd, BTRFS_IOC_QUOTA_CTL, &args) == 0) return {};
  const int code = errno;
  if (mode == QuotaMode::simple && code == EINVAL) {
    return Error{.code = Errc::unsupported,
                 .message = "this kernel has no simple quotas",
                 .hint = "they came with Linux 6.7; write quota: full"};
  }
  return from_errno(code, "switching on quotas of " + shown);
}

Result<void> set_limit(int fd, std::uint64_t subvolume, std::optional<std::uint64_t> bytes, const std::string& shown) {
  btrfs_ioctl_qgroup_limit_args args{};
  args.qgroupid = subvolume;
  // With the flag and no number the kernel takes the limit away.
  args.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  args.lim.max_rfer = bytes.value_or(std::numeric_limits<std::uint64_t>::max());
  if (::ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) != 0) return from_errno(errno, "setting the limit of " + shown);
  return {};
}

namespace {

void take_item(const btrfs_ioctl_search_header& head, const char* body, std::map<std::uint64_t, QuotaState>& out) {
  // btrfs_qgroup_info_item: generation, rfer, …; btrfs_qgroup_limit_item: flags, max_rfer, …
  constexpr std::uint32_t kTwoFields = 16;
  if (head.len < kTwoFields) return;
  if (head.type == BTRFS_QGROUP_INFO_KEY) out[head.offset].referenced = little(body + 8);
  if (head.type != BTRFS_QGROUP_LIMIT_KEY) return;
  const bool limited = (little(body) & BTRFS_QGROUP_LIMIT_MAX_RFER) != 0;
  const auto bytes = little(body + 8);
  if (limited && bytes != std::numeric_limits<std::uint64_t>::max()) out[head.offset].limit = bytes;
}

// Items of one type lie together, by qgroup: one range for usage, one for limits.
Result<void> search_quota(int fd, std::uint8_t type, std::uint64_t first, std::uint64_t last, const std::string& shown,
                          std::map<std::uint64_t, QuotaState>& out) {
  constexpr std::size_t kRoom = std::size_t{256} * 1024;
  std::vector<std::uint64_t> buffer((sizeof(btrfs_ioctl_search_args_v2) + kRoom) / sizeof(std::uint64_t));
  auto* args = reinterpret_cast<btrfs_ioctl_search_args_v2*>(buffer.data());
  for (std::uint64_t from = first;;) {
    std::memset(args, 0, sizeof *args);
    args->key.tree_id = BTRFS_QUOTA_TREE_OBJECTID;
    args->key.min_type = args->key.max_type = type;
    args->key.min_offset = from;
    args->key.max_offset = last;
    args->key.max_transid = std::numeric_limits<std::uint64_t>::max();
    args->key.nr_items = std::numeric_limits<std::uint32_t>::max();
    args->buf_size = kRoom;
    if (::ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, args) != 0) {
      const int code = errno;
      if (code == ENOENT) return {};  // no quota tree
      return from_errno(code, "reading the quotas of " + shown);
    }
    if (args->key.nr_items == 0) return {};
    const char* at = reinterpret_cast<const char*>(buffer.data()) + sizeof *args;
    btrfs_ioctl_search_header head{};
    for (std::uint32_t i = 0; i < args->key.nr_items; ++i) {
      std::memcpy(&head, at, sizeof head);
      take_item(head, at + sizeof head, out);
      at += sizeof head + head.len;
    }
    if (head.offset >= last) return {};
    from = head.offset + 1;
  }
}

}  // namespace

Result<std::map<std::uint64_t, QuotaState>> quota_states(int fd, std::uint64_t first, std::uint64_t last,
                                                         const std::string& shown) {
  std::map<std::uint64_t, QuotaState> out;
  HOMEPORT_CHECK(search_quota(fd, BTRFS_QGROUP_INFO_KEY, first, last, shown, out));
  HOMEPORT_CHECK(search_quota(fd, BTRFS_QGROUP_LIMIT_KEY, first, last, shown, out));
  return out;
}

double SpaceState::metadata_fill() const {
  // What is not allocated yet can become metadata.
  const double room = static_cast<double>(metadata_total) + static_cast<double>(unallocated);
  return room <= 0 ? 1.0 : static_cast<double>(metadata_used) / room;
}

Result<SpaceState> space_state(int fd, const std::string& shown) {
  SpaceState out;
  btrfs_ioctl_fs_info_args info{};
  if (::ioctl(fd, BTRFS_IOC_FS_INFO, &info) != 0) return from_errno(errno, "reading the state of " + shown);
  std::uint64_t allocated = 0;
  for (std::uint64_t id = 1; id <= info.max_id; ++id) {
    btrfs_ioctl_dev_info_args device{};
    device.devid = id;
    if (::ioctl(fd, BTRFS_IOC_DEV_INFO, &device) != 0) {
      if (errno == ENODEV) continue;  // numbers of removed devices stay free
      return from_errno(errno, "reading a device of " + shown);
    }
    out.device_bytes += device.total_bytes;
    allocated += device.bytes_used;
  }
  out.unallocated = out.device_bytes - std::min(allocated, out.device_bytes);
  constexpr std::size_t kMost = 64;
  std::vector<std::uint64_t> buffer((sizeof(btrfs_ioctl_space_args) + kMost * sizeof(btrfs_ioctl_space_info)) /
                                    sizeof(std::uint64_t));
  auto* args = reinterpret_cast<btrfs_ioctl_space_args*>(buffer.data());
  args->space_slots = kMost;
  if (::ioctl(fd, BTRFS_IOC_SPACE_INFO, args) != 0) return from_errno(errno, "reading the room of " + shown);
  for (std::uint64_t i = 0; i < args->total_spaces; ++i) {
    btrfs_ioctl_space_info space{};
    std::memcpy(&space, reinterpret_cast<const char*>(buffer.data()) + sizeof *args + i * sizeof space, sizeof space);
    if ((space.flags & BTRFS_BLOCK_GROUP_METADATA) == 0 || (space.flags & BTRFS_SPACE_INFO_GLOBAL_RSV) != 0) continue;
    out.metadata_total += space.total_bytes;
    out.metadata_used += space.used_bytes;
  }
  return out;
}

Result<std::string> filesystem_uuid(int fd, const std::string& shown) {
  btrfs_ioctl_fs_info_args info{};
  if (::ioctl(fd, BTRFS_IOC_FS_INFO, &info) != 0) return from_errno(errno, "reading the state of " + shown);
  return hex(info.fsid);
}

Result<void> grow_filesystem(int fd, const std::string& shown) {
  btrfs_ioctl_vol_args args{};
  constexpr std::string_view kAll = "1:max";
  std::memcpy(args.name, kAll.data(), kAll.size());
  if (::ioctl(fd, BTRFS_IOC_RESIZE, &args) != 0) return from_errno(errno, "growing " + shown);
  return {};
}

bool is_btrfs(int fd) {
  struct statfs state {};
  return ::fstatfs(fd, &state) == 0 && state.f_type == BTRFS_SUPER_MAGIC;
}

}  // namespace homeport::drivers::btrfs
