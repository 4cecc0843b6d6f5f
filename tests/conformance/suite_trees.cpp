// TreeAccess: the only walker.
#include <algorithm>
#include <set>

#include "tests/conformance/driver_suite.h"

namespace homeport::conformance {

using namespace drivers;

namespace {

// Bytes that people and programs really put into names, and what an attacker would.
const std::vector<std::string>& odd_names() {
  static const std::vector<std::string> names{
      "plain",     "with blank", "-rf", "new\nline", "tab\tand\x01", "\xff\xfe",  "Äpfel",
      "$(reboot)", "..hidden",   "...", "a\\b",      "*?[x]",        "quote'\"s", std::string(255, 'n')};
  return names;
}

}  // namespace

void TreeConformance::SetUp() {
  DriverConformance::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  if (!has_trees()) GTEST_SKIP() << "no trees, and none are claimed";
  object_.emplace(make());
  tree_ = tree_of(object_->ref);
  ASSERT_TRUE(tree_);
  root_ = tree_->root().node;
}
Result<Entry> TreeConformance::mkdir(const std::string& name) {
  return tree_->make_directory(op(), root_, name, {.mode = 0755});
}
Result<void> TreeConformance::remove(const Node& dir, const std::string& name, bool directory) {
  const Tree::Removal removal{.directory = dir, .name = name, .is_directory = directory};
  auto results = tree_->remove(op(), std::span(&removal, 1));
  if (results.size() != 1) return Error{.message = "one removal, " + std::to_string(results.size()) + " answers"};
  return std::move(results[0]);
}
std::optional<Entry> TreeConformance::entry(const std::string& name) {
  auto found = tree_->lookup(op(), root_, name);
  EXPECT_OK(found);
  return found ? std::move(found).value() : std::nullopt;
}

TEST_P(TreeConformance, RootIsTheObject) {
  const auto root = tree_->root();
  EXPECT_TRUE(root.name.empty());
  const auto stat = tree_->stat(op(), root.node);
  ASSERT_OK(stat);
  EXPECT_EQ(stat->type, EntryType::directory);
  EXPECT_EQ(stat->mode, object_->mode);
  EXPECT_EQ((Owner{stat->uid, stat->gid}), object_->owner);
  EXPECT_TRUE(names_in(*tree_, root_).empty());
}

TEST_P(TreeConformance, WhatIsWrittenIsRead) {
  const auto file = put(*tree_, root_, "notes.txt", "hello");
  ASSERT_OK(file);
  EXPECT_EQ(text_of(*tree_, file->node).value(), "hello");
  const std::string large(300'000, 'L');
  ASSERT_OK(tree_->write(op(), file->node, 3, bytes_of(large)));
  EXPECT_EQ(text_of(*tree_, file->node).value(), "hel" + large);
  // A hole reads as zeros.
  ASSERT_OK(tree_->write(op(), file->node, 400'000, bytes_of("end")));
  const auto text = text_of(*tree_, file->node);
  ASSERT_OK(text);
  ASSERT_EQ(text->size(), 400'003U);
  EXPECT_EQ(text->substr(300'003, 10), std::string(10, '\0'));
  std::byte one{};
  EXPECT_EQ(tree_->read(op(), file->node, 999'999, std::span(&one, 1)).value(), 0U);
  const auto again = entry("notes.txt");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attributes.size, 400'003U);
  EXPECT_EQ(again->attributes.type, EntryType::file);
}

TEST_P(TreeConformance, NamesAreBytes) {
  for (const auto& name : odd_names()) {
    const auto made = put(*tree_, root_, name, name);
    EXPECT_OK(made) << printable(name);
    const auto found = entry(name);
    ASSERT_TRUE(found.has_value()) << printable(name);
    EXPECT_EQ(found->name, name);
    EXPECT_EQ(text_of(*tree_, found->node).value(), name);
  }
  auto names = names_in(*tree_, root_);
  auto wanted = odd_names();
  std::sort(names.begin(), names.end());
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(names, wanted);
  for (const auto& name : odd_names()) EXPECT_OK(remove(root_, name, false)) << printable(name);
  EXPECT_TRUE(names_in(*tree_, root_).empty());
}

TEST_P(TreeConformance, WhatIsNoComponentIsRefusedEverywhere) {
  ASSERT_OK(put(*tree_, root_, "file", "x"));
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                 std::string("/"), std::string("../x"), std::string("nul\0byte", 8)}) {
    EXPECT_ERRC(tree_->lookup(op(), root_, bad), Errc::invalid_argument) << printable(bad);
    EXPECT_ERRC(tree_->make_directory(op(), root_, bad, {}), Errc::invalid_argument) << printable(bad);
    EXPECT_ERRC(tree_->make_file(op(), root_, bad, {}), Errc::invalid_argument) << printable(bad);
    EXPECT_ERRC(tree_->make_link(op(), root_, bad, "x", GetParam().owner), Errc::invalid_argument) << printable(bad);
    EXPECT_ERRC(tree_->rename(op(), root_, "file", root_, bad), Errc::invalid_argument) << printable(bad);
    EXPECT_ERRC(tree_->rename(op(), root_, bad, root_, "y"), Errc::invalid_argument) << printable(bad);
    EXPECT_ERRC(remove(root_, bad, false), Errc::invalid_argument) << printable(bad);
  }
  EXPECT_EQ(names_in(*tree_, root_), std::vector<std::string>{"file"});
}

TEST_P(TreeConformance, ThousandEntriesComeInPagesEachOnce) {
  constexpr int kEntries = 1000;
  const auto dir = mkdir("many");
  ASSERT_OK(dir);
  std::set<std::string> wanted;
  for (int i = 0; i < kEntries; ++i) {
    const auto name = "entry-with-a-rather-long-name-" + std::to_string(i);
    ASSERT_OK(tree_->make_file(op(), dir->node, name, {}));
    wanted.insert(name);
  }
  const auto names = names_in(*tree_, dir->node);
  EXPECT_EQ(names.size(), wanted.size());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), wanted);
  const ListRequest bad{.directory = dir->node, .from = "nonsense"};
  EXPECT_ERRC(tree_->list(op(), std::span(&bad, 1))[0], Errc::invalid_argument);
  std::vector<Tree::Removal> removals;
  for (const auto& name : wanted) removals.push_back({.directory = dir->node, .name = name});
  const auto removed = tree_->remove(op(), removals);
  ASSERT_EQ(removed.size(), removals.size());
  for (const auto& result : removed) EXPECT_OK(result);
  EXPECT_TRUE(names_in(*tree_, dir->node).empty());
}

TEST_P(TreeConformance, BatchAnswersInOrder) {
  std::vector<ListRequest> requests;
  for (int i = 0; i < 12; ++i) {
    const auto dir = mkdir("d" + std::to_string(i));
    ASSERT_OK(dir);
    ASSERT_OK(put(*tree_, dir->node, "in-" + std::to_string(i), ""));
    requests.push_back({.directory = dir->node});
  }
  const auto file = put(*tree_, root_, "file", "x");
  ASSERT_OK(file);
  requests[5].directory = file->node;
  const auto pages = tree_->list(op(), requests);
  ASSERT_EQ(pages.size(), requests.size());
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (i == 5) {
      EXPECT_FALSE(pages[i].has_value()) << "a file cannot be listed";
      continue;
    }
    ASSERT_OK(pages[i]);
    ASSERT_EQ(pages[i]->entries.size(), 1U);
    EXPECT_EQ(pages[i]->entries[0].name, "in-" + std::to_string(i));
    EXPECT_EQ(pages[i]->entries[0].attributes.type, EntryType::file);
    EXPECT_FALSE(pages[i]->next.has_value());
  }
  EXPECT_TRUE(tree_->list(op(), {}).empty());
  EXPECT_TRUE(tree_->remove(op(), {}).empty());
}

TEST_P(TreeConformance, StandingNameIsNotMadeAgain) {
  ASSERT_OK(put(*tree_, root_, "taken", "first"));
  EXPECT_ERRC(tree_->make_file(op(), root_, "taken", {}), Errc::already_exists);
  EXPECT_ERRC(tree_->make_directory(op(), root_, "taken", {}), Errc::already_exists);
  EXPECT_ERRC(tree_->make_link(op(), root_, "taken", "x", GetParam().owner), Errc::already_exists);
  EXPECT_EQ(text_in(object_->ref, "taken"), "first");
}

TEST_P(TreeConformance, RenameMovesAndReplaces) {
  const auto a = mkdir("a");
  const auto b = mkdir("b");
  ASSERT_OK(a);
  ASSERT_OK(b);
  const auto file = put(*tree_, a->node, "f", "moved");
  ASSERT_OK(file);
  ASSERT_OK(put(*tree_, b->node, "g", "replaced"));
  ASSERT_OK(tree_->rename(op(), a->node, "f", b->node, "g"));
  EXPECT_TRUE(names_in(*tree_, a->node).empty());
  EXPECT_EQ(names_in(*tree_, b->node), std::vector<std::string>{"g"});
  EXPECT_EQ(text_of(*tree_, file->node).value(), "moved") << "a handle stays right when its path changes";
  EXPECT_ERRC(tree_->rename(op(), a->node, "f", b->node, "h"), Errc::not_found);
  EXPECT_FALSE(tree_->rename(op(), root_, "a", root_, "b").has_value()) << "b is not empty";
  EXPECT_EQ(names_in(*tree_, b->node), std::vector<std::string>{"g"});
  ASSERT_OK(tree_->rename(op(), root_, "b", a->node, "inside"));
  EXPECT_EQ(text_of(*tree_, file->node).value(), "moved");
}

TEST_P(TreeConformance, RemoveForgivesTheAbsentAndKeepsTheFull) {
  const auto dir = mkdir("full");
  ASSERT_OK(dir);
  ASSERT_OK(put(*tree_, dir->node, "f", "x"));
  EXPECT_OK(remove(root_, "nothing", false));
  EXPECT_OK(remove(root_, "nothing", true));
  EXPECT_FALSE(remove(root_, "full", true).has_value());
  EXPECT_EQ(names_in(*tree_, dir->node), std::vector<std::string>{"f"});
  EXPECT_FALSE(remove(root_, "full", false).has_value()) << "a directory is not a file";
  ASSERT_OK(remove(dir->node, "f", false));
  ASSERT_OK(remove(root_, "full", true));
  EXPECT_FALSE(entry("full").has_value());
}

TEST_P(TreeConformance, LinksAreShownAndNotFollowed) {
  const auto dir = mkdir("real");
  ASSERT_OK(dir);
  for (const std::string target : {"real", "/etc/passwd", "../..", "does not exist"}) {
    const auto name = "to " + std::to_string(target.size());
    const auto link = tree_->make_link(op(), root_, name, target, GetParam().owner);
    ASSERT_OK(link);
    EXPECT_EQ(tree_->read_link(op(), link->node).value(), target);
    const auto found = entry(name);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->attributes.type, EntryType::symlink);
    const ListRequest through{.directory = found->node};
    EXPECT_FALSE(tree_->list(op(), std::span(&through, 1))[0].has_value());
    EXPECT_FALSE(tree_->lookup(op(), found->node, "passwd").has_value());
    EXPECT_FALSE(tree_->write(op(), found->node, 0, bytes_of("x")).has_value());
    EXPECT_OK(remove(root_, name, false));
  }
  EXPECT_TRUE(entry("real").has_value());
}

TEST_P(TreeConformance, AttributesAreSet) {
  const auto file = put(*tree_, root_, "f", "0123456789");
  ASSERT_OK(file);
  const WallTime then(std::chrono::seconds(1'600'000'000));
  ASSERT_OK(tree_->set_attributes(op(), file->node, {.mode = 0640}));
  ASSERT_OK(tree_->set_attributes(op(), file->node, {.size = 4}));
  ASSERT_OK(tree_->set_attributes(op(), file->node, {.modified = then}));
  auto stat = tree_->stat(op(), file->node);
  ASSERT_OK(stat);
  EXPECT_EQ(stat->mode, 0640U);
  EXPECT_EQ(stat->size, 4U);
  EXPECT_EQ(stat->modified, then);
  EXPECT_EQ((Owner{stat->uid, stat->gid}), GetParam().owner);
  ASSERT_OK(tree_->set_attributes(op(), file->node, {.size = 6}));
  EXPECT_EQ(text_of(*tree_, file->node).value(), std::string("0123\0\0", 6));
  if (can().ownership) {
    const Owner other{Uid{7}, Gid{8}};
    ASSERT_OK(tree_->set_attributes(op(), file->node, {.owner = other}));
    stat = tree_->stat(op(), file->node);
    ASSERT_OK(stat);
    EXPECT_EQ((Owner{stat->uid, stat->gid}), other);
  }
}

TEST_P(TreeConformance, AFileCanHaveSeveralNames) {
  const auto file = put(*tree_, root_, "one", "content");
  const auto dir = mkdir("dir");
  ASSERT_OK(file);
  ASSERT_OK(dir);
  const auto linked = tree_->link(op(), file->node, dir->node, "two");
  if (!linked && linked.error().code == Errc::unsupported) GTEST_SKIP() << "files have one name here";
  ASSERT_OK(linked);
  const auto two = tree_->lookup(op(), dir->node, "two");
  ASSERT_OK(two);
  ASSERT_TRUE(two->has_value());
  EXPECT_EQ((*two)->attributes.id, entry("one")->attributes.id);
  EXPECT_EQ((*two)->attributes.links, 2U);
  EXPECT_ERRC(tree_->link(op(), file->node, dir->node, "two"), Errc::already_exists);
  EXPECT_ERRC(tree_->link(op(), file->node, dir->node, "../x"), Errc::invalid_argument);
  ASSERT_OK(tree_->write(op(), (*two)->node, 0, bytes_of("CON")));
  EXPECT_EQ(text_of(*tree_, file->node).value(), "CONtent");
  ASSERT_OK(remove(root_, "one", false));
  EXPECT_EQ(text_of(*tree_, (*two)->node).value(), "CONtent") << "the other name keeps it";
}

TEST_P(TreeConformance, DryRunChangesNothing) {
  ASSERT_OK(put(*tree_, root_, "f", "before"));
  const auto file = entry("f");
  ASSERT_TRUE(file.has_value());
  CallLog calls;
  const auto run = dry(&calls);
  EXPECT_OK(tree_->make_directory(run, root_, "d", {}));
  EXPECT_OK(tree_->make_file(run, root_, "g", {}));
  EXPECT_OK(tree_->make_link(run, root_, "l", "f", GetParam().owner));
  EXPECT_OK(tree_->link(run, file->node, root_, "n"));
  EXPECT_OK(tree_->write(run, file->node, 0, bytes_of("after!")));
  EXPECT_OK(tree_->set_attributes(run, file->node, {.mode = 0777}));
  EXPECT_OK(tree_->rename(run, root_, "f", root_, "z"));
  const Tree::Removal removal{.directory = root_, .name = "f"};
  EXPECT_OK(tree_->remove(run, std::span(&removal, 1))[0]);
  EXPECT_GE(calls.lines().size(), 8U);  // one for each at least
  EXPECT_EQ(names_in(*tree_, root_), std::vector<std::string>{"f"});
  EXPECT_EQ(text_in(object_->ref, "f"), "before");
  EXPECT_EQ(entry("f")->attributes.mode, file->attributes.mode);
}

TEST_P(TreeConformance, WrongRefOpensNothing) {
  auto wrong = object_->ref;
  wrong.id += "0";
  EXPECT_ERRC(find<TreeAccess>(driver())->open_tree(op(), wrong, {}), Errc::failed_precondition);
  auto spent = op();
  spent.deadline = clock_->mono() - std::chrono::milliseconds(1);
  EXPECT_ERRC(tree_->stat(spent, root_), Errc::timed_out);
}

TEST_P(TreeConformance, PathBelowAnExportIsOpenForReadingOnly) {
  if (GetParam().import_path.empty()) GTEST_SKIP() << "nothing to import";
  const auto path = AbsolutePath::parse(GetParam().import_path).value();
  const auto tree = find<TreeAccess>(driver())->open_path(op(), path);
  ASSERT_OK(tree);
  const auto root = (*tree)->root().node;
  const auto file = (*tree)->lookup(op(), root, "a.txt");
  ASSERT_OK(file);
  ASSERT_TRUE(file->has_value());
  EXPECT_EQ(text_of(**tree, (*file)->node).value(), "hello");
  EXPECT_FALSE((*tree)->make_file(op(), root, "new", {}).has_value());
  EXPECT_FALSE((*tree)->write(op(), (*file)->node, 0, bytes_of("x")).has_value());
  const Tree::Removal removal{.directory = root, .name = "a.txt"};
  EXPECT_FALSE((*tree)->remove(op(), std::span(&removal, 1))[0].has_value());
  EXPECT_EQ(text_of(**tree, (*file)->node).value(), "hello");
  EXPECT_FALSE(find<TreeAccess>(driver())->open_path(op(), path / "not-there").has_value());
}

}  // namespace homeport::conformance
