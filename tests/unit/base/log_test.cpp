#include "provisioner/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace homeport::log {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class LogFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "homeport-log-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    also_to_file(directory_ + "/log");
  }
  void TearDown() override {
    also_to_file("");
    set_level(Level::info);
    std::filesystem::remove_all(directory_);
  }
  std::string text() const {
    std::ifstream in(directory_ + "/log");
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::string directory_;
};

TEST_F(LogFile, WritesOneLineOfPairs) {
  info("home ready", {{"user", "alice"}, {"ms", "12"}, {"empty", ""}});
  EXPECT_THAT(text(), EndsWith(" info home ready user=alice ms=12 empty=\"\"\n"));
  EXPECT_THAT(text(), ::testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:]+\\.[0-9]+Z .*\n"));
}

struct Row {
  std::string name;
  std::string value;
  std::string written;
  friend void PrintTo(const Row& r, std::ostream* out) { *out << r.name; }
};
class LogValue : public LogFile, public ::testing::WithParamInterface<Row> {};
TEST_P(LogValue, CannotForgeALine) {
  warning("event", {{"user", GetParam().value}, {"end", "1"}});
  EXPECT_THAT(text(), EndsWith(" event user=" + GetParam().written + " end=1\n"));
}
INSTANTIATE_TEST_SUITE_P(Table, LogValue,
                         ::testing::Values(Row{"plain", "alice@example.org", "alice@example.org"},
                                           Row{"blank", "a b", "\"a b\""},
                                           Row{"newline", "a\nerror forged", "\"a\\x0aerror forged\""},
                                           Row{"onlyNewline", "a\n", "\"a\\x0a\""}, Row{"quote", "a\"b", "\"a\\\"b\""},
                                           Row{"pair", "x admin=1", "\"x admin=1\""},
                                           Row{"backslashQuote", "x\\\" admin=1", "\"x\\\\\\\" admin=1\""},
                                           Row{"fakeEscape", "a\\x0a", "\"a\\\\x0a\""},
                                           Row{"escape", "\x1b[2J", "\"\\x1b[2J\""},
                                           Row{"badUtf8", "caf\xE9", "\"caf\\xe9\""}, Row{"umlaut", "jürgen", "jürgen"},
                                           Row{"separator",
                                               "a\xE2\x80\xA8"
                                               "b",
                                               "\"a\\xe2\\x80\\xa8b\""}),
                         [](const auto& row) { return row.param.name; });

TEST_F(LogFile, ValuesAreCut) {
  info("event", {{"long", std::string(100'000, 'x')}});
  EXPECT_LT(text().size(), 2200U);
}

TEST_F(LogFile, LevelsFilter) {
  debug("quiet");
  EXPECT_TRUE(set_level("debug"));
  debug("spoken");
  EXPECT_TRUE(set_level("error"));
  warning("also quiet");
  error("loud");
  EXPECT_FALSE(set_level("verbose"));
  EXPECT_THAT(text(), HasSubstr("spoken"));
  EXPECT_THAT(text(), HasSubstr("error loud"));
  EXPECT_THAT(text(), Not(HasSubstr("quiet")));
}

}  // namespace
}  // namespace homeport::log
