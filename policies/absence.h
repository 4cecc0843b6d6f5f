// Who has left a hub: what one look at its list of users means.
#pragma once

#include <cstddef>
#include <string>

namespace homeport::policies {

// Numbers of one look at the user list of one hub.
struct AbsenceFacts {
  std::size_t listed = 0;           // users on the list
  std::size_t known = 0;            // people who came from this hub and are not dormant
  std::size_t missing = 0;          // of these, not on the list
  unsigned most_gone_percent = 10;  // of `known` that may be missing
};

struct AbsenceVerdict {
  bool hold = false;  // nobody goes dormant by this list
  std::string why{};  // for people; empty without a hold
};

// One person may always be missing, also where one is more than the share allows: else nobody could leave a small hub.
[[nodiscard]] AbsenceVerdict judge_absence(const AbsenceFacts& facts);

// How often in a row somebody must be missing.
inline constexpr unsigned kAbsentLooks = 2;

}  // namespace homeport::policies
