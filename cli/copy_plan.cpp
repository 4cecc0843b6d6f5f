#include "cli/copy_plan.h"

#include <algorithm>
#include <map>

#include "provisioner/trees/tree_copy.h"

namespace homeport::cli {
namespace {

using trees::is_of_the_entry;
using trees::list_all;

constexpr std::size_t kMostEntries = 200'000;

struct Found {
  std::vector<std::string> components;
  drivers::EntryAttributes attributes;
};

std::string joined(const std::vector<std::string>& components) {
  std::string out;
  for (const auto& one : components) out += (out.empty() ? "" : "/") + one;
  return out;
}

NotCopied unreadable(std::string path, const Error& why) {
  return {.path = std::move(path), .reason = "unreadable", .why = why.sentence()};
}

class Lister {
 public:
  Lister(const EachOp& op, drivers::Tree& tree, const policies::HomePattern& pattern)
      : op_(op), tree_(tree), pattern_(pattern) {}

  Result<void> below(const drivers::Node& directory, const std::vector<std::string>& above) {
    auto listing = list_all(op_, tree_, directory, true);
    if (!listing && !above.empty() && is_of_the_entry(listing.error())) {
      refused.push_back(unreadable(joined(above), listing.error()));
      return {};
    }
    if (!listing) return std::move(listing).error();
    for (auto& one : listing->unseen) {
      auto components = above;
      components.push_back(std::move(one.name));
      refused.push_back(unreadable(joined(components), one.why));
    }
    for (auto& entry : listing->entries) {
      auto components = above;
      components.push_back(std::move(entry.name));
      const bool deeper = components.size() < pattern_.depth() &&
                          entry.attributes.type == drivers::EntryType::directory &&
                          pattern_.fits(above.size(), components.back());
      if (deeper) {
        HOMEPORT_CHECK(below(entry.node, components));
      } else if (found.size() >= kMostEntries) {
        return Error{.code = Errc::too_large,
                     .message = "the source holds more than 200,000 entries where homes are looked for",
                     .hint = "copy it in parts"};
      } else {
        found.push_back({std::move(components), entry.attributes});
      }
    }
    return {};
  }

  std::vector<Found> found{};
  std::vector<NotCopied> refused{};

 private:
  const EachOp& op_;
  drivers::Tree& tree_;
  const policies::HomePattern& pattern_;
};

// The person's name; empty when it is one of those whose hash nobody knows.
std::string name_of(const policies::HomePattern::Match& match, const CopyPattern& wanted) {
  if (!match.hashed) return match.user;
  for (const auto& name : wanted.names)
    if (policies::encode_name(wanted.pattern.encoding(), name) == match.user_text) return name;
  return {};
}

NotCopied refusal(const CopySource& home, std::string reason, std::string why) {
  return {.path = home.path, .user = home.user, .reason = std::move(reason), .why = std::move(why)};
}

std::optional<NotCopied> look_at(const CopySource& home, const drivers::EntryAttributes& attributes,
                                 std::uint32_t system_below) {
  if (attributes.type == drivers::EntryType::symlink)
    return refusal(home, "symlink", "it is a symbolic link; links are never followed, name what it leads to");
  if (attributes.type != drivers::EntryType::directory) return refusal(home, "not-a-directory", "it is no directory");
  if (home.user.empty())
    return refusal(home, "hashed-name",
                   "the name is hashed and cannot be read back; give the hub's user names (--names)");
  if (const auto name = UserName::parse(home.user); !name) return refusal(home, "odd-name", name.error().sentence());
  if (home.uid < system_below)
    return refusal(home, "system-owner",
                   "it belongs to uid " + std::to_string(home.uid) + "; uids below " + std::to_string(system_below) +
                       " are the system's");
  return std::nullopt;
}

// What only all of them together tell.
void finish(CopyPlan& plan, std::vector<CopySource> homes) {
  std::map<std::string, int> users;
  std::map<std::string, int> paths;
  std::map<std::uint32_t, int> uids;
  for (const auto& home : homes) {
    ++users[home.user];
    ++paths[home.path];
    ++uids[home.uid];
  }
  for (auto& home : homes) {
    if (users[home.user] > 1) {
      plan.refused.push_back(refusal(home, "two-to-one", "several directories fit " + printable(home.user, 60)));
    } else if (paths[home.path] > 1) {
      plan.refused.push_back(refusal(home, "two-to-one", "the map gives this directory to several people"));
    } else if (uids[home.uid] > 1) {
      plan.refused.push_back(
          refusal(home, "uid-taken", "uid " + std::to_string(home.uid) + " owns several of these homes"));
    } else {
      plan.homes.push_back(std::move(home));
    }
  }
  std::ranges::sort(plan.homes, {}, &CopySource::path);
  std::ranges::stable_sort(plan.refused, {}, &NotCopied::path);
}

void take(CopyPlan& plan, std::vector<CopySource>& homes, CopySource home, const drivers::EntryAttributes& attributes,
          std::uint32_t system_below) {
  if (auto refused = look_at(home, attributes, system_below)) {
    plan.refused.push_back(*std::move(refused));
  } else if (!AbsolutePath::parse("/" + home.path)) {
    plan.refused.push_back(refusal(home, "odd-name", "the path holds control characters or is no UTF-8"));
  } else {
    homes.push_back(std::move(home));
  }
}

// Where a line of a map leads to, below the base. Errors: invalid_argument, for people.
Result<std::string> below_base(const AbsolutePath& base, const std::string& written) {
  const auto prefix = base.str() == "/" ? std::string() : base.str();
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(written.starts_with('/') ? written : prefix + "/" + written));
  if (path == base || !base.contains(path)) {
    return Error{.code = Errc::invalid_argument,
                 .message = path.str() + " does not lie below " + base.str(),
                 .hint = "--from names a directory that holds all of the map's"};
  }
  return path.str().substr(prefix.size() + 1);
}

// From the base down, never through a link.
Result<std::optional<drivers::Entry>> walk(const EachOp& op, drivers::Tree& tree, const std::string& path) {
  auto at = std::optional(tree.root());
  for (std::size_t from = 0; from <= path.size() && at;) {
    const auto end = std::min(path.find('/', from), path.size());
    if (at->attributes.type != drivers::EntryType::directory) return std::optional<drivers::Entry>();
    HOMEPORT_TRY(at, tree.lookup(op(), at->node, path.substr(from, end - from)));
    from = end + 1;
  }
  return at;
}

}  // namespace

Result<CopyPlan> plan_copy(const EachOp& op, drivers::Tree& tree, const CopyPattern& wanted) {
  Lister lister(op, tree, wanted.pattern);
  HOMEPORT_CHECK(lister.below(tree.root().node, {}));
  CopyPlan plan{.refused = std::move(lister.refused)};
  std::vector<CopySource> homes;
  for (const auto& one : lister.found) {
    const auto match = wanted.pattern.match(one.components);
    if (!match) {
      ++plan.unmatched;
      continue;
    }
    take(plan, homes,
         {.path = joined(one.components),
          .user = name_of(*match, wanted),
          .uid = one.attributes.uid.value,
          .gid = one.attributes.gid.value},
         one.attributes, wanted.system_below);
  }
  finish(plan, std::move(homes));
  return plan;
}

Result<CopyPlan> plan_mapped_copy(const EachOp& op, drivers::Tree& tree, const CopyMap& map) {
  CopyPlan plan;
  std::vector<CopySource> homes;
  for (const auto& line : map.lines) {
    CopySource home{.path = line.path, .user = line.user, .klass = line.klass, .quota = line.quota};
    auto path = below_base(map.base, line.path);
    if (!path) {
      plan.refused.push_back(refusal(home, "odd-name", path.error().sentence()));
      continue;
    }
    home.path = *std::move(path);
    const auto entry = walk(op, tree, home.path);
    if (!entry && !is_of_the_entry(entry.error())) return entry.error();
    if (!entry || !*entry) {
      plan.refused.push_back(entry ? refusal(home, "missing", "there is no such directory")
                                   : refusal(home, "unreadable", entry.error().sentence()));
      continue;
    }
    const auto& attributes = (*entry)->attributes;
    home.uid = attributes.uid.value;
    home.gid = attributes.gid.value;
    if (line.uid != 0 && line.uid != home.uid) {
      plan.refused.push_back(
          refusal(home, "owner-differs",
                  "it belongs to uid " + std::to_string(home.uid) + ", the map says " + std::to_string(line.uid)));
      continue;
    }
    if (line.gid != 0) home.gid = line.gid;
    take(plan, homes, std::move(home), attributes, map.system_below);
  }
  finish(plan, std::move(homes));
  return plan;
}

}  // namespace homeport::cli
