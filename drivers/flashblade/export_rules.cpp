#include "drivers/flashblade/export_rules.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace homeport::drivers::flashblade {
namespace {

constexpr Owner kNobody{Uid{65534}, Gid{65534}};

struct Rule {
  std::string client;
  std::set<std::string> options{};
  friend bool operator==(const Rule&, const Rule&) = default;
};

std::vector<Rule> split(std::string_view text) {
  std::vector<Rule> out;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
    const auto end = std::min(text.find_first_of(" \t\n", at), text.size());
    const auto word = text.substr(at, end - at);
    const auto open = std::min(word.find('('), word.size());
    Rule rule{.client = std::string(word.substr(0, open))};
    auto options = open < word.size() ? word.substr(open + 1) : std::string_view();
    if (options.ends_with(')')) options.remove_suffix(1);
    while (!options.empty()) {
      const auto comma = std::min(options.find(','), options.size());
      rule.options.emplace(options.substr(0, comma));
      options.remove_prefix(std::min(comma + 1, options.size()));
    }
    out.push_back(std::move(rule));
    at = end;
  }
  return out;
}

std::string options_of(const AccessRule& rule) {
  std::string out = rule.permission == Permission::rw ? "rw" : "ro";
  switch (rule.squash) {
    case Squash::none: out += ",no_root_squash"; break;
    case Squash::root: out += ",root_squash"; break;
    case Squash::all: out += ",all_squash"; break;
  }
  if (rule.anonymous != kNobody) {
    out +=
        ",anonuid=" + std::to_string(rule.anonymous.uid.value) + ",anongid=" + std::to_string(rule.anonymous.gid.value);
  }
  if (rule.security != "sys") out += ",sec=" + rule.security;
  return out;
}

std::optional<std::uint32_t> number_after(const std::string& option, std::string_view key) {
  if (!option.starts_with(key)) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(option.data() + key.size(), option.data() + option.size(), value);
  if (ec != std::errc{} || end != option.data() + option.size()) return std::nullopt;
  return value;
}

AccessRule rule_of(const Rule& from) {
  AccessRule rule{.client = from.client};
  const auto has = [&](const char* option) { return from.options.contains(option); };
  rule.permission = has("rw") ? Permission::rw : Permission::ro;
  rule.squash = has("all_squash") ? Squash::all : has("no_root_squash") ? Squash::none : Squash::root;
  for (const auto& option : from.options) {
    if (const auto uid = number_after(option, "anonuid=")) rule.anonymous.uid = Uid{*uid};
    if (const auto gid = number_after(option, "anongid=")) rule.anonymous.gid = Gid{*gid};
    if (option.starts_with("sec=")) rule.security = option.substr(4);
  }
  return rule;
}

Rule own_rule(const std::string& host) {
  return {.client = host, .options = {"rw", "no_root_squash"}};
}

}  // namespace

bool is_everybody(std::string_view client) {
  if (client.find_first_not_of("*?.") == std::string_view::npos) return true;  // "" too
  const auto slash = client.find('/');
  if (slash == std::string_view::npos) return false;
  const auto bits = client.substr(slash + 1);
  return bits.find_first_not_of('0') == std::string_view::npos || bits == "0.0.0.0";
}

bool is_client(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:_/@*?").find(c) != std::string_view::npos;
  });
}

bool is_world_open(std::string_view rules) {
  const auto all = split(rules);
  return std::ranges::any_of(all, [](const Rule& rule) { return is_everybody(rule.client); });
}

bool opens_to_all(std::string_view rules) {
  const auto all = split(rules);
  return std::ranges::any_of(all, [](const Rule& rule) {
    return is_everybody(rule.client) && (!rule.options.contains("ro") || rule.options.contains("no_root_squash"));
  });
}

Result<std::string> rules_of(const std::vector<std::string>& homeport, const AccessPolicy& policy) {
  std::string out;
  for (const auto& host : homeport) out += (out.empty() ? "" : " ") + host + "(rw,no_root_squash)";
  for (const auto& rule : policy.rules) {
    if (!is_client(rule.client)) {
      return Error{.code = Errc::invalid_argument,
                   .message = "'" + printable(rule.client, 60) + "' is no client of an export",
                   .hint = "write an address, a network (10.0.0.0/16), a host name or @netgroup"};
    }
    if (is_everybody(rule.client)) {
      return Error{.code = Errc::failed_precondition,
                   .message = "a rule for '" + rule.client + "' would let everybody on the network in",
                   .hint = "name the networks that notebooks run in; Homeport makes no world-open export"};
    }
    out += (out.empty() ? "" : " ") + rule.client + "(" + options_of(rule) + ")";
  }
  return out;
}

AccessPolicy policy_of(std::string_view rules, const std::vector<std::string>& homeport) {
  AccessPolicy policy;
  for (const auto& rule : split(rules)) {
    const bool own = std::ranges::any_of(homeport, [&](const auto& host) { return rule == own_rule(host); });
    if (!own) policy.rules.push_back(rule_of(rule));
  }
  return policy;
}

bool same_rules(std::string_view a, std::string_view b) {
  return split(a) == split(b);
}

}  // namespace homeport::drivers::flashblade
