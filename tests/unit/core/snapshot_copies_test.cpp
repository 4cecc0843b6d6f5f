// Clones, and the backend's own overwrite.
#include <gmock/gmock.h>

#include "tests/unit/core/snapshot_fixture.h"

namespace homeport::testing {
namespace {

using store::OperationState;
using store::SpaceState;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CopiesOfSpacesTest : public SnapshotsTest {
 protected:
  CopiesOfSpacesTest() {
    apply(standard());
    const auto made = ensure("alice", 1001);
    EXPECT_OK(made);
    home_ = *made;
    write_file(home_, "f", "one");
  }
  store::SpaceRecord home_;
};

TEST_F(CopiesOfSpacesTest, AnInstantCopyIsADatasetOfItsOwn) {
  const auto copy = clone("home/alice", "course-a", false);
  ASSERT_OK(copy);
  EXPECT_EQ(copy->state, SpaceState::ready);
  EXPECT_EQ(copy->kind, SpaceKind::dataset);
  EXPECT_FALSE(copy->read_only);
  EXPECT_FALSE(copy->imported);
  EXPECT_EQ(copy->uid, 1001U);
  EXPECT_EQ(read_file(*copy, "f"), "one");
  write_file(*copy, "f", "two");
  EXPECT_EQ(read_file(home_, "f"), "one");
  const auto again = clone("home/alice", "course-a", false);
  ASSERT_OK(again);
  EXPECT_EQ(again->key, copy->key);
  EXPECT_ERRC(clone("home/alice", "course-a", true), Errc::already_exists);
}

TEST_F(CopiesOfSpacesTest, OfASnapshotItIsWhatWasThen) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  write_file(home_, "f", "two");
  const auto frozen = clone("home/alice@v1", "dashboard");
  ASSERT_OK(frozen);
  EXPECT_TRUE(frozen->read_only);
  EXPECT_EQ(read_file(*frozen, "f"), "one");
  EXPECT_THAT(show("home/alice@v1")->holds, IsEmpty()) << "held only while it was made";
  EXPECT_EQ(clone("home/alice@v1", "dashboard")->key, frozen->key);
  EXPECT_ERRC(clone("home/alice", "dashboard"), Errc::already_exists);
}

TEST_F(CopiesOfSpacesTest, WhatItIsMadeFromDoesNotGoMeanwhile) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  faults_->add({.code = Errc::internal, .message = "nonsense"});
  EXPECT_ERRC(clone("home/alice@v1", "course-a"), Errc::internal);
  const auto refused = remove("home/alice@v1");
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("dataset course-a is being made from it"));
  EXPECT_ERRC(release("home/alice@v1", show("home/alice@v1")->holds.at(0).id), Errc::failed_precondition);
  const auto parked = hp().operations().list({.state = OperationState::parked});
  ASSERT_OK(parked);
  ASSERT_OK(hp().operations().give_up(caller(), parked->at(0).id));
  EXPECT_OK(remove("home/alice@v1"));
  EXPECT_OK(clone("home/alice", "course-a")) << "the name is free again";
}

TEST_F(CopiesOfSpacesTest, ALostReplyMakesNoSecondCopy) {
  faults_->add({.code = Errc::timed_out, .message = "lost", .maybe_applied = true}, true);
  ASSERT_OK(clone("home/alice", "course-a", false));
  std::vector<drivers::Object> page;
  ASSERT_OK(factory_.memory("lab")->scan(op(), {.pool = "homes"}, std::nullopt, page));
  EXPECT_EQ(page.size(), 2U);
}

TEST_F(CopiesOfSpacesTest, OneThatWeMadeCanBeRetiredAndPurged) {
  const auto copy = clone("home/alice", "course-a");
  ASSERT_OK(copy);
  ASSERT_OK(settled(hp().homes().retire(caller(), copy->key)));
  ASSERT_OK(settled(hp().homes().purge(caller(), copy->key, "course-a")));
  EXPECT_OK(clone("home/alice", "course-a"));
}

TEST_F(CopiesOfSpacesTest, AClonedSpaceMustBeReady) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  EXPECT_ERRC(clone("home/alice@v2", "x"), Errc::not_found);
  ASSERT_OK(settled(hp().homes().retire(caller(), home_.key)));
  EXPECT_ERRC(clone(home_.key + "@v1", "x"), Errc::failed_precondition);
}

TEST_F(SnapshotsTest, WithoutClonesTheAlternativeIsNamed) {
  apply(with(R"("clones":false,)"));
  ASSERT_OK(ensure("alice", 1001));
  const auto refused = clone("home/alice", "x");
  ASSERT_ERRC(refused, Errc::unsupported);
  EXPECT_THAT(refused.error().hint, HasSubstr("copies the files"));
}

TEST_F(CopiesOfSpacesTest, AnOverwriteTakesEverythingBack) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  write_file(home_, "f", "two");
  write_file(home_, "new", "x");
  EXPECT_ERRC(overwrite("home/alice@v1", "bob"), Errc::invalid_argument);
  EXPECT_EQ(read_file(home_, "f"), "two");
  ASSERT_OK(overwrite("home/alice@v1", "alice"));
  EXPECT_EQ(read_file(home_, "f"), "one");
  EXPECT_EQ(read_file(home_, "new"), "(no such file)");
}

TEST_F(CopiesOfSpacesTest, AnOverwriteIsRefusedWhileASessionMountsIt) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  ASSERT_OK(issue(caller(policies::Scope::spawner, "main"), login("alice")));
  const auto refused = overwrite("home/alice@v1", "alice");
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("mounted by a session"));
  EXPECT_OK(overwrite("home/alice@v1", "alice", true));
}

}  // namespace
}  // namespace homeport::testing
