#include "drivers/identity/cached_source.h"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "tests/support/fake_clock.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/drivers/identity/fake_source.h"

namespace homeport::drivers::identity::testing {
namespace {

using namespace std::chrono_literals;

UserName user(std::string_view name) {
  return UserName::parse(name).value();
}

class CachedSourceTest : public ::testing::Test {
 protected:
  CachedSourceTest() {
    auto source = std::make_unique<FakeSource>();
    inner_ = source.get();
    inner_->set("alice", 5001);
    inner_->set("bob", 5002);
    cached_ = std::make_unique<CachedSource>(
        std::move(source), CacheSettings{.ttl = 5min, .negative_ttl = 30s, .stale = 1h, .entries = 3}, clock_);
  }
  [[nodiscard]] OpContext op(std::chrono::milliseconds time = 30s) const {
    return {.request_id = "test", .deadline = clock_.mono() + time};
  }
  void expect_uid(std::string_view name, std::optional<std::uint32_t> uid, std::size_t asked) {
    const auto found = cached_->find(op(), user(name));
    ASSERT_OK(found);
    EXPECT_EQ(*found ? (*found)->uid : std::nullopt, uid);
    EXPECT_EQ(inner_->asked(), asked);
  }

  homeport::testing::FakeClock clock_;
  FakeSource* inner_ = nullptr;
  std::unique_ptr<CachedSource> cached_;
};

TEST_F(CachedSourceTest, asks_once_until_the_answer_is_old) {
  expect_uid("alice", 5001, 1);
  inner_->set("alice", 5099);
  clock_.advance(5min - 1ms);
  expect_uid("alice", 5001, 1);
  clock_.advance(1ms);
  expect_uid("alice", 5099, 2);
  expect_uid("Alice", std::nullopt, 3);
}

TEST_F(CachedSourceTest, unknown_is_remembered_for_less_long) {
  expect_uid("carol", std::nullopt, 1);
  inner_->set("carol", 5003);
  clock_.advance(30s - 1ms);
  expect_uid("carol", std::nullopt, 1);
  clock_.advance(1ms);
  expect_uid("carol", 5003, 2);
}

TEST_F(CachedSourceTest, an_error_is_not_remembered) {
  inner_->fail(Error{.code = Errc::unavailable, .message = "gone"});
  EXPECT_ERRC(cached_->find(op(), user("alice")), Errc::unavailable);
  inner_->fail(std::nullopt);
  expect_uid("alice", 5001, 2);
}

TEST_F(CachedSourceTest, what_was_known_serves_while_the_source_is_gone) {
  for (const auto code : {Errc::unavailable, Errc::timed_out, Errc::permission_denied, Errc::rate_limited}) {
    SCOPED_TRACE(errc_name(code));
    inner_->fail(std::nullopt);
    clock_.advance(2h);
    const auto before = inner_->asked();
    expect_uid("alice", 5001, before + 1);
    inner_->fail(Error{.code = code, .message = "gone"});
    clock_.advance(5min);
    expect_uid("alice", 5001, before + 2);
    clock_.advance(1h - 1ms);
    expect_uid("alice", 5001, before + 3);
    clock_.advance(1ms);
    EXPECT_ERRC(cached_->find(op(), user("alice")), code);
  }
}

TEST_F(CachedSourceTest, a_broken_entry_is_said_not_papered_over) {
  expect_uid("alice", 5001, 1);
  inner_->fail(Error{.code = Errc::failed_precondition, .message = "two entries"});
  clock_.advance(5min);
  EXPECT_ERRC(cached_->find(op(), user("alice")), Errc::failed_precondition);
}

// Otherwise the next source in order would hand out a second uid.
TEST_F(CachedSourceTest, unknown_is_never_served_old) {
  expect_uid("carol", std::nullopt, 1);
  inner_->fail(Error{.code = Errc::unavailable, .message = "gone"});
  clock_.advance(30s);
  EXPECT_ERRC(cached_->find(op(), user("carol")), Errc::unavailable);
}

TEST_F(CachedSourceTest, the_least_recently_used_goes_first) {
  inner_->set("carol", 5003);
  inner_->set("dave", 5004);
  expect_uid("alice", 5001, 1);
  expect_uid("bob", 5002, 2);
  expect_uid("carol", 5003, 3);
  expect_uid("alice", 5001, 3);
  expect_uid("dave", 5004, 4);
  expect_uid("alice", 5001, 4);
  expect_uid("carol", 5003, 4);
  expect_uid("bob", 5002, 5);
}

TEST_F(CachedSourceTest, a_hundred_questions_at_once_are_one) {
  inner_->hold(true);
  constexpr int kAskers = 100;
  std::latch begun(kAskers);
  std::atomic<int> good{0};
  std::vector<std::jthread> askers;
  for (int i = 0; i < kAskers; ++i) {
    askers.emplace_back([&] {
      begun.count_down();
      const auto found = cached_->find(op(), user("alice"));
      if (found && *found && (*found)->uid == 5001U) ++good;
    });
  }
  begun.wait();
  inner_->wait_inside(1);
  // Another name does not wait for this one.
  std::jthread other([&] { EXPECT_OK(cached_->find(op(), user("bob"))); });
  inner_->wait_inside(2);
  inner_->hold(false);
  askers.clear();
  other.join();
  EXPECT_EQ(good, kAskers);
  EXPECT_EQ(inner_->asked(), 2U);
}

TEST_F(CachedSourceTest, an_error_is_for_all_who_wait) {
  inner_->hold(true);
  inner_->fail(Error{.code = Errc::unavailable, .message = "gone"});
  std::jthread first([&] { EXPECT_ERRC(cached_->find(op(), user("alice")), Errc::unavailable); });
  inner_->wait_inside(1);
  std::vector<std::jthread> askers;
  std::latch begun(8);
  for (int i = 0; i < 8; ++i) {
    askers.emplace_back([&] {
      begun.count_down();
      EXPECT_ERRC(cached_->find(op(), user("alice")), Errc::unavailable);
    });
  }
  begun.wait();
  inner_->hold(false);
  askers.clear();
}

// The one who asked had little time; whoever waits and has more asks again.
TEST_F(CachedSourceTest, a_hurried_asker_does_not_fail_the_others) {
  inner_->hold(true);
  inner_->fail_once(Error{.code = Errc::timed_out, .message = "no time"});
  std::jthread hurried([&] { EXPECT_ERRC(cached_->find(op(1s), user("alice")), Errc::timed_out); });
  inner_->wait_inside(1);
  std::atomic<bool> waiting{false};
  std::jthread patient([&] {
    const auto with_time = op(1h);
    waiting = true;
    const auto found = cached_->find(with_time, user("alice"));
    ASSERT_OK(found);
    EXPECT_EQ((*found)->uid, 5001U);
  });
  while (!waiting) std::this_thread::yield();
  clock_.advance(2s);
  inner_->hold(false);
}

TEST_F(CachedSourceTest, a_stop_ends_the_wait) {
  inner_->hold(true);
  std::jthread first([&] { EXPECT_OK(cached_->find(op(), user("alice"))); });
  inner_->wait_inside(1);
  std::stop_source stop;
  auto waiting = op();
  waiting.stop = stop.get_token();
  std::jthread second([&] { EXPECT_ERRC(cached_->find(waiting, user("alice")), Errc::cancelled); });
  stop.request_stop();
  second.join();
  inner_->hold(false);
}

}  // namespace
}  // namespace homeport::drivers::identity::testing
