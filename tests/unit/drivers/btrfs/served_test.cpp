// The driver with a real NFS-Ganesha of its own: what is promised about exports, seen from an NFSv4 client.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "drivers/btrfs/btrfs_driver_factory.h"
#include "drivers/core/optional.h"
#include "drivers/exporter/exporter_factory.h"
#include "provisioner/base/child_process.h"
#include "provisioner/base/descriptor.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* kServer = "/usr/bin/ganesha.nfsd";
constexpr const char* kCat = "/usr/bin/nfs-cat";

std::string missing() {
  if (::geteuid() != 0) return "exporting needs root";
  std::ifstream in("/proc/filesystems");
  const std::string known((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (known.find("btrfs") == std::string::npos) return "this kernel has no btrfs";
  if (!fs::exists("/dev/loop-control")) return "this machine has no loop devices";
  if (!fs::exists(kServer) || !fs::exists(kCat)) return "nfs-ganesha and libnfs-utils are not installed";
  return "";
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ServedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = missing(); !why.empty()) GTEST_SKIP() << why;
    std::string pattern = (fs::temp_directory_path() / "homeport-served-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override {
    if (root_.empty()) return;
    driver_.reset();  // ends its server and unbinds
    exporter_.reset();
    ::umount2((root_ / "top").c_str(), MNT_DETACH);
    fs::remove_all(root_);
  }
  [[nodiscard]] fs::path state() const { return root_ / "exporter"; }
  void start_driver() {
    const nlohmann::json section{{"pools",
                                  {{{"name", "homes"},
                                    {"loop", {{"file", (root_ / "pool.img").string()}, {"size", "512MiB"}}},
                                    {"mount", (root_ / "top").string()}}}},
                                 {"exporter", {{"server", "127.0.0.1"}, {"state", state().string()}, {"nfs_port", 0}}},
                                 {"exports", {{"clients", {"127.0.0.1"}}}}};
    auto made = make_btrfs_driver("lab", section, {.clock = clock_.get()});
    ASSERT_OK(made);
    driver_ = *std::move(made);
  }
  [[nodiscard]] OpContext op() const { return {.request_id = "test", .deadline = clock_->mono() + 60s}; }
  static CreateSpec spec(std::uint64_t number) {
    const auto key = SpaceKey::from_random(SpaceKind::home, number);
    return {.layout = Layout::filesystem,
            .pool = "homes",
            .key = key,
            .name = "hp-" + key.str(),
            .owner = Owner{Uid{4242}, Gid{4242}},
            .marker = {.key = key, .id = {}}};
  }
  void put(const ObjectRef& ref, const std::string& name, const std::string& text) {
    const auto tree = find<TreeAccess>(*driver_)->open_tree(op(), ref, {});
    ASSERT_OK(tree);
    const auto made = (*tree)->make_file(op(), (*tree)->root().node, name, {.owner = spec(1).owner, .mode = 0600});
    ASSERT_OK(made);
    ASSERT_OK((*tree)->write(op(), made->node, 0, std::as_bytes(std::span(text))));
  }
  // What a client of that uid reads; its words when it cannot.
  static std::string cat(const MountSource& source, const std::string& name, std::uint32_t uid) {
    const auto& nfs = std::get<NfsSource>(source);
    const std::string url = "nfs://" + nfs.server + nfs.path + "/" + name +
                            "?version=4&nfsport=" + std::to_string(nfs.port.value_or(2049)) +
                            "&uid=" + std::to_string(uid) + "&gid=" + std::to_string(uid);
    const auto ended = run_to_end({.words = {kCat, url}}, 30s);
    EXPECT_OK(ended);
    return ended ? ended->output : "";
  }
  [[nodiscard]] int rereads() const {
    const auto log = text_of(state() / "ganesha.log");
    int count = 0;
    for (auto at = log.find("Reread exports complete"); at != std::string::npos;
         at = log.find("Reread exports complete", at + 1))
      ++count;
    return count;
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  fs::path root_;
  std::unique_ptr<StorageDriver> driver_;
  std::unique_ptr<Exporter> exporter_;
};

TEST_F(ServedTest, ASnapshotIsReadOverNfsAndIsAnothersToNobody) {
  start_driver();
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  put(made->ref, "thesis", "first words");
  ASSERT_OK(find<Snapshots>(*driver_)->take_snapshot(op(), made->ref, "hp-1"));
  const auto frozen = driver_->mount_source(op(), made->ref, {.snapshot = "hp-1"});
  const auto live = driver_->mount_source(op(), made->ref, {});
  ASSERT_OK(frozen);
  ASSERT_OK(live);
  put(made->ref, "later", "more words");
  EXPECT_EQ(cat(*live, "later", 4242), "more words");
  EXPECT_EQ(cat(*frozen, "thesis", 4242), "first words");
  EXPECT_THAT(cat(*frozen, "later", 4242), HasSubstr("NFS4ERR_NOENT"));
  EXPECT_THAT(cat(*frozen, "thesis", 4243), HasSubstr("NFS4ERR_ACC"));
  ASSERT_OK(driver_->retire(op(), made->ref));
  EXPECT_THAT(cat(*frozen, "thesis", 4242), ::testing::Not(HasSubstr("first words")));
  EXPECT_TRUE(fs::is_empty(state() / "mounts"));
}

TEST_F(ServedTest, ManyCallsAtOnceCostFewReloads) {
  exporter_ = make_ganesha_exporter(
      {.server = "127.0.0.1", .state = AbsolutePath::parse(state().string()).value(), .nfs_port = 0}, *clock_);
  constexpr int kExports = 60;
  for (int i = 0; i < kExports; ++i) fs::create_directories(root_ / "dirs" / std::to_string(i));
  const auto item = [&](int i) {
    const std::string number = std::to_string(i);
    return HostExport{.name = "e" + number,
                      .directory = AbsolutePath::parse((root_ / "dirs" / number).string()).value(),
                      .path = AbsolutePath::parse("/many/" + number).value(),
                      .rules = {{.client = "127.0.0.1"}}};
  };
  for (const auto& check : exporter_->check(op())) EXPECT_EQ(check.status, CheckStatus::ok) << check.detail;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kExports; ++i) {
      threads.emplace_back([&, i] {
        const auto one = item(i);
        EXPECT_OK(exporter_->put(op(), std::span(&one, 1)));
      });
    }
  }
  EXPECT_LE(rereads(), 10);
  EXPECT_EQ(exporter_->list(op())->size(), static_cast<std::size_t>(kExports));
  const int before = rereads();
  const auto again = item(3);
  EXPECT_OK(exporter_->put(op(), std::span(&again, 1)));
  EXPECT_EQ(rereads(), before) << "what is served already disturbs nobody";
  // One that cannot be bound is refused alone.
  auto lost = item(4);
  lost.name = "lost";
  lost.directory = AbsolutePath::parse((root_ / "dirs" / "none").string()).value();
  EXPECT_FALSE(exporter_->put(op(), std::span(&lost, 1)).has_value());
  auto changed = item(5);
  changed.rules[0].squash = Squash::all;
  EXPECT_OK(exporter_->put(op(), std::span(&changed, 1)));
  // What was put is remembered by the next one, ids and ports too.
  const auto endpoint = exporter_->endpoint();
  ASSERT_OK(endpoint);
  exporter_.reset();
  EXPECT_TRUE(fs::exists(state() / "exports.json"));
  exporter_ = make_ganesha_exporter(
      {.server = "127.0.0.1", .state = AbsolutePath::parse(state().string()).value(), .nfs_port = 0}, *clock_);
  EXPECT_EQ(exporter_->endpoint()->port, endpoint->port);
  EXPECT_EQ(exporter_->list(op())->size(), static_cast<std::size_t>(kExports));
}

TEST_F(ServedTest, AServerThatDoesNotStartIsSaidSoAndTriedAgain) {
  auto taken = std::make_unique<Descriptor>(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(taken->get(), raw, size), 0);
  ASSERT_EQ(::listen(taken->get(), 1), 0);
  ASSERT_EQ(::getsockname(taken->get(), raw, &size), 0);
  exporter_ = make_ganesha_exporter({.server = "127.0.0.1",
                                     .state = AbsolutePath::parse(state().string()).value(),
                                     .nfs_port = ntohs(address.sin6_port)},
                                    *clock_);
  const auto checks = exporter_->check(op());
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_EQ(checks[0].status, CheckStatus::failed);
  EXPECT_THAT(checks[0].detail, HasSubstr("does not start"));
  taken.reset();
  EXPECT_EQ(exporter_->check(op())[0].status, CheckStatus::ok);
}

}  // namespace
}  // namespace homeport::drivers
