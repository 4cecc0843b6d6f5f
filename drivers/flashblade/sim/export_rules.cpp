#include "drivers/flashblade/sim/export_rules.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace homeport::fbsim {
namespace {

constexpr std::array kOptions = {"rw",           "ro",
                                 "root_squash",  "no_root_squash",
                                 "all_squash",   "no_all_squash",
                                 "fileid_32bit", "no_fileid_32bit",
                                 "secure",       "insecure",
                                 "atime",        "noatime"};

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_security(std::string_view text) {
  while (true) {
    const auto colon = text.find(':');
    const auto one = text.substr(0, colon);
    if (one != "sys" && one != "krb5" && one != "krb5i" && one != "krb5p") return false;
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
  }
}

bool is_option(std::string_view text) {
  if (text.starts_with("anonuid=") || text.starts_with("anongid=")) return is_number(text.substr(8));
  if (text.starts_with("sec=")) return is_security(text.substr(4));
  return std::ranges::find(kOptions, text) != kOptions.end();
}

bool is_client(std::string_view text) {
  if (text.empty()) return false;
  return std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("@.:/*?-_[]").find(c) != std::string_view::npos;
  });
}

bool is_rule(std::string_view text) {
  const auto open = text.find('(');
  if (!is_client(text.substr(0, open))) return false;
  if (open == std::string_view::npos) return true;
  if (!text.ends_with(')')) return false;
  auto options = text.substr(open + 1, text.size() - open - 2);
  while (!options.empty()) {
    const auto comma = options.find(',');
    if (!is_option(options.substr(0, comma))) return false;
    if (comma == std::string_view::npos) break;
    options.remove_prefix(comma + 1);
  }
  return true;
}

}  // namespace

Or<std::vector<std::string>> parse_rules(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto blank = text.find_first_of(" \n\t");
    const auto rule = text.substr(0, blank);
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
    if (rule.empty()) continue;
    if (!is_rule(rule)) return Refusal{"Invalid NFS export rule: " + std::string(rule)};
    out.emplace_back(rule);
  }
  return out;
}

std::string join_rules(const std::vector<std::string>& rules) {
  std::string out;
  for (const auto& rule : rules) out += (out.empty() ? "" : " ") + rule;
  return out;
}

Or<std::string> edit_rules(std::string_view rules, std::string_view remove, std::string_view add,
                           std::string_view after) {
  HOMEPORT_TRY(auto now, parse_rules(rules));
  HOMEPORT_TRY(const auto gone, parse_rules(remove));
  HOMEPORT_TRY(const auto fresh, parse_rules(add));
  const auto anchor = [&]() -> Or<std::size_t> {
    if (after.empty()) return std::size_t{0};
    const auto found = std::ranges::find(now, after);
    if (found == now.end()) return Refusal{"NFS export rule does not exist.", std::string(after)};
    return static_cast<std::size_t>(found - now.begin()) + 1;
  };
  for (const auto& rule : gone) {
    HOMEPORT_TRY(const auto from, anchor());
    const auto found = std::find(now.begin() + static_cast<std::ptrdiff_t>(from), now.end(), rule);
    if (found == now.end()) return Refusal{"NFS export rule does not exist.", rule};
    now.erase(found);
  }
  HOMEPORT_TRY(const auto place, anchor());
  const auto at = after.empty() ? now.end() : now.begin() + static_cast<std::ptrdiff_t>(place);
  now.insert(at, fresh.begin(), fresh.end());
  return join_rules(now);
}

}  // namespace homeport::fbsim
