// Over which drivers the suite runs, and what is peculiar to each.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "drivers/decorators/wrap.h"
#include "drivers/flashblade/flashblade_driver_factory.h"
#include "drivers/memory/memory_driver.h"
#include "drivers/nfs/nfs_driver_factory.h"
#include "tests/conformance/btrfs_pools.h"
#include "tests/conformance/driver_suite.h"
#include "tests/conformance/simulated_array.h"
#include "tests/support/ganesha.h"
#include "tests/unit/drivers/flashblade/fake_array.h"

namespace homeport::conformance {
namespace {

using namespace drivers;

Clock& system_clock() {
  static const auto clock = make_system_clock();
  return *clock;
}

std::vector<MemoryExport> data_export() {
  return {{.path = "/data", .files = {{.path = "sets/mnist/a.txt", .content = "hello"}}}};
}

// A fresh backend for each case. Small pages, so that they are turned.
Bench memory_bench(MemoryConfig config, bool wrapped) {
  config.scan_page = 3;
  config.list_page = 100;
  config.purge_step = 40;
  config.exports = data_export();
  auto driver = std::make_unique<MemoryDriver>(std::move(config), system_clock());
  auto* memory = driver.get();
  Bench bench{.driver = std::move(driver)};
  bench.plant = [memory](const std::string& name, const std::string& content, Owner owner) {
    memory->plant("homes", name, content, owner);
  };
  bench.unplant = [](const std::string&) {};  // the whole backend goes with the case
  bench.planted_content = [memory](const std::string& name) -> std::optional<std::string> {
    const OpContext op{.request_id = "backstage", .deadline = system_clock().mono() + std::chrono::seconds(10)};
    const auto tree = memory->open_path(op, AbsolutePath::parse("/homes/" + name).value());
    if (!tree) return std::nullopt;
    const auto file = (*tree)->lookup(op, (*tree)->root().node, "theirs.txt");
    if (!file || !*file) return std::nullopt;
    std::string text(100, '\0');
    const auto got = (*tree)->read(op, (**file).node, 0, std::as_writable_bytes(std::span(text)));
    if (!got) return std::nullopt;
    return text.substr(0, *got);
  };
  if (wrapped) bench.driver = wrap(std::move(bench.driver), {.backend = "suite", .clock = system_clock()});
  return bench;
}

DriverUnderTest memory(std::string label, MemoryConfig config, bool wrapped = false) {
  const Layout layout = config.pools.front().layout;
  return {.label = std::move(label),
          .make = [config, wrapped]() -> Result<Bench> { return memory_bench(config, wrapped); },
          .layout = layout,
          .objects_for_two_pages = 7,
          .import_path = "/data/sets/mnist",
          .import_export = "/data"};
}

DriverUnderTest memory_squashed() {
  auto under = memory("memorySquashed", {.quota = QuotaClass::measured, .ownership = false});
  under.owner = Owner{Uid{65534}, Gid{65534}};
  under.our_owner = under.owner;
  return under;
}

// --- nfs: one real server for the whole process; the cases keep apart by their keys. ---------------------------------

namespace fs = std::filesystem;
using ::homeport::testing::Ganesha;

constexpr std::uint32_t kSquashId = 65534;

Result<std::unique_ptr<Ganesha>> start_server() {
  // Plants are put on the server's disk behind its back, so it must not remember that they were missing.
  HOMEPORT_TRY(auto server, Ganesha::start({{.path = "/export/homes"},
                                            {.path = "/export/squashed", .squash = "All_Squash"},
                                            {.path = "/export/data"},
                                            {.path = "/array"}},
                                           {.attribute_cache = false}));
  if (::chown(server->directory("/export/squashed").c_str(), kSquashId, kSquashId) != 0) {
    return Error{.message = "cannot give the squashed export to the squash identity"};
  }
  const fs::path data = server->directory("/export/data") / "sets" / "mnist";
  fs::create_directories(data);
  std::ofstream(data / "a.txt") << "hello";
  return server;
}

const Result<std::unique_ptr<Ganesha>>& server() {
  static const auto started = start_server();
  return started;
}

std::optional<std::string> file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> everything_below(const fs::path& root) {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(root)) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

Result<Bench> nfs_bench(const std::string& export_path, bool squashed) {
  if (!server()) return server().error();
  const Ganesha& ganesha = **server();
  nlohmann::json section{
      {"service", {{"server", Ganesha::address()}, {"nfs_port", ganesha.port()}, {"mount_port", ganesha.mount_port()}}},
      {"pools", {{{"name", "homes"}, {"export", export_path}}}}};
  if (squashed) section["squash"] = "all";
  HOMEPORT_TRY(auto driver, make_nfs_driver("suite", section, {.clock = &system_clock()}));
  const fs::path disk = ganesha.directory(export_path);
  Bench bench{.driver = std::move(driver)};
  bench.plant = [disk](const std::string& name, const std::string& content, Owner owner) {
    const fs::path place = disk / "homes" / name;
    fs::create_directories(place);
    EXPECT_EQ(::chown(place.c_str(), owner.uid.value, owner.gid.value), 0);
    if (content.empty()) return;
    std::ofstream(place / "theirs.txt") << content;
    EXPECT_EQ(::chown((place / "theirs.txt").c_str(), owner.uid.value, owner.gid.value), 0);
  };
  bench.planted_content = [disk](const std::string& name) { return file_text(disk / "homes" / name / "theirs.txt"); };
  bench.unplant = [disk](const std::string& name) { fs::remove_all(disk / "homes" / name); };
  bench.everything = [disk] { return everything_below(disk); };
  return bench;
}

DriverUnderTest nfs(std::string label, std::string export_path, bool squashed) {
  const Owner squash{Uid{kSquashId}, Gid{kSquashId}};
  return {.label = std::move(label),
          .make = [path = std::move(export_path), squashed] { return nfs_bench(path, squashed); },
          .owner = squashed ? squash : Owner{Uid{4242}, Gid{4343}},
          .our_owner = squashed ? squash : Owner{Uid{0}, Gid{0}},
          .ids_may_return = true,      // inode numbers; NFSv3 has nothing better
          .objects_for_two_pages = 3,  // live ones end with a page of imports
          .import_path = "/export/data/sets/mnist",
          .import_export = "/export/data"};
}

// --- flashblade: the management side is a fake that keeps state, the data side a directory of the real server. -------

using ::homeport::testing::FakeArray;

// The token lies in a file, as it does in the field.
struct TokenFile {
  const fs::path path = fs::temp_directory_path() / ("homeport-suite-token-" + std::to_string(::getpid()));
  TokenFile() {
    std::ofstream(path) << FakeArray::kToken << "\n";
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
  ~TokenFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

std::string token_file() {
  static const TokenFile file;
  return file.path.string();
}

Result<Bench> flashblade_bench(int minor, Layout layout) {
  if (!server()) return server().error();
  const Ganesha& ganesha = **server();
  // One array for each case, in a directory of its own: a server remembers for a while what a path was.
  static int arrays = 0;
  const std::string place = "array" + std::to_string(++arrays);
  const fs::path disk = ganesha.directory("/array") / place;
  fs::create_directories(disk);
  auto array = std::make_shared<FakeArray>(FakeArray::Options{.minor = minor, .disk = disk, .max_page = 3});
  nlohmann::json pool{{"name", "homes"}, {"layout", layout_name(layout)}};
  if (layout == Layout::directory) pool["file_system"] = "pool1";
  const nlohmann::json section{
      {"management", {{"url", array->url()}, {"plain_http", true}, {"api_token", {{"file", token_file()}}}}},
      {"data",
       {{"address", Ganesha::address()},
        {"nfs_port", ganesha.port()},
        {"mount_port", ganesha.mount_port()},
        {"path_prefix", "/array/" + place}}},
      {"exports", {{"homeport", {"127.0.0.1"}}, {"clients", {"10.20.0.0/16"}}}},
      {"pools", {pool}},
      {"eradicate", true}};
  HOMEPORT_TRY(auto driver, make_flashblade_driver("suite", section, {.clock = &system_clock()}));
  Bench bench{.driver = std::move(driver)};
  const bool own = layout == Layout::filesystem;
  const fs::path homes = own ? disk : disk / "pool1" / "homes";
  constexpr const char* kRules = "127.0.0.1(rw,no_root_squash)";
  if (!own) {
    array->add_file_system("pool1", kRules);
    fs::create_directories(homes);
  }
  bench.plant = [array, homes, own](const std::string& name, const std::string& content, Owner owner) {
    if (own) array->add_file_system(name, kRules);
    fs::create_directories(homes / name);
    EXPECT_EQ(::chown((homes / name).c_str(), owner.uid.value, owner.gid.value), 0);
    if (content.empty()) return;
    std::ofstream(homes / name / "theirs.txt") << content;
    EXPECT_EQ(::chown((homes / name / "theirs.txt").c_str(), owner.uid.value, owner.gid.value), 0);
  };
  bench.planted_content = [homes](const std::string& name) { return file_text(homes / name / "theirs.txt"); };
  bench.unplant = [array, homes](const std::string& name) {
    array->forget(name);
    fs::remove_all(homes / name);
  };
  bench.everything = [array, disk] {
    auto out = array->names();
    for (auto& path : everything_below(disk)) out.push_back(std::move(path));
    return out;
  };
  return bench;
}

// An old, a middle and a new version of the interface.
DriverUnderTest flashblade(std::string label, int minor, Layout layout = Layout::filesystem) {
  const bool own = layout == Layout::filesystem;
  return {.label = std::move(label),
          .make = [minor, layout] { return flashblade_bench(minor, layout); },
          .layout = layout,
          .quota_is_kept = false,
          .ids_may_return = !own,  // inode numbers
          .objects_for_two_pages = own ? std::size_t{4} : std::size_t{3},
          .import_path = "/export/data/sets/mnist",
          .import_export = "/export/data"};
}

std::vector<DriverUnderTest> all_drivers() {
  std::vector<DriverUnderTest> all{
      memory("memory", {}),
      memory("memoryFilesystems",
             {.pools = {{.name = "homes", .layout = Layout::filesystem}}, .quota = QuotaClass::cooperative}),
      memory("memoryWithoutSnapshots",
             {.quota = QuotaClass::none, .snapshots = SnapshotOwner::none, .clones = false, .access_rules = false}),
      memory("memoryPoolSnapshots", {.snapshots = SnapshotOwner::pool}),
      memory_squashed(),
      memory("memoryDecorated", {}, true),
      nfs("nfs", "/export/homes", false),
      nfs("nfsSquashed", "/export/squashed", true),
      flashblade("flashblade22", 2),
      flashblade("flashblade212", 12),
      flashblade("flashblade226", 26),
      flashblade("flashbladeDirectories", 12, Layout::directory),
  };
  for (auto& simulated : simulated_arrays()) all.push_back(std::move(simulated));
  for (auto& pool : btrfs_pools()) all.push_back(std::move(pool));
  return all;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(All, DriverConformance, ::testing::ValuesIn(all_drivers()),
                         [](const auto& row) { return row.param.label; });
INSTANTIATE_TEST_SUITE_P(All, TreeConformance, ::testing::ValuesIn(all_drivers()),
                         [](const auto& row) { return row.param.label; });

}  // namespace homeport::conformance
