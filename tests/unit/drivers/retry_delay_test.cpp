#include <limits>

#include "drivers/decorators/retrying_driver.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::drivers {
namespace {

using std::chrono::milliseconds;

struct Case {
  std::string name;
  int attempt;
  RetryPolicy policy;
  std::optional<milliseconds> retry_after;
  milliseconds low;
  milliseconds high;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
class DelayBefore : public ::testing::TestWithParam<Case> {};

TEST_P(DelayBefore, LiesInItsRange) {
  const auto& c = GetParam();
  std::mt19937_64 engine(7);
  for (int i = 0; i < 200; ++i) {
    const auto wait = delay_before(c.attempt, c.policy, c.retry_after, engine);
    EXPECT_GE(wait, c.low);
    EXPECT_LE(wait, c.high);
  }
}

constexpr RetryPolicy kPlain{.first = milliseconds(100), .growth = 2.0, .ceiling = milliseconds(5000), .jitter = 0.0};
constexpr RetryPolicy kJittered{
    .first = milliseconds(100), .growth = 2.0, .ceiling = milliseconds(5000), .jitter = 0.5};

INSTANTIATE_TEST_SUITE_P(
    Table, DelayBefore,
    ::testing::Values(
        Case{"first", 1, kPlain, {}, milliseconds(100), milliseconds(100)},
        Case{"grows", 4, kPlain, {}, milliseconds(800), milliseconds(800)},
        Case{"ceiling", 10, kPlain, {}, milliseconds(5000), milliseconds(5000)},
        Case{"absurdlyMany", std::numeric_limits<int>::max(), kPlain, {}, milliseconds(5000), milliseconds(5000)},
        Case{"zeroIsFirst", 0, kPlain, {}, milliseconds(100), milliseconds(100)},
        Case{"negativeIsFirst", std::numeric_limits<int>::min() + 1, kPlain, {}, milliseconds(100), milliseconds(100)},
        Case{"retryAfterIsAFloor", 1, kPlain, milliseconds(700), milliseconds(700), milliseconds(700)},
        Case{"retryAfterBelowChangesNothing", 4, kPlain, milliseconds(10), milliseconds(800), milliseconds(800)},
        Case{"retryAfterAboveTheCeiling", 9, kPlain, milliseconds(9000), milliseconds(9000), milliseconds(9000)},
        Case{"jitterTakesUpToHalf", 4, kJittered, {}, milliseconds(400), milliseconds(800)},
        Case{"jitterAtTheCeiling", 30, kJittered, {}, milliseconds(2500), milliseconds(5000)},
        Case{"jitterOutOfRangeIsAll",
             4,
             {.first = milliseconds(100), .jitter = 7.0},
             {},
             milliseconds(0),
             milliseconds(800)},
        Case{"shrinkingGrowthStays",
             5,
             {.first = milliseconds(100), .growth = 0.1, .jitter = 0.0},
             {},
             milliseconds(100),
             milliseconds(100)},
        Case{"negativeCeilingIsZero",
             3,
             {.first = milliseconds(100), .ceiling = milliseconds(-5), .jitter = 0.0},
             {},
             milliseconds(0),
             milliseconds(0)}),
    [](const auto& i) { return i.param.name; });

TEST(DelayBefore, JitterSpreads) {
  std::mt19937_64 engine(1);
  milliseconds low{1'000'000};
  milliseconds high{0};
  for (int i = 0; i < 100; ++i) {
    const auto wait = delay_before(6, kJittered, {}, engine);
    low = std::min(low, wait);
    high = std::max(high, wait);
  }
  EXPECT_GT(high - low, milliseconds(800));
}

TEST(DelayBefore, SameSeedSameWait) {
  std::mt19937_64 a(42);
  std::mt19937_64 b(42);
  EXPECT_EQ(delay_before(3, kJittered, {}, a), delay_before(3, kJittered, {}, b));
}

}  // namespace
}  // namespace homeport::drivers
