#include "provisioner/base/doc_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Document parse(const std::string& text) {
  auto document = parse_json_document(text, "body");
  EXPECT_OK(document);
  return document ? std::move(document).value() : Document{};
}

std::vector<std::string> messages(const Problems& problems) {
  std::vector<std::string> out;
  for (const auto& p : problems.list())
    out.push_back(p.pointer + ": " + p.message + (p.hint.empty() ? "" : " (" + p.hint + ")"));
  return out;
}

struct Broken {
  std::string name;
  std::string text;
  std::string says;
  friend void PrintTo(const Broken& b, std::ostream* out) { *out << b.name; }
};
class BrokenJson : public ::testing::TestWithParam<Broken> {};
TEST_P(BrokenJson, IsRefusedWithThePlace) {
  const auto document = parse_json_document(GetParam().text, "body");
  ASSERT_ERRC(document, Errc::invalid_argument);
  EXPECT_THAT(document.error().message, HasSubstr(GetParam().says));
}
std::string nested(std::size_t n) {
  return std::string(n, '[') + std::string(n, ']');
}
INSTANTIATE_TEST_SUITE_P(
    Table, BrokenJson,
    ::testing::Values(Broken{"empty", "", "not JSON"}, Broken{"word", "nope", "line 1, column"},
                      Broken{"comma", "{\"a\": 1,\n \"b\": 2,\n}", "line 3, column 1"},
                      Broken{"cut", "{\"a\": [1, 2", "line 1"}, Broken{"rest", "{} {}", "line 1, column 4"},
                      Broken{"comment", "{} // x", "not JSON"}, Broken{"singleQuotes", "{'a': 1}", "line 1, column 2"},
                      Broken{"badUtf8", "{\"a\": \"\xFF\"}", "not valid UTF-8"},
                      Broken{"loneSurrogate", "{\"a\": \"\\ud800\"}", "not JSON"},
                      Broken{"infinite", "[1e999]", "not JSON"}, Broken{"nan", "[NaN]", "not JSON"},
                      Broken{"leadingZero", "[01]", "not JSON"}, Broken{"controlInText", "[\"a\nb\"]", "not JSON"},
                      Broken{"doubledKey", "{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}", "key 'c' twice"},
                      Broken{"doubledByEscape", "{\"a\": 1, \"\\u0061\": 2}", "key 'a' twice"},
                      Broken{"tooDeep", nested(65), "deeper than 64"},
                      Broken{"veryDeep", nested(100'000), "deeper than 64"},
                      Broken{"deepObjects",
                             [] {
                               std::string text;
                               for (int i = 0; i < 70; ++i) text += "{\"a\":";
                               return text;
                             }(),
                             "deeper than 64"}),
    [](const auto& row) { return row.param.name; });

TEST(ParseJson, KeepsEveryKindOfValue) {
  const std::string text = R"({"a":[1,-2,3.5,"x",true,null,{}],"b":"ä\"\\/","c":18446744073709551615})";
  EXPECT_EQ(parse(text).root.dump(), text);
  EXPECT_OK(parse_json_document(nested(64), "body"));
  EXPECT_EQ(parse(" 7 ").root, 7);
}

TEST(DocReader, ReadsWhatIsThere) {
  const auto document = parse(R"({"t":"x","b":true,"n":5,"size":"20GiB","raw":1024,"d":"15m","c":"two",
                                  "list":["a","b"],"map":{"k":"v"},"o":{"x":"y"},"os":[{"x":"1"},{"x":"2"}],"slug":"abc"})");
  Problems problems(document);
  auto in = DocReader::root(problems);
  EXPECT_EQ(in.text("t"), "x");
  EXPECT_TRUE(in.boolean("b", false));
  EXPECT_EQ(in.number("n", 1, 0, 10), 5U);
  EXPECT_EQ(in.optional_bytes("size"), Bytes{20ULL << 30});
  EXPECT_EQ(in.optional_bytes("raw"), Bytes{1024});
  EXPECT_EQ(in.optional_duration("d"), std::chrono::minutes(15));
  EXPECT_EQ(in.choice("c", {"one", "two"}), "two");
  EXPECT_THAT(in.texts("list"), ElementsAre("a", "b"));
  EXPECT_EQ(in.text_map("map").at("k"), "v");
  EXPECT_EQ(in.object("o").text("x"), "y");
  EXPECT_EQ(in.objects("os").at(1).text("x"), "2");
  EXPECT_EQ(in.required("slug", &Slug::parse)->str(), "abc");
  in.finish();
  EXPECT_TRUE(problems.none()) << problems.text();
}

TEST(DocReader, AbsentAndNullAreTheFallback) {
  const auto document = parse(R"({"t":null,"n":null})");
  Problems problems(document);
  auto in = DocReader::root(problems);
  EXPECT_EQ(in.text("t", "fallback"), "fallback");
  EXPECT_EQ(in.number("n", 3, 0, 9), 3U);
  EXPECT_EQ(in.optional_text("absent"), std::nullopt);
  EXPECT_TRUE(in.texts("list").empty());
  EXPECT_TRUE(in.objects("os").empty());
  EXPECT_EQ(in.object("o").optional_text("x"), std::nullopt);
  EXPECT_EQ(in.raw("raw"), nullptr);
  in.finish();
  EXPECT_TRUE(problems.none()) << problems.text();
}

TEST(DocReader, ReportsAllProblemsAtOnce) {
  const auto document = parse(R"({"t":4.1,"b":"yes","n":-1,"big":11,"f":1.5,"size":"20XB","neg":-5,"d":"15","c":"three",
                                  "list":["a",1,{}],"map":{"k":1},"o":"x","os":{"x":1},"mixed":[{"x":"1"},2],"slug":"A B","extra":1})");
  Problems problems(document);
  auto in = DocReader::root(problems);
  (void)in.text("t");
  (void)in.text("absent");
  (void)in.boolean("b", false);
  (void)in.number("n", 1, 0, 10);
  (void)in.number("big", 1, 0, 10);
  (void)in.number("f", 1, 0, 10);
  (void)in.optional_bytes("size");
  (void)in.optional_bytes("neg");
  (void)in.optional_duration("d");
  (void)in.choice("c", {"one", "two"});
  (void)in.texts("list");
  (void)in.text_map("map");
  (void)in.object("o");
  (void)in.objects("os");
  (void)in.objects("mixed");
  (void)in.required("slug", &Slug::parse);
  (void)in.required("nowhere", &Slug::parse);
  in.finish();
  EXPECT_THAT(
      messages(problems),
      ElementsAre("/t: must be text (put it in quotes)", ": 'absent' is missing", "/b: must be true or false",
                  "/n: must be a whole number from 0 to 10", "/big: must be a whole number from 0 to 10",
                  "/f: must be a whole number from 0 to 10", HasSubstr("/size: size '20XB' has an unknown unit"),
                  "/neg: must be a size such as 20GiB", HasSubstr("/d: duration '15'"),
                  "/c: 'three' is not known (use one of: one, two)", "/list/1: must be text", "/list/2: must be text",
                  "/map/k: must be text", "/o: must be a mapping of keys to values", "/os: must be a list",
                  "/mixed/1: must be a mapping of keys to values", HasSubstr("/slug: name 'A B' must start"),
                  ": 'nowhere' is missing", "/extra: 'extra' is not known"));
  EXPECT_THAT(problems.to_error().message, HasSubstr("19 problems:\nbody /t: "));
}

TEST(DocReader, HintsAtTheNearestKey) {
  const auto document = parse(R"({"quotaBytes":1,"servr":1,"abc":1,"x":1,"somethingElse":1})");
  Problems problems(document);
  auto in = DocReader::root(problems);
  (void)in.optional_number("quota_bytes", 0, 1);
  (void)in.optional_text("server");
  (void)in.optional_text("xyz");
  (void)in.optional_text("y1");
  in.finish();
  EXPECT_THAT(messages(problems), ElementsAre("/abc: 'abc' is not known",
                                              "/quotaBytes: 'quotaBytes' is not known (did you mean 'quota_bytes'?)",
                                              "/servr: 'servr' is not known (did you mean 'server'?)",
                                              "/somethingElse: 'somethingElse' is not known", "/x: 'x' is not known"));
}

TEST(DocReader, HostileKeysAreEscaped) {
  const auto document = parse("{\"a/b~c\": 1, \"line\\nfeed\": 1, \"" + std::string(5000, 'k') + "\": 1}");
  Problems problems(document);
  auto in = DocReader::root(problems);
  (void)in.optional_text("known");
  in.finish();
  EXPECT_EQ(problems.list()[0].pointer, "/a~1b~0c");
  const auto text = problems.to_error().message;
  EXPECT_THAT(text, HasSubstr("line\\x0afeed"));
  EXPECT_LT(text.size(), 2000U);
}

TEST(DocReader, ARootThatIsNoObjectIsAProblem) {
  const auto document = parse("[1]");
  Problems problems(document);
  auto in = DocReader::root(problems);
  in.finish();
  EXPECT_THAT(messages(problems), ElementsAre(": must be a mapping of keys to values"));
}

TEST(Problems, NameTheNearestKnownLineInOrder) {
  auto document = parse(R"({"a":{"b":1},"c":1})");
  document.source = "config.yaml";
  document.lines = {{"", 1}, {"/a", 2}, {"/a/b", 3}, {"/c", 9}};
  Problems problems(document);
  problems.add("/c", "is bad");
  problems.add("/a/b/deeper/still", "is worse", "mend it");
  problems.add("/a/absent", "is missing");
  EXPECT_EQ(problems.text(),
            "config.yaml line 2: /a/absent: is missing\nconfig.yaml line 3: /a/b/deeper/still: is worse (mend it)\n"
            "config.yaml line 9: /c: is bad");
}

TEST(Problems, OneProblemIsItsOwnError) {
  const auto document = parse(R"({"uid":"x"})");
  Problems problems(document);
  auto in = DocReader::root(problems);
  (void)in.optional_number("uid", 1, 9);
  const auto error = problems.to_error();
  EXPECT_EQ(error.message, "/uid: must be a whole number from 1 to 9");
  EXPECT_EQ(error.pointer, "/uid");
}

}  // namespace
}  // namespace homeport
