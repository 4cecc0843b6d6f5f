#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "drivers/decorators/faulty_driver.h"
#include "drivers/decorators/limiting_driver.h"
#include "drivers/decorators/observing_drivers.h"
#include "drivers/decorators/wrap.h"
#include "drivers/memory/memory_driver.h"
#include "provisioner/base/metrics.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::drivers {
namespace {

using ::homeport::testing::FakeClock;
using ::homeport::testing::key_number;
using ::homeport::testing::op_within;
using ::homeport::testing::spec_for;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct World {
  FakeClock clock;
  std::shared_ptr<FaultPlan> plan = std::make_shared<FaultPlan>();

  std::unique_ptr<StorageDriver> faulty(MemoryConfig config = {}) {
    return std::make_unique<FaultyDriver>(std::make_unique<MemoryDriver>(std::move(config), clock), clock, plan);
  }
  OpContext op(milliseconds time = 60s) { return op_within(clock, time); }
  static Error down() { return {.code = Errc::unavailable, .message = "connection refused"}; }
};

Lookup by_name(std::uint64_t n) {
  return {.layout = Layout::directory, .pool = "homes", .name = "hp-" + key_number(n).str()};
}

// --- Retry ---------------------------------------------------------------------------------------------------------

struct Retrying : World, ::testing::Test {
  RetryPolicy policy{.max_attempts = 4, .first = 100ms, .jitter = 0.0};
  std::unique_ptr<StorageDriver> driver = std::make_unique<RetryingDriver>(faulty(), clock, policy, 1);
};

TEST_F(Retrying, PassingTroubleIsNotSeen) {
  plan->add(DriverMethod::create, {.error = down()}, 2);
  EXPECT_OK(driver->create(op(), spec_for(key_number(1))));
  EXPECT_EQ(plan->left(), 0U);
}

TEST_F(Retrying, LostReplyMakesOneObject) {
  plan->lose_reply(DriverMethod::create, 2);
  const auto made = driver->create(op(), spec_for(key_number(1)));
  ASSERT_OK(made);
  EXPECT_EQ(plan->forwarded(DriverMethod::create), 3U);
  std::vector<Object> page;
  ASSERT_OK(driver->scan(op(), {.layout = Layout::directory, .pool = "homes"}, std::nullopt, page));
  EXPECT_EQ(page.size(), 1U);
}

TEST_F(Retrying, GivesUpAfterItsAttempts) {
  plan->add(DriverMethod::find, {.error = down()}, 9);
  const auto found = driver->find(op(), by_name(1));
  ASSERT_ERRC(found, Errc::unavailable);
  EXPECT_THAT(found.error().to_string(), HasSubstr("given up"));
  EXPECT_EQ(plan->left(), 5U);
}

TEST_F(Retrying, DefiniteRefusalIsNotRepeated) {
  plan->add(DriverMethod::create, {.error = Error{.code = Errc::already_exists, .message = "taken"}}, 2);
  EXPECT_ERRC(driver->create(op(), spec_for(key_number(1))), Errc::already_exists);
  EXPECT_EQ(plan->left(), 1U);
}

TEST_F(Retrying, CancelledIsNotRepeated) {
  plan->add(DriverMethod::find, {.error = Error{.code = Errc::cancelled, .message = "stopped"}}, 2);
  EXPECT_ERRC(driver->find(op(), by_name(1)), Errc::cancelled);
  EXPECT_EQ(plan->left(), 1U);
}

TEST_F(Retrying, StaysInsideTheDeadline) {
  plan->add(DriverMethod::find,
            {.error = Error{.code = Errc::rate_limited, .message = "slow down", .retry_after = 10s}}, 9);
  const auto before = clock.mono();
  EXPECT_ERRC(driver->find(op(15s), by_name(1)), Errc::rate_limited);
  EXPECT_EQ(plan->left(), 7U);  // one wait of 10 s fits, a second does not
  EXPECT_EQ(clock.mono() - before, 10s);
}

TEST_F(Retrying, UnknownEffectIsRemembered) {
  plan->add(DriverMethod::create,
            {.error = Error{.code = Errc::timed_out, .message = "no answer", .maybe_applied = true}});
  plan->add(DriverMethod::create, {.error = Error{.code = Errc::permission_denied, .message = "login refused"}});
  const auto made = driver->create(op(), spec_for(key_number(1)));
  ASSERT_ERRC(made, Errc::permission_denied);
  EXPECT_TRUE(made.error().maybe_applied);
}

TEST_F(Retrying, PageIsNotFilledTwice) {
  ASSERT_OK(driver->create(op(), spec_for(key_number(1))));
  plan->lose_reply(DriverMethod::scan);
  std::vector<Object> page;
  ASSERT_OK(driver->scan(op(), {.layout = Layout::directory, .pool = "homes"}, std::nullopt, page));
  EXPECT_EQ(page.size(), 1U);
}

// --- Breaker -------------------------------------------------------------------------------------------------------

struct Breaking : World, ::testing::Test {
  BreakerPolicy policy{.failures = 3, .cool_down = 10s, .patience = 1s};
  BreakerDriver driver{faulty(), clock, policy, "nas1"};
  void open() {
    plan->add(DriverMethod::find, {.error = down()}, 3);
    for (int i = 0; i < 3; ++i) EXPECT_ERRC(driver.find(op(), by_name(1)), Errc::unavailable);
  }
};

TEST_F(Breaking, OpensAfterFailuresInARowAndRefusesAtOnce) {
  open();
  EXPECT_EQ(driver.breaker().state, BreakerState::open);
  EXPECT_EQ(driver.breaker().failures, 3);
  EXPECT_THAT(driver.breaker().last_error, HasSubstr("connection refused"));
  const auto forwarded = plan->forwarded(DriverMethod::find);
  const auto refused = driver.find(op(), by_name(1));
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_EQ(refused.error().retry_after, 10s);
  EXPECT_FALSE(refused.error().maybe_applied);
  EXPECT_EQ(plan->forwarded(DriverMethod::find), forwarded);
}

TEST_F(Breaking, TrialAfterTheCoolDownCloses) {
  open();
  clock.advance(10s);
  EXPECT_OK(driver.find(op(), by_name(1)));
  EXPECT_EQ(driver.breaker().state, BreakerState::closed);
}

TEST_F(Breaking, FailedTrialOpensAgain) {
  open();
  clock.advance(10s);
  plan->add(DriverMethod::find, {.error = down()});
  EXPECT_ERRC(driver.find(op(), by_name(1)), Errc::unavailable);
  EXPECT_EQ(driver.breaker().state, BreakerState::open);
  EXPECT_EQ(driver.breaker().retry_after, 10s);
}

TEST_F(Breaking, AnswersOfTheBackendAreNotFailures) {
  plan->add(DriverMethod::find, {.error = down()}, 2);
  EXPECT_ERRC(driver.find(op(), by_name(1)), Errc::unavailable);
  EXPECT_ERRC(driver.find(op(), by_name(1)), Errc::unavailable);
  plan->add(DriverMethod::find, {.error = Error{.code = Errc::not_found, .message = "no such pool"}});
  EXPECT_ERRC(driver.find(op(), by_name(1)), Errc::not_found);
  EXPECT_EQ(driver.breaker().failures, 0);
}

TEST_F(Breaking, ImpatientCallersDoNotOpenIt) {
  plan->add(DriverMethod::find, {.latency = 10s}, 6);
  for (int i = 0; i < 6; ++i) EXPECT_ERRC(driver.find(op(100ms), by_name(1)), Errc::timed_out);
  EXPECT_EQ(driver.breaker().state, BreakerState::closed);
  plan->add(DriverMethod::find, {.latency = 10s}, 3);
  for (int i = 0; i < 3; ++i) EXPECT_ERRC(driver.find(op(2s), by_name(1)), Errc::timed_out);
  EXPECT_EQ(driver.breaker().state, BreakerState::open);
}

TEST_F(Breaking, CancelledTrialLetsTheNextOneThrough) {
  open();
  clock.advance(10s);
  plan->add(DriverMethod::find, {.error = Error{.code = Errc::cancelled, .message = "stopped"}});
  EXPECT_ERRC(driver.find(op(), by_name(1)), Errc::cancelled);
  EXPECT_OK(driver.find(op(), by_name(1)));
  EXPECT_EQ(driver.breaker().state, BreakerState::closed);
}

TEST_F(Breaking, MountSourcePasses) {
  const auto made = driver.create(op(), spec_for(key_number(1)));
  ASSERT_OK(made);
  open();
  EXPECT_OK(driver.mount_source(op(), made.value().ref, {}));
}

TEST_F(Breaking, AProbePassesAndClosesWhenAllIsWell) {
  open();
  plan->add(DriverMethod::probe, {.error = down()});
  EXPECT_ERRC(driver.probe(op()), Errc::unavailable);
  EXPECT_EQ(driver.breaker().state, BreakerState::open);
  EXPECT_EQ(driver.breaker().failures, 3);
  EXPECT_OK(driver.probe(op()));
  EXPECT_EQ(driver.breaker().state, BreakerState::closed);
}

// Its server is down, and its report says so.
class DownDriver final : public ForwardingDriver {
 public:
  using ForwardingDriver::ForwardingDriver;
  Result<ProbeReport> probe(const OpContext&) override { return ProbeReport{}; }
};

TEST_F(Breaking, AReportOfFailedChecksClosesNothing) {
  BreakerDriver of_down{std::make_unique<DownDriver>(faulty()), clock, policy, "nas1"};
  plan->add(DriverMethod::find, {.error = down()}, 3);
  for (int i = 0; i < 3; ++i) EXPECT_ERRC(of_down.find(op(), by_name(1)), Errc::unavailable);
  const auto report = of_down.probe(op());
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok);
  EXPECT_EQ(of_down.breaker().state, BreakerState::open);
}

// --- Limit ---------------------------------------------------------------------------------------------------------

// Holds every find until it is let go.
class GateDriver final : public ForwardingDriver {
 public:
  using ForwardingDriver::ForwardingDriver;
  Result<std::optional<Object>> find(const OpContext& op, const Lookup& lookup) override {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    EXPECT_TRUE(changed_.wait_for(lock, 10s, [&] { return open_; })) << "nobody opened the gate";
    lock.unlock();
    return ForwardingDriver::find(op, lookup);
  }
  bool wait_inside(int n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return inside_ >= n; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool open_ = false;
};

struct Limiting : World, ::testing::Test {
  GateDriver* gate = nullptr;
  std::unique_ptr<LimitingDriver> driver;
  void SetUp() override {
    auto made = std::make_unique<GateDriver>(std::make_unique<MemoryDriver>(MemoryConfig{}, clock));
    gate = made.get();
    driver = std::make_unique<LimitingDriver>(std::move(made), clock, 2);
  }
};

TEST_F(Limiting, NeverMoreThanTheLimitAndEveryoneIsServed) {
  std::vector<std::jthread> callers;
  for (int i = 0; i < 6; ++i) callers.emplace_back([&] { EXPECT_OK(driver->find(op(), by_name(1))); });
  ASSERT_TRUE(gate->wait_inside(2));
  EXPECT_EQ(driver->running(), 2U);
  gate->let_go();
  callers.clear();
  EXPECT_EQ(driver->running(), 0U);
  EXPECT_EQ(driver->waiting(), 0U);
}

TEST_F(Limiting, WaitEndsAtTheDeadline) {
  std::vector<std::jthread> callers;
  for (int i = 0; i < 2; ++i) callers.emplace_back([&] { EXPECT_OK(driver->find(op(), by_name(1))); });
  ASSERT_TRUE(gate->wait_inside(2));
  const auto late = op(5s);
  clock.advance(6s);
  const auto refused = driver->find(late, by_name(1));
  EXPECT_ERRC(refused, Errc::timed_out);
  gate->let_go();
}

TEST_F(Limiting, WaitEndsWhenStopped) {
  std::vector<std::jthread> callers;
  for (int i = 0; i < 2; ++i) callers.emplace_back([&] { EXPECT_OK(driver->find(op(), by_name(1))); });
  ASSERT_TRUE(gate->wait_inside(2));
  std::stop_source source;
  auto stoppable = op();
  stoppable.stop = source.get_token();
  std::jthread third([&] { EXPECT_ERRC(driver->find(stoppable, by_name(1)), Errc::cancelled); });
  source.request_stop();
  third.join();
  gate->let_go();
}

// --- Log, metrics, guard, the whole stack ---------------------------------------------------------------------------

TEST(LoggingMetrics, CountsByOutcome) {
  FakeClock clock;
  const auto metrics = make_metrics();
  LoggingMetricsDriver driver(std::make_unique<MemoryDriver>(MemoryConfig{}, clock), clock, metrics.get(), "nas1");
  const auto op = op_within(clock, 10s);
  ASSERT_OK(driver.create(op, spec_for(key_number(1))));
  EXPECT_ERRC(driver.create(op, spec_for(key_number(2), "nowhere")), Errc::not_found);
  const auto text = metrics->text();
  EXPECT_THAT(text, HasSubstr(R"(homeport_driver_operations_total{backend="nas1",operation="create",outcome="ok"} 1)"));
  EXPECT_THAT(
      text, HasSubstr(R"(homeport_driver_operations_total{backend="nas1",operation="create",outcome="not-found"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(homeport_driver_operation_duration_seconds_count{backend="nas1",operation="create"} 2)"));
}

TEST(DryRunGuard, CatchesADriverThatSends) {
  World world;
  DryRunGuard driver(world.faulty());
  world.plan->lose_reply(DriverMethod::create, 2);
  auto op = world.op();
  op.dry_run = true;
  EXPECT_ERRC(driver.create(op, spec_for(key_number(1))), Errc::internal);
  op.dry_run = false;
  EXPECT_ERRC(driver.create(op, spec_for(key_number(1))), Errc::unavailable);
}

TEST(Wrap, FindReachesDriverAndBreaker) {
  World world;
  const auto driver = wrap(world.faulty(), {.backend = "nas1", .clock = world.clock});
  EXPECT_NE(find<TreeAccess>(*driver), nullptr);
  EXPECT_NE(find<Snapshots>(*driver), nullptr);
  ASSERT_NE(find<BreakerStatus>(*driver), nullptr);
  EXPECT_EQ(find<BreakerStatus>(*driver)->breaker().state, BreakerState::closed);
}

TEST(Wrap, DeadBackendIsReportedAtOnceOnceTheBreakerIsOpen) {
  World world;
  const auto driver = wrap(world.faulty(), {.backend = "nas1", .clock = world.clock});
  world.plan->add(DriverMethod::find, {.error = World::down()}, 1000);
  EXPECT_ERRC(driver->find(world.op(), by_name(1)), Errc::unavailable);
  const auto before = world.clock.mono();
  const auto left = world.plan->left();
  EXPECT_ERRC(driver->find(world.op(), by_name(1)), Errc::unavailable);
  EXPECT_EQ(world.clock.mono(), before);
  EXPECT_EQ(world.plan->left(), left);
}

}  // namespace
}  // namespace homeport::drivers
