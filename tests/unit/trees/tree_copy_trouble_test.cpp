// Copies from what cannot all be read, from listings that begin again, and of files with several names.
#include "tests/unit/trees/tree_copy_fixture.h"

namespace homeport::trees {
namespace {

// --- what cannot be looked at ----------------------------------------------------------------------------------------

TEST_F(TreeCopyTest, ABadBlockIsTheFaultOfItsFile) {
  file("bad", "b");
  file("good", "g");
  const auto inner = local();
  WatchedTree from(*inner);
  bool own = true;
  from.after_read = [&](std::span<std::byte> data) -> Result<void> {
    if (data.size() != 1 || data[0] != std::byte{'b'}) return {};
    if (own) return input_output("bad");
    return Error{.code = Errc::unavailable, .message = "the server is gone"};
  };
  const auto to = home();
  const auto report = pass(from, *to);
  ASSERT_OK(report);
  ASSERT_EQ(report->unreadable.size(), 1U);
  EXPECT_EQ(report->unreadable[0].path, "bad");
  EXPECT_NE(report->unreadable[0].why.find("Input/output error"), std::string::npos);
  EXPECT_EQ(report->files, 2U);
  own = false;
  EXPECT_ERRC(pass(from, *to), Errc::unavailable) << "that is no fault of the file";
  from.after_read = [](auto) { return Result<void>{}; };
  ASSERT_OK(pass(from, *to)) << "mended";
  expect_same();
}

TEST_F(TreeCopyTest, ADeadMountInAHomeIsNamedAndTheRestIsCopied) {
  file("plain", "p");
  fs::create_directory(root_ / "deep");
  file("deep/kept", "k");
  const auto inner = local();
  WatchedTree from(*inner);
  from.after_list = [](const OpContext&, ListPage& page) -> Result<void> {
    for (const auto& entry : page.entries)
      if (entry.name == "kept") page.unseen.push_back({.name = "mount", .why = input_output("mount")});
    return {};
  };
  const auto report = pass(from, *home());
  ASSERT_OK(report);
  ASSERT_EQ(report->unreadable.size(), 1U);
  EXPECT_EQ(report->unreadable[0].path, "deep/mount");
  EXPECT_EQ(report->files, 2U);
  EXPECT_FALSE(report->complete());
}

TEST_F(TreeCopyTest, TooManyBadFilesEndThePass) {
  for (int i = 0; i < 1001; ++i) file("f" + std::to_string(i), "x");
  const auto inner = local();
  WatchedTree from(*inner);
  from.after_read = [](auto) -> Result<void> { return input_output("disk"); };
  EXPECT_ERRC(pass(from, *home()), Errc::unavailable);
}

// Somebody else may have the home by now: nothing is sent after that, wherever the copy is.
TEST_F(TreeCopyTest, NothingIsWrittenWhenTheTimeToWriteIsOver) {
  fill();
  const auto from = local();
  for (int over_at = 0; over_at < 8; ++over_at) {
    const auto inner = home();
    WatchedTree to(*inner);
    MonoTime until = MonoTime::max();
    int changes = 0;
    to.before_change = [&]() -> Result<void> {
      if (changes++ != over_at) return {};
      until = clock_.mono();
      return {};
    };
    const auto report = TreeCopy(clock_, {}, progress_, [&] { return until; }).pass(*from, to);
    ASSERT_ERRC(report, Errc::timed_out) << over_at;
    EXPECT_LE(changes, over_at + 2) << "one was on its way, the next is refused";
  }
}

// --- listings --------------------------------------------------------------------------------------------------------

TEST_F(TreeCopyTest, AListingThatBeganAgainGivesNobodyTwice) {
  file("alice", "old");
  const auto inner = local();
  WatchedTree twice(*inner);
  twice.after_list = [](const OpContext&, ListPage& page) -> Result<void> {
    auto again = page.entries;
    for (auto& entry : again) entry.attributes.size = 3;
    for (auto& entry : page.entries) entry.attributes.size = 1;
    page.unseen.push_back({.name = "alice", .why = input_output("alice")});
    page.entries.insert(page.entries.end(), again.begin(), again.end());
    return {};
  };
  const auto listing = list_all([this] { return op(); }, twice, twice.root().node, true);
  ASSERT_OK(listing);
  ASSERT_EQ(listing->entries.size(), 1U);
  EXPECT_EQ(listing->entries[0].attributes.size, 3U) << "the later one is right";
  EXPECT_TRUE(listing->unseen.empty()) << "seen after all";
  const auto report = pass(twice, *home());
  ASSERT_OK(report);
  EXPECT_EQ(report->files, 1U);
  EXPECT_EQ(report->copied, 1U);
}

TEST_F(TreeCopyTest, EachPageOfADirectoryHasTimeOfItsOwn) {
  const auto inner = home();
  constexpr int kEntries = 1000;
  for (int i = 0; i < kEntries; ++i) ASSERT_OK(inner->make_file(op(), inner->root().node, "f" + std::to_string(i), {}));
  WatchedTree slow(*inner);
  int pages = 0;
  slow.after_list = [&](const OpContext& op, ListPage&) -> Result<void> {
    ++pages;
    clock_.advance(90s);
    if (clock_.mono() >= op.deadline) return Error{.code = Errc::timed_out, .message = "too late"};
    return {};
  };
  const auto report = TreeCopy(clock_, {}, progress_).count(slow);
  ASSERT_OK(report);
  EXPECT_EQ(report->files, static_cast<std::uint64_t>(kEntries));
  EXPECT_GT(pages, 2);
}

// --- hard links ------------------------------------------------------------------------------------------------------

class HardLinkTest : public TreeCopyTest {
 protected:
  HardLinkTest() {
    fs::create_directories(root_ / "a/b");
    file("a/b/one", "content");
    file("other", "content");
    fs::create_hard_link(root_ / "a/b/one", root_ / "two");
    fs::create_hard_link(root_ / "a/b/one", root_ / "a/three");
    for (const char* name : {"two", "other"}) age(name, 1'600'000'000);
  }
  // Names that are one file in the target, as one text each.
  std::vector<std::string> files_of_several_names() {
    const auto tree = home();
    std::map<std::uint64_t, std::string> names;
    gather(*tree, tree->root().node, "", names);
    std::vector<std::string> out;
    for (const auto& [id, text] : names)
      if (text.find(' ') != std::string::npos) out.push_back(text);
    return out;
  }
  void gather(Tree& tree, const Node& dir, const std::string& path, std::map<std::uint64_t, std::string>& names) {
    const auto listing = list_all([this] { return op(); }, tree, dir, false);
    ASSERT_OK(listing);
    for (const auto& one : listing->entries) {
      if (one.attributes.type == EntryType::directory) gather(tree, one.node, path + one.name + "/", names);
      if (one.attributes.type != EntryType::file) continue;
      auto& text = names[one.attributes.id];
      text += (text.empty() ? "" : " ") + path + one.name;
    }
  }
};

TEST_F(HardLinkTest, NamesOfOneFileStayNamesOfOneFile) {
  const auto from = local();
  const auto counted = TreeCopy(clock_, {}, progress_).count(*from);
  ASSERT_OK(counted);
  EXPECT_EQ(counted->bytes, 14U) << "content counts once";
  const auto first = pass(*from, *home());
  ASSERT_OK(first);
  EXPECT_EQ(first->several_names, 3U);
  EXPECT_EQ(first->separate, 0U);
  EXPECT_EQ(first->bytes, 14U);
  EXPECT_EQ(first->files, 4U);
  const auto together = files_of_several_names();
  ASSERT_EQ(together.size(), 1U);
  for (const char* name : {"a/b/one", "a/three", "two"}) EXPECT_NE(together[0].find(name), std::string::npos);
  expect_same();
  const auto second = pass(*from, *home());
  ASSERT_OK(second);
  EXPECT_EQ(second->copied + second->removed, 0U);
}

TEST_F(HardLinkTest, GoesOnWhereverItWasKilled) {
  for (int killed_at = 0;; ++killed_at) {
    ASSERT_LT(killed_at, 500);
    const auto from = local();
    const auto inner = home();
    WatchedTree to(*inner);
    to.kill_after(killed_at);
    if (pass(*from, to)) break;
  }
  expect_same();
  EXPECT_EQ(files_of_several_names().size(), 1U);
}

TEST_F(HardLinkTest, FollowsWhatBecomesOfThem) {
  const auto from = local();
  ASSERT_OK(pass(*from, *home()));
  // Two of the three part, the third keeps what it had; the other file joins.
  fs::remove(root_ / "two");
  file("two", "content");
  age("two", 1'600'000'000);
  fs::remove(root_ / "a/three");
  fs::create_hard_link(root_ / "other", root_ / "a/three");
  ASSERT_OK(pass(*from, *home()));
  expect_same();
  const auto together = files_of_several_names();
  ASSERT_EQ(together.size(), 1U);
  EXPECT_NE(together[0].find("other"), std::string::npos) << together[0];
  const auto again = pass(*from, *home());
  ASSERT_OK(again);
  EXPECT_EQ(again->copied + again->removed, 0U);
}

TEST_F(HardLinkTest, AServerThatMakesNoneGetsFilesOfTheirOwnAndTheyAreCounted) {
  const auto from = local();
  const auto inner = home();
  WatchedTree to(*inner);
  to.links = false;
  TreeCopy copy(clock_, {}, progress_);
  const auto first = copy.pass(*from, to);
  ASSERT_OK(first);
  EXPECT_TRUE(first->complete());
  EXPECT_EQ(first->separate, 2U);
  EXPECT_EQ(first->separate_bytes, 14U);
  EXPECT_EQ(first->bytes, 28U);
  expect_same();
  EXPECT_TRUE(files_of_several_names().empty());
  const auto second = copy.pass(*from, to);
  ASSERT_OK(second);
  EXPECT_EQ(second->copied + second->removed, 0U) << "it comes to an end";
  EXPECT_EQ(second->separate, 2U);
}

TEST_F(HardLinkTest, NoNameOfAFileThatIsNotWholeIsMade) {
  const auto inner = local();
  WatchedTree from(*inner);
  from.after_read = [](std::span<std::byte> data) -> Result<void> {
    if (data.size() == 7) return input_output("bad");
    return {};
  };
  const auto report = pass(from, *home());
  ASSERT_OK(report);
  EXPECT_FALSE(report->complete());
  EXPECT_TRUE(files_of_several_names().empty());
  ASSERT_OK(pass(*inner, *home()));
  expect_same();
}

}  // namespace
}  // namespace homeport::trees
