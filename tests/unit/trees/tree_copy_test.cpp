// The same afterwards, whatever happens between.
#include "provisioner/trees/tree_copy.h"

#include "tests/unit/trees/tree_copy_fixture.h"

namespace homeport::trees {
namespace {

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
    to.kill_after(killed_at);
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

}  // namespace
}  // namespace homeport::trees
