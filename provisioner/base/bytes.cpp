#include "provisioner/base/bytes.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "provisioner/base/names.h"

namespace homeport {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 18> kUnits{{
    {"", 1},
    {"B", 1},
    {"KiB", 1ULL << 10U},
    {"MiB", 1ULL << 20U},
    {"GiB", 1ULL << 30U},
    {"TiB", 1ULL << 40U},
    {"PiB", 1ULL << 50U},
    {"KB", 1000ULL},
    {"kB", 1000ULL},
    {"MB", 1000ULL * 1000},
    {"GB", 1000ULL * 1000 * 1000},
    {"TB", 1000ULL * 1000 * 1000 * 1000},
    {"PB", 1000ULL * 1000 * 1000 * 1000 * 1000},
    {"Ki", 1ULL << 10U},
    {"Mi", 1ULL << 20U},
    {"Gi", 1ULL << 30U},
    {"Ti", 1ULL << 40U},
    {"Pi", 1ULL << 50U},
}};

Error bad_size(std::string_view text, std::string_view why) {
  return Error{.code = Errc::invalid_argument,
               .message = "size '" + printable(text, 40) + "' " + std::string(why),
               .hint = "write a number and a unit, for example 20GiB, 500MB or 1073741824 (bytes)"};
}

}  // namespace

Result<Bytes> Bytes::parse(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && ((text[digits] >= '0' && text[digits] <= '9') || text[digits] == '.')) ++digits;
  const std::string_view number = text.substr(0, digits);
  std::string_view unit = text.substr(digits);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (number.empty() || number.front() == '.' || number.back() == '.')
    return bad_size(text, "is not a number with a unit");

  std::uint64_t factor = 0;
  for (const auto& known : kUnits) {
    if (known.name == unit) factor = known.factor;
  }
  if (factor == 0) return bad_size(text, "has an unknown unit");

  if (number.find('.') == std::string_view::npos) {
    std::uint64_t whole = 0;
    const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), whole);
    if (ec != std::errc{} || end != number.data() + number.size()) return bad_size(text, "is out of range");
    if (whole > std::numeric_limits<std::uint64_t>::max() / factor) return bad_size(text, "is out of range");
    return Bytes{whole * factor};
  }
  double value = 0;
  const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (ec != std::errc{} || end != number.data() + number.size()) return bad_size(text, "is not a number with a unit");
  const double product = value * static_cast<double>(factor);
  if (!(product < 9.2e18)) return bad_size(text, "is out of range");
  return Bytes{static_cast<std::uint64_t>(std::llround(product))};
}

std::string Bytes::to_string() const {
  constexpr std::array<std::string_view, 6> kBinary{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t step = 0;
  auto value = static_cast<double>(count_);
  while (value >= 1024 && step + 1 < kBinary.size()) {
    value /= 1024;
    ++step;
  }
  std::array<char, 48> buffer{};
  const bool whole = value == std::floor(value);
  if (!whole && value >= 1023.95 && step + 1 < kBinary.size()) return "1.0" + std::string(kBinary[step + 1]);
  std::snprintf(buffer.data(), buffer.size(), whole ? "%.0f%s" : "%.1f%s", value, kBinary[step].data());
  return buffer.data();
}

std::string kubernetes_quantity(Bytes bytes) {
  constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;
  constexpr std::array<const char*, 5> kUnits{"Mi", "Gi", "Ti", "Pi", "Ei"};
  std::uint64_t count = bytes.count() / kMebibyte + (bytes.count() % kMebibyte == 0 ? 0 : 1);
  if (count == 0) count = 1;
  std::size_t unit = 0;
  while (count % 1024 == 0 && unit + 1 < kUnits.size()) {
    count /= 1024;
    ++unit;
  }
  return std::to_string(count) + kUnits[unit];
}

}  // namespace homeport
