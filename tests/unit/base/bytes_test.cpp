#include "provisioner/base/bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport {
namespace {

using literals::operator""_GiB;
using literals::operator""_KiB;

struct Accepted {
  std::string name;
  std::string text;
  std::uint64_t bytes;
  friend void PrintTo(const Accepted& a, std::ostream* out) { *out << a.name; }
};
class GoodSize : public ::testing::TestWithParam<Accepted> {};
TEST_P(GoodSize, Parses) {
  const auto size = Bytes::parse(GetParam().text);
  ASSERT_OK(size);
  EXPECT_EQ(size->count(), GetParam().bytes);
}
INSTANTIATE_TEST_SUITE_P(
    Table, GoodSize,
    ::testing::Values(Accepted{"bare", "1073741824", 1ULL << 30}, Accepted{"zero", "0", 0},
                      Accepted{"bytes", "12B", 12}, Accepted{"gib", "20GiB", 20ULL << 30},
                      Accepted{"gi", "20Gi", 20ULL << 30}, Accepted{"gbIsDecimal", "20GB", 20'000'000'000ULL},
                      Accepted{"kb", "1kB", 1000}, Accepted{"blank", "20 GiB", 20ULL << 30},
                      Accepted{"half", "1.5TiB", 3ULL << 39}, Accepted{"tenth", "0.1GiB", 107374182},
                      Accepted{"largest", "18446744073709551615", ~0ULL}, Accepted{"pib", "16383PiB", 16383ULL << 50}),
    [](const auto& row) { return row.param.name; });

struct Refused {
  std::string name;
  std::string text;
  std::string why;
  friend void PrintTo(const Refused& r, std::ostream* out) { *out << r.name; }
};
class BadSize : public ::testing::TestWithParam<Refused> {};
TEST_P(BadSize, IsRefusedWithTheForms) {
  const auto size = Bytes::parse(GetParam().text);
  ASSERT_ERRC(size, Errc::invalid_argument);
  EXPECT_THAT(size.error().message, ::testing::HasSubstr(GetParam().why));
  EXPECT_THAT(size.error().message, ::testing::Not(::testing::HasSubstr("\n")));
  EXPECT_THAT(size.error().hint, ::testing::HasSubstr("20GiB"));
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadSize,
    ::testing::Values(Refused{"empty", "", "not a number"}, Refused{"negative", "-1GiB", "not a number"},
                      Refused{"plus", "+1GiB", "not a number"}, Refused{"onlyUnit", "GiB", "not a number"},
                      Refused{"pointFirst", ".5GiB", "not a number"}, Refused{"pointLast", "5.GiB", "not a number"},
                      Refused{"twoPoints", "1.2.3GiB", "not a number"}, Refused{"word", "20potatoes", "unknown unit"},
                      Refused{"bits", "20Gbit", "unknown unit"}, Refused{"lowerCase", "20gib", "unknown unit"},
                      Refused{"comma", "1,5GiB", "unknown unit"}, Refused{"newline", "1\nGiB", "unknown unit"},
                      Refused{"overflow", "18446744073709551616", "out of range"},
                      Refused{"unitOverflow", "16384PiB", "out of range"},
                      Refused{"fractionOverflow", "99999999.5PiB", "out of range"},
                      Refused{"veryLong", std::string(400, '9'), "out of range"}),
    [](const auto& row) { return row.param.name; });

TEST(Bytes, PrintsTheShortestForm) {
  const std::vector<std::pair<std::uint64_t, std::string>> table{{0, "0B"},
                                                                 {1023, "1023B"},
                                                                 {1024, "1KiB"},
                                                                 {20ULL << 30, "20GiB"},
                                                                 {3ULL << 29, "1.5GiB"},
                                                                 {1025, "1.0KiB"},
                                                                 {(1ULL << 20) - 1, "1.0MiB"},
                                                                 {(1ULL << 30) - 1, "1.0GiB"},
                                                                 {~0ULL, "16384PiB"},
                                                                 {1000ULL << 20, "1000MiB"}};
  for (const auto& [bytes, text] : table) EXPECT_EQ(Bytes{bytes}.to_string(), text) << bytes;
}

TEST(Bytes, ExactFormsReadBack) {
  for (const auto size : {1_GiB, 20_GiB, 512_KiB, Bytes{0}, Bytes{7}}) EXPECT_EQ(*Bytes::parse(size.to_string()), size);
}

}  // namespace
}  // namespace homeport
