#include "cli/copy_plan.h"

#include <algorithm>
#include <array>
#include <map>

namespace homeport::cli {
namespace {

constexpr std::size_t kMostEntries = 200'000;

struct Found {
  std::vector<std::string> components;
  drivers::EntryAttributes attributes;
};

class Lister {
 public:
  Lister(const OpContext& op, drivers::Tree& tree, const policies::HomePattern& pattern)
      : op_(op), tree_(tree), pattern_(pattern) {}

  Result<void> below(const drivers::Node& directory, const std::vector<std::string>& above) {
    std::optional<drivers::Cursor> from;
    do {
      const std::array<drivers::ListRequest, 1> wanted{{{.directory = directory, .from = from}}};
      auto page = std::move(tree_.list(op_, wanted).front());
      if (!page) return std::move(page).error();
      for (auto& entry : page->entries) {
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
      from = std::move(page->next);
    } while (from);
    return {};
  }

  std::vector<Found> found{};

 private:
  const OpContext& op_;
  drivers::Tree& tree_;
  const policies::HomePattern& pattern_;
};

std::string joined(const std::vector<std::string>& components) {
  std::string out;
  for (const auto& one : components) out += (out.empty() ? "" : "/") + one;
  return out;
}

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

}  // namespace

Result<CopyPlan> plan_copy(const OpContext& op, drivers::Tree& tree, const CopyPattern& wanted) {
  Lister lister(op, tree, wanted.pattern);
  HOMEPORT_CHECK(lister.below(tree.root().node, {}));
  CopyPlan plan;
  std::vector<CopySource> homes;
  for (const auto& one : lister.found) {
    const auto match = wanted.pattern.match(one.components);
    if (!match) {
      ++plan.unmatched;
      continue;
    }
    CopySource home{.path = joined(one.components),
                    .user = name_of(*match, wanted),
                    .uid = one.attributes.uid.value,
                    .gid = one.attributes.gid.value};
    if (auto refused = look_at(home, one.attributes, wanted.system_below)) {
      plan.refused.push_back(*std::move(refused));
    } else if (!AbsolutePath::parse("/" + home.path)) {
      plan.refused.push_back(refusal(home, "odd-name", "the path holds control characters or is no UTF-8"));
    } else {
      homes.push_back(std::move(home));
    }
  }
  std::map<std::string, int> users;
  std::map<std::uint32_t, int> uids;
  for (const auto& home : homes) {
    ++users[home.user];
    ++uids[home.uid];
  }
  for (auto& home : homes) {
    if (users[home.user] > 1) {
      plan.refused.push_back(refusal(home, "two-to-one", "several directories fit " + printable(home.user, 60)));
    } else if (uids[home.uid] > 1) {
      plan.refused.push_back(
          refusal(home, "uid-taken", "uid " + std::to_string(home.uid) + " owns several of these homes"));
    } else {
      plan.homes.push_back(std::move(home));
    }
  }
  std::ranges::sort(plan.homes, {}, &CopySource::path);
  std::ranges::stable_sort(plan.refused, {}, &NotCopied::path);
  return plan;
}

}  // namespace homeport::cli
