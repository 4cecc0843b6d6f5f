#include "tests/conformance/simulated_array.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "drivers/flashblade/array_api.h"
#include "drivers/flashblade/flashblade_driver_factory.h"
#include "tests/support/server_process.h"

namespace homeport::conformance {
namespace {

using namespace drivers;
namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRules = "127.0.0.1(rw,no_root_squash)";

Clock& system_clock() {
  static const auto clock = make_system_clock();
  return *clock;
}

class Simulator {
 public:
  static Result<std::unique_ptr<Simulator>> start(int minor) {
    std::unique_ptr<Simulator> out(new Simulator());
    std::string pattern = (fs::temp_directory_path() / "homeport-simulated-XXXXXX").string();
    out->root_ = ::mkdtemp(pattern.data());
    fs::create_directories(out->root_ / "data");
    const auto output = out->root_ / "output";
    // Pages are short, so that they are turned; unknown parameters are refused, which a real array does not do.
    const std::vector<std::string> words{HOMEPORT_FLASHBLADE_SIM,
                                         "--listen",
                                         "127.0.0.1:0",
                                         "--data",
                                         (out->root_ / "data").string(),
                                         "--data-address",
                                         "127.0.0.1",
                                         "--strict",
                                         "--max-page",
                                         "3",
                                         "--version",
                                         "2." + std::to_string(minor)};
    const auto up = [&] { return testing::file_text(output).find('\n') != std::string::npos; };
    HOMEPORT_CHECK(out->process_.start({.words = words, .output = output, .log = output}, up));
    out->ready_ = json::parse(testing::file_text(output), nullptr, false);
    if (!out->ready_.is_object()) return Error{.message = "flashblade-sim did not say where it serves"};
    out->write_token();
    out->session_ = std::make_unique<flashblade::ArraySession>(
        flashblade::ManagementConfig{.url = Url::parse(out->url()).value(), .api_token = {.file = out->token_file()}},
        system_clock());
    return out;
  }
  ~Simulator() {
    session_.reset();
    process_.kill();
    fs::remove_all(root_);
  }

  [[nodiscard]] std::string url() const { return "http://" + ready_["http"].get<std::string>(); }
  [[nodiscard]] std::string token_file() const { return (root_ / "token").string(); }
  [[nodiscard]] fs::path disk() const { return root_ / "data" / "fs"; }
  [[nodiscard]] int port(const char* which) const { return ready_[which].get<int>(); }
  // What somebody else does to the array.
  [[nodiscard]] flashblade::ArrayApi api() { return flashblade::ArrayApi(*session_); }
  Result<json> call(const flashblade::ApiCall& what) { return session_->call(op(), what); }
  [[nodiscard]] static OpContext op() {
    return {.request_id = "backstage", .deadline = system_clock().mono() + std::chrono::seconds(20)};
  }

 private:
  Simulator() = default;
  void write_token() const {
    std::ofstream(token_file()) << ready_["api_token"].get<std::string>();
    fs::permissions(token_file(), fs::perms::owner_read | fs::perms::owner_write);
  }
  fs::path root_;
  testing::ServerProcess process_;
  json ready_;
  std::unique_ptr<flashblade::ArraySession> session_;
};

const Result<std::unique_ptr<Simulator>>& simulator(int minor) {
  (void)system_clock();  // made first, so that it outlives the sessions that go with the map
  static std::map<int, Result<std::unique_ptr<Simulator>>> all;
  auto at = all.find(minor);
  if (at == all.end()) at = all.emplace(minor, Simulator::start(minor)).first;
  return at->second;
}

void plant_file(const fs::path& place, const std::string& content, Owner owner) {
  fs::create_directories(place);
  EXPECT_EQ(::chown(place.c_str(), owner.uid.value, owner.gid.value), 0);
  if (content.empty()) return;
  std::ofstream(place / "theirs.txt") << content;
  EXPECT_EQ(::chown((place / "theirs.txt").c_str(), owner.uid.value, owner.gid.value), 0);
}

constexpr const char* kOtherArray = "array-192-0-2-9";  // the simulator names it after its address

// Once for each simulator.
void connect_another(Simulator& sim) {
  const auto stands = sim.call({.method = "GET", .endpoint = "array-connections"});
  ASSERT_OK(stands);
  if (!(*stands)["items"].empty()) return;
  ASSERT_OK(sim.call({.method = "POST",
                      .endpoint = "array-connections",
                      .body = json{{"management_address", "192.0.2.9"}, {"connection_key", "key"}}}));
  for (const char* policy : {"hourly", "daily"}) {
    ASSERT_OK(
        sim.call({.method = "POST", .endpoint = "policies", .query = {{"names", policy}}, .body = json::object()}));
  }
}

void remove_file_system(Simulator& sim, const std::string& name) {
  auto api = sim.api();
  const auto found = api.file_system(Simulator::op(), name);
  EXPECT_OK(found);
  if (!found || !*found) return;
  EXPECT_OK(api.change_file_system(Simulator::op(), (*found)->id, {.nfs = false, .destroyed = true}));
  EXPECT_OK(api.eradicate_file_system(Simulator::op(), (*found)->id));
}

std::vector<std::string> all_names(Simulator& sim) {
  std::vector<std::string> out;
  std::optional<std::string> from;
  do {
    auto page = sim.api().file_systems(Simulator::op(), "", std::nullopt, from, 1000);
    EXPECT_OK(page);
    if (!page) break;
    for (const auto& fs : page->items) out.push_back(fs.name);
    from = page->next;
  } while (from);
  for (const auto& entry : fs::recursive_directory_iterator(sim.disk())) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

Result<Bench> bench(int minor, Layout layout) {
  if (!simulator(minor)) return simulator(minor).error();
  Simulator& sim = **simulator(minor);
  json pool{{"name", "homes"}, {"layout", layout_name(layout)}};
  const bool own = layout == Layout::filesystem;
  if (!own) pool["file_system"] = "pool1";
  const json section{
      {"management", {{"url", sim.url()}, {"plain_http", true}, {"api_token", {{"file", sim.token_file()}}}}},
      {"data", {{"nfs_port", sim.port("nfs_port")}, {"mount_port", sim.port("mount_port")}}},
      {"exports", {{"homeport", {"127.0.0.1"}}, {"clients", {"10.20.0.0/16"}}}},
      {"pools", {pool}},
      {"eradicate", true}};
  HOMEPORT_TRY(auto driver, make_flashblade_driver("suite", section, {.clock = &system_clock()}));
  const fs::path homes = own ? sim.disk() : sim.disk() / "pool1" / "homes";
  if (!own) {
    HOMEPORT_CHECK(sim.api().create_file_system(Simulator::op(), {.name = "pool1", .rules = kRules}));
  }
  Bench bench{.driver = std::move(driver)};
  bench.plant = [&sim, homes, own](const std::string& name, const std::string& content, Owner owner) {
    if (own) {
      EXPECT_OK(sim.api().create_file_system(Simulator::op(), {.name = name, .rules = kRules}));
    }
    plant_file(homes / name, content, owner);
  };
  bench.planted_content = [homes](const std::string& name) -> std::optional<std::string> {
    if (!fs::exists(homes / name / "theirs.txt")) return std::nullopt;
    return testing::file_text(homes / name / "theirs.txt");
  };
  bench.unplant = [&sim, homes, own](const std::string& name) {
    if (own) return remove_file_system(sim, name);
    fs::remove_all(homes / name);
  };
  bench.everything = [&sim] { return all_names(sim); };
  connect_another(sim);
  bench.replica_target = kOtherArray;
  bench.policies = {"hourly", "daily"};
  bench.lose_snapshot = [&sim](const ObjectRef& ref, const std::string& snapshot) {
    const auto fs = sim.api().file_system_by_id(Simulator::op(), ref.id);
    ASSERT_OK(fs);
    ASSERT_TRUE(fs->has_value());
    const auto found = sim.api().snapshot(Simulator::op(), **fs, snapshot);
    ASSERT_OK(found);
    ASSERT_TRUE(found->has_value());
    EXPECT_OK(sim.api().destroy_snapshot(Simulator::op(), (*found)->id));
  };
  return bench;
}

DriverUnderTest simulated(std::string label, int minor, Layout layout) {
  const bool own = layout == Layout::filesystem;
  return {.label = std::move(label),
          .make = [minor, layout] { return bench(minor, layout); },
          .layout = layout,
          .quota_is_kept = false,
          .ids_may_return = !own,  // inode numbers
          .objects_for_two_pages = own ? std::size_t{4} : std::size_t{3}};
}

}  // namespace

std::vector<DriverUnderTest> simulated_arrays() {
  return {simulated("simulated22", 2, Layout::filesystem), simulated("simulated212", 12, Layout::filesystem),
          simulated("simulated226", 26, Layout::filesystem), simulated("simulatedPool", 26, Layout::directory)};
}

}  // namespace homeport::conformance
