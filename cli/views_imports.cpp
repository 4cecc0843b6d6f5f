// Datasets that may be, and what is wrong in the files that describe them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/views_imports.h"

namespace homeport::cli {
namespace {

constexpr std::size_t kShown = 40;

void add_remarks(std::string& out, const Json& entries, std::string_view name, const Look& look) {
  std::size_t shown = 0;
  for (const auto& entry : entries) {
    const auto& remarks = items_at(entry, "remarks");
    const auto verdict = text_at(entry, "verdict");
    if (remarks.empty() || verdict == "unmatched") continue;
    if (shown == 0) out += "\nTo be known\n";
    if (++shown > kShown) continue;
    out += "  " + safe_text(text_at(entry, name)) + "\n";
    for (const auto& one : remarks) out += hanging("    - ", safe_text(scalar_text(one)), look.width, "      ");
  }
  if (shown > kShown) out += "  and " + std::to_string(shown - kShown) + " more; -o json has them all\n";
}

}  // namespace

std::string datasets_plan_view(const Json& plan, const Look& look, WallTime /*now*/) {
  const auto& entries = items_at(plan, "datasets");
  const bool files = !entries.empty() && member(entries.front(), "volume") != nullptr;
  Table table({{"DATASET", Align::left, true},
               {files ? "VOLUME" : "FILE SYSTEM", Align::left, true},
               {"BACKEND", Align::left, true},
               {"USED", Align::right},
               {"LIMIT", Align::right},
               {"VERDICT"},
               {"WHY NOT"}});
  for (const auto& entry : entries) {
    const auto verdict = text_at(entry, "verdict");
    table.add({{text_at(entry, "dataset")},
               {text_at(entry, files ? "volume" : "file_system")},
               {text_at(entry, "backend")},
               {human_bytes(number_at(entry, "used_bytes"))},
               {human_bytes(number_at(entry, "limit_bytes"))},
               {verdict, verdict == "refused" ? Tone::bad : Tone::plain},
               {text_at(entry, "reason")}});
  }
  std::string out = table.text(look);
  bool first = true;
  for (const auto& entry : entries) {
    if (text_at(entry, "verdict") != "refused") continue;
    if (first) out += "\nReasons\n";
    first = false;
    out += hanging("  ", safe_text(text_at(entry, "dataset") + ": " + text_at(entry, "why")), look.width, "    ");
  }
  add_remarks(out, entries, "dataset", look);
  return out;
}

std::string mistakes_view(const Json& answer, const Look& look) {
  const auto& mistakes = items_at(answer, "mistakes");
  if (mistakes.empty()) return {};
  std::string out = "\nIn the volume's own file\n";
  for (const auto& one : mistakes) out += hanging("  - ", safe_text(scalar_text(one)), look.width, "    ");
  return out;
}

std::string fleet_remarks_view(const Json& plan, const Look& look) {
  std::string out;
  add_remarks(out, items_at(plan, "entries"), "path", look);
  return out;
}

}  // namespace homeport::cli
