// Which directories below a source are homes to be copied, and whose. Looks at the source only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/roster.h"
#include "drivers/core/optional.h"
#include "policies/home_pattern.h"

namespace homeport::cli {

struct CopySource {
  std::string path;  // below the source, as it is written
  std::string user{};
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  // A map's; empty: nothing is said.
  std::string klass{};
  std::string quota{};
};
struct NotCopied {
  std::string path;
  std::string user{};  // empty: nobody's
  std::string reason;  // a word to sort by
  std::string why;
};
struct CopyPlan {
  std::vector<CopySource> homes{};  // by path
  std::vector<NotCopied> refused{};
  std::size_t unmatched = 0;
};

// Asked for each call: a large base takes its time.
using EachOp = std::function<OpContext()>;

struct CopyPattern {
  policies::HomePattern pattern;
  std::vector<std::string> names{};  // people that may be meant where a name ends in a hash
  std::uint32_t system_below = 1000;
};
// What cannot be looked at is refused as `unreadable`, and the others are planned. Errors: those of reading the source;
// too_large for more than 200,000 entries.
[[nodiscard]] Result<CopyPlan> plan_copy(const EachOp& op, drivers::Tree& tree, const CopyPattern& pattern);

// The same by a map: whose each directory is. Paths are below `base`, where the tree begins, or absolute.
struct CopyMap {
  AbsolutePath base;
  std::vector<RosterLine> lines;
  std::uint32_t system_below = 1000;
};
[[nodiscard]] Result<CopyPlan> plan_mapped_copy(const EachOp& op, drivers::Tree& tree, const CopyMap& map);

}  // namespace homeport::cli
