#include "drivers/btrfs/pool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "drivers/btrfs/device.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::btrfs {
namespace {

using literals::operator""_MiB;

constexpr const char* kOwnerFile = "owner.json";
const std::string kLabel = "homeport-";  // and the pool's name: the label of a filesystem that we made
// Below it a sparse file's next writes may fail, and btrfs turns read-only for everybody.
constexpr Bytes kHostReserve = 512_MiB;

std::string machine() {
  std::ifstream in("/etc/machine-id");
  std::string id;
  if (std::getline(in, id) && !id.empty()) return id;
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "unknown";
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Error holds_something_else(const PoolConfig& config, const Contents& contents) {
  return Error{
      .code = Errc::failed_precondition,
      .message = "pool " + config.name + ": " + config.where() + " holds something else (" + contents.summary() + ")",
      .hint = "nothing was touched. If all of it may go for good, write erase: \"" + contents.erase_word() +
              "\" into the pool's section; that word fits this content only"};
}

Error not_made(const PoolConfig& config) {
  return Error{.code = Errc::failed_precondition,
               .message = "pool " + config.name + " is not made yet (" + config.where() + "), and a dry run makes none",
               .hint = "it is made by the first probe or the first space"};
}

// What stands in a file of ours; empty when it is missing.
std::string text_at(int dir, const char* name) {
  const Descriptor fd(::openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.get() < 0) return {};
  std::string text(4096, '\0');
  const auto got = ::pread(fd.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

Result<void> write_owner(int admin, const std::string& path) {
  const std::string text = nlohmann::json{{"version", 1}, {"machine", machine()}}.dump() + "\n";
  const Descriptor fd(::openat(admin, kOwnerFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return from_errno(errno, "writing " + path);
  if (::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) || ::fsync(fd.get()) != 0)
    return from_errno(errno, "writing " + path);
  return {};
}

// A disk that two machines can reach is one machine's at a time.
Result<void> check_owner(int admin, const PoolConfig& config) {
  const auto text = text_at(admin, kOwnerFile);
  if (text.empty()) return write_owner(admin, config.top().str() + "/" + kAdmin + "/" + kOwnerFile);
  const auto doc = nlohmann::json::parse(text, nullptr, false);
  if (doc.is_object() && doc.value("machine", "") == machine()) return {};
  return Error{.code = Errc::failed_precondition,
               .message = "pool " + config.name + " belongs to the Homeport of another machine",
               .hint = "if that one is gone for good, remove " + config.top().str() + "/" + kAdmin + "/" + kOwnerFile};
}

Result<void> make_folder(int parent, const std::string& parent_path, const char* name, mode_t mode) {
  if (::mkdirat(parent, name, mode) != 0) {
    if (errno == EEXIST) return {};
    return from_errno(errno, "making " + parent_path + "/" + name);
  }
  // The umask may have taken something away.
  if (::fchmodat(parent, name, mode, 0) != 0) return from_errno(errno, "making " + parent_path + "/" + name);
  return {};
}

}  // namespace

Error missing_pool(const PoolConfig& config) {
  return Error{.code = Errc::unavailable,
               .message = "pool " + config.name + " has spaces, and nothing of Homeport stands on " + config.where(),
               .hint =
                   "its disk is probably not there: bring it back. For a new, empty pool on purpose make the "
                   "directory " +
                   config.top().str() + "/" + kAdmin + " (root, 0700)",
               .upstream = Upstream{.system = std::string(kMissingPoolSystem)}};
}

Result<void> Commits::run(int fd, const std::string& shown) {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = begun_ + 1;
  while (done_ < mine) {
    if (running_) {
      ended_.wait(lock);
      continue;
    }
    running_ = true;
    const std::uint64_t number = ++begun_;
    lock.unlock();
    auto result = commit(fd, shown);
    lock.lock();
    running_ = false;
    done_ = number;
    last_ = std::move(result);
    ended_.notify_all();
  }
  return last_;
}

Result<Folder> open_folder(int parent, const std::string& parent_path, const std::string& name) {
  std::string path = parent_path + "/" + name;
  auto fd =
      std::make_unique<Descriptor>(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd->get() < 0) return from_errno(errno, "opening " + path);
  return Folder{.fd = std::move(fd), .path = std::move(path)};
}

// Held as long as anything of this process works on the pool. Within the process the drivers of one backend share it:
// a changed configuration makes a new driver while the old one ends.
class PoolLock {
 public:
  PoolLock(std::unique_ptr<Descriptor> fd, std::string backend) : fd_(std::move(fd)), backend_(std::move(backend)) {}

  static Result<std::shared_ptr<PoolLock>> take(int root, const std::string& filesystem, const PoolConfig& config,
                                                const std::string& backend) {
    struct stat status {};
    if (::fstat(root, &status) != 0) return from_errno(errno, "locking pool " + config.name);
    const std::string name = filesystem + "/" + std::to_string(status.st_ino) + "/" + std::to_string(status.st_dev);
    static Guarded<std::map<std::string, std::weak_ptr<PoolLock>>> all;
    return all.with([&](auto& locks) -> Result<std::shared_ptr<PoolLock>> {
      if (auto held = locks[name].lock()) {
        if (held->backend_ == backend) return held;
        return taken(config, "backend " + held->backend_ + " of this Homeport");
      }
      // One of its own: a copy of the descriptor would share the lock with it.
      auto fd = std::make_unique<Descriptor>(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (fd->get() < 0) return from_errno(errno, "locking pool " + config.name);
      if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return taken(config, "another process");
        return from_errno(errno, "locking pool " + config.name);
      }
      auto lock = std::make_shared<PoolLock>(std::move(fd), backend);
      locks[name] = lock;
      return lock;
    });
  }

 private:
  static Error taken(const PoolConfig& config, const std::string& by) {
    return Error{.code = Errc::failed_precondition,
                 .message = "pool " + config.name + " (" + config.where() + ") is in use by " + by,
                 .hint = "one pool belongs to one Homeport: stop the other, or give this one a pool of its own"};
  }
  std::unique_ptr<Descriptor> fd_;
  std::string backend_;
};

std::optional<std::string> host_disk_trouble(const PoolConfig& config) {
  if (!config.loop || config.loop->preallocate) return std::nullopt;
  const auto room = room_around(config.loop->file.str());
  const auto file = file_size(config.loop->file.str());
  if (!room || !file || file->allocated >= file->size) return std::nullopt;  // nothing is left to be allocated
  if (room->free >= std::min(kHostReserve.count(), file->size - file->allocated)) return std::nullopt;
  return "the disk that holds " + config.loop->file.str() + " has " + Bytes{room->free}.to_string() + " left";
}

std::unique_lock<std::mutex> Pool::lock_space(const std::string& key) {
  return std::unique_lock(spaces_.at(std::hash<std::string>{}(key) % spaces_.size()));
}

// A disk may have been unmounted, and directories exchanged, behind our back.
bool Pool::still_right(const OpenPool& pool, Make make) const {
  struct stat now {};
  struct stat held {};
  if (::stat(config_.top().str().c_str(), &now) != 0 || ::fstat(pool.root.get(), &held) != 0) return false;
  if (!same_file(now, held)) return false;
  const bool stands = ::fstatat(pool.root.get(), kAdmin, &now, AT_SYMLINK_NOFOLLOW) == 0;
  if (!pool.prepared()) return !stands && make == Make::no;
  if (!stands || ::fstat(pool.admin->admin.get(), &held) != 0 || !same_file(now, held)) return false;
  if (::fstatat(pool.root.get(), config_.homes.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return ::fstat(pool.homes->get(), &held) == 0 && same_file(now, held);
}

Result<PoolPtr> Pool::open(const OpContext& op, Make make) {
  auto known = known_.with([](const PoolPtr& pool) { return pool; });
  if (known && still_right(*known, make)) return known;
  known.reset();
  const std::lock_guard lock(opening_);
  known = known_.with([](const PoolPtr& pool) { return pool; });
  if (known && still_right(*known, make)) return known;
  known.reset();
  known_.with([](PoolPtr& pool) { pool.reset(); });  // lets go of what was unmounted
  HOMEPORT_TRY(auto opened, open_slowly(op, make));
  known_.with([&](PoolPtr& pool) { pool = opened; });
  return opened;
}

// Where the pool's bytes are to be mounted they are mounted afterwards. False: there is nothing yet, and none may be
// made.
Result<bool> Pool::make_ready(const OpContext& op, Make make) {
  if (config_.directory) return true;
  const std::string path = config_.device ? config_.device->str() : config_.loop->file.str();
  const std::string& top = config_.mount->str();
  HOMEPORT_TRY(const auto mounted, mounted_device(top));
  auto contents = contents_of(path);
  const bool missing = !contents && contents.error().code == Errc::not_found && config_.loop;
  if (!contents && !missing) return std::move(contents).context("pool " + config_.name).error();
  const bool empty = missing || (contents->blank && contents->type.empty());
  // A btrfs of somebody else's is somebody else's too: ours says so in its label.
  const bool foreign = !empty && (contents->type != "btrfs" || contents->label != kLabel + config_.name);
  const bool erase = !missing && !config_.erase.empty() && contents->erase_word() == config_.erase;
  if (foreign && !erase) return holds_something_else(config_, *contents);
  if (erase && !contents->mounted_at.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "pool " + config_.name + ": " + path + " is mounted at " + contents->mounted_at,
                 .hint = "unmount it first, if it is really to be erased"};
  }
  if (empty || erase) {
    if (mounted) {
      return Error{.code = Errc::failed_precondition,
                   .message = "pool " + config_.name + ": " + *mounted + " is mounted at " + top,
                   .hint = "unmount it, or give the pool another mount:"};
    }
    if (make != Make::yes) return false;
    if (op.calls != nullptr) op.calls->add("MKFS " + path);
    if (op.dry_run) return not_made(config_);
    if (config_.loop) HOMEPORT_CHECK(size_file(path, config_.loop->size, config_.loop->preallocate));
    if (erase)
      log::warning("btrfs_pool_erases", {{"pool", config_.name}, {"device", path}, {"held", contents->summary()}});
    HOMEPORT_CHECK(make_filesystem(path, kLabel + config_.name));
    HOMEPORT_TRY(contents, contents_of(path));
  }
  HOMEPORT_CHECK(mount_it(path, contents->uuid, mounted.has_value()));
  return true;
}

Result<void> Pool::mount_it(const std::string& path, std::string uuid, bool mounted) {
  const std::string& top = config_.mount->str();
  std::optional<Loop> loop;
  if (config_.loop) {
    HOMEPORT_CHECK(size_file(path, config_.loop->size, config_.loop->preallocate));
    HOMEPORT_TRY(loop, attach_loop(path));
  }
  const std::string device = loop ? loop->device : path;
  if (!mounted) {
    HOMEPORT_CHECK(mount_btrfs(device, top));
    mounted_now_ = true;
    log::info("btrfs_pool_mounted", {{"pool", config_.name}, {"device", device}, {"at", top}});
  }
  const Descriptor root(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (root.get() < 0) return from_errno(errno, "opening " + top);
  std::erase(uuid, '-');
  const auto stands = is_btrfs(root.get()) ? filesystem_uuid(root.get(), top) : Result<std::string>(std::string());
  if (!stands || *stands != uuid) {
    return Error{
        .code = Errc::failed_precondition,
        .message = "pool " + config_.name + ": another filesystem is mounted at " + top + " than the one on " + path,
        .hint = "unmount it, or give the pool another mount:"};
  }
  if (!loop) return {};
  // Asked of the filesystem, so that a growth cut short is finished.
  HOMEPORT_TRY(const auto space, space_state(root.get(), top));
  if (space.device_bytes + (1_MiB).count() > config_.loop->size.count()) return {};
  HOMEPORT_CHECK(refresh_loop(loop->device));
  HOMEPORT_CHECK(grow_filesystem(root.get(), top));
  log::info("btrfs_pool_grown", {{"pool", config_.name}, {"to", config_.loop->size.to_string()}});
  return {};
}

Result<void> Pool::settle_quota(OpenPool& pool, const OpContext& op) const {
  const std::string& shown = config_.name;
  HOMEPORT_TRY(pool.quota, quota_mode(pool.root.get(), shown));
  if (config_.layout != Layout::filesystem || op.dry_run) return {};
  if (config_.quota != WantedQuota::automatic) {
    const auto wanted = config_.quota == WantedQuota::simple ? QuotaMode::simple : QuotaMode::full;
    HOMEPORT_CHECK(enable_quota(pool.root.get(), wanted, shown));
  } else if (pool.quota == QuotaMode::off && !config_.directory) {
    // Ours alone: simple quotas cost least. They keep kernels before 6.7 from mounting it, which made none of it.
    auto simple = enable_quota(pool.root.get(), QuotaMode::simple, shown);
    if (!simple && simple.error().code != Errc::unsupported) return simple;
    if (!simple) HOMEPORT_CHECK(enable_quota(pool.root.get(), QuotaMode::full, shown));
  }
  HOMEPORT_TRY(pool.quota, quota_mode(pool.root.get(), shown));
  return {};
}

Result<void> Pool::open_folders(OpenPool& pool, const OpContext& op, Make make) const {
  const int root = pool.root.get();
  const std::string& top = pool.root.path;
  struct stat status {};
  const bool stands = ::fstatat(root, kAdmin, &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (!stands) {
    if (make == Make::no) return {};
    if (make == Make::where_ours) return missing_pool(config_);
    if (op.dry_run) return not_made(config_);
    HOMEPORT_CHECK(make_folder(root, top, kAdmin, 0700));
  } else if (!S_ISDIR(status.st_mode) || status.st_uid != 0 || (status.st_mode & 077U) != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = top + "/" + kAdmin + " is not a directory that belongs to root alone: it could be forged",
                 .hint = "look at who made it; `chown root` and `chmod 0700` when it is ours"};
  }
  auto all = std::make_unique<AdminFolders>();
  HOMEPORT_TRY(all->admin, open_folder(root, top, kAdmin));
  const int admin = all->admin.get();
  HOMEPORT_CHECK(check_owner(admin, config_));
  const std::array<std::pair<const char*, Folder*>, 5> parts{{{"markers", &all->markers},
                                                              {"trash", &all->trash},
                                                              {"drafts", &all->drafts},
                                                              {"snapshots", &all->snapshots},
                                                              {"access", &all->access}}};
  for (const auto& [name, folder] : parts) {
    HOMEPORT_CHECK(make_folder(admin, all->admin.path, name, 0700));
    HOMEPORT_TRY(*folder, open_folder(admin, all->admin.path, name));
  }
  HOMEPORT_CHECK(make_folder(root, top, config_.homes.c_str(), 0755));
  HOMEPORT_TRY(auto homes, open_folder(root, top, config_.homes));
  pool.homes = std::make_unique<Folder>(std::move(homes));
  pool.admin = std::move(all);
  return {};
}

Result<PoolPtr> Pool::open_slowly(const OpContext& op, Make make) {
  mounted_now_ = false;
  auto opened = open_mounted(op, make);
  if (!opened && mounted_now_) {
    // What this very call mounted is not ours to use: it does not stay.
    if (auto undone = unmount(config_.mount->str()); !undone) {
      log::warning("btrfs_stays_mounted", {{"pool", config_.name}, {"why", undone.error().to_string()}});
    }
  }
  return opened;
}

Result<PoolPtr> Pool::open_mounted(const OpContext& op, Make make) {
  HOMEPORT_TRY(const bool there, make_ready(op, make));
  if (!there && make == Make::where_ours) return missing_pool(config_);
  if (!there) return PoolPtr();
  auto pool = std::make_shared<OpenPool>();
  pool->config = &config_;
  pool->commits = std::make_shared<Commits>();
  const std::string& top = config_.top().str();
  auto fd = std::make_unique<Descriptor>(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd->get() < 0) return from_errno(errno, "opening " + top);
  pool->root = Folder{.fd = std::move(fd), .path = top};
  if (!is_btrfs(pool->root.get())) {
    return Error{.code = Errc::failed_precondition,
                 .message = "pool " + config_.name + ": " + top + " does not lie on btrfs",
                 .hint = "its disk is not mounted, or it is another filesystem: mount a btrfs there, or use loop:"};
  }
  HOMEPORT_TRY(pool->filesystem, filesystem_uuid(pool->root.get(), top));
  HOMEPORT_TRY(pool->lock, PoolLock::take(pool->root.get(), pool->filesystem, config_, backend_));
  HOMEPORT_CHECK(settle_quota(*pool, op));
  HOMEPORT_CHECK(open_folders(*pool, op, make));
  return PoolPtr(std::move(pool));
}

}  // namespace homeport::drivers::btrfs
