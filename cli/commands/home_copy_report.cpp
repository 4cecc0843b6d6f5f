#include "cli/commands/home_copy_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace homeport::cli {
namespace {

constexpr std::size_t kShown = 40;
constexpr std::size_t kLongestPath = 1100;

const char* word(CopiedHome::Outcome outcome, bool dry_run) {
  switch (outcome) {
    case CopiedHome::Outcome::waiting: return dry_run ? "would-copy" : "failed";
    case CopiedHome::Outcome::half: return dry_run ? "would-go-on" : "failed";
    case CopiedHome::Outcome::copied: return "copied";
    case CopiedHome::Outcome::exists: return "exists";
    case CopiedHome::Outcome::failed: return "failed";
  }
  return "failed";
}

Json notes_json(const std::vector<CopyReport::Note>& notes) {
  Json out = Json::array();
  for (const auto& note : notes) out.push_back({{"path", printable(note.path, kLongestPath)}, {"why", note.why}});
  return out;
}

Json home_json(const CopiedHome& home, bool dry_run) {
  const auto& report = home.report;
  Json out{{"user", home.source.user},
           {"from", home.from},
           {"outcome", word(home.outcome, dry_run)},
           {"space", home.space.is_object() ? home.space.value("key", Json(nullptr)) : Json(nullptr)},
           {"files", report.files},
           {"directories", report.directories},
           {"links", report.links},
           {"bytes", report.bytes},
           {"class", nullptr},
           {"limit_bytes", nullptr},
           {"several_names", report.several_names},
           {"separate_files", report.separate},
           {"separate_bytes", report.separate_bytes},
           {"left_behind", notes_json(report.left_behind)},
           {"unreadable", notes_json(report.unreadable)},
           {"changing", notes_json(report.changing)},
           {"over_limit_bytes", nullptr},
           {"error", nullptr}};
  const bool known = home.space.is_object();
  const auto limit = known ? number_at(home.space, "quota.limit_bytes") : number_at(home.decided, "quota_bytes");
  if (const auto klass = text_at(known ? home.space : home.decided, "class"); klass != "-") out["class"] = klass;
  if (limit) out["limit_bytes"] = *limit;
  if (limit && report.bytes > *limit) out["over_limit_bytes"] = *limit;
  if (home.error) {
    out["error"] = {{"code", std::string(errc_name(home.error->code))},
                    {"message", home.error->sentence()},
                    {"hint", home.error->hint}};
  }
  return out;
}

std::string summary(const Json& result) {
  const auto count = [&](const char* name) { return text_at(result, "summary." + std::string(name)); };
  const bool dry_run = flag_at(result, "dry_run");
  std::string out = count("homes") + (count("homes") == "1" ? " home: " : " homes: ");
  if (dry_run) {
    out += count("would-copy") + " would be copied, ";
    if (count("would-go-on") != "0") out += count("would-go-on") + " would be gone on with, ";
  } else {
    out += count("copied") + " copied, ";
  }
  out += count("exists") + " copied already, " + count("failed") + " failed";
  if (count("refused") != "0") out += "; " + count("refused") + " refused";
  if (count("unmatched") != "0") out += "; " + count("unmatched") + " entries are no homes by the pattern";
  return out + "\n" + count("files") + " files, " + human_bytes(number_at(result, "summary.bytes").value_or(0)) + "\n";
}

// One line for each thing an admin has to know of a home.
void add_notes(const Json& item, std::vector<std::string>& lines) {
  const auto user = text_at(item, "user");
  for (const auto& note : items_at(item, "left_behind"))
    lines.push_back(user + ": " + text_at(note, "path") + " is left behind: " + text_at(note, "why"));
  const auto several = number_at(item, "several_names").value_or(0);
  const auto separate = number_at(item, "separate_files").value_or(0);
  if (separate > 0) {
    lines.push_back(user + ": " + std::to_string(separate) + " of " + std::to_string(several) +
                    " hard links became files of their own, since the server makes none: " +
                    human_bytes(number_at(item, "separate_bytes").value_or(0)) + " more");
  } else if (several > 0) {
    lines.push_back(user + ": " + std::to_string(several) + " names are hard links, and stay so");
  }
  if (const auto limit = number_at(item, "over_limit_bytes"))
    lines.push_back(user + ": " + human_bytes(number_at(item, "bytes").value_or(0)) + " is more than the limit of " +
                    human_bytes(*limit) + "; it becomes 20 % above its use when it is copied");
  if (text_at(item, "error.message") == "-") return;
  const auto hint = text_at(item, "error.hint");
  lines.push_back(user + ": " + text_at(item, "error.message") +
                  (hint.empty() || hint == "-" ? "" : " (" + hint + ")"));
}

// What would be made of each home.
std::string decided_table(const Json& result, const Look& look) {
  if (!flag_at(result, "dry_run")) return {};
  Table table({{"USER", Align::left, true},
               {"CLASS"},
               {"FILES", Align::right},
               {"SIZE", Align::right},
               {"LIMIT", Align::right}});
  for (const auto& item : items_at(result, "items")) {
    if (!text_at(item, "outcome").starts_with("would") || table.rows() >= kShown) continue;
    const auto limit = number_at(item, "limit_bytes");
    table.add({{text_at(item, "user")},
               {text_at(item, "class")},
               {text_at(item, "files")},
               {human_bytes(number_at(item, "bytes").value_or(0))},
               {limit ? human_bytes(*limit) : "none"}});
  }
  return table.empty() ? std::string() : "\n" + table.text(look);
}

}  // namespace

std::optional<Errc> CopyResult::first_failure() const {
  const auto at = std::ranges::find_if(homes, [](const auto& home) { return home.error.has_value(); });
  if (at != homes.end()) return at->error->code;
  const bool unseen = std::ranges::any_of(refused, [](const auto& one) { return one.reason == "unreadable"; });
  return unseen ? std::optional(Errc::permission_denied) : std::nullopt;
}

bool CopyResult::some_done() const {
  return std::ranges::any_of(homes, [](const auto& home) { return !home.error; });
}

Json copy_json(const CopyResult& result, bool dry_run) {
  Json out{{"dry_run", dry_run}, {"summary", {{"homes", result.homes.size()}}}, {"items", Json::array()}};
  Json& summary = out["summary"];
  for (const char* name : {"would-copy", "would-go-on", "copied", "exists", "failed"}) summary[name] = 0;
  summary["refused"] = result.refused.size();
  summary["unmatched"] = result.unmatched;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  for (const auto& home : result.homes) {
    auto& count = summary[word(home.outcome, dry_run)];
    count = count.get<std::size_t>() + 1;
    files += home.report.files;
    bytes += home.report.bytes;
    out["items"].push_back(home_json(home, dry_run));
  }
  summary["files"] = files;
  summary["bytes"] = bytes;
  out["refused"] = Json::array();
  for (const auto& one : result.refused) {
    out["refused"].push_back({{"path", printable(one.path, kLongestPath)},
                              {"user", one.user.empty() ? Json(nullptr) : Json(printable(one.user, kLongestPath))},
                              {"reason", one.reason},
                              {"why", one.why}});
  }
  return out;
}

std::string copy_view(const Json& result, const Look& look, WallTime /*now*/) {
  std::string out = summary(result) + decided_table(result, look);
  Table refused({{"PATH", Align::left, true}, {"USER", Align::left, true}, {"WHY NOT"}});
  std::vector<std::string> lines;
  for (const auto& one : items_at(result, "refused")) {
    if (refused.rows() < kShown)
      refused.add({{text_at(one, "path")}, {text_at(one, "user")}, {text_at(one, "reason")}});
    const auto words = text_at(one, "reason") + ": " + text_at(one, "why");
    if (std::ranges::find(lines, words) == lines.end()) lines.push_back(words);
  }
  if (!refused.empty()) out += "\n" + refused.text(look);
  for (const auto& item : items_at(result, "items")) add_notes(item, lines);
  if (!lines.empty()) out += "\n";
  for (std::size_t i = 0; i < std::min(kShown, lines.size()); ++i)
    out += wrapped(safe_text(lines[i]), look.width, "  ");
  if (lines.size() > kShown) out += "  and " + std::to_string(lines.size() - kShown) + " more; -o json has them all\n";
  return out;
}

}  // namespace homeport::cli
