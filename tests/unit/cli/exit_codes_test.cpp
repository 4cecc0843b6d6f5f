#include "cli/exit_codes.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace homeport::cli {
namespace {

// The contract: scripts of other people depend on these numbers.
const std::map<std::string, int> kPromised{{"internal", 1},        {"invalid-argument", 2},
                                           {"not-found", 3},       {"already-exists", 4},
                                           {"conflict", 5},        {"failed-precondition", 6},
                                           {"unauthenticated", 7}, {"forbidden", 8},
                                           {"unavailable", 9},     {"timed-out", 10},
                                           {"unsupported", 11},    {"out-of-capacity", 12},
                                           {"over-quota", 13},     {"backend-permission-denied", 14},
                                           {"rate-limited", 15},   {"cancelled", 16},
                                           {"too-large", 17}};

TEST(ExitCodes, EveryErrorKindHasItsPromisedNumber) {
  std::set<int> used;
  for (const auto& [name, number] : kPromised) {
    const auto code = errc_from_name(name);
    ASSERT_TRUE(code) << name;
    EXPECT_EQ(static_cast<int>(exit_code(*code)), number) << name;
    used.insert(number);
  }
  EXPECT_EQ(used.size(), kPromised.size());
}

TEST(ExitCodes, TheHelpListsEachNumberOnce) {
  const std::string help = exit_code_help();
  for (int number = 0; number <= 17; ++number) {
    const std::string line = (number < 10 ? "\n " : "\n") + std::to_string(number) + "  ";
    EXPECT_NE(help.find(line), std::string::npos) << number;
  }
  EXPECT_NE(help.find("\n20  "), std::string::npos);
}

TEST(ExitCodes, StatusesOfPlainAnswersHaveAKind) {
  const std::map<int, Errc> expected{
      {400, Errc::invalid_argument},    {401, Errc::unauthenticated}, {403, Errc::forbidden},
      {404, Errc::not_found},           {412, Errc::conflict},        {413, Errc::too_large},
      {422, Errc::failed_precondition}, {429, Errc::rate_limited},    {501, Errc::unsupported},
      {502, Errc::unavailable},         {503, Errc::unavailable},     {504, Errc::timed_out},
      {507, Errc::over_quota},          {500, Errc::internal},        {418, Errc::internal}};
  for (const auto& [status, code] : expected) EXPECT_EQ(errc_from_status(status), code) << status;
}

}  // namespace
}  // namespace homeport::cli
