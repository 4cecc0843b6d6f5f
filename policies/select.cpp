#include "policies/select.h"

#include <algorithm>
#include <string_view>

#include "provisioner/base/names.h"

namespace homeport::policies {
namespace {

bool holds(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

const std::string* shared_group(const RuleFacts& rule, const PersonFacts& person) {
  const auto at = std::find_if(rule.groups.begin(), rule.groups.end(),
                               [&](const std::string& group) { return holds(person.groups, group); });
  return at == rule.groups.end() ? nullptr : &*at;
}

bool covers_hub(const RuleFacts& rule, const PersonFacts& person) {
  return rule.hubs.empty() || holds(rule.hubs, person.hub);
}

bool is_about(const RuleFacts& rule, const PersonFacts& person) {
  if (!covers_hub(rule, person)) return false;
  return rule.everyone || holds(rule.users, person.user) || shared_group(rule, person) != nullptr;
}

std::string quoted(std::string_view name) {
  return "'" + printable(name, 80) + "'";
}

std::string why_matches(const RuleFacts& rule, const PersonFacts& person) {
  if (holds(rule.users, person.user)) return "user " + quoted(person.user);
  if (const auto* group = shared_group(rule, person)) return "group " + quoted(*group);
  return "everyone";
}

std::string why_not(const RuleFacts& rule, const PersonFacts& person) {
  if (!covers_hub(rule, person)) return "hub " + quoted(person.hub) + " is not listed";
  if (rule.users.empty() && rule.groups.empty()) return "it names no user, no group and not everyone";
  return "neither " + quoted(person.user) + " nor a group of theirs is listed";
}

void add_datasets(const RuleFacts& rule, std::vector<ChosenDataset>& out) {
  for (const auto& name : rule.datasets) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const ChosenDataset& d) { return d.name == name; });
    if (!known) out.push_back({name, rule.name});
  }
}

}  // namespace

Selection select(std::span<const RuleFacts> rules, const PersonFacts& person) {
  Selection out;
  for (const auto& rule : rules) {
    if (!is_about(rule, person)) continue;
    if (rule.klass && !out.klass) {
      out.klass = rule.klass;
      out.class_rule = rule.name;
    }
    add_datasets(rule, out.datasets);
  }
  return out;
}

std::vector<RuleVerdict> explain(std::span<const RuleFacts> rules, const PersonFacts& person) {
  std::vector<RuleVerdict> out;
  bool decided = false;
  for (const auto& rule : rules) {
    const bool matches = is_about(rule, person);
    const bool decides = matches && rule.klass && !decided;
    decided = decided || decides;
    out.push_back({rule.name, matches, matches ? why_matches(rule, person) : why_not(rule, person), decides});
  }
  return out;
}

}  // namespace homeport::policies
