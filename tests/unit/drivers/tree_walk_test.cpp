// What a tree holds: counted once, whatever its pages, names and interruptions.
#include "drivers/core/tree_walk.h"

#include <gmock/gmock.h>

#include <deque>

#include "drivers/memory/memory_driver.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::drivers {
namespace {

using ::homeport::testing::FakeClock;
using ::homeport::testing::key_number;
using ::homeport::testing::op_within;
using ::homeport::testing::spec_for;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class TreeWalkTest : public ::testing::Test {
 protected:
  TreeWalkTest() {
    const auto made = driver_.create(op(), spec_for(key_number(1)));
    EXPECT_OK(made);
    ref_ = made->ref;
    auto tree = driver_.open_tree(op(), ref_, {});
    EXPECT_OK(tree);
    tree_ = std::move(tree).value();
  }
  OpContext op() { return op_within(clock_, 60s); }
  Node directory(const Node& in, const std::string& name) {
    const auto made = tree_->make_directory(op(), in, name, {});
    EXPECT_OK(made);
    return made->node;
  }
  Entry file(const Node& in, const std::string& name, std::size_t bytes) {
    const auto made = tree_->make_file(op(), in, name, {});
    EXPECT_OK(made);
    const std::vector<std::byte> data(bytes, std::byte{'x'});
    EXPECT_OK(tree_->write(op(), made->node, 0, data));
    return *made;
  }
  // 40 directories of 3 files of 100 bytes; pages hold 7 entries, so the root has six.
  void fill() {
    for (int d = 0; d < 40; ++d) {
      const auto in = directory(tree_->root().node, "d" + std::to_string(d));
      for (int f = 0; f < 3; ++f) file(in, "f" + std::to_string(f), 100);
    }
  }
  static TreeTotals finished(Tree& tree, const OpContext& op) {
    TreeWalk walk(tree);
    for (int i = 0; i < 1000; ++i) {
      const auto done = walk.step(op);
      EXPECT_OK(done);
      if (!done || *done) return walk.totals();
    }
    ADD_FAILURE() << "the walk does not end";
    return walk.totals();
  }

  FakeClock clock_;
  MemoryDriver driver_{{.list_page = 7}, clock_};
  ObjectRef ref_{.pool = {}, .key = key_number(1), .name = {}, .id = {}};
  std::unique_ptr<Tree> tree_;
};

TEST_F(TreeWalkTest, CountsEveryEntryOfManyPages) {
  fill();
  const auto totals = finished(*tree_, op());
  EXPECT_EQ(totals.directories, 41U);
  EXPECT_EQ(totals.files, 120U);
  EXPECT_EQ(totals.entries, 160U);
  EXPECT_EQ(totals.unread, 0U);
  std::uint64_t used = tree_->stat(op(), tree_->root().node)->used;
  EXPECT_GE(totals.allocated, used + 120 * 100);
  EXPECT_GE(totals.apparent, 120U * 100);
}

TEST_F(TreeWalkTest, AFileWithSeveralNamesIsCountedOnceAndALinkIsNotFollowed) {
  const auto before = finished(*tree_, op());
  const auto big = file(tree_->root().node, "big", 5000);
  const auto one = finished(*tree_, op());
  const auto sub = directory(tree_->root().node, "sub");
  const auto with_directory = finished(*tree_, op());
  ASSERT_OK(tree_->link(op(), big.node, tree_->root().node, "same"));
  ASSERT_OK(tree_->link(op(), big.node, sub, "again"));
  const auto names = finished(*tree_, op());
  EXPECT_GE(one.apparent, before.apparent + 5000);
  EXPECT_EQ(names.apparent, with_directory.apparent);
  EXPECT_EQ(names.allocated, with_directory.allocated);
  EXPECT_EQ(names.files, 1U);
  EXPECT_EQ(names.more_names, 2U);
  EXPECT_EQ(names.entries, 4U);
  ASSERT_OK(tree_->make_link(op(), sub, "up", "/", {Uid{1}, Gid{1}}));
  EXPECT_EQ(finished(*tree_, op()).directories, 2U);
}

TEST_F(TreeWalkTest, GoesOnFromWhereItWasInterrupted) {
  fill();
  const auto big = file(tree_->root().node, "twice", 900);
  ASSERT_OK(tree_->link(op(), big.node, tree_->root().node, "zz"));
  const auto whole = finished(*tree_, op());
  // Killed after every step: only the text is left.
  std::string place;
  std::size_t steps = 0;
  for (bool done = false; !done; ++steps) {
    auto walk = place.empty() ? Result<TreeWalk>(TreeWalk(*tree_)) : TreeWalk::from(*tree_, place);
    ASSERT_OK(walk);
    const auto stepped = walk->step(op());
    ASSERT_OK(stepped);
    done = *stepped;
    const auto text = walk->position(1U << 20U);
    ASSERT_TRUE(text.has_value());
    place = *text;
  }
  EXPECT_GT(steps, 3U);
  const auto end = TreeWalk::from(*tree_, place);
  ASSERT_OK(end);
  EXPECT_EQ(end->totals().entries, whole.entries);
  EXPECT_EQ(end->totals().allocated, whole.allocated);
  EXPECT_EQ(end->totals().files, whole.files);
  EXPECT_EQ(end->totals().more_names, whole.more_names);
  EXPECT_FALSE(TreeWalk(*tree_).position(10).has_value()) << "longer than was asked for";
}

TEST_F(TreeWalkTest, APlaceThatIsNoneIsRefused) {
  for (const char* text : {"", "x", "{}", R"({"version":2})", R"({"version":1,"totals":[1]})",
                           R"({"version":1,"totals":[0,0,0,0,0,0,0,0],"unread_why":"","waiting":[["zz",null]]})",
                           R"({"version":1,"totals":[0,0,0,0,0,0,0,-1],"unread_why":""})"})
    EXPECT_ERRC(TreeWalk::from(*tree_, text), Errc::invalid_argument) << text;
}

TEST_F(TreeWalkTest, TimeThatRunsOutLosesNothing) {
  fill();
  const auto whole = finished(*tree_, op());
  TreeWalk walk(*tree_);
  ASSERT_OK(walk.step(op()));
  ASSERT_ERRC(walk.step(op_within(clock_, 0s)), Errc::timed_out);
  ASSERT_ERRC(walk.step(op_within(clock_, 0s)), Errc::timed_out);
  for (int i = 0; i < 1000; ++i) {
    const auto done = walk.step(op());
    ASSERT_OK(done);
    if (*done) break;
  }
  EXPECT_EQ(walk.totals().entries, whole.entries);
  EXPECT_EQ(walk.totals().allocated, whole.allocated);
}

// What no backend of ours can be made to show: pages that come again, entries that cannot be looked at, mounts.
class ScriptedTree final : public Tree {
 public:
  std::deque<std::pair<std::string, Result<ListPage>>> pages;  // in the order they are asked for

  [[nodiscard]] Entry root() const override {
    return {.name = {}, .node = {"root"}, .attributes = {.type = EntryType::directory, .id = 1, .fs = 9}};
  }
  static Entry entry(const std::string& name, std::uint64_t id, EntryType type = EntryType::file,
                     std::uint64_t fs = 9) {
    return {.name = name, .node = {name}, .attributes = {.type = type, .size = 10, .used = 10, .id = id, .fs = fs}};
  }
  std::vector<Result<ListPage>> list(const OpContext&, std::span<const ListRequest> requests) override {
    std::vector<Result<ListPage>> out;
    for (const auto& request : requests) {
      const auto at = std::find_if(pages.begin(), pages.end(),
                                   [&](const auto& page) { return page.first == request.directory.handle; });
      if (at == pages.end()) {
        out.emplace_back(Error{.code = Errc::not_found, .message = "gone"});
        continue;
      }
      out.push_back(at->second);
      pages.erase(at);
    }
    return out;
  }
  static Error never() { return Error{.code = Errc::internal, .message = "a walk does not ask for this"}; }
  Result<std::optional<Entry>> lookup(const OpContext&, const Node&, std::string_view) override { return never(); }
  Result<EntryAttributes> stat(const OpContext&, const Node&) override { return never(); }
  Result<std::size_t> read(const OpContext&, const Node&, std::uint64_t, std::span<std::byte>) override {
    return never();
  }
  Result<std::string> read_link(const OpContext&, const Node&) override { return never(); }
  Result<Entry> make_directory(const OpContext&, const Node&, std::string_view, const AttributeChange&) override {
    return never();
  }
  Result<Entry> make_file(const OpContext&, const Node&, std::string_view, const AttributeChange&) override {
    return never();
  }
  Result<Entry> make_link(const OpContext&, const Node&, std::string_view, std::string_view, Owner) override {
    return never();
  }
  Result<void> link(const OpContext&, const Node&, const Node&, std::string_view) override { return never(); }
  Result<void> write(const OpContext&, const Node&, std::uint64_t, std::span<const std::byte>) override {
    return never();
  }
  Result<void> set_attributes(const OpContext&, const Node&, const AttributeChange&) override { return never(); }
  Result<void> rename(const OpContext&, const Node&, std::string_view, const Node&, std::string_view) override {
    return never();
  }
  std::vector<Result<void>> remove(const OpContext&, std::span<const Removal> removals) override {
    return {removals.size(), Result<void>(never())};
  }
};

class OddTreeTest : public ::testing::Test {
 protected:
  TreeTotals walked() {
    TreeWalk walk(tree_);
    const OpContext op{.request_id = "test", .deadline = MonoTime::max()};
    for (int i = 0; i < 20; ++i) {
      const auto done = walk.step(op);
      EXPECT_OK(done);
      if (!done || *done) break;
    }
    return walk.totals();
  }
  static Entry entry(const std::string& name, std::uint64_t id, EntryType type = EntryType::file,
                     std::uint64_t fs = 9) {
    return ScriptedTree::entry(name, id, type, fs);
  }
  ScriptedTree tree_;
};

TEST_F(OddTreeTest, AListingThatBeginsAgainCountsNothingTwice) {
  tree_.pages = {{"root", ListPage{.entries = {entry("a", 2), entry("d", 3, EntryType::directory, 9)}, .next = "1"}},
                 {"root", ListPage{.entries = {entry("a", 2), entry("d", 3, EntryType::directory, 9), entry("b", 4)}}},
                 {"d", ListPage{.entries = {entry("inner", 5)}}}};
  const auto totals = walked();
  EXPECT_EQ(totals.entries, 4U);
  EXPECT_EQ(totals.apparent, 40U);
}

TEST_F(OddTreeTest, WhatCannotBeSeenIsSaidAndMountsAreLeftOut) {
  const Error denied{.code = Errc::permission_denied, .message = "access is denied"};
  const Error border{.code = Errc::failed_precondition, .message = "it lies across a filesystem border"};
  tree_.pages = {{"root", ListPage{.entries = {entry("mounted", 2, EntryType::directory, 10),
                                               entry("closed", 3, EntryType::directory, 9),
                                               entry("gone", 4, EntryType::directory, 9)},
                                   .unseen = {{.name = "bad", .why = denied}, {.name = "across", .why = border}}}},
                 {"closed", denied}};
  const auto totals = walked();
  EXPECT_EQ(totals.other_filesystems, 2U);
  EXPECT_EQ(totals.unread, 2U);
  EXPECT_THAT(totals.unread_why, HasSubstr("access is denied"));
  EXPECT_EQ(totals.directories, 3U);
}

TEST_F(OddTreeTest, ARootThatIsGoneIsNoEmptyHome) {
  EXPECT_EQ(walked().unread, 1U);
}

}  // namespace
}  // namespace homeport::drivers
