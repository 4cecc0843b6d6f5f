#include "provisioner/base/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "provisioner/base/op_context.h"
#include "tests/support/fake_clock.h"
#include "tests/support/result_matchers.h"

namespace homeport {
namespace {

using std::chrono::milliseconds;

TEST(Time, IsPrintedAsRfc3339) {
  EXPECT_EQ(format_time(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(WallTime(milliseconds(1'795'161'600'000))), "2026-11-20T08:00:00Z");
  EXPECT_EQ(format_time(WallTime(milliseconds(1'795'161'600'007))), "2026-11-20T08:00:00.007Z");
  EXPECT_EQ(format_time(WallTime(milliseconds(-1))), "1969-12-31T23:59:59.999Z");
}

TEST(Time, ReadsBackWhatItPrints) {
  for (const std::int64_t ms :
       {0LL, 1LL, 999LL, 1'795'161'600'007LL, 951'782'400'000LL, -86'400'001LL, 4'102'444'799'999LL}) {
    const auto back = parse_time(format_time(WallTime(milliseconds(ms))));
    ASSERT_OK(back);
    EXPECT_EQ(back->time_since_epoch().count(), ms);
  }
}

TEST(Time, TakesFractionsOfAnyLength) {
  EXPECT_EQ(*parse_time("2026-11-20T08:00:00.5Z"), *parse_time("2026-11-20T08:00:00.500Z"));
  EXPECT_EQ(*parse_time("2026-11-20T08:00:00.123456789Z"), *parse_time("2026-11-20T08:00:00.123Z"));
  EXPECT_EQ(*parse_time("2026-12-31T23:59:60Z"), *parse_time("2027-01-01T00:00:00Z"));
}

class BadTime : public ::testing::TestWithParam<std::string> {};
TEST_P(BadTime, IsRefused) {
  EXPECT_ERRC(parse_time(GetParam()), Errc::invalid_argument);
}
INSTANTIATE_TEST_SUITE_P(Table, BadTime,
                         ::testing::Values("", "Z", "now", "2026-11-20", "2026-11-20T08:00:00", "2026-11-20 08:00:00Z",
                                           "2026-11-20T08:00:00+01:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                                           "2025-02-29T00:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T08:60:00Z",
                                           "2026-11-20T08:00:61Z", "2026-11-20T08:00:00.Z", "2026-11-20T08:00:00.1x2Z",
                                           " 026-11-20T08:00:00Z", "2026-+1-20T08:00:00Z", "2026-11-20T-8:00:00Z",
                                           "2026-11-20T08:00:00z", "2026-11-20T08:00:00Z ", "12026-11-20T08:00:00Z"));

TEST(Duration, Parses) {
  const std::vector<std::pair<std::string, milliseconds>> table{{"90d", std::chrono::hours(90 * 24)},
                                                                {"12h", std::chrono::hours(12)},
                                                                {"30m", std::chrono::minutes(30)},
                                                                {"45s", std::chrono::seconds(45)},
                                                                {"500ms", milliseconds(500)},
                                                                {"4w", std::chrono::hours(28 * 24)},
                                                                {"0s", milliseconds(0)}};
  for (const auto& [text, want] : table) EXPECT_EQ(*parse_duration(text), want) << text;
}

class BadDuration : public ::testing::TestWithParam<std::string> {};
TEST_P(BadDuration, IsRefused) {
  EXPECT_ERRC(parse_duration(GetParam()), Errc::invalid_argument);
}
INSTANTIATE_TEST_SUITE_P(Table, BadDuration,
                         ::testing::Values("", "5", "s", "-5s", "+5s", " 5s", "5 s", "5S", "5y", "1.5h", "5s5s",
                                           "9223372036854775807w", "99999999999999999999s", "15000000000000w"));

TEST(Duration, ReadsBackWhatItPrints) {
  for (const std::string text : {"4w", "90d", "12h", "30m", "45s", "1500ms", "0s"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
}

TEST(SystemClock, SleepEndsWhenStopped) {
  const auto clock = make_system_clock();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(clock->sleep_for(std::chrono::hours(1), stop.get_token()));
  EXPECT_TRUE(clock->sleep_for(milliseconds(0), {}));
  std::stop_source later;
  std::jthread sleeper([&] { EXPECT_FALSE(clock->sleep_for(std::chrono::hours(1), later.get_token())); });
  later.request_stop();
}

TEST(StillWanted, LooksAtDeadlineAndStop) {
  testing::FakeClock clock;
  std::stop_source stop;
  const OpContext op{.request_id = "r", .deadline = clock.mono() + milliseconds(10), .stop = stop.get_token()};
  EXPECT_OK(still_wanted(op, clock, "mkdir"));
  clock.advance(milliseconds(10));
  EXPECT_ERRC(still_wanted(op, clock, "mkdir"), Errc::timed_out);
  stop.request_stop();
  EXPECT_ERRC(still_wanted(op, clock, "mkdir"), Errc::cancelled);
}

}  // namespace
}  // namespace homeport
