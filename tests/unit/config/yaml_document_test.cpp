#include "provisioner/config/yaml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport::config {
namespace {

using ::testing::HasSubstr;

struct Scalar {
  std::string name;
  std::string yaml;
  std::string json;
  friend void PrintTo(const Scalar& s, std::ostream* out) { *out << s.name; }
};
class YamlScalar : public ::testing::TestWithParam<Scalar> {};

TEST_P(YamlScalar, HasTheTypeOfTheCoreSchema) {
  const auto document = parse_yaml_document("v: " + GetParam().yaml + "\n", "t.yaml");
  ASSERT_OK(document);
  EXPECT_EQ(document->root["v"].dump(), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Table, YamlScalar,
    ::testing::Values(Scalar{"true", "true", "true"}, Scalar{"False", "False", "false"}, Scalar{"TRUE", "TRUE", "true"},
                      Scalar{"mixedCaseIsText", "tRue", "\"tRue\""}, Scalar{"yesIsText", "yes", "\"yes\""},
                      Scalar{"noIsText", "no", "\"no\""}, Scalar{"onIsText", "on", "\"on\""},
                      Scalar{"nIsText", "n", "\"n\""}, Scalar{"empty", "", "null"}, Scalar{"tilde", "~", "null"},
                      Scalar{"nullWord", "null", "null"}, Scalar{"zero", "0", "0"}, Scalar{"minusZero", "-0", "0"},
                      Scalar{"integer", "42", "42"}, Scalar{"plus", "+42", "42"}, Scalar{"negative", "-7", "-7"},
                      Scalar{"largest", "18446744073709551615", "18446744073709551615"},
                      Scalar{"leadingZeroIsText", "0123", "\"0123\""}, Scalar{"octalIsText", "0o17", "\"0o17\""},
                      Scalar{"hexIsText", "0x1F", "\"0x1F\""}, Scalar{"base60IsText", "12:30:45", "\"12:30:45\""},
                      Scalar{"underscoreIsText", "1_000", "\"1_000\""}, Scalar{"float", "1.5", "1.5"},
                      Scalar{"exponent", "1e3", "1000.0"}, Scalar{"pointFirst", ".5", "0.5"},
                      Scalar{"pointLast", "5.", "5.0"}, Scalar{"onlyPointIsText", ".", "\".\""},
                      Scalar{"onlySignIsText", "'+'", "\"+\""}, Scalar{"minusWordIsText", "-x", "\"-x\""},
                      Scalar{"versionIsText", "4.1.2", "\"4.1.2\""}, Scalar{"quotedNumber", "\"4.1\"", "\"4.1\""},
                      Scalar{"singleQuotedTrue", "'true'", "\"true\""}, Scalar{"quotedEmpty", "''", "\"\""},
                      Scalar{"strTag", "!!str 12", "\"12\""}, Scalar{"escapes", "\"a\\nb\\u00e4\"", "\"a\\nbä\""},
                      Scalar{"time", "2026-11-20T08:00:00Z", "\"2026-11-20T08:00:00Z\""},
                      Scalar{"url", "nfs://h/a?b=c", "\"nfs://h/a?b=c\""},
                      Scalar{"list", "[1, a, null]", "[1,\"a\",null]"},
                      Scalar{"mapping", "{a: 1, b: {c: d}}", "{\"a\":1,\"b\":{\"c\":\"d\"}}"},
                      Scalar{"block", "|\n  one\n  two", "\"one\\ntwo\\n\""},
                      Scalar{"folded", ">-\n  one\n  two", "\"one two\""},
                      Scalar{"blockMayHoldTabs", "|\n  a\n  \tb", "\"a\\n\\tb\\n\""}),
    [](const auto& row) { return row.param.name; });

struct Refusal {
  std::string name;
  std::string yaml;
  std::vector<std::string> says;
  friend void PrintTo(const Refusal& r, std::ostream* out) { *out << r.name; }
};
class YamlRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(YamlRefusal, NamesLineAndColumn) {
  const auto document = parse_yaml_document(GetParam().yaml, "t.yaml");
  ASSERT_ERRC(document, Errc::invalid_argument);
  for (const auto& part : GetParam().says) EXPECT_THAT(document.error().message, HasSubstr(part));
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
}

INSTANTIATE_TEST_SUITE_P(
    Table, YamlRefusal,
    ::testing::Values(
        Refusal{"doubledKey",
                "a: 1\nb: 2\na: 3\n",
                {"t.yaml line 3, column 1: key 'a' stands here twice (first on line 1)"}},
        Refusal{"doubledInFlow", "{a: 1, a: 2}", {"line 1, column 8", "twice"}},
        Refusal{"doubledByQuotes", "a: 1\n\"a\": 2\n", {"line 2", "twice"}},
        Refusal{"severalAtOnce",
                "a: 1\na: 2\n3: x\nb: !set x\n",
                {"3 problems:", "line 2, column 1", "line 3, column 1: a key must be text", "line 4"}},
        Refusal{"problemsBeforeBrokenSyntax", "a: 1\na: 2\nb: [\n", {"2 problems:", "line 2", "line 4"}},
        Refusal{"numberKey", "12: x\n", {"line 1, column 1: a key must be text"}},
        Refusal{"nullKey", "~: x\n", {"a key must be text"}},
        Refusal{"listKey", "? [a, b]\n: x\n", {"a key must be text"}},
        Refusal{"mapKey", "{{a: b}: x, c: d}\n", {"a key must be text"}},
        Refusal{"mergeKey", "a: &a {x: 1}\nb:\n  <<: *a\n", {"line 3", "merge keys"}},
        Refusal{"tag", "a: !!binary aGk=\n", {"line 1", "tag", "not supported"}},
        Refusal{"localTag", "a: !secret x\n", {"tag '!secret' is not supported"}},
        Refusal{"infinity", "a: -.inf\n", {"line 1, column 4", "not a number that can be used"}},
        Refusal{"tooLarge", "a: 18446744073709551616\n", {"not a number that can be used"}},
        Refusal{"floatTooLarge", "a: 1e999\n", {"not a number that can be used"}},
        Refusal{"twoDocuments", "a: 1\n---\nb: 2\n", {"more than one document"}},
        Refusal{"textAfterFlow", "{a: 1}\nb: 2\n", {"t.yaml"}}, Refusal{"unclosedList", "a: [1, 2\n", {"line 2"}},
        Refusal{
            "unclosedQuote", "a: \"x\nb: 2\n", {"t.yaml line 1, column 4: the quote that opens here is never closed"}},
        Refusal{"unclosedSingleQuote", "a: 'it''s\nb: 2\n", {"line 1, column 4: the quote"}},
        Refusal{"unclosedAfterWideText", "ä: [ö, \"x]\n", {"never closed"}},
        Refusal{"badIndent", "a:\n  b: 1\n c: 2\n", {"t.yaml line 3"}}, Refusal{"mapInScalar", "a: b: c\n", {"line 1"}},
        Refusal{"unknownAlias", "a: *nobody\n", {"line 1, column 4"}},
        Refusal{"reservedIndicator", "a: @x\n", {"line 1"}},
        Refusal{"tabIndents", "a:\n\tb: 1\n", {"line 2, column 1: a tab indents"}},
        Refusal{"tabAfterBlanks", "a:\n  \tb: 1\n", {"line 2, column 3: a tab indents"}},
        Refusal{"controlCharacter", "a: x\x01y\n", {"line 1, column 5: contains a control character"}},
        Refusal{"nul", std::string("a: x\0y\n", 7), {"control character"}},
        Refusal{"carriageReturnInside", "a: x\ry\n", {"control character"}},
        Refusal{"badUtf8", "a: 1\nb: \"caf\xe9\"\n", {"t.yaml line 2, column 8: is not valid UTF-8"}},
        Refusal{"surrogate", "a: \xed\xa0\x80\n", {"line 1, column 4: is not valid UTF-8"}},
        Refusal{"tooDeep", "a: " + nested(64) + "\n", {"nests deeper than 64"}},
        Refusal{"veryDeep", "a: " + nested(5000) + "\n", {"nests deeper than 64"}},
        Refusal{"aliasOfItself", "a: &a [*a]\n", {"refers to what contains it"}},
        Refusal{"aliasMakesItDeep",
                "a: &a " + nested(40) + "\nb: &b " + std::string(40, '[') + "*a" + std::string(40, ']') + "\n",
                {"line 2", "nests deeper than 64"}},
        Refusal{"laughter",
                "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
                "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
                {"line 5", "more than 100000 values"}}),
    [](const auto& row) { return row.param.name; });

TEST(YamlDocument, KnowsTheLineOfEveryMember) {
  const auto document =
      parse_yaml_document("# note\na:\n  - x: 1\n    y/z: 2\n  - 3\n\nb: {c: |\n  t\n  }\n", "t.yaml");
  ASSERT_FALSE(document);  // a block in a flow mapping is no YAML
  const auto good = parse_yaml_document("# note\na:\n  - x: 1\n    y/z: 2\n  - 3\n\nb: {c: t,\n    d~: u}\n", "t.yaml");
  ASSERT_OK(good);
  const std::map<std::string, int> want{{"", 2},     {"/a", 2}, {"/a/0", 3}, {"/a/0/x", 3}, {"/a/0/y~1z", 4},
                                        {"/a/1", 5}, {"/b", 7}, {"/b/c", 7}, {"/b/d~0", 8}};
  EXPECT_EQ(good->lines, want);
}

TEST(YamlDocument, AliasesAreCopies) {
  const auto document = parse_yaml_document("base: &b {x: [1, 2]}\nother: *b\nlist: [*b, &n 7, *n]\n", "t");
  ASSERT_OK(document);
  EXPECT_EQ(document->root["other"], document->root["base"]);
  EXPECT_EQ(document->root["list"][2], 7);
  EXPECT_EQ(document->lines.at("/other"), 2);
}

TEST(YamlDocument, ProblemsInsideAnAliasNameTheLineOfTheAlias) {
  const auto document = parse_yaml_document("base: &b {x: wrong}\nother: *b\n", "t");
  ASSERT_OK(document);
  Problems problems(*document);
  problems.add("/other/x", "must be a number");
  EXPECT_EQ(problems.list().front().line, 2);
}

TEST(YamlDocument, EmptyTextIsNull) {
  for (const std::string text : {"", "\n\n", "# only a comment\n", "---\n", "\xEF\xBB\xBF"}) {
    const auto document = parse_yaml_document(text, "t");
    ASSERT_OK(document);
    EXPECT_TRUE(document->root.is_null()) << text;
  }
}

TEST(YamlDocument, WindowsLineEndsAndByteOrderMarkAreFine) {
  const auto document = parse_yaml_document("\xEF\xBB\xBFrealm: a\r\nstore:\r\n  directory: /x\r\n", "t");
  ASSERT_OK(document);
  EXPECT_EQ(document->root["store"]["directory"], "/x");
}

TEST(YamlDocument, TooLargeIsRefusedUnread) {
  EXPECT_ERRC(parse_yaml_document(std::string(kMaxDocumentBytes + 1, 'a'), "t"), Errc::too_large);
}

TEST(LoadDocument, SaysWhatIsWrongWithTheFile) {
  EXPECT_ERRC(load_document("/nonexistent/x.yaml"), Errc::not_found);
  EXPECT_ERRC(load_document("/tmp"), Errc::failed_precondition);
}

}  // namespace
}  // namespace homeport::config
