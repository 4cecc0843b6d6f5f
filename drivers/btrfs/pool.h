// One pool of the configuration: finding it, making it where that is allowed, mounting it, and proving that it is ours
// alone. Everything else of this driver works on the descriptors of an OpenPool.
//
// Threads: every method from any thread. Blocking: opening mounts and, the first time, makes a filesystem.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "drivers/btrfs/btrfs_config.h"
#include "drivers/btrfs/fs_calls.h"
#include "provisioner/base/descriptor.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/op_context.h"

namespace homeport::drivers::btrfs {

inline constexpr const char* kAdmin = ".homeport";

// no: look only. where_ours: change what was made before. yes: also make the pool and its directories.
enum class Make { no, where_ours, yes };

// Several callers' commits in one: each returns after a commit that began after it asked.
class Commits {
 public:
  Result<void> run(int fd, const std::string& shown);

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;
  bool running_ = false;
  Result<void> last_{};
};

// A directory of the pool, opened.
struct Folder {
  std::unique_ptr<Descriptor> fd;
  std::string path;
  [[nodiscard]] int get() const { return fd->get(); }
  [[nodiscard]] std::string of(const std::string& name) const { return path + "/" + name; }
};

// What Homeport keeps in a pool beside the homes. Root-only.
struct AdminFolders {
  Folder admin;      // .homeport
  Folder markers;    // KEY.json
  Folder trash;      // retired spaces, under their own names
  Folder drafts;     // spaces that are being made
  Folder snapshots;  // NAME/SNAPSHOT
  Folder access;     // KEY.json: rules other than the configured ones
};

class PoolLock;

struct OpenPool {
  const PoolConfig* config = nullptr;
  Folder root;
  std::string filesystem;  // its uuid, 32 hex digits
  QuotaMode quota = QuotaMode::off;
  std::shared_ptr<PoolLock> lock;
  // Both or neither: there once the first space of the pool was made.
  std::unique_ptr<Folder> homes{};
  std::unique_ptr<AdminFolders> admin{};
  std::shared_ptr<Commits> commits{};

  [[nodiscard]] bool prepared() const { return admin != nullptr; }
  // Makes everything done so far durable.
  [[nodiscard]] Result<void> commit() const { return commits->run(root.get(), config->name); }
};
using PoolPtr = std::shared_ptr<const OpenPool>;

class Pool {
 public:
  // `backend` and `prefix` say who holds it. Both outlive the pool.
  Pool(const PoolConfig& config, const std::string& backend) : config_(config), backend_(backend) {}

  [[nodiscard]] const PoolConfig& config() const { return config_; }
  // Null: nothing is there yet (no file, a blank device), and `make` does not allow to make it. Errors:
  // failed_precondition (it holds something else, another Homeport has it, it is another machine's), unavailable with
  // Upstream kMissingPoolSystem (where_ours, and nothing of ours stands there), unsupported, out_of_capacity.
  Result<PoolPtr> open(const OpContext& op, Make make);

  // Changes of one space exclude each other; those of several go on side by side.
  [[nodiscard]] std::unique_lock<std::mutex> lock_space(const std::string& key);
  // Shared by every change of a space; exclusive while all of them are looked at.
  [[nodiscard]] std::shared_mutex& everything() { return everything_; }

 private:
  Result<PoolPtr> open_slowly(const OpContext& op, Make make);
  Result<PoolPtr> open_mounted(const OpContext& op, Make make);
  Result<bool> make_ready(const OpContext& op, Make make);
  Result<void> mount_it(const std::string& path, std::string uuid, bool mounted);
  [[nodiscard]] bool still_right(const OpenPool& pool, Make make) const;
  Result<void> open_folders(OpenPool& pool, const OpContext& op, Make make) const;
  Result<void> settle_quota(OpenPool& pool, const OpContext& op) const;

  const PoolConfig& config_;
  const std::string& backend_;
  Guarded<PoolPtr> known_;
  std::mutex opening_;
  bool mounted_now_ = false;  // by the call that holds opening_
  std::array<std::mutex, 64> spaces_;
  std::shared_mutex everything_;
};

[[nodiscard]] Error missing_pool(const PoolConfig& config);
// Opens a directory entry as a directory, never a link.
Result<Folder> open_folder(int parent, const std::string& parent_path, const std::string& name);
// The disk of the host that holds a pool's file has too little left for its next writes.
[[nodiscard]] std::optional<std::string> host_disk_trouble(const PoolConfig& config);

}  // namespace homeport::drivers::btrfs
