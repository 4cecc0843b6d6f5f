#include "cli/output.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/golden.h"

namespace homeport::cli {
namespace {

using homeport::testing::expect_golden;

const WallTime kNow = parse_time("2026-11-20T08:00:00Z").value();

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    widest = std::max(widest, display_width(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return widest;
}

Table sample() {
  Table table({{"NAME", Align::left, true}, {"KEY"}, {"PATH", Align::left, true}, {"USED", Align::right}});
  table.add({{"alice"}, {"h-0123456789abcdef"}, {"/export/homes/hp-h-0123456789abcdef"}, {"1.5GiB"}});
  table.add({{"a name that is really much longer than any column has room for"},
             {"h-0123456789abcdef"},
             {"/export/a/very/long/path/that/does/not/fit/either"},
             {""}});
  table.add({{"日本語の名前"}, {"h-0123456789abcdef"}, {"/x"}, {"12B"}});
  table.add({{"evil\x1b[31mname\nline"}, {"-"}, {"\xFF"}, {"0"}});
  return table;
}

TEST(TableText, Fits80Columns) {
  EXPECT_LE(widest_line(sample().text({.width = 80})), 80U);
  expect_golden(sample().text({.width = 80}), "cli/table-80.txt");
}

TEST(TableText, FitsWhateverWidthThereIs) {
  for (const std::size_t width : {40U, 60U, 100U, 200U})
    EXPECT_LE(widest_line(sample().text({.width = width})), width) << width;
}

TEST(TableText, ColorsDoNotMoveColumns) {
  Table table({{"STATE"}, {"NAME"}});
  table.add({{"ready", Tone::good}, {"a"}});
  EXPECT_EQ(table.text({.width = 80, .color = false}), "STATE  NAME\nready  a\n");
  EXPECT_EQ(table.text({.width = 80, .color = true}),
            "\x1b[2mSTATE\x1b[0m  \x1b[2mNAME\x1b[0m\n\x1b[32mready\x1b[0m  a\n");
}

TEST(Text, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U);  // a combining accent takes no room
  EXPECT_EQ(shortened("日本語", 5), "日本…");
  EXPECT_EQ(shortened("日本語", 4), "日…");
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "ab…");
  EXPECT_EQ(shortened("abcd", 0), "");
}

TEST(Text, ControlCharactersAreShownNotSent) {
  EXPECT_EQ(safe_text("a\x1b[0m\r\n\tb"), "a\\x1b[0m\\x0d\\x0a\\x09b");
  EXPECT_EQ(safe_text("\xE2\x80\xAE"
                      "x"),
            "\\xe2\\x80\\xaex");  // right-to-left override
  EXPECT_EQ(safe_text(std::string(500, 'x')).size(), 500U);
}

TEST(Text, WrapsAtWordsAndKeepsLineEnds) {
  EXPECT_EQ(wrapped("aa bb cc dd", 6), "aa bb\ncc dd\n");
  EXPECT_EQ(wrapped("aa bb", 5, "  "), "  aa\n  bb\n");
  EXPECT_EQ(wrapped("aa\nbb", 80), "aa\nbb\n");
  EXPECT_EQ(wrapped("averyveryverylongword x", 6), "averyveryverylongword\nx\n");
  EXPECT_EQ(wrapped("", 6), "");
}

TEST(Human, Bytes) {
  EXPECT_EQ(human_bytes(std::nullopt), "-");
  EXPECT_EQ(human_bytes(0), "0");
  EXPECT_EQ(human_bytes(1023), "1023B");
  EXPECT_EQ(human_bytes(1024), "1KiB");
  EXPECT_EQ(human_bytes(1536), "1.5KiB");
  EXPECT_EQ(human_bytes(20ULL << 30U), "20GiB");
  EXPECT_EQ(human_bytes((150ULL << 20U) + (512U << 10U)), "150MiB");
  EXPECT_EQ(human_bytes(~0ULL), "15.9EiB");
}

TEST(Human, AgesAndTimes) {
  EXPECT_EQ(human_age("2026-11-20T07:59:55Z", kNow), "5s");
  EXPECT_EQ(human_age("2026-11-20T07:55:00Z", kNow), "5m");
  EXPECT_EQ(human_age("2026-11-19T20:00:00Z", kNow), "12h");
  EXPECT_EQ(human_age("2026-11-10T08:00:00Z", kNow), "10d");
  EXPECT_EQ(human_age("2026-11-23T08:00:00Z", kNow), "in 3d");
  EXPECT_EQ(human_age("-", kNow), "-");
  EXPECT_EQ(human_time("2026-11-20T07:55:00.123Z", kNow), "2026-11-20 07:55:00Z (4m ago)");
  EXPECT_EQ(human_time("-", kNow), "-");
}

TEST(ErrorText, SaysWhatWhyAndWhichRequest) {
  const Error error{.code = Errc::not_found,
                    .message = "there is no home of bob",
                    .hint = "homeport home ensure bob makes one",
                    .context = {"home of bob"},
                    .upstream = Upstream{.system = "homeport", .status = 404, .detail = "req-1"}};
  EXPECT_EQ(error_text(error, false),
            "homeport: error: home of bob: there is no home of bob\n  hint: homeport home ensure bob makes one\n  "
            "request: req-1\n");
  EXPECT_EQ(error_text({.code = Errc::internal, .message = "x"}, false), "homeport: error: x\n");
  EXPECT_EQ(error_text({.code = Errc::internal, .message = "x"}, true), "homeport: \x1b[31merror:\x1b[0m x\n");
}

TEST(ErrorText, SeveralProblemsStandOnTheirOwnLines) {
  EXPECT_EQ(error_text({.code = Errc::invalid_argument, .message = "two problems\nline 1: a\nline 2: b\x1b"}, false),
            "homeport: error: two problems\n  line 1: a\n  line 2: b\\x1b\n");
}

}  // namespace
}  // namespace homeport::cli
