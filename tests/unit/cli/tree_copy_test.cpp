// Copies from a real directory of this machine into the memory backend: the same afterwards, whatever happens between.
#include "cli/tree_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "cli/copy_plan.h"
#include "drivers/local/local_tree.h"
#include "drivers/memory/memory_driver.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::cli {
namespace {

using namespace drivers;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

// Forwards; a test looks in before each call that changes, and after each that reads.
class WatchedTree final : public Tree {
 public:
  explicit WatchedTree(Tree& inner) : inner_(inner) {}
  std::function<Result<void>()> before_change = [] { return Result<void>{}; };
  std::function<Result<void>(std::span<std::byte>)> after_read = [](auto) { return Result<void>{}; };

  [[nodiscard]] Entry root() const override { return inner_.root(); }
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override {
    return inner_.lookup(op, dir, name);
  }
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override { return inner_.stat(op, node); }
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override {
    return inner_.list(op, requests);
  }
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override {
    HOMEPORT_TRY(const auto got, inner_.read(op, file, offset, into));
    HOMEPORT_CHECK(after_read(into.first(got)));
    return got;
  }
  Result<std::string> read_link(const OpContext& op, const Node& link) override { return inner_.read_link(op, link); }
  Result<Entry> make_directory(const OpContext& op, const Node& dir, std::string_view name,
                               const AttributeChange& attributes) override {
    HOMEPORT_CHECK(before_change());
    return inner_.make_directory(op, dir, name, attributes);
  }
  Result<Entry> make_file(const OpContext& op, const Node& dir, std::string_view name,
                          const AttributeChange& attributes) override {
    HOMEPORT_CHECK(before_change());
    return inner_.make_file(op, dir, name, attributes);
  }
  Result<Entry> make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                          Owner owner) override {
    HOMEPORT_CHECK(before_change());
    return inner_.make_link(op, dir, name, target, owner);
  }
  Result<void> link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) override {
    HOMEPORT_CHECK(before_change());
    return inner_.link(op, file, dir, name);
  }
  Result<void> write(const OpContext& op, const Node& file, std::uint64_t offset,
                     std::span<const std::byte> data) override {
    HOMEPORT_CHECK(before_change());
    return inner_.write(op, file, offset, data);
  }
  Result<void> set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) override {
    HOMEPORT_CHECK(before_change());
    return inner_.set_attributes(op, node, change);
  }
  Result<void> rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                      std::string_view to) override {
    return inner_.rename(op, from_dir, from, to_dir, to);
  }
  std::vector<Result<void>> remove(const OpContext& op, std::span<const Removal> removals) override {
    if (auto good = before_change(); !good) return {removals.size(), good};
    return inner_.remove(op, removals);
  }

 private:
  Tree& inner_;
};

class TreeCopyTest : public ::testing::Test {
 protected:
  TreeCopyTest() {
    std::string pattern = (fs::temp_directory_path() / "homeport-copy-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    auto made = driver_.create(op(), testing::spec_for(testing::key_number(1)));
    EXPECT_OK(made);
    object_ = std::move(made).value().ref;
  }
  ~TreeCopyTest() override {
    std::error_code ignored;
    fs::permissions(root_ / "locked", fs::perms::owner_all, ignored);
    fs::remove_all(root_, ignored);
  }

  OpContext op() { return testing::op_within(clock_, 60s); }
  void file(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  // Another moment than now, so that a time which was not set shows.
  void age(const std::string& name, long seconds, long nanoseconds = 123'456'789) const {
    const std::array<timespec, 2> times{
        {{.tv_sec = seconds, .tv_nsec = nanoseconds}, {.tv_sec = seconds, .tv_nsec = nanoseconds}}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root_ / name).c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0);
  }
  void fill() const {
    file("notes.txt", "hello");
    file("empty", "");
    file("-rf", "dash");
    file("new\nline", "odd");
    file("\xff\xfe", "no text");
    fs::create_directories(root_ / "deep/er");
    file("deep/er/big", std::string(1'500'000, 'b') + "end");
    file("sparse", "start");
    fs::resize_file(root_ / "sparse", 5'000'000);
    fs::create_symlink("/etc/passwd", root_ / "outside");
    fs::create_symlink("../..", root_ / "deep/up");
    fs::create_directory_symlink("er", root_ / "deep/inside");
    fs::create_directory(root_ / "locked");
    file("locked/kept", "k");
    ::chmod((root_ / "locked").c_str(), 0500);
    ::chmod((root_ / "notes.txt").c_str(), 0640);
    for (const char* name : {"notes.txt", "empty", "sparse", "deep/er/big", "locked"}) age(name, 1'600'000'000);
  }

  std::unique_ptr<Tree> local() {
    auto tree = open_local_tree(AbsolutePath::parse(root_.string()).value());
    EXPECT_OK(tree);
    return std::move(tree).value();
  }
  std::unique_ptr<Tree> home() {
    auto tree = driver_.open_tree(op(), object_, {});
    EXPECT_OK(tree);
    return std::move(tree).value();
  }
  Result<CopyReport> pass(Tree& from, Tree& to) {
    return TreeCopy(clock_, stop_.get_token(), progress_).pass(from, to);
  }

  // path -> everything that must be the same, in words.
  void picture(Tree& tree, const Node& dir, const std::string& path, std::map<std::string, std::string>& out) {
    const std::array<ListRequest, 1> wanted{{{.directory = dir, .from = {}}}};
    std::vector<Entry> entries;
    auto request = wanted;
    for (;;) {
      auto page = std::move(tree.list(op(), request).front());
      ASSERT_OK(page);
      for (auto& one : page->entries) entries.push_back(one);
      if (!page->next) break;
      request[0].from = page->next;
    }
    for (const auto& one : entries) {
      const auto& a = one.attributes;
      const auto name = path + "/" + one.name;
      std::string words = std::to_string(static_cast<int>(a.type)) + " " + std::to_string(a.uid.value) + ":" +
                          std::to_string(a.gid.value);
      if (a.type != EntryType::symlink) words += " " + std::to_string(a.mode) + " " + format_time(a.modified);
      if (a.type == EntryType::symlink) words += " -> " + tree.read_link(op(), one.node).value();
      if (a.type == EntryType::file) {
        std::vector<std::byte> data(a.size + 1);
        const auto got = tree.read(op(), one.node, 0, data);
        ASSERT_OK(got);
        words += " " + std::to_string(*got) + " " +
                 std::to_string(std::hash<std::string_view>{}({reinterpret_cast<const char*>(data.data()), *got}));
      }
      if (a.type != EntryType::other) out[name] = words;
      if (a.type == EntryType::directory) picture(tree, one.node, name, out);
    }
  }
  std::map<std::string, std::string> picture(Tree& tree) {
    std::map<std::string, std::string> out;
    picture(tree, tree.root().node, "", out);
    return out;
  }
  void expect_same() {
    const auto from = local();
    const auto to = home();
    EXPECT_EQ(picture(*from), picture(*to));
  }

  fs::path root_;
  testing::FakeClock clock_;
  MemoryDriver driver_{{}, clock_};
  ObjectRef object_{.pool = {}, .key = testing::key_number(1), .name = {}, .id = {}};
  std::stop_source stop_;
  CopyProgress progress_;
};

TEST_F(TreeCopyTest, IsTheSameAfterwardsAndTheSecondPassFindsNothing) {
  fill();
  const auto from = local();
  const auto to = home();
  const auto counted = TreeCopy(clock_, {}, progress_).count(*from);
  ASSERT_OK(counted);
  const auto first = pass(*from, *to);
  ASSERT_OK(first);
  EXPECT_TRUE(first->complete());
  EXPECT_EQ(first->files, 8U);
  EXPECT_EQ(first->directories, 3U);
  EXPECT_EQ(first->links, 3U);
  EXPECT_EQ(first->copied, 14U);
  EXPECT_EQ(counted->files, first->files);
  EXPECT_EQ(counted->bytes, first->bytes);
  expect_same();
  const auto second = pass(*from, *to);
  ASSERT_OK(second);
  EXPECT_EQ(second->copied, 0U);
  EXPECT_EQ(second->removed, 0U);
  // The hole is one in the copy too.
  const auto sparse = to->lookup(op(), to->root().node, "sparse");
  ASSERT_OK(sparse);
  EXPECT_EQ((*sparse)->attributes.size, 5'000'000U);
  EXPECT_LT((*sparse)->attributes.used, 200'000U);
}

TEST_F(TreeCopyTest, WhatIsNoFileIsNamed) {
  file("one", "1");
  fs::create_hard_link(root_ / "one", root_ / "two");
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  const auto from = local();
  const auto report = pass(*from, *home());
  ASSERT_OK(report);
  EXPECT_TRUE(report->complete()) << "nobody waits for a pipe";
  ASSERT_EQ(report->left_behind.size(), 1U);
  EXPECT_EQ(report->left_behind[0].path, "pipe");
  EXPECT_EQ(report->several_names, 2U);
  expect_same();
}

// As if the command was killed before each single change, one after the other.
TEST_F(TreeCopyTest, GoesOnWhereverItWasKilled) {
  fill();
  for (int killed_at = 0;; ++killed_at) {
    ASSERT_LT(killed_at, 500);
    const auto from = local();
    const auto inner = home();
    WatchedTree to(*inner);
    int left = killed_at;
    to.before_change = [&]() -> Result<void> {
      if (left-- > 0) return {};
      return Error{.code = Errc::cancelled, .message = "killed"};
    };
    const auto report = pass(*from, to);
    if (report) break;
    ASSERT_ERRC(report, Errc::cancelled);
    // What has the time of its source is whole.
    std::map<std::string, std::string> source = picture(*from);
    for (const auto& [path, words] : picture(*inner)) {
      if (words[0] != '0') continue;
      const auto time = format_time(from->stat(op(), {.handle = path})->modified);
      if (words.find(time) == std::string::npos) continue;
      EXPECT_EQ(words, source[path]) << path << ", killed at " << killed_at;
    }
  }
  expect_same();
  // And from nothing, killed in the middle, once.
  const auto from = local();
  ASSERT_OK(pass(*from, *home()));
  expect_same();
}

TEST_F(TreeCopyTest, WhatIsReadBackIsCompared) {
  file("notes.txt", "hello");
  age("notes.txt", 1'600'000'000);
  const auto from = local();
  const auto inner = home();
  WatchedTree to(*inner);
  to.after_read = [](std::span<std::byte> data) -> Result<void> {
    if (!data.empty()) data[0] ^= std::byte{1};
    return {};
  };
  const auto report = pass(*from, to);
  ASSERT_ERRC(report, Errc::failed_precondition);
  EXPECT_NE(report.error().message.find("notes.txt is not what was written"), std::string::npos);
  const auto entry = inner->lookup(op(), inner->root().node, "notes.txt");
  ASSERT_OK(entry);
  EXPECT_GT((*entry)->attributes.modified, WallTime(1'700'000'000s)) << "it does not pass for whole";
  ASSERT_OK(pass(*from, *inner));
  expect_same();
}

TEST_F(TreeCopyTest, WhatChangesMeanwhileIsTakenAgain) {
  file("log", std::string(3'000'000, 'l'));
  const auto from = local();
  const auto inner = home();
  WatchedTree to(*inner);
  int writes = 0;
  to.before_change = [&]() -> Result<void> {
    if (++writes == 2) std::ofstream(root_ / "log", std::ios::app) << "more";
    return {};
  };
  const auto first = pass(*from, to);
  ASSERT_OK(first);
  ASSERT_EQ(first->changing.size(), 1U);
  EXPECT_FALSE(first->complete());
  const auto second = pass(*from, *inner);
  ASSERT_OK(second);
  EXPECT_TRUE(second->complete());
  EXPECT_EQ(second->copied, 1U);
  expect_same();
}

TEST_F(TreeCopyTest, KindsThatChangedAndWhatIsGoneFollowAndNoLinkIsFollowed) {
  file("was-file", "f");
  fs::create_directories(root_ / "was-directory/below");
  file("was-directory/below/x", "x");
  fs::create_symlink("was-directory", root_ / "was-link");
  file("gone", "g");
  const auto from = local();
  ASSERT_OK(pass(*from, *home()));
  fs::remove(root_ / "was-file");
  fs::create_directory(root_ / "was-file");
  file("was-file/in", "i");
  fs::remove_all(root_ / "was-directory");
  fs::create_symlink("/etc", root_ / "was-directory");
  fs::remove(root_ / "was-link");
  fs::create_directory(root_ / "was-link");
  file("was-link/mine", "m");
  fs::remove(root_ / "gone");
  const auto report = pass(*from, *home());
  ASSERT_OK(report);
  EXPECT_EQ(report->removed, 6U);
  expect_same();
}

TEST_F(TreeCopyTest, WhatCannotBeReadIsNamedAndTheRestIsCopied) {
  file("secret", "s");
  file("plain", "p");
  const auto inner = local();
  WatchedTree from(*inner);
  from.after_read = [&](std::span<std::byte> data) -> Result<void> {
    if (data.size() == 1 && data[0] == std::byte{'s'})
      return Error{.code = Errc::permission_denied, .message = "not yours"};
    return {};
  };
  const auto report = pass(from, *home());
  ASSERT_OK(report);
  ASSERT_EQ(report->unreadable.size(), 1U);
  EXPECT_EQ(report->unreadable[0].path, "secret");
  EXPECT_FALSE(report->complete());
  EXPECT_EQ(report->files, 2U);
}

TEST_F(TreeCopyTest, AStopEndsIt) {
  fill();
  stop_.request_stop();
  const auto from = local();
  EXPECT_ERRC(pass(*from, *home()), Errc::cancelled);
}

// --- the local side --------------------------------------------------------------------------------------------------

TEST_F(TreeCopyTest, ADirectoryThatBecameALinkIsNotFollowed) {
  fs::create_directory(root_ / "d");
  file("d/passwd", "mine");
  const auto tree = local();
  const auto d = tree->lookup(op(), tree->root().node, "d");
  ASSERT_OK(d);
  const auto inside = tree->lookup(op(), (*d)->node, "passwd");
  ASSERT_OK(inside);
  fs::remove_all(root_ / "d");
  fs::create_directory_symlink("/etc", root_ / "d");
  std::array<std::byte, 16> into{};
  EXPECT_ERRC(tree->read(op(), (*inside)->node, 0, into), Errc::failed_precondition);
  EXPECT_ERRC(tree->stat(op(), (*inside)->node), Errc::failed_precondition);
  const std::array<ListRequest, 1> wanted{{{.directory = (*d)->node, .from = {}}}};
  EXPECT_ERRC(tree->list(op(), wanted).front(), Errc::failed_precondition);
  EXPECT_ERRC(tree->lookup(op(), tree->root().node, "../x"), Errc::invalid_argument);
  EXPECT_ERRC(open_local_tree(AbsolutePath::parse((root_ / "d").string()).value()), Errc::failed_precondition);
  EXPECT_ERRC(open_local_tree(AbsolutePath::parse((root_ / "none").string()).value()), Errc::not_found);
}

TEST_F(TreeCopyTest, AFileThatBecameAPipeDoesNotHang) {
  file("f", "x");
  const auto tree = local();
  const auto f = tree->lookup(op(), tree->root().node, "f");
  ASSERT_OK(f);
  fs::remove(root_ / "f");
  ASSERT_EQ(::mkfifo((root_ / "f").c_str(), 0600), 0);
  std::array<std::byte, 16> into{};
  EXPECT_ERRC(tree->read(op(), (*f)->node, 0, into), Errc::failed_precondition);
}

// --- whose -----------------------------------------------------------------------------------------------------------

TEST_F(TreeCopyTest, ThePlanNamesEveryOddCase) {
  const auto owned = [&](const std::string& name, unsigned uid) {
    fs::create_directory(root_ / name);
    return ::chown((root_ / name).c_str(), uid, uid) == 0;
  };
  if (!owned("alice", 3001)) GTEST_SKIP() << "needs root: it gives directories to other users";
  ASSERT_TRUE(owned("bob", 3002) && owned("left", 3003) && owned("right", 3003) && owned("system", 12) &&
              owned("ctl\x01", 3005));
  fs::create_directory_symlink("alice", root_ / "link");
  file("file", "");
  const auto tree = local();
  const auto plan = plan_copy(op(), *tree, {.pattern = policies::HomePattern::parse("{user}").value()});
  ASSERT_OK(plan);
  std::vector<std::string> users;
  for (const auto& home : plan->homes) users.push_back(home.user + " " + std::to_string(home.uid));
  EXPECT_EQ(users, (std::vector<std::string>{"alice 3001", "bob 3002"}));
  std::map<std::string, std::string> reasons;
  for (const auto& one : plan->refused) reasons[one.path] = one.reason;
  EXPECT_EQ(reasons, (std::map<std::string, std::string>{{"ctl\x01", "odd-name"},
                                                         {"file", "not-a-directory"},
                                                         {"left", "uid-taken"},
                                                         {"link", "symlink"},
                                                         {"right", "uid-taken"},
                                                         {"system", "system-owner"}}));
}

}  // namespace
}  // namespace homeport::cli
