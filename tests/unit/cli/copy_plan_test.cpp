// Whose each directory is, and which source it lies in.
#include "cli/copy_plan.h"

#include "cli/copy_source.h"
#include "tests/unit/trees/tree_copy_fixture.h"

namespace homeport::cli {
namespace {

using namespace trees;  // NOLINT(google-build-using-namespace): the fixture is theirs

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
  const auto plan =
      plan_copy([this] { return op(); }, *tree, {.pattern = policies::HomePattern::parse("{user}").value()});
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

TEST_F(TreeCopyTest, AMapSaysWhoseEachDirectoryIs) {
  const auto owned = [&](const std::string& name, unsigned uid) {
    fs::create_directories(root_ / name);
    return ::chown((root_ / name).c_str(), uid, uid) == 0;
  };
  if (!owned("disk1/a1", 3001)) GTEST_SKIP() << "needs root: it gives directories to other users";
  ASSERT_TRUE(owned("disk2/b2", 3002) && owned("other", 3003) && owned("twice", 3004));
  fs::create_directory_symlink("disk1", root_ / "link");
  const auto base = AbsolutePath::parse(root_.string()).value();
  std::vector<RosterLine> lines{{.user = "alice", .klass = "large", .quota = "20GiB", .path = "disk1/a1"},
                                {.user = "bob", .gid = 77, .path = base.str() + "/disk2/b2"},
                                {.user = "carl", .uid = 9, .path = "other"},
                                {.user = "dora", .path = "link/a1"},
                                {.user = "emil", .path = "/etc"},
                                {.user = "frida", .path = "../x"},
                                {.user = "gerd", .path = "none"},
                                {.user = "hans", .path = "twice"},
                                {.user = "ilse", .path = "twice"}};
  const auto tree = local();
  const auto plan = plan_mapped_copy([this] { return op(); }, *tree, {.base = base, .lines = lines});
  ASSERT_OK(plan);
  ASSERT_EQ(plan->homes.size(), 2U);
  const auto& alice = plan->homes[0];
  EXPECT_EQ(alice.path + " " + alice.user + " " + alice.klass + " " + alice.quota, "disk1/a1 alice large 20GiB");
  EXPECT_EQ(alice.uid, 3001U);
  EXPECT_EQ(plan->homes[1].gid, 77U);
  std::map<std::string, std::string> reasons;
  for (const auto& one : plan->refused) reasons[one.user] = one.reason;
  EXPECT_EQ(reasons, (std::map<std::string, std::string>{{"carl", "owner-differs"},
                                                         {"dora", "missing"},
                                                         {"emil", "odd-name"},
                                                         {"frida", "odd-name"},
                                                         {"gerd", "missing"},
                                                         {"hans", "two-to-one"},
                                                         {"ilse", "two-to-one"}}));
}

TEST_F(TreeCopyTest, ThePlanGoesOnWhereSomethingCannotBeLookedAt) {
  fs::create_directory(root_ / "alice");
  if (::chown((root_ / "alice").c_str(), 3001, 3001) != 0) GTEST_SKIP() << "needs root";
  const auto inner = local();
  WatchedTree tree(*inner);
  tree.after_list = [](const OpContext&, ListPage& page) -> Result<void> {
    page.unseen.push_back({.name = "bob", .why = input_output("bob")});
    return {};
  };
  const auto plan =
      plan_copy([this] { return op(); }, tree, {.pattern = policies::HomePattern::parse("{user}").value()});
  ASSERT_OK(plan);
  EXPECT_EQ(plan->homes.size(), 1U);
  ASSERT_EQ(plan->refused.size(), 1U);
  EXPECT_EQ(plan->refused[0].path + " " + plan->refused[0].reason, "bob unreadable");
}

// --- which source ----------------------------------------------------------------------------------------------------

TEST(CopySourceTest, AMachineIsKnownByADigestOfItsId) {
  const std::string id = "0123456789abcdef0123456789abcdef";
  const auto one = machine_source("nb1", id + "\n");
  ASSERT_OK(one);
  EXPECT_EQ(one->words("/home/a"), "nb1:/home/a");
  EXPECT_EQ(one->identity("/home/a").find("machine "), 0U);
  EXPECT_EQ(one->identity("/home/a").find(id.substr(0, 8)), std::string::npos) << "the id itself is nobody's business";
  EXPECT_EQ(machine_source("renamed", id)->id, one->id);
  EXPECT_NE(machine_source("nb1", std::string(31, '0') + "1")->id, one->id);
  for (const char* bad : {"", "uninitialized", "0123", "00000000000000000000000000000000"}) {
    const auto none = machine_source("nb1", std::string(bad));
    ASSERT_ERRC(none, Errc::failed_precondition) << bad;
    EXPECT_NE(none.error().hint.find("--source-name"), std::string::npos);
  }
  EXPECT_ERRC(machine_source("nb1", Error{.code = Errc::not_found, .message = "none"}), Errc::failed_precondition);
}

TEST(CopySourceTest, ServersAndNames) {
  EXPECT_EQ(server_source("old", {.server = "10.0.0.5"}).identity("/x"), "NFS server 10.0.0.5:/x");
  EXPECT_NE(server_source("old", {.server = "10.0.0.5", .port = 2050}).id,
            server_source("old", {.server = "10.0.0.5"}).id);
  EXPECT_EQ(named_source("shelf-2")->identity("/x"), "source shelf-2:/x");
  for (const std::string& bad :
       {std::string(), std::string("a/b"), std::string("a b"), std::string("a:b"), std::string(101, 'a')})
    EXPECT_ERRC(named_source(bad), Errc::invalid_argument) << bad;
}

}  // namespace
}  // namespace homeport::cli
