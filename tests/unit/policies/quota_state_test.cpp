#include "policies/quota_state.h"

#include <gmock/gmock.h>

#include <limits>

namespace homeport::policies {
namespace {

using namespace homeport::literals;
using std::chrono::milliseconds;

struct QuotaCase {
  std::string name;
  QuotaFacts facts;
  std::string level;
  QuotaSeverity severity;
  std::string notice;
};

void PrintTo(const QuotaCase& c, std::ostream* out) {
  *out << c.name;
}

class QuotaTable : public ::testing::TestWithParam<QuotaCase> {};

TEST_P(QuotaTable, Tells) {
  const auto& c = GetParam();
  const std::vector<std::uint32_t> thresholds{90, 80, 95};  // any order
  const auto got = quota_state(c.facts, thresholds);
  EXPECT_EQ(got.level, c.level);
  EXPECT_EQ(got.severity, c.severity);
  EXPECT_EQ(got.notice, c.notice);
}

QuotaFacts facts(Bytes used, Bytes limit, std::optional<milliseconds> age = std::nullopt) {
  return {.limit = limit, .used = used, .measured_age = age};
}

constexpr auto kNone = QuotaSeverity::none;
constexpr auto kWarn = QuotaSeverity::warn;
constexpr auto kError = QuotaSeverity::error;
constexpr Bytes kMost{std::numeric_limits<std::uint64_t>::max()};

INSTANTIATE_TEST_SUITE_P(
    Levels, QuotaTable,
    ::testing::Values(
        QuotaCase{"no_limit", {.used = 5_GiB}, "none", kNone, ""},
        QuotaCase{"limit_zero_is_no_limit", facts(5_GiB, Bytes{0}), "none", kNone, ""},
        QuotaCase{"empty", facts(Bytes{0}, 10_GiB), "none", kNone, ""},
        QuotaCase{"just_below_80", facts(Bytes{799}, Bytes{1000}), "none", kNone, ""},
        QuotaCase{"exactly_80", facts(Bytes{800}, Bytes{1000}), "80", kWarn, "Home is 80 % full (800B of 1000B)."},
        QuotaCase{"the_brief", facts(Bytes{8697308774}, 10_GiB), "80", kWarn, "Home is 81 % full (8.1GiB of 10GiB)."},
        QuotaCase{"just_below_90", facts(Bytes{899}, Bytes{1000}), "80", kWarn, "Home is 90 % full (899B of 1000B)."},
        QuotaCase{"exactly_90", facts(9_GiB, 10_GiB), "90", kWarn, "Home is 90 % full (9GiB of 10GiB)."},
        QuotaCase{"exactly_95", facts(Bytes{950}, Bytes{1000}), "95", kWarn, "Home is 95 % full (950B of 1000B)."},
        QuotaCase{"never_100_before_full", facts(Bytes{9999}, Bytes{10000}), "95", kWarn,
                  "Home is 99 % full (9.8KiB of 9.8KiB)."},
        QuotaCase{"full", facts(10_GiB, 10_GiB), "full", kError, "Home is full (10GiB of 10GiB)."},
        QuotaCase{"over", facts(12_GiB, 10_GiB), "full", kError, "Home is over its limit (12GiB of 10GiB)."},
        QuotaCase{"another_kind",
                  {.what = "Scratch", .limit = 10_GiB, .used = 10_GiB},
                  "full",
                  kError,
                  "Scratch is full (10GiB of 10GiB)."},
        QuotaCase{"measured_just_now", facts(9_GiB, 10_GiB, milliseconds(400)), "90", kWarn,
                  "Home is 90 % full (9GiB of 10GiB). Usage was measured less than a minute ago."},
        QuotaCase{"measured_in_the_future", facts(9_GiB, 10_GiB, milliseconds(-5000)), "90", kWarn,
                  "Home is 90 % full (9GiB of 10GiB). Usage was measured less than a minute ago."},
        QuotaCase{"measured_a_minute_ago", facts(9_GiB, 10_GiB, std::chrono::seconds(61)), "90", kWarn,
                  "Home is 90 % full (9GiB of 10GiB). Usage was measured 1 minute ago."},
        QuotaCase{"measured_90_minutes_ago", facts(9_GiB, 10_GiB, std::chrono::minutes(90)), "90", kWarn,
                  "Home is 90 % full (9GiB of 10GiB). Usage was measured 90 minutes ago."},
        QuotaCase{"measured_hours_ago", facts(9_GiB, 10_GiB, std::chrono::hours(47)), "90", kWarn,
                  "Home is 90 % full (9GiB of 10GiB). Usage was measured 47 hours ago."},
        QuotaCase{"measured_days_ago", facts(9_GiB, 10_GiB, std::chrono::hours(71)), "90", kWarn,
                  "Home is 90 % full (9GiB of 10GiB). Usage was measured 2 days ago."},
        QuotaCase{"measured_and_quiet", facts(1_GiB, 10_GiB, std::chrono::hours(3)), "none", kNone, ""}),
    [](const auto& row) { return row.param.name; });

TEST(QuotaState, HugeNumbersDoNotOverflow) {
  const std::vector<std::uint32_t> thresholds{80, 90, 95};
  EXPECT_EQ(quota_state(facts(kMost, kMost), thresholds).level, "full");
  EXPECT_EQ(quota_state(facts(Bytes{kMost.count() - 1}, kMost), thresholds).percent, 99U);
  EXPECT_EQ(quota_state(facts(Bytes{kMost.count() / 2}, kMost), thresholds).percent, 50U);
  EXPECT_EQ(quota_state(facts(kMost, Bytes{1}), thresholds).level, "full");
}

TEST(QuotaState, WithoutThresholdsOnlyFullIsTold) {
  EXPECT_EQ(quota_state(facts(Bytes{99}, Bytes{100}), {}).level, "none");
  EXPECT_EQ(quota_state(facts(Bytes{100}, Bytes{100}), {}).level, "full");
}

TEST(QuotaState, AThresholdOfZeroIsNoThreshold) {
  const std::vector<std::uint32_t> thresholds{0};
  EXPECT_EQ(quota_state(facts(Bytes{0}, Bytes{100}), thresholds).level, "none");
}

}  // namespace
}  // namespace homeport::policies
