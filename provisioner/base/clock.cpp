#include "provisioner/base/clock.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "provisioner/base/names.h"

namespace homeport {
namespace {

struct DurationUnit {
  std::string_view name;
  std::chrono::milliseconds length;
};
constexpr std::array<DurationUnit, 6> kDurationUnits{{
    {"w", std::chrono::hours(24 * 7)},
    {"d", std::chrono::hours(24)},
    {"h", std::chrono::hours(1)},
    {"m", std::chrono::minutes(1)},
    {"s", std::chrono::seconds(1)},
    {"ms", std::chrono::milliseconds(1)},
}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string format_time(WallTime t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(t - day);
  std::array<char, 64> text{};
  const auto ms = static_cast<int>(time.subseconds().count());
  const int n = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                              static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                              static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                              static_cast<int>(time.seconds().count()));
  std::string out(text.data(), static_cast<std::size_t>(n));
  if (ms != 0) {
    std::snprintf(text.data(), text.size(), ".%03d", ms);
    out += text.data();
  }
  return out + "Z";
}

Result<WallTime> parse_time(std::string_view text) {
  const auto bad = [&] {
    return Error{.code = Errc::invalid_argument,
                 .message = "time '" + printable(text, 40) + "' is not RFC 3339 in UTC",
                 .hint = "write it like 2026-11-20T08:00:00Z"};
  };
  // Every character is checked: scanf-like functions take blanks and signs for digits.
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= kShape.size() || text.back() != 'Z') return bad();
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == 'd' ? !is_digit(text[i]) : text[i] != kShape[i]) return bad();
  }
  const auto field = [&](std::size_t at, std::size_t length) {
    unsigned value = 0;
    for (const char c : text.substr(at, length)) value = value * 10 + static_cast<unsigned>(c - '0');
    return value;
  };
  auto rest = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  int ms = 0;
  if (!rest.empty()) {
    if (rest.front() != '.' || rest.size() < 2) return bad();
    int scale = 100;
    for (const char c : rest.substr(1)) {
      if (!is_digit(c)) return bad();
      ms += scale * (c - '0');
      scale /= 10;  // what is finer than a millisecond is dropped
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(field(0, 4))),
                                         std::chrono::month(field(5, 2)), std::chrono::day(field(8, 2))};
  // 60 is a leap second: taken as the next minute's start.
  if (!date.ok() || field(11, 2) > 23 || field(14, 2) > 59 || field(17, 2) > 60) return bad();
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(field(11, 2)) + std::chrono::minutes(field(14, 2)) +
         std::chrono::seconds(field(17, 2)) + std::chrono::milliseconds(ms);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (ec == std::errc{} && count >= 0) {
    for (const auto& known : kDurationUnits) {
      if (known.name == unit && count <= (std::int64_t{1} << 53) / known.length.count()) return count * known.length;
    }
  }
  return Error{.code = Errc::invalid_argument,
               .message = "duration '" + printable(text, 40) + "' is not a number with a unit",
               .hint = "write it like 30s, 15m, 12h, 90d or 4w"};
}

std::string format_duration(std::chrono::milliseconds d) {
  for (const auto& unit : kDurationUnits) {
    if (d.count() != 0 && d.count() % unit.length.count() == 0) {
      return std::to_string(d.count() / unit.length.count()) + std::string(unit.name);
    }
  }
  return "0s";
}

}  // namespace homeport
