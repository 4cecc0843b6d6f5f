// What is peculiar to this driver; that it keeps the interface's promises is the conformance suite's to show.
#include "drivers/btrfs/btrfs_driver.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "drivers/btrfs/btrfs_driver_factory.h"
#include "provisioner/base/doc_reader.h"
#include "tests/support/memory_exporter.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::btrfs {
namespace {

namespace fs = std::filesystem;
using namespace literals;
using nlohmann::json;
using ::testing::HasSubstr;

std::string missing() {
  if (::geteuid() != 0) return "btrfs is administered by root";
  std::ifstream in("/proc/filesystems");
  const std::string known((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (known.find("btrfs") == std::string::npos) return "this kernel has no btrfs";
  return fs::exists("/dev/loop-control") ? "" : "this machine has no loop devices";
}

class BtrfsDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = missing(); !why.empty()) GTEST_SKIP() << why;
    std::string pattern = (fs::temp_directory_path() / "homeport-btrfs-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override {
    if (root_.empty()) return;
    unmount_it();
    fs::remove_all(root_);
  }
  void unmount_it() const { ::umount2((root_ / "top").c_str(), MNT_DETACH); }
  [[nodiscard]] fs::path file() const { return root_ / "pool.img"; }
  [[nodiscard]] fs::path top() const { return root_ / "top"; }
  [[nodiscard]] json section(const std::string& size = "512MiB") const {
    return {{"pools",
             {{{"name", "homes"}, {"loop", {{"file", file().string()}, {"size", size}}}, {"mount", top().string()}}}}};
  }
  std::unique_ptr<StorageDriver> driver(const json& from, const std::string& backend = "lab") {
    auto made = make_btrfs_driver(backend, from, {.clock = clock_.get()});
    EXPECT_OK(made);
    return made ? *std::move(made) : nullptr;
  }
  // With exports that nobody serves; `exporter_` shows them.
  std::unique_ptr<BtrfsDriver> exporting(std::size_t most = 1000) {
    const Document document{.root = section(), .source = "test"};
    Problems problems(document);
    DocReader in = DocReader::root(problems);
    auto config = read_btrfs_config(in);
    config.exports.clients = {"10.20.0.0/16"};
    auto exporter = std::make_unique<testing::MemoryExporter>(most);
    exporter_ = exporter.get();
    return std::make_unique<BtrfsDriver>("lab", std::move(config), DriverEnvironment{.clock = clock_.get()},
                                         std::move(exporter));
  }
  [[nodiscard]] OpContext op() const {
    return {.request_id = "test", .deadline = clock_->mono() + std::chrono::seconds(60)};
  }
  static CreateSpec spec(std::uint64_t number) {
    const auto key = SpaceKey::from_random(SpaceKind::home, number);
    return {.layout = Layout::filesystem,
            .pool = "homes",
            .key = key,
            .name = "hp-" + key.str(),
            .owner = Owner{Uid{4242}, Gid{4343}},
            .quota = 8_MiB,
            .marker = {.key = key, .id = {}}};
  }
  static Result<void> write_all(StorageDriver& driver, const OpContext& op, const ObjectRef& ref, std::size_t bytes) {
    HOMEPORT_TRY(const auto tree, find<TreeAccess>(driver)->open_tree(op, ref, {}));
    HOMEPORT_TRY(const auto made, tree->make_file(op, tree->root().node, "big", {.mode = 0600}));
    const std::string chunk(std::size_t{1} << 20U, 'x');
    for (std::size_t at = 0; at < bytes; at += chunk.size())
      HOMEPORT_CHECK(tree->write(op, made.node, at, std::as_bytes(std::span(chunk))));
    return {};
  }
  static std::string probe_words(StorageDriver& driver, const OpContext& op) {
    const auto report = driver.probe(op);
    EXPECT_OK(report);
    std::string out;
    for (const auto& check : report->checks) out += check.name + ": " + check.detail + " (" + check.hint + ")\n";
    return out;
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  fs::path root_;
  testing::MemoryExporter* exporter_ = nullptr;
};

std::string text_of(const fs::path& path, std::size_t bytes) {
  std::ifstream in(path, std::ios::binary);
  std::string out(bytes, '\0');
  in.read(out.data(), static_cast<std::streamsize>(bytes));
  return out;
}

TEST_F(BtrfsDriverTest, WhatHoldsSomethingElseIsErasedOnlyByItsOwnWord) {
  std::ofstream(file(), std::ios::binary) << "somebody's thesis";
  fs::resize_file(file(), (512_MiB).count());
  auto from = section();
  {
    const auto refuses = driver(from);
    const auto words = probe_words(*refuses, op());
    EXPECT_THAT(words, HasSubstr("holds something else"));
    EXPECT_THAT(words, HasSubstr("erase: \"unknown:536870912\""));
    EXPECT_ERRC(refuses->create(op(), spec(1)), Errc::failed_precondition);
  }
  from["pools"][0]["erase"] = "ext4:0000";
  EXPECT_ERRC(driver(from)->create(op(), spec(1)), Errc::failed_precondition);
  EXPECT_EQ(text_of(file(), 17), "somebody's thesis");
  EXPECT_FALSE(fs::exists(top() / "homes"));
  from["pools"][0]["erase"] = "unknown:536870912";
  {
    const auto erases = driver(from);
    ASSERT_OK(erases->create(op(), spec(1)));
  }
  // The word fits no more: what was made stays.
  const auto again = driver(from);
  const auto found = again->find(op(), {.layout = Layout::filesystem, .pool = "homes", .name = spec(1).name});
  ASSERT_OK(found);
  EXPECT_TRUE(found->has_value());
}

TEST_F(BtrfsDriverTest, ABtrfsOfSomebodyElseIsSomethingElse) {
  fs::create_directory(root_ / "empty");
  std::ofstream(file()).close();
  fs::resize_file(file(), (512_MiB).count());
  ASSERT_EQ(std::system(("/usr/sbin/mkfs.btrfs -q -L backups " + file().string()).c_str()), 0);  // NOLINT
  EXPECT_THAT(probe_words(*driver(section()), op()), HasSubstr("btrfs 'backups'"));
}

TEST_F(BtrfsDriverTest, APoolIsOneBackendsAndOneMachines) {
  {
    const auto first = driver(section());
    ASSERT_OK(first->create(op(), spec(1)));
    EXPECT_ERRC(driver(section(), "other")->create(op(), spec(2)), Errc::failed_precondition);
    EXPECT_OK(driver(section())->create(op(), spec(1)))
        << "a changed configuration makes a second driver of the backend";
  }
  ASSERT_OK(driver(section(), "other")->create(op(), spec(2))) << "the first one is gone";
  unmount_it();
  {
    ASSERT_OK(driver(section())->pools(op()));  // mounted again
    std::ofstream(top() / ".homeport" / "owner.json") << R"({"version":1,"machine":"another"})";
    unmount_it();
  }
  const auto refused = driver(section())->create(op(), spec(3));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("another machine"));
  EXPECT_FALSE(fs::exists(top() / "homes")) << "what the refused call mounted does not stay";
}

TEST_F(BtrfsDriverTest, APoolInUseIsNotMadeAnewWhenItsFileIsGone) {
  auto again = spec(2);
  again.pool_in_use = true;
  const auto refused = driver(section())->create(op(), again);
  ASSERT_ERRC(refused, Errc::unavailable);
  ASSERT_TRUE(refused.error().upstream.has_value());
  EXPECT_EQ(refused.error().upstream->system, kMissingPoolSystem);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(BtrfsDriverTest, IsFoundAgainAfterAnUnmountAndGrowsWhenAsked) {
  ASSERT_OK(driver(section())->create(op(), spec(1)));
  unmount_it();
  const auto larger = driver(section("768MiB"));
  const auto found = larger->find(op(), {.layout = Layout::filesystem, .pool = "homes", .name = spec(1).name});
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->quota, 8_MiB);
  const auto pools = larger->pools(op());
  ASSERT_OK(pools);
  EXPECT_EQ(pools->front().capacity, 768_MiB);
}

TEST_F(BtrfsDriverTest, ADraftThatACrashLeftIsTakenUp) {
  const auto lab = driver(section());
  ASSERT_OK(lab->create(op(), spec(1)));
  const fs::path drafts = top() / ".homeport" / "drafts";
  const Descriptor folder(::open(drafts.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_OK(make_subvolume(folder.get(), spec(2).name, "draft"));
  const Descriptor draft(::openat(folder.get(), spec(2).name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto left = subvolume_of(draft.get(), "draft");
  ASSERT_OK(left);
  const auto made = lab->create(op(), spec(2));
  ASSERT_OK(made);
  EXPECT_EQ(made->ref.id, (*left)->uuid);
  EXPECT_TRUE(fs::is_empty(drafts));
  EXPECT_EQ(made->owner, spec(2).owner);
}

TEST_F(BtrfsDriverTest, AFullPoolRefusesWritesAndStillRetires) {
  const auto lab = driver(section("256MiB"));
  auto wide = spec(1);
  wide.quota = std::nullopt;
  const auto made = lab->create(op(), wide);
  ASSERT_OK(made);
  EXPECT_ERRC(write_all(*lab, op(), made->ref, (512_MiB).count()), Errc::out_of_capacity);
  ASSERT_OK(lab->retire(op(), made->ref));
  ASSERT_OK(lab->purge(op(), made->ref, std::nullopt));
}

TEST_F(BtrfsDriverTest, ExportsFollowTheSpace) {
  const auto lab = exporting();
  const auto made = lab->create(op(), spec(1));
  ASSERT_OK(made);
  ASSERT_EQ(exporter_->all().size(), 1U);
  EXPECT_EQ(exporter_->all()[0].directory.str(), (top() / "homes" / spec(1).name).string());
  EXPECT_EQ(exporter_->all()[0].rules[0].client, "10.20.0.0/16");
  const auto source = lab->mount_source(op(), made->ref, {});
  ASSERT_OK(source);
  EXPECT_EQ(std::get<NfsSource>(*source).path, exporter_->all()[0].path.str());
  ASSERT_OK(lab->set_access(op(), made->ref, {.rules = {{.client = "10.9.0.0/16"}}}));
  EXPECT_EQ(exporter_->all()[0].rules[0].client, "10.9.0.0/16");
  // A snapshot is served when somebody mounts it, and read-only.
  const auto taken = lab->take_snapshot(op(), made->ref, "hp-1");
  ASSERT_OK(taken);
  EXPECT_EQ(exporter_->all().size(), 1U);
  ASSERT_OK(lab->mount_source(op(), made->ref, {.snapshot = "hp-1"}));
  ASSERT_EQ(exporter_->all().size(), 2U);
  EXPECT_TRUE(exporter_->all()[1].read_only);
  ASSERT_OK(lab->delete_snapshot(op(), made->ref, *taken));
  EXPECT_EQ(exporter_->all().size(), 1U);
  ASSERT_OK(lab->take_snapshot(op(), made->ref, "hp-2"));
  ASSERT_OK(lab->mount_source(op(), made->ref, {.snapshot = "hp-2"}));
  ASSERT_OK(lab->retire(op(), made->ref));
  EXPECT_TRUE(exporter_->all().empty()) << "nobody reaches what is retired, nor its snapshots";
  EXPECT_FALSE(lab->mount_source(op(), made->ref, {.snapshot = "hp-2"}).has_value());
  ASSERT_OK(lab->undelete(op(), made->ref));
  ASSERT_EQ(exporter_->all().size(), 1U);
  EXPECT_EQ(exporter_->all()[0].rules[0].client, "10.20.0.0/16") << "the configured rules hold again";
  // What the exporter forgot is served again by the next probe.
  exporter_->forget();
  ASSERT_OK(lab->probe(op()));
  EXPECT_EQ(exporter_->all().size(), 1U);
}

TEST_F(BtrfsDriverTest, MoreSpacesThanExportsAreRefusedInWords) {
  const auto lab = exporting(1);
  ASSERT_OK(lab->create(op(), spec(1)));
  EXPECT_ERRC(lab->create(op(), spec(2)), Errc::out_of_capacity);
}

TEST_F(BtrfsDriverTest, SnapshotsOfWhatIsLeavingAreRefused) {
  const auto lab = exporting();
  const auto made = lab->create(op(), spec(1));
  ASSERT_OK(made);
  ASSERT_OK(lab->take_snapshot(op(), made->ref, "hp-1"));
  ASSERT_OK(lab->retire(op(), made->ref));
  EXPECT_ERRC(lab->take_snapshot(op(), made->ref, "hp-2"), Errc::failed_precondition);
  ASSERT_OK(lab->purge(op(), made->ref, std::nullopt));
  EXPECT_ERRC(lab->take_snapshot(op(), made->ref, "hp-2"), Errc::not_found);
  EXPECT_TRUE(fs::is_empty(top() / ".homeport" / "snapshots")) << "snapshots go with their space";
  EXPECT_TRUE(fs::is_empty(top() / ".homeport" / "markers"));
}

TEST_F(BtrfsDriverTest, ACloneOfASnapshotHasItsOwnOwnerAndLimit) {
  const auto lab = driver(section());
  const auto made = lab->create(op(), spec(1));
  ASSERT_OK(made);
  ASSERT_OK(write_all(*lab, op(), made->ref, (2_MiB).count()));
  ASSERT_OK(find<Snapshots>(*lab)->take_snapshot(op(), made->ref, "hp-1"));
  auto target = spec(2);
  target.owner = Owner{Uid{5000}, Gid{5000}};
  target.quota = 4_MiB;
  const auto copy = find<Cloner>(*lab)->clone(op(), made->ref, "hp-1", target);
  ASSERT_OK(copy);
  EXPECT_EQ(copy->owner, target.owner);
  EXPECT_EQ(copy->quota, 4_MiB);
  EXPECT_TRUE(fs::exists(top() / "homes" / target.name / "big"));
  EXPECT_EQ(lab->find(op(), {.layout = Layout::filesystem, .pool = "homes", .name = spec(1).name}).value()->quota,
            8_MiB);
}

TEST(BtrfsSection, WrongMembersAreNamed) {
  struct Row {
    const char* text;
    const char* says;
  };
  const std::vector<Row> rows{
      {R"({})", "pools"},
      {R"({"pools":[{"name":"a"}]})", "exactly one of"},
      {R"({"pools":[{"name":"a","device":"/dev/x"}]})", "mount"},
      {R"({"pools":[{"name":"a","device":"/dev/x","directory":"/y"}]})", "exactly one of"},
      {R"({"pools":[{"name":"a","directory":"/y","mount":"/z"}]})", "mounted already"},
      {R"({"pools":[{"name":"a","directory":"/y","erase":"x"}]})", "erase"},
      {R"({"pools":[{"name":"a","loop":{"file":"/f","size":"1MiB"},"mount":"/m"}]})", "256MiB"},
      {R"({"pools":[{"name":"a","loop":{"file":"/f"},"mount":"/m"}]})", "size"},
      {R"({"pools":[{"name":"a","directory":"/y","homes":"a/b"}]})", "homes"},
      {R"({"pools":[{"name":"a","directory":"/y"},{"name":"b","directory":"/y/z"}]})", "lie in each other"},
      {R"({"pools":[{"name":"a","directory":"/y","quota":"soft"}]})", "quota"},
      {R"({"pools":[],"exports":{"clients":["x"]}})", "without exporter"},
      {R"({"pools":[],"exporter":{"server":"s","state":"/s"}})", "nobody could mount"},
      {R"({"pools":[],"exporter":{"server":"s","state":"/s"},"exports":{"clients":["*"]}})", "not a client"},
      {R"({"pools":[],"client":{"host":"h"},"exporter":{"server":"s","state":"/s"},"exports":{"clients":["x"]}})",
       "beside exporter"}};
  for (const auto& row : rows) {
    const auto document = parse_json_document(row.text, "test");
    ASSERT_OK(document);
    Problems problems(*document);
    DocReader in = DocReader::root(problems);
    validate_btrfs_section(in);
    in.finish();
    ASSERT_FALSE(problems.none()) << row.text;
    EXPECT_THAT(problems.text(), HasSubstr(row.says)) << row.text;
  }
}

}  // namespace
}  // namespace homeport::drivers::btrfs
