#include "tests/conformance/btrfs_pools.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "drivers/btrfs/btrfs_driver.h"
#include "drivers/btrfs/btrfs_driver_factory.h"
#include "drivers/btrfs/fs_calls.h"
#include "provisioner/base/descriptor.h"
#include "provisioner/base/doc_reader.h"
#include "tests/support/memory_exporter.h"

namespace homeport::conformance {
namespace {

using namespace drivers;
namespace fs = std::filesystem;

Clock& system_clock() {
  static const auto clock = make_system_clock();
  return *clock;
}

class LoopPool {
 public:
  static Result<std::unique_ptr<LoopPool>> make() {
    if (::geteuid() != 0) return Error{.message = "btrfs is administered by root: run this suite as root"};
    std::ifstream known("/proc/filesystems");
    const std::string text((std::istreambuf_iterator<char>(known)), std::istreambuf_iterator<char>());
    if (text.find("btrfs") == std::string::npos) return Error{.message = "this kernel has no btrfs"};
    if (!fs::exists("/dev/loop-control")) return Error{.message = "this machine has no loop devices"};
    std::string pattern = (fs::temp_directory_path() / "homeport-btrfs-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return Error{.message = "cannot make a temporary directory"};
    return std::unique_ptr<LoopPool>(new LoopPool(pattern));
  }
  ~LoopPool() {
    ::umount2(top().c_str(), MNT_DETACH);
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  LoopPool(const LoopPool&) = delete;
  LoopPool& operator=(const LoopPool&) = delete;
  [[nodiscard]] fs::path top() const { return root_ / "mounted"; }
  [[nodiscard]] fs::path file() const { return root_ / "pool.img"; }

 private:
  explicit LoopPool(fs::path root) : root_(std::move(root)) {}
  fs::path root_;
};

const Result<std::unique_ptr<LoopPool>>& pool_of(Layout layout, const std::string& quota) {
  static std::map<std::string, Result<std::unique_ptr<LoopPool>>> all;
  const std::string name = std::string(layout_name(layout)) + quota;
  auto at = all.find(name);
  if (at == all.end()) at = all.emplace(name, LoopPool::make()).first;
  return at->second;
}

// With exports that a stand-in remembers: rules and mount sources as with an NFS server.
Result<std::unique_ptr<StorageDriver>> exporting(const nlohmann::json& section) {
  const Document document{.root = section, .source = "suite"};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto config = btrfs::read_btrfs_config(in);
  if (!problems.none()) return problems.to_error();
  config.exports.clients = {"10.20.0.0/16"};
  return std::unique_ptr<StorageDriver>(
      std::make_unique<btrfs::BtrfsDriver>("suite", std::move(config), DriverEnvironment{.clock = &system_clock()},
                                           std::make_unique<::homeport::testing::MemoryExporter>()));
}

Result<Bench> bench(Layout layout, const std::string& quota, bool exports) {
  const auto& pool = pool_of(layout, quota);
  if (!pool) return pool.error();
  const LoopPool& at = **pool;
  const nlohmann::json section{{"pools",
                                {{{"name", "homes"},
                                  {"layout", layout_name(layout)},
                                  {"loop", {{"file", at.file().string()}, {"size", "1GiB"}}},
                                  {"mount", at.top().string()},
                                  {"quota", quota}}}}};
  HOMEPORT_TRY(auto driver,
               exports ? exporting(section) : make_btrfs_driver("suite", section, {.clock = &system_clock()}));
  const fs::path homes = at.top() / "homes";
  const bool own = layout == Layout::filesystem;
  Bench bench{.driver = std::move(driver)};
  bench.plant = [homes, own](const std::string& name, const std::string& content, Owner owner) {
    fs::create_directories(homes);
    const Descriptor parent(::open(homes.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (own) {
      EXPECT_OK(btrfs::make_subvolume(parent.get(), name, name));
    } else {
      fs::create_directories(homes / name);
    }
    EXPECT_EQ(::chown((homes / name).c_str(), owner.uid.value, owner.gid.value), 0);
    if (content.empty()) return;
    std::ofstream(homes / name / "theirs.txt") << content;
    EXPECT_EQ(::chown((homes / name / "theirs.txt").c_str(), owner.uid.value, owner.gid.value), 0);
  };
  bench.planted_content = [homes](const std::string& name) -> std::optional<std::string> {
    std::ifstream in(homes / name / "theirs.txt", std::ios::binary);
    if (!in) return std::nullopt;
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  };
  bench.unplant = [homes, own](const std::string& name) {
    const Descriptor parent(::open(homes.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (own) {
      EXPECT_OK(btrfs::delete_subvolume(parent.get(), name, name));
    } else {
      fs::remove_all(homes / name);
    }
  };
  bench.everything = [top = at.top()] {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(top)) out.push_back(entry.path().string());
    std::sort(out.begin(), out.end());
    return out;
  };
  return bench;
}

DriverUnderTest btrfs_pool(std::string label, Layout layout, std::string quota, bool exports = false) {
  return {.label = std::move(label),
          .make = [layout, quota = std::move(quota), exports] { return bench(layout, quota, exports); },
          .layout = layout};
}

}  // namespace

std::vector<DriverUnderTest> btrfs_pools() {
  return {btrfs_pool("btrfs", Layout::filesystem, "auto"), btrfs_pool("btrfsFullQuotas", Layout::filesystem, "full"),
          btrfs_pool("btrfsDirectories", Layout::directory, "auto"),
          btrfs_pool("btrfsExports", Layout::filesystem, "auto", true)};
}

}  // namespace homeport::conformance
