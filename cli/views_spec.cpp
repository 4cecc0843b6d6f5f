// The views that tell a story instead of a row: a mount spec, and what an import would serve.
#include <nlohmann/json.hpp>

#include "cli/views.h"

namespace homeport::cli {
namespace {

std::string source_text(const Json& mount) {
  const Json* source = member(mount, "source");
  if (source == nullptr) return "-";
  if (member(*source, "export") == nullptr) return text_at(*source, "host") + ":" + text_at(*source, "path");
  return text_at(*source, "server") + ":" + text_at(*source, "export");
}

std::string quota_text(const Json& mount) {
  const auto limit = number_at(mount, "quota.limit_bytes");
  if (!limit) return "-";
  const auto used = number_at(mount, "quota.used_bytes");
  return (used ? human_bytes(used) + " of " : std::string{}) + human_bytes(limit);
}

void add_lines(std::string& out, std::string_view title, const Json& list, const Look& look) {
  if (list.empty()) return;
  out += "\n" + std::string(title) + "\n";
  for (const auto& item : list) {
    const std::string text =
        item.is_object() ? text_at(item, "level") + ": " + text_at(item, "text") : scalar_text(item);
    out += hanging("  ", safe_text(text), look.width, "    ");
  }
}

std::string with_hint_of_sampling(const std::string& count, bool complete) {
  return complete ? count : "at least " + count + " (looking stopped at the limit)";
}

std::string share_text(const Json& list, const std::function<std::string(const Json&)>& name) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& item : list) {
    if (shown == 6) return out + " and " + std::to_string(list.size() - shown) + " more";
    out += (shown++ > 0 ? ", " : "") + name(item) + " (" + text_at(item, "entries") + ")";
  }
  return out.empty() ? "-" : out;
}

}  // namespace

std::string spec_view(const Json& spec, const Look& look, WallTime now) {
  std::string who = text_at(spec, "subject.user");
  if (const auto server = text_at(spec, "subject.server"); server != "-") who += ", server " + server;
  std::string identity = text_at(spec, "identity.mode") + ", uid " + text_at(spec, "identity.uid") + ", gid " +
                         text_at(spec, "identity.gid") + ", as " + text_at(spec, "identity.user_name");
  std::string out = details_text({{"spec", text_at(spec, "spec_id")},
                                  {"state", text_at(spec, "state"), tone_of(text_at(spec, "state"))},
                                  {"user", who + ", hub " + text_at(spec, "subject.hub")},
                                  {"purpose", text_at(spec, "subject.purpose")},
                                  {"identity", identity},
                                  {"digest", text_at(spec, "digest")},
                                  {"valid until", human_time(text_at(spec, "valid_until"), now)}},
                                 look);
  Table mounts({{"MOUNT", Align::left, true},
                {"AT", Align::left, true},
                {"ACCESS"},
                {"FROM", Align::left, true},
                {"QUOTA", Align::right}});
  for (const auto& mount : items_at(spec, "mounts")) {
    mounts.add({{text_at(mount, "id")},
                {text_at(mount, "target")},
                {text_at(mount, "access")},
                {source_text(mount)},
                {quota_text(mount)}});
  }
  if (!mounts.empty()) out += "\n" + mounts.text(look);
  add_lines(out, "Notices", items_at(spec, "notices"), look);
  return out;
}

std::string import_preview_view(const Json& answer, const Look& look, WallTime now) {
  const Json* preview = member(answer, "preview");
  if (preview == nullptr) return dry_run_view(answer, look, now);
  const Json& p = *preview;
  const bool counted_all = flag_at(p, "entries.complete");
  std::vector<Detail> details{
      {"path", text_at(p, "path")},
      {"export", text_at(p, "export")},
      {"owner", "uid " + text_at(p, "owner.uid") + ", gid " + text_at(p, "owner.gid") + ", mode " + text_at(p, "mode")},
      {"entries", with_hint_of_sampling(text_at(p, "entries.counted"), counted_all)},
      {"of these", text_at(p, "entries.files") + " files, " + text_at(p, "entries.directories") + " directories, " +
                       text_at(p, "entries.symlinks") + " links, " + text_at(p, "entries.other") + " other"},
      {"size", with_hint_of_sampling(human_bytes(number_at(p, "size.bytes")), flag_at(p, "size.complete"))},
      {"owners",
       share_text(items_at(p, "owners"), [](const Json& o) { return text_at(o, "uid") + ":" + text_at(o, "gid"); })},
      {"modes", share_text(items_at(p, "modes"), [](const Json& m) { return text_at(m, "mode"); })},
      {"odd names", text_at(p, "odd_names")},
      {"readable by", text_at(p, "readable_by")},
      {"clients can write", text_at(p, "clients_can_write")},
      {"clients", text_at(p, "clients")}};
  std::string out =
      "Dry run: nothing was changed. An import renames, copies and deletes nothing.\n\n" + details_text(details, look);
  add_lines(out, "Warnings", items_at(p, "warnings"), look);
  add_lines(out, "Calls to the backend", items_at(answer, "calls"), look);
  return out;
}

}  // namespace homeport::cli
