#include "policies/absence.h"

#include <algorithm>

namespace homeport::policies {

AbsenceVerdict judge_absence(const AbsenceFacts& facts) {
  if (facts.missing == 0) return {};
  if (facts.listed == 0) {
    return {.hold = true, .why = "the hub lists no user at all: an emptied hub, or a new one at its address"};
  }
  const std::size_t allowed = std::max<std::size_t>(1, facts.known * facts.most_gone_percent / 100);
  if (facts.missing <= allowed) return {};
  return {.hold = true,
          .why = std::to_string(facts.missing) + " of " + std::to_string(facts.known) +
                 " people who came from this hub are missing on its list, and at most " + std::to_string(allowed) +
                 " may be at once (most_gone: " + std::to_string(facts.most_gone_percent) + ")"};
}

}  // namespace homeport::policies
