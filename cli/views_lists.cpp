// Tables: one row per thing.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/view_parts.h"
#include "cli/views.h"
#include "cli/views_imports.h"

namespace homeport::cli {
namespace {

using parts::age_at;
using parts::backend_state;
using parts::home_name;
using parts::home_state;
using parts::size_at;

std::string nothing(std::string_view what) {
  return "No " + std::string(what) + ".\n";
}

std::string table_or(const Table& table, std::string_view what, const Look& look) {
  return table.empty() ? nothing(what) : table.text(look);
}

Cell state_cell(const Json& item, std::string_view path = "state") {
  const std::string word = text_at(item, path);
  return {word, tone_of(word)};
}

// Values of an admin's own section, wherever the service puts them.
std::string own(const Json& item, const std::string& key) {
  const std::string direct = text_at(item, key);
  return direct != "-" ? direct : text_at(item, "section." + key);
}

std::string own_size(const Json& item, const std::string& key) {
  for (const std::string& path : {key + "_bytes", key, "section." + key}) {
    if (const auto bytes = number_at(item, path)) return human_bytes(bytes);
    if (member(item, path) != nullptr) return text_at(item, path);
  }
  return "-";
}

}  // namespace

std::string backends_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"NAME", Align::left, true},
               {"KIND"},
               {"MODE"},
               {"STATE", Align::left, true},
               {"ADDRESS", Align::left, true},
               {"FREE", Align::right},
               {"CONTACT", Align::right}});
  for (const auto& backend : items_at(list, "items")) {
    std::optional<std::uint64_t> free;
    for (const auto& pool : items_at(backend, "pools")) {
      if (const auto bytes = number_at(pool, "free_bytes")) free = std::max(free.value_or(0), *bytes);
    }
    table.add({{text_at(backend, "name")},
               {text_at(backend, "kind")},
               {text_at(backend, "mode")},
               {backend_state(backend), tone_of(text_at(backend, "state"))},
               {text_at(backend, "address")},
               {human_bytes(free)},
               {age_at(backend, "last_contact", now)}});
  }
  return table_or(table, "backends; homeport apply -f FILE adds one", look);
}

std::string exports_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"EXPORT", Align::left, true}, {"CLIENTS", Align::left, true}, {"USED AS", Align::left, true}});
  for (const auto& item : items_at(list, "items")) {
    std::string used = flag_at(item, "pool") ? "pool of homes" : "";
    for (const auto& name : items_at(item, "imported_as"))
      used += (used.empty() ? "dataset/" : ", dataset/") + scalar_text(name);
    const std::string clients = text_at(item, "clients");
    table.add({{text_at(item, "path")}, {clients == "-" ? "everyone" : clients}, {used}});
  }
  return table_or(table, "exports", look);
}

std::string homes_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"HOME", Align::left, true},
               {"STATE"},
               {"CLASS", Align::left, true},
               {"BACKEND", Align::left, true},
               {"UID", Align::right},
               {"USED", Align::right},
               {"QUOTA", Align::right},
               {"AGE", Align::right}});
  for (const auto& home : items_at(list, "items")) {
    table.add({{home_name(home)},
               {home_state(home), tone_of(home_state(home))},
               {text_at(home, "class")},
               {text_at(home, "backend")},
               {text_at(home, "uid")},
               {size_at(home, "usage.bytes")},
               {size_at(home, "quota.limit_bytes")},
               {age_at(home, "created_at", now)}});
  }
  return table_or(table, "homes", look);
}

std::string datasets_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"DATASET", Align::left, true},
               {"STATE"},
               {"BACKEND", Align::left, true},
               {"PATH", Align::left, true},
               {"ACCESS"},
               {"AGE", Align::right}});
  for (const auto& item : items_at(list, "items")) {
    table.add({{text_at(item, "name")},
               state_cell(item),
               {text_at(item, "backend")},
               {text_at(item, "path")},
               {flag_at(item, "read_only") ? "ro" : "rw"},
               {age_at(item, "created_at", now)}});
  }
  return table_or(table, "datasets; homeport dataset import makes one", look);
}

std::string spaces_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"SPACE", Align::left, true},
               {"KEY"},
               {"STATE"},
               {"BACKEND", Align::left, true},
               {"USED", Align::right},
               {"AGE", Align::right}});
  for (const auto& item : items_at(list, "items")) {
    table.add({{text_at(item, "label")},
               {text_at(item, "key")},
               state_cell(item),
               {text_at(item, "backend")},
               {size_at(item, "usage.bytes")},
               {age_at(item, "created_at", now)}});
  }
  return table_or(table, "spaces", look);
}

std::string users_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"USER", Align::left, true},
               {"KEY"},
               {"REALM", Align::left, true},
               {"UID", Align::right},
               {"GID", Align::right}});
  for (const auto& user : items_at(list, "items")) {
    table.add({{text_at(user, "names")},
               {text_at(user, "user_key")},
               {text_at(user, "realm")},
               {text_at(user, "uid")},
               {text_at(user, "gid")}});
  }
  return table_or(table, "users", look);
}

std::string operations_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"OPERATION"},
               {"KIND", Align::left, true},
               {"STATE"},
               {"SPACE", Align::left, true},
               {"DETAIL", Align::left, true},
               {"AGE", Align::right}});
  for (const auto& item : items_at(list, "items")) {
    std::string detail = text_at(item, "failure.message");
    if (detail == "-" && text_at(item, "state") != "succeeded") {
      detail = operation_progress(item);
      if (const auto colon = detail.find(": "); colon != std::string::npos) detail.erase(0, colon + 2);
    }
    table.add({{text_at(item, "id")},
               {text_at(item, "kind")},
               state_cell(item),
               {text_at(item, "space")},
               {detail},
               {age_at(item, "created_at", now)}});
  }
  return table_or(table, "operations", look);
}

std::string audit_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"SEQ", Align::right},
               {"AGE", Align::right},
               {"WHO", Align::left, true},
               {"ACTION", Align::left, true},
               {"SUBJECT", Align::left, true},
               {"OUTCOME", Align::left, true}});
  for (const auto& row : items_at(list, "items")) {
    const std::string outcome = text_at(row, "outcome");
    table.add({{text_at(row, "seq")},
               {age_at(row, "at", now)},
               {text_at(row, "principal")},
               {text_at(row, "action")},
               {text_at(row, "subject")},
               {outcome, outcome == "ok" ? Tone::good : Tone::bad}});
  }
  return table_or(table, "audit rows", look);
}

std::string tokens_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"TOKEN", Align::left, true},
               {"NAME", Align::left, true},
               {"SCOPE"},
               {"HUB", Align::left, true},
               {"AGE", Align::right},
               {"EXPIRES", Align::right},
               {"STATE"}});
  for (const auto& token : items_at(list, "items")) {
    const bool revoked = flag_at(token, "revoked");
    const std::string expires = age_at(token, "expires_at", now);
    const bool over = expires != "-" && !expires.starts_with("in ");
    const std::string state = revoked ? "revoked" : over ? "expired" : "valid";
    table.add({{text_at(token, "id")},
               {text_at(token, "name")},
               {text_at(token, "scope")},
               {text_at(token, "hub")},
               {age_at(token, "created_at", now)},
               {over             ? expires + " ago"
                : expires == "-" ? "never"
                                 : expires},
               {state, state == "valid" ? Tone::good : Tone::faint}});
  }
  return table_or(table, "tokens", look);
}

std::string classes_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"CLASS", Align::left, true},
               {"LAYOUT"},
               {"BACKEND", Align::left, true},
               {"POOL", Align::left, true},
               {"QUOTA", Align::right},
               {"MAX", Align::right},
               {"IDENTITY"},
               {"EXISTING", Align::left, true},
               {"CREATE"}});
  for (const auto& item : items_at(list, "items")) {
    table.add(
        {{text_at(item, "name")},
         {own(item, "layout")},
         {own(item, "backend")},
         {own(item, "pool")},
         {own_size(item, "default_quota")},
         {own_size(item, "max_quota")},
         {own(item, "identity")},
         {own(item, "existing")},
         {item.contains("create") && item["create"].is_boolean() ? (item["create"].get<bool>() ? "yes" : "no") : "-"}});
  }
  return table_or(table, "classes", look);
}

std::string rules_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"RULE", Align::left, true},
               {"WHO", Align::left, true},
               {"HUBS", Align::left, true},
               {"CLASS", Align::left, true},
               {"DATASETS", Align::left, true}});
  for (const auto& item : items_at(list, "items")) {
    std::string who = own(item, "everyone") == "yes" ? "everyone" : "";
    for (const auto& [key, label] : {std::pair{"users", "users "}, std::pair{"groups", "groups "}}) {
      if (const std::string names = own(item, key); names != "-") who += (who.empty() ? "" : "; ") + (label + names);
    }
    const std::string hubs = own(item, "hubs");
    table.add(
        {{text_at(item, "name")}, {who}, {hubs == "-" ? "all" : hubs}, {own(item, "class")}, {own(item, "datasets")}});
  }
  return table_or(table, "rules", look);
}

std::string renderers_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"FORMAT"}, {"CONTENT TYPE"}, {"WHAT IT IS", Align::left, true}});
  for (const auto& item : items_at(list, "items")) {
    table.add({{text_at(item, "name")}, {text_at(item, "content_type")}, {text_at(item, "summary")}});
  }
  return table_or(table, "formats", look);
}

namespace {

std::string measure_text(const Json& plan) {
  const auto rate = number_at(plan, "measure_rate").value_or(0);
  if (flag_at(plan, "measure") && rate > 0)
    return "where the backend does not tell it, counted afterwards by walking each home once, at most " +
           std::to_string(rate) + " entries a second; no limit before that (--no-measure: not at all)";
  return std::string("not counted ") + (rate > 0 ? "(--no-measure)" : "(measure_rate of the backend is 0)") +
         ": where the backend does not tell it, homes get no limit";
}

}  // namespace

std::string fleet_plan_view(const Json& plan, const Look& look, WallTime /*now*/) {
  constexpr std::size_t kShown = 40;
  const auto count = [&](const char* verdict) { return text_at(plan, "summary." + std::string(verdict)); };
  std::string out = details_text({{"to take over", count("import")},
                                  {"taken over already", count("known")},
                                  {"no home by the pattern", count("unmatched")},
                                  {"refused", count("refused"), count("refused") == "0" ? Tone::plain : Tone::warn},
                                  {"use", measure_text(plan)}},
                                 look);
  Table table({{"PATH", Align::left, true}, {"USER", Align::left, true}, {"UID", Align::right}, {"WHY NOT"}});
  std::vector<std::pair<std::string, std::string>> words;  // reason -> its first sentence
  std::size_t more = 0;
  for (const char* verdict : {"refused", "unmatched"}) {
    for (const auto& entry : items_at(plan, "entries")) {
      if (text_at(entry, "verdict") != verdict) continue;
      const auto reason = text_at(entry, "reason") == "-" ? std::string("unmatched") : text_at(entry, "reason");
      if (std::ranges::find(words, reason, &std::pair<std::string, std::string>::first) == words.end())
        words.emplace_back(reason, text_at(entry, "why"));
      if (table.rows() >= kShown) {
        ++more;
        continue;
      }
      table.add({{text_at(entry, "path")}, {text_at(entry, "user")}, {text_at(entry, "uid")}, {reason}});
    }
  }
  if (table.empty()) return out + fleet_remarks_view(plan, look);
  out += "\n" + table.text(look) + (more > 0 ? "and " + std::to_string(more) + " more; -o json has them all\n" : "");
  out += "\nReasons, by their first case\n";
  for (const auto& [reason, why] : words) out += wrapped(safe_text(reason + ": " + why), look.width, "  ");
  return out + fleet_remarks_view(plan, look);
}

std::string ensured_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"USER", Align::left, true}, {"OUTCOME"}, {"SPACE"}, {"DETAIL", Align::left, true}});
  for (const auto& item : items_at(list, "items")) {
    const Json* space = member(item, "space");
    table.add({{text_at(item, "user")},
               state_cell(item, "outcome"),
               {space == nullptr     ? "-"
                : space->is_object() ? text_at(*space, "key")
                                     : scalar_text(*space)},
               {text_at(item, "error.message")}});
  }
  return table_or(table, "homes", look);
}

std::string findings_view(const Json& answer, const Look& look, WallTime /*now*/) {
  std::string out;
  for (const auto& finding : items_at(answer, "findings")) {
    const std::string level = text_at(finding, "level");
    out += painted(level, tone_of(level), look.color) + std::string(level.size() < 8 ? 9 - level.size() : 1, ' ');
    out += hanging("", safe_text(text_at(finding, "what")), look.width, "         ");
    if (member(finding, "hint") != nullptr)
      out += wrapped("hint: " + safe_text(text_at(finding, "hint")), look.width, "           ");
  }
  return out.empty() ? "Everything looks well.\n" : out;
}

std::string changes_view(const Json& answer, const Look& look, WallTime /*now*/) {
  Table table({{"CHANGE"}, {"WHAT"}, {"NAME", Align::left, true}, {"DETAIL", Align::left, true}});
  std::size_t kept = 0;
  for (const auto& change : items_at(answer, "changes")) {
    const std::string action = text_at(change, "action");
    if (action == "keep") {
      ++kept;
      continue;
    }
    const bool bad = action == "delete" || action == "blocked";
    const Tone tone = action == "create" ? Tone::good : bad ? Tone::bad : Tone::warn;
    table.add({{action, tone}, {text_at(change, "what")}, {text_at(change, "name")}, {text_at(change, "detail")}});
  }
  std::string out = table.empty() ? "Nothing to change.\n" : table.text(look);
  if (kept > 0) out += std::to_string(kept) + (kept == 1 ? " entry stays" : " entries stay") + " as they are.\n";
  return out;
}

}  // namespace homeport::cli
