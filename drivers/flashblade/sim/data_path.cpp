#include "drivers/flashblade/sim/data_path.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace homeport::fbsim {
namespace {

namespace fs = std::filesystem;
constexpr const char* kSnapshots = ".snapshot";
constexpr std::int64_t kMeasureMs = 500;  // as real arrays, it is not counted anew at every look
constexpr std::size_t kBatch = 200;

Refusal broken(std::string_view what, const fs::path& path, const std::error_code& ec) {
  return Refusal{"cannot " + std::string(what) + ' ' + path.string() + ": " + ec.message(), {}, 500};
}

Or<void> move(const fs::path& from, const fs::path& to) {
  std::error_code ec;
  fs::rename(from, to, ec);
  if (ec) return broken("move", from, ec);
  return {};
}

Or<void> remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return broken("remove", path, ec);
  return {};
}

Or<void> make_directory(const fs::path& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return broken("make", path, ec);
  return {};
}

// cp keeps owners, modes, times, links, holes and extended attributes, and shares blocks where the disk can.
Or<void> run_cp(const std::vector<std::string>& entries, const fs::path& into) {
  std::vector<std::string> words = {"cp", "-a", "--reflink=auto", "-t", into.string(), "--"};
  words.insert(words.end(), entries.begin(), entries.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  int status = -1;
  if (::posix_spawn(&pid, "/bin/cp", nullptr, nullptr, argv.data(), environ) != 0)
    return Refusal{"cannot run /bin/cp", {}, 500};
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    return Refusal{"copying into " + into.string() + " failed", {}, 500};
  return {};
}

// The root directory's owner, mode and times, as cp does for what is below it.
void copy_attributes(const fs::path& from, const fs::path& to) {
  struct stat info {};
  if (::stat(from.c_str(), &info) != 0) return;
  const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
  // Without the rights the copy stays ours: then the whole simulator runs without them.
  [[maybe_unused]] const int owned = ::chown(to.c_str(), info.st_uid, info.st_gid);
  ::chmod(to.c_str(), info.st_mode & 07777U);
  ::utimensat(AT_FDCWD, to.c_str(), times.data(), 0);
}

// What is in `from`, without its snapshots.
Or<void> copy_tree(const fs::path& from, const fs::path& to) {
  HOMEPORT_CHECK(make_directory(to));
  std::error_code ec;
  std::vector<std::string> batch;
  for (const auto& entry : fs::directory_iterator(from, ec)) {
    if (entry.path().filename() == kSnapshots) continue;
    batch.push_back(entry.path().string());
    if (batch.size() < kBatch) continue;
    HOMEPORT_CHECK(run_cp(batch, to));
    batch.clear();
  }
  if (ec) return broken("read", from, ec);
  if (!batch.empty()) HOMEPORT_CHECK(run_cp(batch, to));
  copy_attributes(from, to);
  return {};
}

class Directories final : public DataPath {
 public:
  Directories(fs::path root, const Clock& clock) : root_(std::move(root)), clock_(clock) {}

  Or<void> make(const FileSystem& item) override {
    HOMEPORT_CHECK(make_directory(live(item.name)));
    return follow(item);
  }
  Or<void> rename(const std::string& from, const std::string& to) override { return move(live(from), live(to)); }
  Or<void> hide(const FileSystem& item) override { return move(live(item.name), destroyed(item)); }
  Or<void> show(const FileSystem& item) override { return move(destroyed(item), live(item.name)); }
  Or<void> remove(const FileSystem& item) override {
    HOMEPORT_CHECK(remove_tree(place(item)));
    measured_.erase(item.id);
    return remove_tree(hidden(item));
  }
  Or<void> snapshot(const Snapshot& item) override {
    return copy_tree(place(*item.owner), snapshots(*item.owner) / item.suffix);
  }
  Or<void> rename_snapshot(const FileSystem& owner, const std::string& from, const std::string& to) override {
    return move(snapshots(owner) / from, snapshots(owner) / to);
  }
  Or<void> remove_snapshot(const Snapshot& item) override { return remove_tree(snapshots(*item.owner) / item.suffix); }
  Or<void> restore(const Snapshot& item) override {
    const auto target = live(item.owner->name);
    std::error_code ec;
    std::vector<fs::path> old;
    for (const auto& entry : fs::directory_iterator(target, ec)) {
      if (entry.path().filename() != kSnapshots) old.push_back(entry.path());
    }
    for (const auto& path : old) HOMEPORT_CHECK(remove_tree(path));
    return copy_tree(snapshots(*item.owner) / item.suffix, target);
  }
  Or<void> copy(const Snapshot& from, const FileSystem& to) override {
    return copy_tree(snapshots(*from.owner) / from.suffix, live(to.name));
  }
  Or<void> follow(const FileSystem& item) override {
    const auto shown = place(item) / kSnapshots;
    std::error_code ec;
    const bool is_shown = fs::exists(shown, ec);
    if (item.snapshot_directory == is_shown) return {};
    if (!item.snapshot_directory) return move(shown, hidden(item));
    if (fs::exists(hidden(item), ec)) return move(hidden(item), shown);
    return make_directory(shown);
  }
  void measure(FileSystem& item) override;

 private:
  [[nodiscard]] fs::path live(const std::string& name) const { return root_ / "fs" / name; }
  [[nodiscard]] fs::path destroyed(const FileSystem& item) const { return root_ / "destroyed" / item.id; }
  [[nodiscard]] fs::path place(const FileSystem& item) const {
    return item.destroyed && fs::exists(destroyed(item)) ? destroyed(item) : live(item.name);
  }
  [[nodiscard]] fs::path hidden(const FileSystem& item) const { return root_ / "snapshots" / item.id; }
  [[nodiscard]] fs::path snapshots(const FileSystem& item) const {
    return item.snapshot_directory ? place(item) / kSnapshots : hidden(item);
  }

  fs::path root_;
  const Clock& clock_;
  std::map<std::string, MonoTime> measured_{};
};

void Directories::measure(FileSystem& item) {
  const auto now = clock_.mono();
  const auto before = measured_.find(item.id);
  if (before != measured_.end() && now - before->second < std::chrono::milliseconds(kMeasureMs)) return;
  measured_[item.id] = now;
  item.used = 0;
  for (auto& [id, account] : item.users) account.usage = 0;
  for (auto& [id, account] : item.groups) account.usage = 0;
  std::error_code ec;
  const auto root = place(item);
  for (auto at = fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, ec);
       !ec && at != fs::recursive_directory_iterator(); at.increment(ec)) {
    if (at.depth() == 0 && at->path().filename() == kSnapshots) {
      at.disable_recursion_pending();
      continue;
    }
    struct stat info {};
    if (::lstat(at->path().c_str(), &info) != 0 || S_ISDIR(info.st_mode)) continue;
    const auto bytes = static_cast<std::uint64_t>(info.st_size);
    item.used += bytes;
    item.users[info.st_uid].usage += bytes;
    item.groups[info.st_gid].usage += bytes;
  }
  const auto idle = [](const auto& entry) { return entry.second.usage == 0 && entry.second.quota == 0; };
  std::erase_if(item.users, idle);
  std::erase_if(item.groups, idle);
}

}  // namespace

Result<std::unique_ptr<DataPath>> open_data_path(const fs::path& root, const Clock& clock) {
  std::error_code ec;
  for (const char* part : {"fs", "destroyed", "snapshots", "run"}) {
    fs::create_directories(root / part, ec);
    if (ec) {
      return Error{.code = Errc::failed_precondition,
                   .message = "cannot make " + (root / part).string() + ": " + ec.message(),
                   .hint = "give a directory that can be written with --data"};
    }
  }
  // Others must not get at what was destroyed.
  for (const char* part : {"destroyed", "snapshots", "run"}) fs::permissions(root / part, fs::perms::owner_all, ec);
  return std::unique_ptr<DataPath>(std::make_unique<Directories>(fs::absolute(root), clock));
}

}  // namespace homeport::fbsim
