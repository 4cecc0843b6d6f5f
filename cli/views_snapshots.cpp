#include <nlohmann/json.hpp>

#include "cli/view_parts.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

std::string holds_text(const Json& snapshot, WallTime now) {
  std::string out;
  for (const auto& hold : items_at(snapshot, "holds")) {
    if (!out.empty()) out += "; ";
    out += text_at(hold, "owner");
    if (const auto reason = text_at(hold, "reason"); reason != "-") out += " (" + reason + ")";
    if (member(hold, "expires") != nullptr) out += " until " + human_time(text_at(hold, "expires"), now);
  }
  return out;
}

std::string origin_of(const Json& snapshot) {
  if (!flag_at(snapshot, "ours")) return "others";
  return flag_at(snapshot, "of_pool") ? "ours, pool" : "ours";
}

}  // namespace

std::string snapshots_view(const Json& list, const Look& look, WallTime now) {
  // The name is what it is asked for by where it has no label: it stays whole.
  Table table({{"SNAPSHOT"},
               {"LABEL", Align::left, true},
               {"STATE"},
               {"OF"},
               {"HELD BY", Align::left, true},
               {"AGE", Align::right}});
  for (const auto& item : items_at(list, "items")) {
    std::string held;
    for (const auto& hold : items_at(item, "holds")) held += (held.empty() ? "" : ", ") + text_at(hold, "owner");
    table.add({{text_at(item, "name")},
               {text_at(item, "label")},
               {text_at(item, "state"), tone_of(text_at(item, "state"))},
               {origin_of(item)},
               {held.empty() ? "-" : held},
               {parts::age_at(item, "taken_at", now)}});
  }
  return table.empty() ? "No snapshots; homeport snapshot take SPACE takes one.\n" : table.text(look);
}

std::string snapshot_view(const Json& snapshot, const Look& look, WallTime now) {
  const auto label = text_at(snapshot, "label");
  const auto name = text_at(snapshot, "name");
  std::vector<Detail> details{{"snapshot", text_at(snapshot, "space_label") + "@" + (label == "-" ? name : label)},
                              {"name", name},
                              {"space", text_at(snapshot, "space")},
                              {"state", text_at(snapshot, "state"), tone_of(text_at(snapshot, "state"))},
                              {"taken", human_time(text_at(snapshot, "taken_at"), now)}};
  const auto by = text_at(snapshot, "taken_by");
  if (!flag_at(snapshot, "ours")) {
    details.push_back({"taken by", "others, on the storage system; Homeport never deletes it"});
  } else if (by != "-") {
    details.push_back({"taken by", by});
  }
  if (const auto reason = text_at(snapshot, "reason"); reason != "-") details.push_back({"reason", reason});
  if (flag_at(snapshot, "of_pool")) details.push_back({"of", "the whole pool; every space in it sees its own part"});
  if (const auto size = parts::size_at(snapshot, "unique_bytes"); size != "-") details.push_back({"only here", size});
  const auto holds = holds_text(snapshot, now);
  details.push_back({"held by", holds.empty() ? "nobody" : holds});
  return details_text(details, look);
}

}  // namespace homeport::cli
