#include <gmock/gmock.h>

#include <thread>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using drivers::DriverMethod;
using drivers::Fault;
using store::OperationState;
using store::SpaceState;

class OperationsTest : public CoreTest {
 protected:
  OperationsTest() { apply(standard()); }
  void fail(DriverMethod method, Errc code, int times = 1, Fault::When when = Fault::When::instead) {
    factory_.plan->add(
        method,
        {.error = Error{.code = code, .message = "planned", .maybe_applied = when == Fault::When::after}, .when = when},
        times);
  }
  store::OperationRecord only_operation() {
    const auto all = hp().operations().list({});
    EXPECT_OK(all);
    EXPECT_EQ(all->size(), 1U);
    return all->front();
  }
};

TEST_F(OperationsTest, WhatIsLostForAMomentIsTriedAgain) {
  fail(DriverMethod::create, Errc::unavailable, 2);
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  EXPECT_EQ(made->state, SpaceState::ready);
  const auto op = only_operation();
  EXPECT_EQ(op.state, OperationState::succeeded);
  EXPECT_EQ(op.attempts, 2U);
  EXPECT_FALSE(op.failure.has_value());
}

TEST_F(OperationsTest, ALostReplyMakesNoSecondHome) {
  fail(DriverMethod::create, Errc::timed_out, 1, Fault::When::after);
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  std::vector<drivers::Object> page;
  const OpContext op{.request_id = "t", .deadline = clock_->mono() + std::chrono::seconds(5)};
  ASSERT_OK(factory_.memory("lab")->scan(op, {.pool = "homes"}, std::nullopt, page));
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].ref.id, made->backend_id);
}

TEST_F(OperationsTest, ADefiniteRefusalLeavesNothing) {
  fail(DriverMethod::create, Errc::out_of_capacity);
  EXPECT_ERRC(ensure("alice", 1001), Errc::out_of_capacity);
  EXPECT_TRUE(hp().catalog().spaces().empty());
  EXPECT_EQ(hp().catalog().spaces(true).front()->state, SpaceState::failed);
  EXPECT_OK(ensure("alice", 1001));  // and the name is free
}

TEST_F(OperationsTest, ARefusalWithSomethingStandingIsParkedNotForgotten) {
  fail(DriverMethod::create, Errc::permission_denied, 1, Fault::When::after);
  EXPECT_ERRC(ensure("alice", 1001), Errc::permission_denied);
  const auto op = only_operation();
  EXPECT_EQ(op.state, OperationState::parked);
  ASSERT_OK(hp().operations().retry(caller(), op.id));
  const auto done = wait(op.id);
  ASSERT_OK(done);
  EXPECT_EQ(done->state, OperationState::succeeded);
  EXPECT_EQ(hp().catalog().spaces().front()->state, SpaceState::ready);
}

TEST_F(OperationsTest, WhatCannotBeDecidedIsParkedAndCanBeGivenUp) {
  fail(DriverMethod::create, Errc::internal);
  EXPECT_ERRC(ensure("alice", 1001), Errc::internal);
  const auto op = only_operation();
  EXPECT_EQ(op.state, OperationState::parked);
  const auto findings = hp().administration().doctor();
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                          [&](const auto& f) { return f.what.find(op.id) != std::string::npos; }));
  EXPECT_OK(ensure("bob", 1002));  // everything else serves
  ASSERT_OK(hp().operations().give_up(caller(), op.id));
  EXPECT_EQ(hp().operations().get(op.id)->state, OperationState::failed);
  EXPECT_OK(ensure("alice", 1001));
}

TEST_F(OperationsTest, ARefusedChangeRestoresTheSpace) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  fail(DriverMethod::retire, Errc::failed_precondition);
  const auto refused = settled(hp().homes().retire(caller(), made->key));
  // Step one (withdraw) was done, so it is not undone on a guess: parked, visible.
  EXPECT_ERRC(refused, Errc::failed_precondition);
  const auto parked = hp().operations().list({.state = OperationState::parked});
  ASSERT_OK(parked);
  ASSERT_EQ(parked->size(), 1U);
  ASSERT_OK(hp().operations().give_up(caller(), parked->front().id));
  // How far it came is not known, so nobody mounts it until somebody says where it shall go.
  EXPECT_EQ(hp().catalog().space(made->key)->state, SpaceState::retiring);
  ASSERT_OK(settled(hp().homes().undelete(caller(), made->key)));
  EXPECT_EQ(hp().catalog().space(made->key)->state, SpaceState::ready);

  fail(DriverMethod::update, Errc::over_quota);
  EXPECT_ERRC(settled(hp().homes().resize(caller(), made->key, {.quota = *Bytes::parse("20GiB")})), Errc::over_quota);
  const auto space = hp().catalog().space(made->key);
  EXPECT_EQ(space->state, SpaceState::ready);
  EXPECT_EQ(space->quota_bytes, Bytes::parse("10GiB")->count());
}

// What is partly removed is never offered as a whole again.
TEST_F(OperationsTest, APurgeThatWasBegunOnlyGoesForward) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  ASSERT_OK(settled(hp().homes().retire(caller(), made->key)));
  fail(DriverMethod::purge, Errc::permission_denied);  // while it is only looked at
  EXPECT_ERRC(settled(hp().homes().purge(caller(), made->key, "alice")), Errc::permission_denied);
  EXPECT_EQ(hp().catalog().space(made->key)->state, SpaceState::retired);

  factory_.plan->add(DriverMethod::purge, {});
  fail(DriverMethod::purge, Errc::permission_denied);
  EXPECT_ERRC(settled(hp().homes().purge(caller(), made->key, "alice")), Errc::permission_denied);
  const auto parked = hp().operations().list({.state = OperationState::parked});
  ASSERT_OK(parked);
  ASSERT_EQ(parked->size(), 1U);
  EXPECT_EQ(hp().catalog().space(made->key)->state, SpaceState::purging);
  ASSERT_OK(hp().operations().give_up(caller(), parked->front().id));
  EXPECT_EQ(hp().catalog().space(made->key)->state, SpaceState::purging);
  EXPECT_ERRC(hp().homes().undelete(caller(), made->key), Errc::failed_precondition);
  const auto purged = settled(hp().homes().purge(caller(), made->key, "alice"));
  ASSERT_OK(purged);
  EXPECT_EQ(purged->state, SpaceState::purged);
}

TEST_F(OperationsTest, WhatIsBeingTriedCannotBeGivenUp) {
  factory_.plan->add(DriverMethod::create, {.error = Error{.code = Errc::unavailable, .message = "planned"}});
  factory_.plan->add(DriverMethod::create, {.latency = std::chrono::milliseconds(1500)});
  const auto outcome =
      hp().homes().ensure(caller(), {.user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001});
  ASSERT_OK(outcome);
  const auto& id = *outcome->operation;
  while (factory_.plan->left() > 0) (void)clock_->sleep_for(std::chrono::milliseconds(5), {});
  EXPECT_ERRC(hp().operations().give_up(caller(), id), Errc::conflict);
  EXPECT_EQ(wait(id)->state, OperationState::succeeded);
}

// An admin who sets observe in an emergency stops what waits, too.
TEST_F(OperationsTest, ObserveStopsWhatHasNotBeenDone) {
  fail(DriverMethod::create, Errc::unavailable, 2);
  const auto outcome =
      hp().homes().ensure(caller(), {.user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001});
  ASSERT_OK(outcome);
  auto observed = standard();
  observed.replace(observed.find(R"("kind":"memory")"), 15, R"("kind":"memory","mode":"observe")");
  apply(observed);
  const auto waiting = wait(*outcome->operation, std::chrono::seconds(3));
  ASSERT_OK(waiting);
  EXPECT_EQ(waiting->state, OperationState::waiting);
  EXPECT_EQ(factory_.plan->forwarded(DriverMethod::create), 0U);
  ASSERT_TRUE(waiting->failure);
  EXPECT_THAT(waiting->failure->message, ::testing::HasSubstr("observe"));
  apply(standard());
  EXPECT_EQ(wait(*outcome->operation)->state, OperationState::succeeded);
}

TEST_F(OperationsTest, ADamagedOperationIsListedAsParked) {
  ASSERT_OK(ensure("alice", 1001));
  const auto id = only_operation().id;
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto row, tx.get(store::Table::operations, id));
    const auto at = row->doc.find(R"("plan":{)");
    row->doc = row->doc.substr(0, at) + R"("plan":[],"other":{)" + row->doc.substr(at + 8);
    HOMEPORT_CHECK(tx.put(store::Table::operations, *row, store::Expect::any()));
    row->key = "op-broken";
    row->index = {"", "1", "running", "lab", "h-00000000000000ff"};
    row->doc = "{";
    HOMEPORT_CHECK(tx.put(store::Table::operations, *row, store::Expect::none()));
    return {};
  }));
  const auto all = hp().operations().list({});
  ASSERT_OK(all);
  ASSERT_EQ(all->size(), 2U);
  for (const auto& op : *all) {
    EXPECT_EQ(op.state, OperationState::parked);
    EXPECT_TRUE(op.failure.has_value());
  }
  restart();
  EXPECT_OK(ensure("bob", 1002));
}

TEST_F(OperationsTest, ARestartGoesOnWithWhatWasOpen) {
  fail(DriverMethod::create, Errc::unavailable, 1000);
  const auto outcome =
      hp().homes().ensure(caller(), {.user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001});
  ASSERT_OK(outcome);
  provisioner_->stop();
  factory_.plan = std::make_shared<drivers::FaultPlan>();  // the backend is well again
  restart();
  const auto op = wait(*outcome->operation);
  ASSERT_OK(op);
  EXPECT_EQ(op->state, OperationState::succeeded);
  EXPECT_EQ(hp().catalog().space(outcome->space.key)->state, SpaceState::ready);
}

TEST_F(OperationsTest, OneOpenOperationPerSpace) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  factory_.plan->add(DriverMethod::retire, {.error = Error{.code = Errc::unavailable, .message = "planned"}}, 3);
  const auto first = hp().homes().retire(caller(), made->key);
  ASSERT_OK(first);
  EXPECT_ERRC(hp().homes().resize(caller(), made->key, {.quota = *Bytes::parse("20GiB")}), Errc::conflict);
  const auto again = hp().homes().retire(caller(), made->key);  // the same question joins what is under way
  ASSERT_OK(again);
  EXPECT_EQ(again->operation, first->operation);
  const auto op = wait(*first->operation);
  ASSERT_OK(op);
  EXPECT_EQ(op->state, OperationState::succeeded);
}

TEST_F(OperationsTest, AWaitingCreateCanBeCancelled) {
  fail(DriverMethod::create, Errc::unavailable, 1000);
  const auto outcome =
      hp().homes().ensure(caller(), {.user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001});
  ASSERT_OK(outcome);
  ASSERT_OK(hp().operations().cancel(caller(), *outcome->operation));
  const auto op = wait(*outcome->operation);
  ASSERT_OK(op);
  EXPECT_EQ(op->state, OperationState::cancelled);
  EXPECT_TRUE(hp().catalog().spaces().empty());
}

TEST_F(OperationsTest, ASlowBackendAnswersItsWaitersAtTheirDeadline) {
  factory_.plan->add(DriverMethod::create, {.latency = std::chrono::seconds(2)});
  const auto outcome =
      hp().homes().ensure(caller(), {.user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001});
  ASSERT_OK(outcome);
  const auto early = blocking<store::OperationRecord>([&](auto done) {
    hp().operations().await(*outcome->operation, clock_->mono() + std::chrono::milliseconds(50), done);
  });
  ASSERT_OK(early);
  EXPECT_EQ(early->state, OperationState::running);
  EXPECT_OK(wait(*outcome->operation));
}

TEST_F(OperationsTest, ADamagedRowIsReportedAndTheRestServes) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(store_->write("test", [](store::WriteTransaction& tx) -> Result<void> {
    store::Row row{.key = "h-00000000000000ff", .doc = R"({"nonsense":true})"};
    HOMEPORT_TRY(const auto revision, tx.put(store::Table::spaces, row, store::Expect::any()));
    (void)revision;
    return {};
  }));
  restart();
  EXPECT_EQ(hp().catalog().damaged().size(), 1U);
  EXPECT_OK(ensure("alice", 1001));
  EXPECT_OK(ensure("bob", 1002));
}

}  // namespace
}  // namespace homeport::testing
