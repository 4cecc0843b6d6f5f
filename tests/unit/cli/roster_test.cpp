#include "cli/roster.h"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport::cli {
namespace {

struct Good {
  std::string name;
  std::string text;
  std::string back;  // as roster_text writes it, without the header
  friend void PrintTo(const Good& c, std::ostream* out) { *out << c.name; }
};
class GoodRoster : public ::testing::TestWithParam<Good> {};

TEST_P(GoodRoster, IsReadAndWrittenBack) {
  const auto lines = parse_roster(GetParam().text, "r.csv");
  ASSERT_OK(lines);
  const std::string back = roster_text(*lines);
  EXPECT_EQ(back, "user,uid,gid,class,quota\n" + GetParam().back);
  const auto again = parse_roster(back, "again");
  ASSERT_OK(again);
  EXPECT_EQ(roster_text(*again), back);
}

INSTANTIATE_TEST_SUITE_P(
    Table, GoodRoster,
    ::testing::Values(Good{"threeColumns", "user,uid,gid\nalice,1001,1001\n", "alice,1001,1001,,\n"},
                      Good{"anyOrder", "quota,gid,user,uid\n20GiB,5,bob,4\n", "bob,4,5,,20GiB\n"},
                      Good{"allColumns", "user,uid,gid,class,quota\na,1,2,std,1TiB\n", "a,1,2,std,1TiB\n"},
                      Good{"markAndCrlf", "\xEF\xBB\xBFuser,uid,gid\r\na,1,2\r\nb,3,4\r\n", "a,1,2,,\nb,3,4,,\n"},
                      Good{"noLastLineEnd", "user,uid,gid\na,1,2", "a,1,2,,\n"},
                      Good{"blankLines", "user,uid,gid\n\na,1,2\n\n", "a,1,2,,\n"},
                      Good{"quoted", "\"user\",uid,gid\n\"a,b\",\"1\",2\n", "\"a,b\",1,2,,\n"},
                      Good{"doubledQuote", "user,uid,gid\n\"a\"\"b\",1,2\n", "\"a\"\"b\",1,2,,\n"},
                      Good{"headerOnly", "user,uid,gid\n", ""}, Good{"namesAlone", "user\na\nb\n", "a,,,,\nb,,,,\n"},
                      Good{"idsLeftOut", "user,uid,gid\na,,\nb,3,4\n", "a,,,,\nb,3,4,,\n"},
                      Good{"largestId", "user,uid,gid\na,4294967294,0\n", "a,4294967294,0,,\n"},
                      Good{"utf8", "user,uid,gid\njos\xC3\xA9,1,2\n", "jos\xC3\xA9,1,2,,\n"}),
    [](const auto& row) { return row.param.name; });

struct Bad {
  std::string name;
  std::string text;
  std::vector<std::string> said;
  friend void PrintTo(const Bad& c, std::ostream* out) { *out << c.name; }
};
class BadRoster : public ::testing::TestWithParam<Bad> {};

TEST_P(BadRoster, EveryProblemIsNamedWithItsLine) {
  const auto lines = parse_roster(GetParam().text, "r.csv");
  ASSERT_ERRC(lines, Errc::invalid_argument);
  for (const auto& part : GetParam().said) {
    EXPECT_NE(lines.error().message.find(part), std::string::npos) << part << "\nin: " << lines.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRoster,
    ::testing::Values(
        Bad{"empty", "", {"line 1: the file is empty"}},
        Bad{"noHeader", "alice,1001,1001\n", {"line 1: 'alice' is no column", "column 'user' is missing"}},
        Bad{"unknownColumn", "user,uid,gid,mail\na,1,2,x\n", {"line 1: 'mail' is no column"}},
        Bad{"semicolons", "user;uid;gid\na;1;2\n", {"separated by ';', and have to be by ','"}},
        Bad{"tabs", "user\tuid\na\t1\n", {"separated by tabs, and have to be by ','"}},
        Bad{"singleQuotes", "user,uid,gid\n'a',1,2\n", {"line 2: a field stands in single quotes"}},
        Bad{"columnTwice", "user,uid,gid,uid\n", {"column 'uid' stands there twice"}},
        Bad{"tooFew", "user,uid,gid\na,1\n", {"line 2: 2 fields, the header has 3"}},
        Bad{"tooMany", "user,uid,gid\na,1,2,3\n", {"line 2: 4 fields"}},
        Bad{"severalAtOnce",
            "user,uid,gid,quota\na,x,2,1GiB\n..,3,4,1GiB\nb,5,6,much\nb,7,8,\n",
            {"r.csv has 3 problems", "nothing was sent", "line 2: uid 'x'", "line 3: user", "line 4: quota: "}},
        Bad{"doubledUser",
            "user,uid,gid\na,1,2\nb,1,2\na,3,4\n",
            {"1 problem;", "line 4: user 'a' stands in line 2 already"}},
        Bad{"root", "user,uid,gid\na,0,0\n", {"line 2: uid 0 is root"}},
        Bad{"halfAnIdentity", "user,uid,gid\na,1,\nb,,2\n", {"line 2: uid and gid go together", "line 3: uid and gid"}},
        Bad{"negative", "user,uid,gid\na,-1,2\n", {"line 2: uid '-1' is no number"}},
        Bad{"tooLarge", "user,uid,gid\na,1,4294967295\n", {"line 2: gid '4294967295'"}},
        Bad{"blankAround", "user,uid,gid\n a,1,2\n", {"line 2: user"}},
        Bad{"openQuote", "user,uid,gid\n\"a,1,2\nb,3,4\n", {"line 2: a quoted field is not closed"}},
        Bad{"behindQuote", "user,uid,gid\n\"a\"x,1,2\n", {"line 2: something stands behind a closing quote"}},
        Bad{"strayQuote", "user,uid,gid\na\"b,1,2\n", {"line 2: a quote inside a field"}},
        Bad{"lineAfterMultilineField", "user,uid,gid\n\"a\nb\",1,2\nc,x,4\n", {"line 2: user", "line 4: uid 'x'"}},
        Bad{"badClass", "user,uid,gid,class\na,1,2,No Good\n", {"line 2: class: "}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::cli
