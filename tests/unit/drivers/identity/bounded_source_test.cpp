#include "drivers/identity/bounded_source.h"

#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "tests/support/result_matchers.h"
#include "tests/unit/drivers/identity/fake_source.h"

namespace homeport::drivers::identity::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

UserName user(std::string_view name) {
  return UserName::parse(name).value();
}

class BoundedSourceTest : public ::testing::Test {
 protected:
  BoundedSourceTest() : clock_(make_system_clock()), inner_(std::make_shared<FakeSource>()) {
    inner_->set("alice", 5001);
  }
  ~BoundedSourceTest() override {
    inner_->hold(false);
    // What was left running holds the source.
    while (inner_.use_count() > 1) std::this_thread::yield();
  }
  [[nodiscard]] OpContext op(std::chrono::milliseconds time = 30s) const {
    return {.request_id = "test", .deadline = clock_->mono() + time};
  }

  std::unique_ptr<Clock> clock_;
  std::shared_ptr<FakeSource> inner_;
};

TEST_F(BoundedSourceTest, passes_answers_and_errors_on) {
  BoundedSource bounded(inner_, {}, *clock_);
  EXPECT_EQ(bounded.name(), "fake");
  const auto found = bounded.find(op(), user("alice"));
  ASSERT_OK(found);
  EXPECT_EQ((*found)->uid, 5001U);
  EXPECT_OK(bounded.check(op()));
  inner_->fail(Error{.code = Errc::permission_denied, .message = "no"});
  EXPECT_ERRC(bounded.find(op(), user("alice")), Errc::permission_denied);
}

TEST_F(BoundedSourceTest, nobody_waits_longer_than_allowed) {
  inner_->hold(true);
  BoundedSource bounded(inner_, {.timeout = 100ms, .max_calls = 8, .farewell = 0ms}, *clock_);
  const auto by_setting = bounded.find(op(10min), user("alice"));
  ASSERT_ERRC(by_setting, Errc::timed_out);
  EXPECT_THAT(by_setting.error().message, HasSubstr("fake"));
  BoundedSource patient(inner_, {.timeout = 10min, .farewell = 0ms}, *clock_);
  EXPECT_ERRC(patient.find(op(100ms), user("alice")), Errc::timed_out);
  EXPECT_ERRC(patient.find(op(0ms), user("alice")), Errc::timed_out);
  std::stop_source stop;
  auto waiting = op(10min);
  waiting.stop = stop.get_token();
  std::jthread asker([&] { EXPECT_ERRC(patient.check(waiting), Errc::cancelled); });
  inner_->wait_inside(3);
  stop.request_stop();
}

// A source that hangs costs a few threads, not one for every login.
TEST_F(BoundedSourceTest, what_is_left_running_is_limited) {
  inner_->hold(true);
  BoundedSource bounded(inner_, {.timeout = 50ms, .max_calls = 2, .farewell = 0ms}, *clock_);
  EXPECT_ERRC(bounded.find(op(), user("alice")), Errc::timed_out);
  EXPECT_ERRC(bounded.find(op(), user("alice")), Errc::timed_out);
  const auto full = bounded.find(op(), user("alice"));
  ASSERT_ERRC(full, Errc::unavailable);
  EXPECT_THAT(full.error().message, HasSubstr("2 questions"));
  EXPECT_EQ(inner_->asked(), 2U);
  inner_->hold(false);
  inner_->wait_inside(0);
  Result<std::optional<core::Identity>> again = bounded.find(op(), user("alice"));
  EXPECT_OK(again) << "the places are free again";
}

TEST_F(BoundedSourceTest, the_destructor_waits_for_what_returns_in_time) {
  inner_->hold(true);
  std::jthread release;
  {
    BoundedSource bounded(inner_, {.timeout = 50ms, .farewell = 10min}, *clock_);
    EXPECT_ERRC(bounded.find(op(), user("alice")), Errc::timed_out);
    release = std::jthread([this] { inner_->hold(false); });
  }
  EXPECT_EQ(inner_.use_count(), 1);
}

}  // namespace
}  // namespace homeport::drivers::identity::testing
