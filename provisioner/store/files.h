// The files of a state directory: names, lock, syncing, and on what filesystem a database may lie.
//
// The database file itself is never opened here: closing any descriptor of it would drop SQLite's locks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "provisioner/base/clock.h"
#include "provisioner/base/result.h"

namespace homeport::store {

struct StorePaths {
  explicit StorePaths(std::string state_directory);
  std::string directory;
  std::string db;   // homeport.db
  std::string wal;  // what SQLite keeps beside it
  std::string shm;
  std::string lock;     // homeport.lock
  std::string fresh;    // homeport.db.new: a database being made
  std::string pending;  // restore-pending.db: checked, waits for the next open
  std::string staging;  // restore-staging.db: being checked
};

enum class FilesystemVerdict { local, unsure, refused };
struct FilesystemKind {
  std::string_view name;  // "NFS"; empty for what is not known to be a problem
  FilesystemVerdict verdict = FilesystemVerdict::local;
};
// `magic`: statfs(2) f_type.
[[nodiscard]] FilesystemKind filesystem_kind(std::uint64_t magic);

// A directory on a filesystem that a database may lie on. Errors: unavailable when it cannot be looked at,
// failed_precondition when it is no directory or on a network filesystem. FUSE may be either: a warning in the log.
[[nodiscard]] Result<void> check_directory(const std::string& directory);

// Held while a store is open: shared among stores, exclusive for what must be alone with the files (create, migrate,
// restore). Dies with the process.
class DirectoryLock {
 public:
  // Exclusive if nobody else has it, else shared; waits at most 30 s for one that is exclusive elsewhere. Errors:
  // unavailable.
  static Result<DirectoryLock> take(const std::string& file, Clock& clock);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  DirectoryLock(const DirectoryLock&) = delete;
  ~DirectoryLock();
  [[nodiscard]] bool exclusive() const { return exclusive_; }
  void share();

 private:
  DirectoryLock(int fd, bool exclusive) : fd_(fd), exclusive_(exclusive) {}
  int fd_;
  bool exclusive_;
};

[[nodiscard]] bool file_exists(const std::string& path);
[[nodiscard]] Result<std::uint64_t> file_size(const std::string& path);
// Empty, 0600. Errors: already_exists, unavailable.
[[nodiscard]] Result<void> create_private(const std::string& path);
// A new file, 0600, with the bytes of the other, synced.
[[nodiscard]] Result<void> copy_private(const std::string& from, const std::string& to);
// Takes group's and others' rights away. By path, not by descriptor.
[[nodiscard]] Result<void> make_private(const std::string& path);
[[nodiscard]] Result<void> sync_file(const std::string& path);
[[nodiscard]] Result<void> sync_directory_of(const std::string& path);
enum class Replace { no, yes };
// rename(2), then the directory is synced. Errors: already_exists with Replace::no.
[[nodiscard]] Result<void> move_file(const std::string& from, const std::string& to, Replace replace);
// Absent is success.
[[nodiscard]] Result<void> remove_file(const std::string& path);
// `path` if there is no such file yet, else with -2, -3, …
[[nodiscard]] std::string free_name(const std::string& path);
[[nodiscard]] std::string file_time(WallTime t);  // 20261120T080000Z

}  // namespace homeport::store
