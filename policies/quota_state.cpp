#include "policies/quota_state.h"

#include <algorithm>
#include <array>
#include <limits>

namespace homeport::policies {
namespace {

// floor(1000 * used / limit) without overflow. Where the product would not fit, limit is so large that dividing it
// first moves the result by less than one; it is then kept below 1000 as long as used is below limit.
std::uint64_t permille_of(std::uint64_t used, std::uint64_t limit) {
  constexpr std::uint64_t kScale = 1000;
  constexpr std::uint64_t kCeiling = 1'000'000;  // "a thousand times over" is as much as anybody needs to know
  const std::uint64_t whole = used / limit;
  const std::uint64_t rest = used % limit;
  if (whole >= kCeiling / kScale) return kCeiling;
  const bool fits = rest <= std::numeric_limits<std::uint64_t>::max() / kScale;
  const std::uint64_t part = fits ? rest * kScale / limit : rest / (limit / kScale);
  return whole * kScale + std::min(part, kScale - 1);
}

std::string count_of(std::int64_t n, std::string_view unit) {
  return std::to_string(n) + " " + std::string(unit) + (n == 1 ? "" : "s");
}

// In the largest unit that has at least two of it, so that "90 minutes" stays exact enough.
std::string age_text(std::chrono::milliseconds age) {
  struct Unit {
    std::chrono::seconds length;
    std::string_view name;
  };
  constexpr std::array<Unit, 3> kUnits{
      {{std::chrono::hours(24), "day"}, {std::chrono::hours(1), "hour"}, {std::chrono::minutes(1), "minute"}}};
  if (age < std::chrono::minutes(1)) return "less than a minute ago";
  for (const auto& unit : kUnits) {
    const auto n = age / unit.length;
    if (n >= 2 || unit.length == std::chrono::minutes(1)) return count_of(n, unit.name) + " ago";
  }
  return {};
}

std::string sentence(const QuotaFacts& facts, const QuotaState& state) {
  const Bytes limit = *facts.limit;
  std::string out = facts.what + " is ";
  if (facts.used > limit) {
    out += "over its limit";
  } else if (facts.used == limit) {
    out += "full";
  } else {
    out += std::to_string(state.percent) + " % full";
  }
  out += " (" + facts.used.to_string() + " of " + limit.to_string() + ").";
  if (facts.measured_age) out += " Usage was measured " + age_text(*facts.measured_age) + ".";
  return out;
}

}  // namespace

QuotaState quota_state(const QuotaFacts& facts, std::span<const std::uint32_t> thresholds) {
  QuotaState out;
  if (!facts.limit || facts.limit->count() == 0) return out;
  const auto permille = permille_of(facts.used.count(), facts.limit->count());
  out.percent = (permille + 5) / 10;
  if (facts.used >= *facts.limit) {
    out.severity = QuotaSeverity::error;
    out.level = "full";
  } else {
    out.percent = std::min<std::uint64_t>(out.percent, 99);
    std::uint64_t reached = 0;
    for (const auto threshold : thresholds) {
      if (std::uint64_t{threshold} * 10 <= permille) reached = std::max<std::uint64_t>(reached, threshold);
    }
    if (reached == 0) return out;
    out.severity = QuotaSeverity::warn;
    out.level = std::to_string(reached);
  }
  out.notice = sentence(facts, out);
  return out;
}

}  // namespace homeport::policies
