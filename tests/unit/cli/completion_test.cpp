// The scripts in real shells.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/cli/process.h"

namespace homeport::testing {
namespace {

std::string script(const std::string& shell) {
  Cli cli;
  const auto ran = cli.run({"completion", shell});
  EXPECT_EQ(ran.code, 0) << ran.err;
  return ran.out;
}

struct Case {
  std::string name;
  std::string words;  // the last one is being completed
  std::vector<std::string> offered;
  std::vector<std::string> not_offered = {};
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
class BashCompletion : public ::testing::TestWithParam<Case> {};

TEST_P(BashCompletion, OffersWhatMayFollow) {
  static const std::string kScript = script("bash");
  const auto ran = run_program(
      {"/bin/bash"}, kScript + "\nCOMP_WORDS=(homeport " + GetParam().words +
                         ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_homeport\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  for (const auto& word : GetParam().offered)
    EXPECT_NE(("\n" + ran.out).find("\n" + word + "\n"), std::string::npos) << word << " in " << ran.out;
  for (const auto& word : GetParam().not_offered)
    EXPECT_EQ(("\n" + ran.out).find("\n" + word + "\n"), std::string::npos) << word;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BashCompletion,
    ::testing::Values(Case{"nouns", "''", {"home", "dataset", "doctor", "completion"}, {"list"}},
                      Case{"nounBegun", "ho", {"home"}, {"dataset"}},
                      Case{"verbs", "home ''", {"ensure", "purge"}, {"home"}},
                      Case{"verbBegun", "home re", {"resize", "retire"}, {"list"}},
                      Case{"options", "home ensure alice --", {"--uid", "--quota", "--url", "--output"}, {"--hub"}},
                      Case{"choice", "dataset grant d --access ''", {"ro", "rw"}},
                      Case{"output", "home list -o ''", {"table", "json", "yaml"}},
                      Case{"behindAnOptionWithValue", "--url http://x home ''", {"ensure"}, {"home"}},
                      Case{"format", "spec get alice --hub h --format ''", {"fstab", "kubespawner"}},
                      Case{"oneWordCommand", "completion ''", {"bash", "zsh"}},
                      Case{"oneWordOptions", "plan --f", {"--file"}}, Case{"help", "help ex", {"exit-codes"}}),
    [](const auto& row) { return row.param.name; });

TEST(Completion, BashAcceptsTheScript) {
  const auto ran = run_program({"/bin/bash", "-n"}, script("bash"));
  EXPECT_EQ(ran.code, 0) << ran.err;
}

TEST(Completion, ZshAcceptsTheScript) {
  if (access("/usr/bin/zsh", X_OK) != 0) GTEST_SKIP() << "zsh is not installed";
  const auto ran = run_program({"/usr/bin/zsh", "-n"}, script("zsh"));
  EXPECT_EQ(ran.code, 0) << ran.err;
}

}  // namespace
}  // namespace homeport::testing
