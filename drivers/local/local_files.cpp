#include "drivers/local/local_files.h"

#include <cerrno>
#include <system_error>

namespace homeport::drivers::local {
namespace {

Errc kind_of(int code) {
  if (code == ENOENT || code == ESTALE) return Errc::not_found;
  if (code == EACCES || code == EPERM || code == EROFS) return Errc::permission_denied;
  if (code == ELOOP || code == ENOTDIR || code == ENXIO || code == EISDIR || code == ENOTEMPTY)
    return Errc::failed_precondition;
  if (code == EEXIST) return Errc::already_exists;
  if (code == EDQUOT) return Errc::over_quota;
  if (code == ENOSPC) return Errc::out_of_capacity;
  if (code == EINVAL || code == ENAMETOOLONG) return Errc::invalid_argument;
  return Errc::unavailable;
}

WallTime time_of(const timespec& at) {
  return WallTime(std::chrono::floor<std::chrono::milliseconds>(std::chrono::seconds(at.tv_sec) +
                                                                std::chrono::nanoseconds(at.tv_nsec)));
}

}  // namespace

Error from_errno(int code, const std::string& what) {
  const Errc kind = kind_of(code);
  Error error{.code = kind, .message = what + ": " + std::generic_category().message(code)};
  const bool ours = code == EMFILE || code == ENFILE || code == ENOMEM;  // says nothing about the file
  if (!ours) error.upstream = Upstream{.system = "local", .status = code};
  if (code == ELOOP || code == ENOTDIR) error.hint = "links are not followed: name the directory itself";
  if (code == EROFS) error.hint = "what stands there is read-only";
  if (code == EACCES || code == EPERM) error.hint = "run it as root, who may read everybody's files";
  if (kind == Errc::over_quota) error.hint = "remove files first, or raise the quota";
  if (kind == Errc::out_of_capacity) error.hint = "the disk itself is full: free some room on it or make it larger";
  return error;
}

EntryAttributes attributes_of(const struct stat& status) {
  constexpr std::uint64_t kBlock = 512;  // of st_blocks, whatever the filesystem's own size
  EntryAttributes out;
  if (S_ISREG(status.st_mode)) out.type = EntryType::file;
  if (S_ISDIR(status.st_mode)) out.type = EntryType::directory;
  if (S_ISLNK(status.st_mode)) out.type = EntryType::symlink;
  out.mode = status.st_mode & 07777U;
  out.links = static_cast<std::uint32_t>(status.st_nlink);
  out.uid = Uid{status.st_uid};
  out.gid = Gid{status.st_gid};
  out.size = static_cast<std::uint64_t>(status.st_size);
  out.used = static_cast<std::uint64_t>(status.st_blocks) * kBlock;
  out.id = status.st_ino;
  out.fs = status.st_dev;
  out.modified = time_of(status.st_mtim);
  out.changed = time_of(status.st_ctim);
  return out;
}

Result<void> check_component(std::string_view name) {
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
      name.find('\0') == std::string_view::npos) {
    return {};
  }
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(name, 60) + "' is not the name of one directory entry"};
}

}  // namespace homeport::drivers::local
