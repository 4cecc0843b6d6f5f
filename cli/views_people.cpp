// People as they see themselves, and as their hubs list them.
#include <nlohmann/json.hpp>

#include "cli/view_parts.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

using parts::age_at;
using parts::home_name;
using parts::home_state;
using parts::size_at;

constexpr unsigned kNearlyFull = 90;

Cell full_cell(const Json& home) {
  const auto used = number_at(home, "usage.bytes");
  const auto limit = number_at(home, "quota.limit_bytes");
  if (!used || !limit || *limit == 0) return {"-"};
  const auto percent = static_cast<unsigned>(static_cast<double>(*used) * 100.0 / static_cast<double>(*limit));
  const Tone tone = percent >= 100 ? Tone::bad : percent >= kNearlyFull ? Tone::warn : Tone::plain;
  return {std::to_string(percent) + "%", tone};
}

std::string measured(const Json& home, WallTime now) {
  if (member(home, "usage") == nullptr) return "not yet";
  const std::string age = age_at(home, "usage.as_of", now);
  return (age == "-" ? "" : age + " ago, ") + text_at(home, "usage.basis");
}

std::string usage_table(const Json& homes, const Look& look, WallTime now) {
  Table table({{"HOME", Align::left, true},
               {"STATE"},
               {"USED", Align::right},
               {"QUOTA", Align::right},
               {"FULL", Align::right},
               {"MEASURED", Align::left, true}});
  for (const auto& home : homes) {
    table.add({{home_name(home)},
               {home_state(home), tone_of(home_state(home))},
               {size_at(home, "usage.bytes")},
               {size_at(home, "quota.limit_bytes")},
               full_cell(home),
               {measured(home, now)}});
  }
  return table.empty() ? std::string{} : table.text(look);
}

std::string names_of(const Json& people) {
  std::string out;
  for (const auto& person : people) {
    const std::string names = text_at(person, "names");
    out += (out.empty() ? "" : ", ") + (names == "-" ? text_at(person, "user_key") : names);
    const auto looks = number_at(person, "looks");
    if (looks && *looks > 1) out += " (" + std::to_string(*looks) + " times in a row)";
  }
  return out;
}

void add_people(std::vector<Detail>& details, const char* label, const Json& look, const char* member_name, Tone tone) {
  const auto& people = items_at(look, member_name);
  if (!people.empty()) details.push_back({label, std::to_string(people.size()) + ": " + names_of(people), tone});
}

}  // namespace

std::string usage_view(const Json& list, const Look& look, WallTime now) {
  const auto table = usage_table(items_at(list, "items"), look, now);
  return table.empty() ? "No homes.\n" : table;
}

std::string me_view(const Json& me, const Look& look, WallTime now) {
  const std::string credential =
      text_at(me, "credential.id") + " of scope " + text_at(me, "credential.scope") +
      (member(me, "credential.hub") == nullptr ? "" : " for hub " + text_at(me, "credential.hub"));
  if (member(me, "user") == nullptr) {
    return details_text({{"token", credential}, {"person", "none: this token is not a person's own"}}, look);
  }
  std::vector<Detail> details{{"person", text_at(me, "user.name") + " of hub " + text_at(me, "credential.hub")},
                              {"realm", text_at(me, "credential.realm")},
                              {"groups", items_at(me, "user.groups").empty() ? "none" : text_at(me, "user.groups")}};
  if (member(me, "user.uid") != nullptr)
    details.push_back({"uid, gid", text_at(me, "user.uid") + ", " + text_at(me, "user.gid")});
  const auto& homes = items_at(me, "homes");
  if (homes.empty()) details.push_back({"home", "none yet: the next start of a notebook server makes one"});
  std::string out = details_text(details, look);
  if (!homes.empty()) {
    out += "\n" + usage_table(homes, look, now) + "\n" +
           wrapped("homeport home show tells more of your home, homeport spec get what a server mounts.", look.width);
  }
  return out;
}

std::string hubs_view(const Json& list, const Look& look, WallTime now) {
  Table table({{"HUB", Align::left, true},
               {"REALM", Align::left, true},
               {"API", Align::left, true},
               {"LOOK"},
               {"AGE", Align::right},
               {"USERS", Align::right},
               {"OURS", Align::right},
               {"MISSING", Align::right}});
  std::string texts;
  for (const auto& hub : items_at(list, "items")) {
    const Json* last = member(hub, "last_look");
    const bool lists = flag_at(hub, "lists_users");
    const std::string outcome = last == nullptr ? (lists ? "not yet" : "no token") : text_at(*last, "outcome");
    table.add({{text_at(hub, "name")},
               {text_at(hub, "realm")},
               {text_at(hub, "url")},
               {outcome, outcome == "held" || outcome == "failed" ? Tone::warn : Tone::plain},
               {age_at(hub, "last_look.at", now)},
               {text_at(hub, "last_look.listed")},
               {text_at(hub, "last_look.known")},
               {last == nullptr ? "-" : std::to_string(items_at(*last, "missing").size())}});
    if (last != nullptr && member(*last, "text") != nullptr)
      texts += wrapped(safe_text(text_at(hub, "name") + " " + outcome + ": " + text_at(*last, "text")), look.width);
  }
  if (table.empty()) return "No hubs; homeportd reads them from `hubs:` of its configuration.\n";
  return table.text(look) + (texts.empty() ? "" : "\n" + texts);
}

std::string hub_look_view(const Json& answer, const Look& look, WallTime /*now*/) {
  const std::string outcome = text_at(answer, "outcome");
  const bool dry = flag_at(answer, "dry_run");
  std::vector<Detail> details{{"hub", text_at(answer, "hub")},
                              {"look", outcome + (dry ? " (dry run: nothing was counted or marked)" : ""),
                               outcome == "done" ? Tone::good : Tone::warn}};
  if (member(answer, "text") != nullptr) details.push_back({"because", text_at(answer, "text"), Tone::warn});
  if (outcome == "failed") return details_text(details, look);
  details.push_back({"users", text_at(answer, "listed") + " on the hub's list"});
  details.push_back({"ours", text_at(answer, "known") + " people came from this hub and are not dormant"});
  add_people(details, "missing", answer, "missing", Tone::plain);
  add_people(details, dry ? "would go dormant" : "went dormant", answer, "gone", Tone::warn);
  add_people(details, dry ? "would wake" : "woke", answer, "back", Tone::good);
  add_people(details, dry ? "would be held" : "held, made again", answer, "recreated", Tone::warn);
  if (outcome == "held")
    details.push_back({"next", number_at(answer, "listed").value_or(0) == 0
                                   ? "nobody went dormant; an empty list never marks anybody"
                                   : "nobody went dormant; if these people have left, give --force"});
  return details_text(details, look);
}

}  // namespace homeport::cli
