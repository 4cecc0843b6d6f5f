// How full a space is, and the sentence its owner reads about it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "provisioner/base/bytes.h"

namespace homeport::policies {

struct QuotaFacts {
  std::string what = "Home";     // the first word of the sentence
  std::optional<Bytes> limit{};  // nullopt: no limit, hence never full
  Bytes used{};
  // Set when usage is counted from time to time and not told by the backend: how long ago that was.
  std::optional<std::chrono::milliseconds> measured_age{};
};

enum class QuotaSeverity { none, warn, error };

struct QuotaState {
  QuotaSeverity severity = QuotaSeverity::none;
  std::string level = "none";  // "none", the highest threshold reached ("80"), or "full"
  std::uint64_t percent = 0;   // to the nearest, but 100 or more only when full; thresholds are compared exactly
  std::string notice{};        // "Home is 81 % full (8.1GiB of 10GiB)."; empty for level none
};

// `thresholds` are percentages below 100, in any order; full is always told. At most 300 characters of notice as long
// as `what` is short.
[[nodiscard]] QuotaState quota_state(const QuotaFacts& facts, std::span<const std::uint32_t> thresholds);

}  // namespace homeport::policies
