// Which REST 2.N we speak with an array, and from which one on it has what we use.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport::drivers::flashblade {

struct RestVersion {
  int major = 2;
  int minor = 0;
  [[nodiscard]] std::string str() const { return std::to_string(major) + "." + std::to_string(minor); }
  [[nodiscard]] bool has(int since_minor) const { return major == 2 && minor >= since_minor; }
  friend auto operator<=>(const RestVersion&, const RestVersion&) = default;
};

// The newest one whose published text this driver was written against.
inline constexpr RestVersion kNewestKnown{2, 28};

// First minor version of REST 2 with …
namespace since {
inline constexpr int kExportPolicies = 3;     // /nfs-export-policies, nfs.export_policy
inline constexpr int kEradicationConfig = 5;  // arrays.eradication_config: SafeMode shows
inline constexpr int kExportObjects = 16;     // default_exports; exports are objects of their own
inline constexpr int kCopies = 25;            // include_snapshot: a snapshot as a new file system
}  // namespace since

// "2.26"; versions of REST 1 may have three parts ("1.8.1"), of which two count. nullopt: not a version.
[[nodiscard]] std::optional<RestVersion> parse_version(std::string_view text);

// The newest version that both sides know. Errors: failed_precondition with what the array offers.
[[nodiscard]] Result<RestVersion> choose_version(const std::vector<std::string>& offered);

}  // namespace homeport::drivers::flashblade
