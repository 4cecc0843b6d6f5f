#include <gmock/gmock.h>

#include "tests/unit/core/snapshot_fixture.h"

namespace homeport::testing {
namespace {

using store::OperationState;
using store::SnapshotState;
using store::SpaceState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TakingTest : public SnapshotsTest {
 protected:
  TakingTest() {
    apply(standard());
    const auto made = ensure("alice", 1001);
    EXPECT_OK(made);
    home_ = *made;
  }
  store::SpaceRecord home_;
};

TEST_F(TakingTest, IsRecordedListedAndFoundByNameLabelAndKey) {
  const auto taken = take(home_.key, {.label = "before-update", .reason = "pandas 3"});
  ASSERT_OK(taken);
  EXPECT_EQ(taken->state, SnapshotState::ready);
  EXPECT_EQ(taken->taken_by, "t-test");
  EXPECT_FALSE(taken->backend_id.empty());
  EXPECT_THAT(standing(home_), ElementsAre(taken->name));
  const auto listed = list(home_.key);
  ASSERT_OK(listed);
  ASSERT_THAT(listed->items, SizeIs(1));
  EXPECT_EQ(listed->items[0].label, "before-update");
  EXPECT_EQ(listed->items[0].reason, "pandas 3");
  EXPECT_EQ(listed->items[0].state, "ready");
  EXPECT_TRUE(listed->items[0].ours);
  for (const auto& word : {taken->name, std::string("before-update"), taken->key}) {
    for (const auto& space : {std::string("home/alice"), home_.key}) {
      const auto shown = show(space + "@" + word);
      ASSERT_OK(shown);
      EXPECT_EQ(shown->key, taken->key) << space << "@" << word;
    }
  }
}

TEST_F(TakingTest, LeavesTheRecordOfTheSpaceAlone) {
  const auto before = hp().catalog().space(home_.key)->revision;
  ASSERT_OK(take(home_.key));
  EXPECT_EQ(hp().catalog().space(home_.key)->revision, before) << "logins would be prepared anew";
}

TEST_F(TakingTest, ALabelIsThereOnceForEachSpace) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  EXPECT_ERRC(take(home_.key, {.label = "v1"}), Errc::already_exists);
  EXPECT_THAT(standing(home_), SizeIs(1));
  const auto other = ensure("bob", 1002);
  ASSERT_OK(other);
  EXPECT_OK(take(other->key, {.label = "v1"}));
  ASSERT_OK(remove("home/alice@v1"));
  EXPECT_OK(take(home_.key, {.label = "v1"}));
}

TEST_F(TakingTest, LabelsThatCouldNotBeFoundAgainAreRefused) {
  for (const auto* label : {"a@b", "hp-20261121", "sn-1", "UPPER", "-x", "a/b", "a b", "h-0123456789abcdef"}) {
    EXPECT_ERRC(take(home_.key, {.label = label}), Errc::invalid_argument) << label;
  }
  EXPECT_ERRC(take(home_.key, {.reason = std::string(501, 'x')}), Errc::invalid_argument);
  EXPECT_THAT(standing(home_), IsEmpty());
}

TEST_F(TakingTest, ASpaceThatGoesIsNotSnapshottedAndSaysWhy) {
  ASSERT_OK(take(home_.key, {.label = "kept"}));
  ASSERT_OK(settled(hp().homes().retire(caller(), home_.key)));
  const auto refused = take(home_.key);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("it is retired"));
  EXPECT_THAT(refused.error().hint, HasSubstr("undelete"));
  ASSERT_OK(settled(hp().homes().undelete(caller(), home_.key)));
  EXPECT_OK(show("home/alice@kept"));
  ASSERT_OK(settled(hp().homes().retire(caller(), home_.key)));
  ASSERT_OK(settled(hp().homes().purge(caller(), home_.key, "alice")));
  EXPECT_ERRC(take(home_.key), Errc::failed_precondition);
}

TEST_F(TakingTest, AnImportedSpaceNeedsTheRightAndAnObservedBackendIsLeftAlone) {
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, home_.key));
    space->rights.snapshot = false;
    return store::put(tx, *space);
  }));
  EXPECT_ERRC(take(home_.key), Errc::failed_precondition);
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, home_.key));
    space->rights.snapshot = true;
    return store::put(tx, *space);
  }));
  apply(with(R"("mode":"observe",)"));
  const auto refused = take(home_.key);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("observe"));
}

TEST_F(TakingTest, ARefusalLeavesNoRecordAndTheLabelFree) {
  faults_->add({.code = Errc::out_of_capacity, .message = "512 are the most"});
  const auto refused = take(home_.key, {.label = "v1"});
  ASSERT_ERRC(refused, Errc::out_of_capacity);
  EXPECT_THAT(list(home_.key)->items, IsEmpty());
  EXPECT_EQ(hp().catalog().space(home_.key)->state, SpaceState::ready);
  EXPECT_OK(take(home_.key, {.label = "v1"}));
}

TEST_F(TakingTest, ALostReplyMakesNoSecondSnapshot) {
  faults_->add({.code = Errc::timed_out, .message = "lost", .maybe_applied = true}, true);
  const auto taken = take(home_.key);
  ASSERT_OK(taken);
  EXPECT_THAT(standing(home_), ElementsAre(taken->name));
}

TEST_F(TakingTest, GivenUpItIsFoundWhereItStandsAndCanBeDeleted) {
  faults_->add({.code = Errc::internal, .message = "nonsense"}, true);
  const auto outcome = hp().snapshots().take(caller(), home_.key, {.label = "v1"});
  ASSERT_OK(outcome);
  EXPECT_EQ(wait(*outcome->operation)->state, OperationState::parked);
  EXPECT_EQ(list(home_.key)->items.at(0).state, "taking");
  ASSERT_OK(hp().operations().give_up(caller(), *outcome->operation));
  EXPECT_EQ(list(home_.key)->items.at(0).state, "ready") << "it was taken after all";
  ASSERT_OK(remove("home/alice@v1"));
  EXPECT_THAT(standing(home_), IsEmpty());
}

TEST_F(TakingTest, ARestartGoesOnWithWhatWasBegun) {
  faults_->add({.code = Errc::unavailable, .message = "away"});
  const auto outcome = hp().snapshots().take(caller(), home_.key, {.label = "v1"});
  ASSERT_OK(outcome);
  restart();
  ASSERT_EQ(wait(*outcome->operation)->state, OperationState::succeeded);
  EXPECT_THAT(standing(home_), ElementsAre(outcome->snapshot.name));
  EXPECT_EQ(show("home/alice@v1")->state, "ready");
}

TEST_F(TakingTest, APersonKeepsAFewOfTheirOwn) {
  const auto me = self(home_.owner);
  for (std::size_t i = 0; i < core::Snapshots::kOwnMost; ++i) {
    ASSERT_OK(ended(hp().snapshots().take(me, home_.key, {})));
  }
  EXPECT_ERRC(ended(hp().snapshots().take(me, home_.key, {})), Errc::out_of_capacity);
  EXPECT_OK(take(home_.key)) << "an operator's do not count";
  EXPECT_OK(remove(me, "home/alice@" + list(home_.key)->items.front().name));
  EXPECT_OK(ended(hp().snapshots().take(me, home_.key, {})));
}

// --- Listing ---------------------------------------------------------------------------------------------------------

TEST_F(TakingTest, WhatOthersTookIsListedAndNeverTouched) {
  take_behind_our_back(home_, "hourly.0");
  const auto listed = list(home_.key);
  ASSERT_OK(listed);
  ASSERT_THAT(listed->items, SizeIs(1));
  EXPECT_TRUE(listed->items[0].key.empty());
  const auto held = hold("home/alice@hourly.0", {.owner = "me"});
  const auto removed = remove("home/alice@hourly.0");
  EXPECT_FALSE(listed->items[0].ours);
  ASSERT_ERRC(held, Errc::failed_precondition);
  EXPECT_THAT(held.error().message, HasSubstr("binds nobody but Homeport"));
  ASSERT_ERRC(removed, Errc::failed_precondition);
  EXPECT_THAT(standing(home_), ElementsAre("hourly.0"));
}

TEST_F(TakingTest, OneOfOursWithoutARecordIsShownAndGetsOneWhenItIsHeld) {
  take_behind_our_back(home_, "hp-20261121-000000-abcdef");
  const auto before = list(home_.key);
  ASSERT_OK(before);
  ASSERT_THAT(before->items, SizeIs(1));
  EXPECT_TRUE(before->items[0].ours);
  EXPECT_TRUE(before->items[0].key.empty());
  const auto held = hold("home/alice@hp-20261121-000000-abcdef", {.owner = "backup", .reason = "weekly"});
  ASSERT_OK(held);
  EXPECT_FALSE(held->key.empty());
  EXPECT_THAT(list(home_.key)->items, SizeIs(1));
  EXPECT_ERRC(remove("home/alice@hp-20261121-000000-abcdef"), Errc::failed_precondition);
  ASSERT_OK(release("home/alice@hp-20261121-000000-abcdef", "backup"));
  ASSERT_OK(remove("home/alice@hp-20261121-000000-abcdef"));
  EXPECT_THAT(standing(home_), IsEmpty());
}

TEST_F(TakingTest, WhatVanishedSaysSo) {
  const auto taken = take(home_.key, {.label = "v1"});
  ASSERT_OK(taken);
  delete_behind_our_back(home_, taken->name);
  EXPECT_EQ(list(home_.key)->items.at(0).state, "vanished");
  EXPECT_EQ(show("home/alice@v1")->state, "vanished");
  ASSERT_OK(remove("home/alice@v1"));
  EXPECT_THAT(list(home_.key)->items, IsEmpty());
}

TEST_F(TakingTest, ManyAreListedOverPagesInOrder) {
  for (int i = 0; i < 230; ++i) take_behind_our_back(home_, "hp-x-" + std::to_string(i));
  ASSERT_OK(take(home_.key, {.label = "last"}));
  const auto listed = list(home_.key);
  ASSERT_OK(listed);
  ASSERT_THAT(listed->items, SizeIs(231));
  EXPECT_TRUE(std::is_sorted(listed->items.begin(), listed->items.end(),
                             [](const auto& a, const auto& b) { return a.taken_at < b.taken_at; }));
}

// --- Names -----------------------------------------------------------------------------------------------------------

TEST_F(TakingTest, TheLastAtSplitsUnlessTheWholeIsASpace) {
  const auto mail = ensure("alice@uni.example", 1003);
  ASSERT_OK(mail);
  ASSERT_OK(take(mail->key, {.label = "v1"}));
  const auto found = show("home/alice@uni.example@v1");
  ASSERT_OK(found);
  EXPECT_EQ(found->space, mail->key);
  EXPECT_ERRC(hp().snapshots().parse("default", "home/alice@uni.example"), Errc::invalid_argument);
  EXPECT_ERRC(hp().snapshots().parse("default", "home/alice"), Errc::invalid_argument);
  EXPECT_ERRC(hp().snapshots().parse("default", "home/alice@"), Errc::invalid_argument);
  EXPECT_ERRC(hp().snapshots().parse("default", "home/nobody@v1"), Errc::not_found);
  EXPECT_ERRC(show("home/alice@v1"), Errc::not_found);
}

// --- Holds and deletion ----------------------------------------------------------------------------------------------

TEST_F(TakingTest, AHeldOneIsNotDeletedAndSaysWhoHoldsIt) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  ASSERT_OK(hold("home/alice@v1", {.owner = "backup", .reason = "weekly copy"}));
  ASSERT_OK(hold("home/alice@v1", {.owner = "carol"}));
  const auto refused = remove("home/alice@v1");
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("held by backup (weekly copy), carol"));
  ASSERT_OK(release("home/alice@v1", "backup"));
  EXPECT_ERRC(remove("home/alice@v1"), Errc::failed_precondition);
  EXPECT_ERRC(release("home/alice@v1", "backup"), Errc::not_found);
  ASSERT_OK(release("home/alice@v1", "carol"));
  const auto removed = remove("home/alice@v1");
  ASSERT_OK(removed);
  EXPECT_EQ(removed->state, SnapshotState::deleted);
  EXPECT_THAT(standing(home_), IsEmpty());
  EXPECT_ERRC(remove("home/alice@v1"), Errc::not_found);
}

TEST_F(TakingTest, AHoldThatEndedDoesNotCount) {
  const auto taken = take(home_.key, {.label = "v1"});
  ASSERT_OK(taken);
  EXPECT_ERRC(hold("home/alice@v1", {.owner = "x", .expires = clock_->now()}), Errc::invalid_argument);
  ASSERT_OK(hold("home/alice@v1", {.owner = "x", .expires = clock_->now() + std::chrono::hours(1)}));
  EXPECT_THAT(show("home/alice@v1")->holds, SizeIs(1));
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto record, store::get<store::SnapshotRecord>(tx, taken->key));
    record->holds.at(0).expires = clock_->now() - std::chrono::seconds(1);
    return store::put(tx, *record);
  }));
  EXPECT_THAT(show("home/alice@v1")->holds, IsEmpty());
  EXPECT_OK(remove("home/alice@v1"));
}

TEST_F(TakingTest, AHeldSnapshotKeepsItsSpaceFromBeingPurged) {
  ASSERT_OK(take(home_.key, {.label = "evidence"}));
  ASSERT_OK(hold("home/alice@evidence", {.owner = "legal", .reason = "case 7"}));
  ASSERT_OK(settled(hp().homes().retire(caller(), home_.key)));
  const auto refused = settled(hp().homes().purge(caller(), home_.key, "alice"));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("held by legal (case 7)"));
  ASSERT_OK(release(home_.key + "@evidence", "legal"));
  ASSERT_OK(settled(hp().homes().purge(caller(), home_.key, "alice")));
  ASSERT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto left, store::list<store::SnapshotRecord>(tx));
    EXPECT_EQ(left.at(0).state, SnapshotState::deleted) << "it went with the space";
    return {};
  }));
}

TEST_F(TakingTest, ARefusedDeletionLeavesItReady) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  faults_->add({.code = Errc::permission_denied, .message = "no"});
  EXPECT_ERRC(remove("home/alice@v1"), Errc::permission_denied);
  EXPECT_EQ(show("home/alice@v1")->state, "ready");
  EXPECT_OK(remove("home/alice@v1"));
}

TEST_F(TakingTest, APersonDeletesAndReleasesTheirOwn) {
  const auto me = self(home_.owner);
  ASSERT_OK(ended(hp().snapshots().take(me, home_.key, {.label = "mine"})));
  ASSERT_OK(take(home_.key, {.label = "theirs"}));
  EXPECT_ERRC(remove(me, "home/alice@theirs"), Errc::forbidden);
  ASSERT_OK(hold("home/alice@mine", {.owner = "backup"}));
  EXPECT_ERRC(release(me, "home/alice@mine", "backup"), Errc::forbidden);
  const auto held = hold(me, "home/alice@mine", {.owner = "backup", .reason = "thesis"});
  ASSERT_OK(held);
  ASSERT_THAT(held->holds, SizeIs(2));
  EXPECT_EQ(held->holds[1].owner, me.principal.id) << "nobody speaks for another owner";
  ASSERT_OK(release(me, "home/alice@mine", me.principal.id));
  ASSERT_OK(release("home/alice@mine", "backup"));
  EXPECT_OK(remove(me, "home/alice@mine"));
}

TEST_F(TakingTest, DeletionsCountAgainstTheDay) {
  apply(with(R"("caps":{"destroys":1},)"));
  ASSERT_OK(take(home_.key, {.label = "a"}));
  ASSERT_OK(take(home_.key, {.label = "b"}));
  ASSERT_OK(remove("home/alice@a"));
  EXPECT_ERRC(remove("home/alice@b"), Errc::out_of_capacity);
  EXPECT_EQ(show("home/alice@b")->state, "ready");
}

TEST_F(TakingTest, WhatIsSaidStandsInTheAuditTrail) {
  ASSERT_OK(take(home_.key, {.label = "v1"}));
  ASSERT_OK(hold("home/alice@v1", {.owner = "x"}));
  ASSERT_OK(release("home/alice@v1", "x"));
  ASSERT_OK(remove("home/alice@v1"));
  std::vector<std::string> actions;
  ASSERT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto rows, tx.audit(0, 1000, home_.key));
    for (const auto& row : rows) actions.push_back(row.entry.action);
    return {};
  }));
  EXPECT_THAT(actions,
              ElementsAre("home.ensure", "snapshot.take", "snapshot.hold", "snapshot.release", "snapshot.delete"));
}

TEST_F(TakingTest, RecordsOfWhatWasDeletedLongAgoAreForgotten) {
  const auto taken = take(home_.key);
  ASSERT_OK(taken);
  ASSERT_OK(remove(home_.key + "@" + taken->name));
  hp().snapshots().forget_old();
  const auto left = [&] {
    std::size_t n = 0;
    EXPECT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto rows, tx.list(store::Table::snapshots, {}));
      n = rows.size();
      return {};
    }));
    return n;
  };
  EXPECT_EQ(left(), 1U);
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto record, store::get<store::SnapshotRecord>(tx, taken->key));
    record->deleted_at = clock_->now() - std::chrono::hours(24 * 10);
    return store::put(tx, *record);
  }));
  hp().snapshots().forget_old();
  EXPECT_EQ(left(), 0U);
}

// --- Pools and backends without
// ---------------------------------------------------------------------------------------

TEST_F(SnapshotsTest, WhereTheyAreThePoolsASpaceSeesThemAllAndDeletesNone) {
  apply(with(R"("snapshots":"pool",)"));
  const auto alice = ensure("alice", 1001);
  const auto bob = ensure("bob", 1002);
  ASSERT_OK(alice);
  ASSERT_OK(bob);
  const auto taken = take(alice->key, {.label = "mine", .reason = "secret plan"});
  ASSERT_OK(taken);
  EXPECT_TRUE(taken->of_pool);
  const auto seen = list(bob->key);
  ASSERT_OK(seen);
  ASSERT_THAT(seen->items, SizeIs(1));
  EXPECT_TRUE(seen->items[0].of_pool);
  EXPECT_EQ(seen->items[0].label, "") << "what alice called it is hers";
  EXPECT_EQ(seen->items[0].reason, "");
  const auto held = hold("home/bob@" + taken->name, {.owner = "backup"});
  ASSERT_OK(held);
  EXPECT_THAT(show("home/alice@mine")->holds, SizeIs(1)) << "it pins the pool's";
  const auto refused = remove("home/alice@mine");
  ASSERT_ERRC(refused, Errc::unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("whole pool's"));
  EXPECT_ERRC(ended(hp().snapshots().take(self(alice->owner), alice->key, {})), Errc::forbidden);
  EXPECT_ERRC(overwrite("home/alice@mine", "alice"), Errc::unsupported);
  const auto carol = ensure("carol", 1003);
  ASSERT_OK(carol);
  EXPECT_THAT(list(carol->key)->items, IsEmpty()) << "from before her home was";
  EXPECT_THAT(list(alice->key)->items, SizeIs(1));
}

TEST_F(SnapshotsTest, ABackendWithoutSaysSo) {
  apply(with(R"("snapshots":"none",)"));
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  const auto refused = take(home->key);
  ASSERT_ERRC(refused, Errc::unsupported);
  EXPECT_FALSE(refused.error().hint.empty());
  EXPECT_ERRC(list(home->key), Errc::unsupported);
}

}  // namespace
}  // namespace homeport::testing
