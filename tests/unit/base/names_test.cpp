#include "provisioner/base/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Row {
  std::string name;
  std::string text;
  std::string why{};  // empty: accepted
  friend void PrintTo(const Row& r, std::ostream* out) { *out << r.name; }
};
std::string row_name(const ::testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

class PersonName : public ::testing::TestWithParam<Row> {};
TEST_P(PersonName, IsAcceptedOrRefusedWithAReason) {
  const auto name = UserName::parse(GetParam().text);
  if (GetParam().why.empty()) {
    ASSERT_OK(name);
    EXPECT_EQ(name->str(), GetParam().text);  // never changed
    return;
  }
  ASSERT_ERRC(name, Errc::invalid_argument);
  EXPECT_THAT(name.error().message, HasSubstr(GetParam().why));
  EXPECT_THAT(name.error().message, Not(HasSubstr("\n")));
  EXPECT_TRUE(is_valid_utf8(name.error().message));
  EXPECT_FALSE(name.error().hint.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Table, PersonName,
    ::testing::Values(
        Row{"plain", "alice"}, Row{"upper", "Alice"}, Row{"email", "alice.b+notes@example.org"},
        Row{"command", "$(id)"}, Row{"quote", "o'brien"}, Row{"innerBlank", "Anna Maria"}, Row{"umlaut", "jürgen"},
        Row{"cyrillic", "Анна"}, Row{"greek", "Ελένη"}, Row{"chinese", "李明"}, Row{"vietnamese", "Nguyễn"},
        Row{"cyrillicWithDigits", "анна7"}, Row{"latinWithChinese", "li李"}, Row{"dots", "..."}, Row{"dash", "-rf"},
        Row{"percent", "%i"}, Row{"backslash", "a\\b"}, Row{"longest", std::string(255, 'a')},
        Row{"emoji", "a\xF0\x9F\x98\x80"}, Row{"almostAKey", "h-0123456789abcde"},
        Row{"keyInCapitals", "H-0123456789ABCDEF"}, Row{"otherLetter", "x-0123456789abcdef"},
        Row{"homeKey", "h-0123456789abcdef", "form of a key"}, Row{"datasetKey", "d-0123456789abcdef", "form of a key"},
        Row{"groupKey", "g-0123456789abcdef", "form of a key"},
        Row{"scratchKey", "s-0123456789abcdef", "form of a key"}, Row{"userKey", "u-0123456789abcdef", "form of a key"},
        Row{"empty", "", "is empty"}, Row{"dot", ".", "is a path"}, Row{"dotDot", "..", "is a path"},
        Row{"slash", "a/b", "contains '/'"}, Row{"traversal", "../../etc/passwd", "contains '/'"},
        Row{"newline", "alice\nroot", "control character"}, Row{"nul", std::string("a\0b", 3), "control character"},
        Row{"tab", "a\tb", "control character"}, Row{"escape", "\x1b[31mred", "control character"},
        Row{"delete", "a\x7f", "control character"},
        Row{"c1",
            "a\xC2\x9B"
            "b",
            "control character"},
        Row{"threeHundredBytes", std::string(300, 'a'), "longer than 255 bytes"},
        Row{"oneTooLong", std::string(256, 'a'), "longer than 255 bytes"}, Row{"blankFirst", " alice", "blank"},
        Row{"blankLast", "alice ", "blank"},
        Row{"noBreakSpace",
            "a\xC2\xA0"
            "b",
            "unusual blank"},
        Row{"mixedCyrillic", "p\xD0\xB0ypal", "mixes alphabets"}, Row{"mixedGreek", "alic\xCE\xB5", "mixes alphabets"},
        Row{"vietnameseWithCyrillic", "Nguy\xE1\xBB\x85\xD0\xB0", "mixes alphabets"},
        Row{"decomposed", "ju\xCC\x88rgen", "normal form C"},
        Row{"zeroWidthSpace",
            "ali\xE2\x80\x8B"
            "ce",
            "invisible"},
        Row{"zeroWidthJoiner",
            "ali\xE2\x80\x8D"
            "ce",
            "invisible"},
        Row{"rightToLeftOverride",
            "a\xE2\x80\xAE"
            "b",
            "invisible"},
        Row{"byteOrderMark",
            "\xEF\xBB\xBF"
            "alice",
            "invisible"},
        Row{"softHyphen", "al\xC2\xADice", "invisible"},
        Row{"hangulFiller",
            "a\xE3\x85\xA4"
            "b",
            "invisible"},
        Row{"variationSelector", "a\xEF\xB8\x8F", "invisible"},
        Row{"graphemeJoiner",
            "a\xCD\x8F"
            "b",
            "invisible"},
        Row{"lineSeparator",
            "a\xE2\x80\xA8"
            "b",
            "invisible"},
        Row{"privateUse", "a\xEE\x80\x80", "invisible or unassigned"},
        Row{"unassigned", "a\xCD\xB8", "invisible or unassigned"}, Row{"badUtf8", "caf\xE9", "not valid UTF-8"},
        Row{"overlong", "a\xC0\xAF", "not valid UTF-8"}, Row{"surrogate", "a\xED\xA0\x80", "not valid UTF-8"},
        Row{"cut", "a\xE2\x80", "not valid UTF-8"}),
    row_name);

TEST(ServerName, MayBeEmpty) {
  EXPECT_OK(ServerName::parse(""));
  EXPECT_OK(ServerName::parse("gpu 1"));
  EXPECT_ERRC(ServerName::parse(".."), Errc::invalid_argument);
}

TEST(NameSkeleton, IsTheSameForNamesThatLookAlike) {
  const std::vector<std::pair<std::string, std::string>> alike{{"Alice", "alice"},
                                                               {"ALICE", "alice"},
                                                               {"STRASSE", "straße"},
                                                               {"ju\xCC\x88rgen", "jürgen"},
                                                               {"\xEF\xBD\x81lice", "alice"},
                                                               {"ali\xE2\x80\x8B"
                                                                "ce",
                                                                "alice"},
                                                               {"\xEF\xAC\x81n", "fin"},
                                                               {"\xD0\xB0\xD1\x81\xD0\xB5", "ace"},
                                                               {"\xD0\x90\xD0\xA1\xD0\x95", "ace"},
                                                               {"\xCE\xBF\xCE\xBD", "ov"}};
  for (const auto& [a, b] : alike) EXPECT_EQ(name_skeleton(a), name_skeleton(b)) << a << " " << b;
  EXPECT_NE(name_skeleton("alice"), name_skeleton("alicia"));
  EXPECT_NE(name_skeleton("анна"), name_skeleton("инна"));
  EXPECT_EQ(name_skeleton("caf\xE9"), "caf\xE9");  // what is no text is itself
}

class SlugName : public ::testing::TestWithParam<Row> {};
TEST_P(SlugName, IsAcceptedOrRefused) {
  const auto slug = Slug::parse(GetParam().text);
  if (GetParam().why.empty()) {
    EXPECT_OK(slug);
  } else {
    ASSERT_ERRC(slug, Errc::invalid_argument);
    EXPECT_THAT(slug.error().message, HasSubstr(GetParam().why));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Table, SlugName,
    ::testing::Values(Row{"plain", "imagenet-2026"}, Row{"one", "a"}, Row{"digit", "7"}, Row{"dots", "a.b_c-d"},
                      Row{"longest", std::string(63, 'a')}, Row{"empty", "", "is empty"},
                      Row{"tooLong", std::string(64, 'a'), "longer than 63"}, Row{"upper", "aB", "start and end"},
                      Row{"upperInside", "aBc", "not allowed"}, Row{"dotFirst", ".a", "start and end"},
                      Row{"dotDot", "..", "start and end"}, Row{"dashLast", "a-", "start and end"},
                      Row{"slash", "a/b", "not allowed"}, Row{"blank", "a b", "not allowed"},
                      Row{"spaceKey", "d-0123456789abcdef", "form of a key"}, Row{"almostAKey", "d-0123456789abcde"},
                      Row{"userKey", "u-0123456789abcdef", "form of a key"}, Row{"umlaut", "aüb", "not allowed"},
                      Row{"newlineLast", "a\n", "start and end"}),
    row_name);

class Path : public ::testing::TestWithParam<Row> {};
TEST_P(Path, IsAcceptedOrRefused) {
  const auto path = AbsolutePath::parse(GetParam().text);
  if (GetParam().why.empty()) {
    EXPECT_OK(path);
  } else {
    ASSERT_ERRC(path, Errc::invalid_argument);
    EXPECT_THAT(path.error().message, HasSubstr(GetParam().why));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Table, Path,
    ::testing::Values(Row{"root", "/"}, Row{"plain", "/export/data"}, Row{"blank", "/a b/c"},
                      Row{"umlaut", "/daten/büro"}, Row{"hidden", "/.snapshot"}, Row{"threeDots", "/a/..."},
                      Row{"longPart", "/" + std::string(255, 'a')}, Row{"empty", "", "not absolute"},
                      Row{"relative", "a/b", "not absolute"}, Row{"dotDot", "/a/../b", "'.' or '..'"},
                      Row{"dotDotLast", "/a/..", "'.' or '..'"}, Row{"dot", "/./a", "'.' or '..'"},
                      Row{"emptyPart", "/a//b", "empty part"}, Row{"twoSlashes", "//", "empty part"},
                      Row{"slashLast", "/a/", "ends with '/'"}, Row{"nul", std::string("/a\0b", 4), "control"},
                      Row{"newline", "/a\nb", "control"},
                      Row{"c1",
                          "/a\xC2\x85"
                          "b",
                          "control"},
                      Row{"badUtf8", "/a\xFF", "UTF-8"}, Row{"partTooLong", "/" + std::string(256, 'a'), "part longer"},
                      Row{"tooLong", "/" + std::string(1024, 'a'), "longer than 1024"}),
    row_name);

TEST(AbsolutePath, ContainsWholePartsOnly) {
  const auto path = [](std::string_view text) { return *AbsolutePath::parse(text); };
  EXPECT_TRUE(path("/a").contains(path("/a")));
  EXPECT_TRUE(path("/a").contains(path("/a/b")));
  EXPECT_TRUE(path("/").contains(path("/a")));
  EXPECT_FALSE(path("/a").contains(path("/ab")));
  EXPECT_FALSE(path("/a/b").contains(path("/a")));
  EXPECT_FALSE(path("/a").contains(path("/")));
  EXPECT_EQ((path("/") / "x").str(), "/x");
  EXPECT_EQ((path("/a") / "x").str(), "/a/x");
}

TEST(Keys, HaveOneForm) {
  EXPECT_EQ(SpaceKey::from_random(SpaceKind::home, 0x1ULL).str(), "h-0000000000000001");
  EXPECT_EQ(UserKey::from_random(~0ULL).str(), "u-ffffffffffffffff");
  for (const auto kind : {SpaceKind::home, SpaceKind::dataset, SpaceKind::group, SpaceKind::scratch}) {
    const auto key = SpaceKey::from_random(kind, 0xdeadbeef12345678ULL);
    EXPECT_EQ(key.kind(), kind);
    ASSERT_OK(SpaceKey::parse(key.str()));
    EXPECT_EQ(*SpaceKey::parse(key.str()), key);
    EXPECT_EQ(space_kind_from_name(space_kind_name(kind)), kind);
  }
  for (const std::string bad :
       {"", "h-", "h-000000000000001", "h-00000000000000001", "h-000000000000000G", "h-000000000000000A",
        "x-0000000000000001", "u-0000000000000001", "h_0000000000000001", "h-../../../../../"}) {
    EXPECT_ERRC(SpaceKey::parse(bad), Errc::invalid_argument) << bad;
  }
  EXPECT_ERRC(UserKey::parse("h-0000000000000001"), Errc::invalid_argument);
  EXPECT_EQ(hex16(0x0123456789abcdefULL), "0123456789abcdef");
}

TEST(PrintableText, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("plain ä 李"), "plain ä 李");
  EXPECT_EQ(printable("a\nb\x1b[0m"), "a\\x0ab\\x1b[0m");
  EXPECT_EQ(printable("caf\xE9"), "caf\\xe9");
  EXPECT_EQ(printable("a\xE2\x80\xAE"
                      "b"),
            "a\\xe2\\x80\\xaeb");
  EXPECT_EQ(printable("a\xE2\x80\xA8"
                      "b"),
            "a\\xe2\\x80\\xa8b");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable(std::string(500, 'x'), 10), "xxxxxxxxxx…");
  EXPECT_EQ(printable("äöü", 3), "äö…");  // never cut inside a character
}

}  // namespace
}  // namespace homeport
