#include "provisioner/base/error.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "provisioner/base/result.h"
#include "provisioner/base/secret.h"
#include "tests/support/result_matchers.h"

namespace homeport {
namespace {

TEST(ErrorKinds, HaveStableNumbersAndDistinctNames) {
  std::set<std::string_view> names;
  for (int number = 1; number <= 17; ++number) {
    const auto code = static_cast<Errc>(number);
    EXPECT_TRUE(names.insert(errc_name(code)).second) << number;
    EXPECT_EQ(errc_from_name(errc_name(code)), code);
  }
  EXPECT_EQ(static_cast<int>(Errc::over_quota), 17);  // the last one: a new kind extends this test
  EXPECT_EQ(static_cast<int>(Errc::internal), 12);
  EXPECT_EQ(errc_from_name("no such kind"), std::nullopt);
}

TEST(ErrorKinds, OnlyFourMaySucceedLater) {
  std::set<Errc> transient;
  for (int number = 1; number <= 17; ++number) {
    if (is_transient(static_cast<Errc>(number))) transient.insert(static_cast<Errc>(number));
  }
  EXPECT_EQ(transient, (std::set<Errc>{Errc::rate_limited, Errc::unavailable, Errc::timed_out, Errc::cancelled}));
}

Result<int> inner() {
  return Error{.code = Errc::unavailable,
               .message = "connection reset",
               .upstream = Upstream{.system = "nfs", .status = 5, .detail = "NFS3ERR_IO"}};
}
Result<std::string> outer() {
  HOMEPORT_TRY(const int value, inner().context("create directory"));
  return std::to_string(value);
}

TEST(ErrorChain, IsReadOutermostFirst) {
  const auto result = outer().context("home of alice");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().sentence(), "home of alice: create directory: connection reset");
  EXPECT_EQ(result.error().to_string(),
            "home of alice: create directory: connection reset (unavailable, nfs 5: NFS3ERR_IO)");
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  ASSERT_OK(result);
  const auto taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, CheckGoesOnOrReturns) {
  const auto run = [](Result<void> first) -> Result<int> {
    HOMEPORT_CHECK(std::move(first));
    return 1;
  };
  EXPECT_OK(run({}));
  EXPECT_ERRC(run(Error{.code = Errc::conflict}), Errc::conflict);
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
template <class T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};
static_assert(!Printable<Secret> && !Comparable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);

}  // namespace
}  // namespace homeport
