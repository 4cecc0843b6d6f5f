#include "cli/views_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/view_parts.h"

namespace homeport::cli {
namespace {

// "2026-11-19 03:00" of an RFC 3339 time.
std::string minute(const Json& value, std::string_view path) {
  auto text = text_at(value, path);
  if (text.size() < 16 || text[10] != 'T') return text;
  text.resize(16);
  text[10] = ' ';
  return text;
}

std::string shown_size(const Json& entry) {
  return text_at(entry, "type") == "file" ? human_bytes(number_at(entry, "size_bytes")) : "-";
}

std::string shown_name(const Json& entry) {
  const auto type = text_at(entry, "type");
  return text_at(entry, "name") + (type == "directory" ? "/" : type == "link" ? " (link)" : "");
}

std::string snapshot_name(const Json& version) {
  return member(version, "label") != nullptr ? text_at(version, "label") : text_at(version, "snapshot");
}

bool same_version(const Json& a, const Json& b) {
  for (const char* name : {"type", "size_bytes", "modified_at", "sha256"}) {
    const auto* left = member(a, name);
    const auto* right = member(b, name);
    if ((left == nullptr) != (right == nullptr) || (left != nullptr && *left != *right)) return false;
  }
  return true;
}

std::string versions_table(const Json& found, const Look& look, bool all) {
  const bool digests =
      std::ranges::any_of(items_at(found, "items"), [](const Json& one) { return member(one, "sha256") != nullptr; });
  std::vector<Column> columns{
      {"SNAPSHOT", Align::left, true}, {"TAKEN"}, {"SIZE", Align::right}, {"MODIFIED"}, {"NOW"}};
  if (digests) columns.push_back({"SHA256"});
  if (!all) columns.push_back({"ALSO IN", Align::right});
  Table table(std::move(columns));
  const auto& items = items_at(found, "items");
  for (std::size_t i = 0; i < items.size();) {
    std::size_t end = i + 1;
    while (!all && end < items.size() && same_version(items[i], items[end])) ++end;
    const auto& one = items[i];
    std::vector<Cell> row{{snapshot_name(one)},
                          {minute(one, "taken_at")},
                          {shown_size(one)},
                          {minute(one, "modified_at")},
                          {flag_at(one, "as_now") ? "same" : "other"}};
    if (digests) row.push_back({text_at(one, "sha256").substr(0, 12)});
    if (!all) row.push_back({end - i > 1 ? std::to_string(end - i - 1) + " older" : "-"});
    table.add(std::move(row));
    i = end;
  }
  return table.empty() ? std::string{} : table.text(look);
}

std::string versions_text(const Json& found, const Look& look, bool all) {
  const auto path = safe_text(text_at(found, "path"));
  std::string out;
  if (const auto* now = member(found, "now")) {
    out += "now:  " + path + ", " + (text_at(*now, "type") == "file" ? shown_size(*now) : text_at(*now, "type")) +
           ", modified " + minute(*now, "modified_at") + "\n\n";
  } else {
    out += "now:  there is no " + path + "\n\n";
  }
  const auto table = versions_table(found, look, all);
  out += table.empty() ? "None of " + text_at(found, "snapshots") + " snapshots has it.\n" : table;
  for (const auto& note : items_at(found, "notes")) out += wrapped("note: " + scalar_text(note), look.width) + "\n";
  return out;
}

}  // namespace

std::string directory_view(const Json& list, const Look& look, WallTime) {
  std::vector<const Json*> entries;
  for (const auto& entry : items_at(list, "items")) entries.push_back(&entry);
  std::ranges::sort(entries, {}, [](const Json* entry) { return text_at(*entry, "name"); });
  Table table({{"MODE"}, {"OWNER"}, {"SIZE", Align::right}, {"MODIFIED"}, {"NAME", Align::left, true}});
  for (const auto* entry : entries) {
    table.add({{text_at(*entry, "mode")},
               {text_at(*entry, "uid") + ":" + text_at(*entry, "gid")},
               {shown_size(*entry)},
               {minute(*entry, "modified_at")},
               {shown_name(*entry)}});
  }
  return table.empty() ? "The folder is empty.\n" : table.text(look);
}

std::string versions_view(const Json& found, const Look& look, WallTime) {
  return versions_text(found, look, false);
}

std::string all_versions_view(const Json& found, const Look& look, WallTime) {
  return versions_text(found, look, true);
}

std::string restored_view(const Json& answer, const Look& look, WallTime) {
  const bool is_operation = answer.contains("attempts");
  const auto* operation = is_operation ? &answer : member(answer, "operation");
  auto path = text_at(answer, is_operation ? "plan.result" : "path");
  if (path.empty() || path == "-") path = "all of it is as it was";
  std::vector<Detail> details{{"restored", path, Tone::good}};
  if (operation != nullptr) {
    details.push_back({"from", text_at(*operation, "plan.from")});
    if (member(*operation, "plan.safety") != nullptr)
      details.push_back({"before it", "snapshot " + text_at(*operation, "plan.safety") + " was taken"});
    for (const auto& step : items_at(*operation, "steps")) {
      if (text_at(step, "name") == "copy") details.push_back({"copied", text_at(step, "detail")});
    }
  }
  for (const auto& note : items_at(answer, is_operation ? "plan.notes" : "notes"))
    details.push_back({"not restored", scalar_text(note), Tone::warn});
  return details_text(details, look);
}

}  // namespace homeport::cli
