#include "provisioner/store/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "provisioner/base/descriptor.h"
#include "provisioner/base/log.h"

namespace homeport::store {
namespace {

struct KnownFilesystem {
  std::uint64_t magic;
  FilesystemKind kind;
};
// statfs(2) and linux/magic.h. On these, locks and shared memory do not work between machines as a WAL needs them.
constexpr std::array<KnownFilesystem, 16> kFilesystems{{
    {0x6969, {"NFS", FilesystemVerdict::refused}},
    {0x517B, {"SMB", FilesystemVerdict::refused}},
    {0xFF534D42, {"CIFS", FilesystemVerdict::refused}},
    {0xFE534D42, {"SMB2", FilesystemVerdict::refused}},
    {0x00C36400, {"Ceph", FilesystemVerdict::refused}},
    {0x0BD00BD0, {"Lustre", FilesystemVerdict::refused}},
    {0x01021997, {"9p", FilesystemVerdict::refused}},
    {0x5346414F, {"AFS", FilesystemVerdict::refused}},
    {0x6B414653, {"AFS", FilesystemVerdict::refused}},
    {0x73757245, {"Coda", FilesystemVerdict::refused}},
    {0x564C, {"NCP", FilesystemVerdict::refused}},
    {0x47504653, {"GPFS", FilesystemVerdict::refused}},
    {0x19830326, {"BeeGFS", FilesystemVerdict::refused}},
    {0x01161970, {"GFS2", FilesystemVerdict::refused}},
    {0x7461636F, {"OCFS2", FilesystemVerdict::refused}},
    {0x65735546, {"FUSE", FilesystemVerdict::unsure}},
}};

Error file_error(std::string_view what, const std::string& path, int number) {
  Error error{.code = number == EEXIST ? Errc::already_exists : Errc::unavailable,
              .message = "cannot " + std::string(what) + " " + path + ": " +
                         std::error_code(number, std::generic_category()).message()};
  if (number == EACCES || number == EPERM || number == EROFS) {
    error.hint = "the directory and its files must belong to the user Homeport runs as, on a writable filesystem";
  } else if (number == ENOSPC || number == EDQUOT) {
    error.hint = "free space on the filesystem of that file, then repeat";
  } else if (number == ENOENT) {
    error.hint = "check the path; a directory that is missing must be made first";
  } else if (number == EEXIST) {
    error.hint = "name another file, or move that one away";
  }
  return error;
}

Result<void> sync_path(const std::string& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return file_error("open", path, errno);
  if (::fsync(file.get()) != 0) return file_error("sync", path, errno);
  return {};
}

Result<void> copy_bytes(int from, int to, const std::string& from_path, const std::string& to_path) {
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0) return file_error("read", from_path, errno);
    if (got == 0) return {};
    ssize_t put = 0;
    while (put < got) {
      const ssize_t n = ::write(to, buffer.data() + put, static_cast<std::size_t>(got - put));
      if (n < 0) return file_error("write", to_path, errno);
      put += n;
    }
  }
}

}  // namespace

StorePaths::StorePaths(std::string state_directory)
    : directory(std::move(state_directory)),
      db(directory + "/homeport.db"),
      wal(db + "-wal"),
      shm(db + "-shm"),
      lock(directory + "/homeport.lock"),
      fresh(db + ".new"),
      pending(directory + "/restore-pending.db"),
      staging(directory + "/restore-staging.db") {}

FilesystemKind filesystem_kind(std::uint64_t magic) {
  for (const auto& known : kFilesystems) {
    if (known.magic == magic) return known.kind;
  }
  return {};
}

Result<void> check_directory(const std::string& directory) {
  struct stat entry {};
  if (::stat(directory.c_str(), &entry) != 0) return file_error("look at the state directory", directory, errno);
  if (!S_ISDIR(entry.st_mode)) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the state directory " + directory + " is not a directory",
                 .hint = "name a directory that belongs to Homeport alone"};
  }
  struct statfs filesystem {};
  if (::statfs(directory.c_str(), &filesystem) != 0) {
    return file_error("look at the filesystem of", directory, errno);
  }
  // Some magics have the top bit set; f_type is signed and wider.
  const FilesystemKind kind = filesystem_kind(static_cast<std::uint64_t>(filesystem.f_type) & 0xFFFFFFFFU);
  if (kind.verdict == FilesystemVerdict::refused) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the state directory " + directory + " is on a network filesystem (" +
                            std::string(kind.name) + "), where the database could be damaged",
                 .hint = "put it on a local disk of this machine (--state DIR, default /var/lib/homeport)"};
  }
  if (kind.verdict == FilesystemVerdict::unsure) {
    log::warning("store.filesystem_unsure",
                 {{"directory", directory},
                  {"filesystem", std::string(kind.name)},
                  {"hint", "if this is a network filesystem (sshfs, gluster, …) move the state to a local disk"}});
  }
  return {};
}

Result<DirectoryLock> DirectoryLock::take(const std::string& file, Clock& clock) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return file_error("open the lock file", file, errno);
  DirectoryLock lock(fd, false);
  constexpr int kTries = 600;
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
      lock.exclusive_ = true;
      return lock;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return file_error("lock", file, errno);
    if (::flock(fd, LOCK_SH | LOCK_NB) == 0) return lock;
    (void)clock.sleep_for(std::chrono::milliseconds(50), {});
  }
  return Error{.code = Errc::unavailable,
               .message = "another Homeport is creating, migrating or restoring the store beside " + file,
               .hint = "wait until it is done, then start again"};
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), exclusive_(other.exclusive_) {}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

void DirectoryLock::share() {
  if (::flock(fd_, LOCK_SH) == 0) exclusive_ = false;
}

bool file_exists(const std::string& path) {
  struct stat entry {};
  return ::lstat(path.c_str(), &entry) == 0;
}

Result<std::uint64_t> file_size(const std::string& path) {
  struct stat entry {};
  if (::stat(path.c_str(), &entry) != 0) return file_error("look at", path, errno);
  return static_cast<std::uint64_t>(entry.st_size);
}

Result<void> create_private(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return file_error("create", path, errno);
  return {};
}

Result<void> copy_private(const std::string& from, const std::string& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (source.get() < 0) return file_error("read", from, errno);
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (target.get() < 0) return file_error("create", to, errno);
  HOMEPORT_CHECK(copy_bytes(source.get(), target.get(), from, to));
  if (::fsync(target.get()) != 0) return file_error("sync", to, errno);
  return {};
}

Result<void> make_private(const std::string& path) {
  struct stat entry {};
  if (::stat(path.c_str(), &entry) != 0) return file_error("look at", path, errno);
  if ((entry.st_mode & 0077U) == 0) return {};
  log::warning("store.file_was_readable", {{"file", path}, {"hint", "its rights are now 0600"}});
  if (::chmod(path.c_str(), 0600) != 0) return file_error("restrict the rights of", path, errno);
  return {};
}

Result<void> sync_file(const std::string& path) {
  return sync_path(path, 0);
}

Result<void> sync_directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return sync_path(parent.empty() ? "." : parent, O_DIRECTORY);
}

Result<void> move_file(const std::string& from, const std::string& to, Replace replace) {
  const unsigned flags = replace == Replace::no ? RENAME_NOREPLACE : 0;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
    // Not every filesystem knows the flag.
    if (errno != EINVAL || flags == 0) return file_error("move " + from + " to", to, errno);
    if (file_exists(to)) return file_error("move " + from + " to", to, EEXIST);
    if (::rename(from.c_str(), to.c_str()) != 0) return file_error("move " + from + " to", to, errno);
  }
  return sync_directory_of(to);
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error("remove", path, errno);
  return {};
}

std::string free_name(const std::string& path) {
  std::string name = path;
  for (int i = 2; file_exists(name); ++i) name = path + "-" + std::to_string(i);
  return name;
}

std::string file_time(WallTime t) {
  std::string out;
  for (const char c : format_time(std::chrono::floor<std::chrono::seconds>(t))) {
    if (c != '-' && c != ':') out += c;
  }
  return out;
}

}  // namespace homeport::store
