// The scripts in real shells.
#include <gtest/gtest.h>

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
// What a shell offers, one word a line, between newlines.
std::string offered_by(const std::string& shell, const std::string& program) {
  const auto ran = run_program({shell}, program);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  return "\n" + ran.out;
}

std::string offered_by_bash(const std::string& words) {
  static const std::string kScript = script("bash");
  return offered_by("/bin/bash", kScript + "\nCOMP_WORDS=(homeport " + words +
                                     ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_homeport\n"
                                     "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
}

// Outside of its line editor, zsh has no compadd: what it would be given is shown here, less what does not fit.
std::string offered_by_zsh(const std::string& words) {
  static const std::string kScript = script("zsh");
  return offered_by("/usr/bin/zsh", R"sh(
compdef() { :; }
compadd() {
  [[ $1 == -- ]] && shift
  for offer in "$@"; do [[ $offer == ${words[CURRENT]}* ]] && print -r -- $offer; done
  return 0
}
)sh" + kScript + "\nwords=(homeport " + words +
                                        ")\nCURRENT=${#words}\n_homeport\n");
}

class Completion : public ::testing::TestWithParam<Case> {
 protected:
  static void check(const std::string& out) {
    for (const auto& word : GetParam().offered)
      EXPECT_NE(out.find("\n" + word + "\n"), std::string::npos) << word << " in " << out;
    for (const auto& word : GetParam().not_offered) EXPECT_EQ(out.find("\n" + word + "\n"), std::string::npos) << word;
  }
};

TEST_P(Completion, BashOffersWhatMayFollow) {
  check(offered_by_bash(GetParam().words));
}

TEST_P(Completion, ZshOffersWhatMayFollow) {
  check(offered_by_zsh(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Table, Completion,
    ::testing::Values(Case{"nouns", "''", {"home", "dataset", "doctor", "completion"}, {"list"}},
                      Case{"nounBegun", "ho", {"home"}, {"dataset"}},
                      Case{"verbs", "home ''", {"ensure", "purge"}, {"home"}},
                      Case{"snapshotVerbs", "snapshot ''", {"take", "hold", "release"}, {"purge"}},
                      Case{"verbBegun", "home re", {"resize", "retire"}, {"list"}},
                      Case{"options", "home ensure alice --", {"--uid", "--quota", "--url", "--output"}, {"--hub"}},
                      Case{"choice", "dataset grant d --access ''", {"ro", "rw"}},
                      Case{"output", "home list -o ''", {"table", "json", "yaml"}},
                      Case{"behindAnOptionWithValue", "--url http://x home ''", {"ensure"}, {"home"}},
                      Case{"format", "spec get alice --hub h --format ''", {"fstab", "kubespawner"}},
                      Case{"oneWordCommand", "completion ''", {"bash", "zsh"}},
                      Case{"oneWordOptions", "plan --f", {"--file"}}, Case{"help", "help ex", {"exit-codes"}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::testing
