// One thing at a time, and everything that is known about it.
#include <nlohmann/json.hpp>

#include "cli/view_parts.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

using parts::age_at;
using parts::backend_state;
using parts::size_at;

std::string limit_text(const Json& space) {
  const auto limit = number_at(space, "quota.limit_bytes");
  if (const auto reason = text_at(space, "quota.reason"); !limit && reason != "-") return "none; " + reason;
  return limit ? human_bytes(limit) + " (" + text_at(space, "quota.class") + ")" : "-";
}

std::string source_text(const Json& source) {
  const bool local = member(source, "path") != nullptr && member(source, "export") == nullptr;
  if (local) return "local " + text_at(source, "host") + ":" + text_at(source, "path");
  std::string out =
      "nfs " + text_at(source, "server") + ":" + text_at(source, "export") + " version " + text_at(source, "version");
  if (member(source, "port") != nullptr) out += " port " + text_at(source, "port");
  return out;
}

std::string section(std::string_view title, const std::string& body) {
  return body.empty() ? std::string{} : "\n" + std::string(title) + "\n" + body;
}

std::string indented(const std::string& text, std::string_view indent = "  ") {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += std::string(indent) + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

Look inside(const Look& look) {
  return Look{.width = look.width - 2, .color = look.color};
}

std::string lines_of(const Json& list, const Look& look) {
  std::string out;
  for (const auto& item : list) {
    std::string text =
        safe_text(item.is_object() ? text_at(item, "name") + ": " + text_at(item, "detail") : scalar_text(item));
    out += hanging("  ", text, look.width, "    ");
  }
  return out;
}

std::string grants_text(const Json& space, const Look& look) {
  const Json* grants = member(space, "grants");
  if (grants == nullptr || !grants->is_array()) return {};
  if (grants->empty()) return "  nobody yet\n";
  Table table({{"WHO"}, {"NAME", Align::left, true}, {"ACCESS"}, {"FROM"}});
  for (const auto& grant : *grants) {
    table.add({{text_at(grant, "subject_kind")},
               {text_at(grant, "subject")},
               {text_at(grant, "access")},
               {text_at(grant, "provenance")}});
  }
  return indented(table.text(inside(look)));
}

void add_if(std::vector<Detail>& details, const char* label, const std::string& value) {
  if (value != "-" && !value.empty()) details.push_back({label, value});
}

std::string rights_text(const Json& space) {
  std::string out;
  for (const char* verb : {"read", "snapshot", "resize", "destroy"}) {
    if (flag_at(space, std::string("rights.") + verb)) out += (out.empty() ? "" : ", ") + std::string(verb);
  }
  return out.empty() ? "none" : out;
}

std::string used_text(const Json& space, WallTime now) {
  if (member(space, "usage") == nullptr) {
    if (member(space, "measure") == nullptr) return "not known yet";
    const auto why = text_at(space, "measure.given_up");
    if (why != "-") return "not known: " + why;
    return "being counted, " + text_at(space, "measure.entries") + " entries so far";
  }
  std::string out = size_at(space, "usage.bytes");
  if (const auto files = number_at(space, "usage.files")) out += " in " + std::to_string(*files) + " files";
  out += " (" + text_at(space, "usage.basis");
  if (const auto age = age_at(space, "usage.as_of", now); age != "-") out += ", " + age + " ago";
  return out + ")";
}

}  // namespace

std::string backend_view(const Json& backend, const Look& look, WallTime now) {
  std::vector<Detail> details{{"name", text_at(backend, "name")},
                              {"kind", text_at(backend, "kind")},
                              {"mode", text_at(backend, "mode")},
                              {"state", backend_state(backend), tone_of(text_at(backend, "state"))}};
  add_if(details, "paused because", text_at(backend, "pause_text"));
  details.push_back({"address", text_at(backend, "address")});
  details.push_back({"last contact", human_time(text_at(backend, "last_contact"), now)});
  add_if(details, "last error", text_at(backend, "last_error"));
  details.push_back({"defined by", text_at(backend, "provenance")});
  const auto used = [&](const std::string& what, bool size) {
    const auto number = [&](const std::string& path) { return size ? size_at(backend, path) : text_at(backend, path); };
    const std::string cap = number("caps." + what);
    return number("used_today." + what) + (cap == "-" ? "" : " of " + cap) + (size ? "" : " " + what);
  };
  details.push_back(
      {"used today", used("objects", false) + ", " + used("bytes", true) + ", " + used("destroys", false)});
  details.push_back(
      {"queue", text_at(backend, "queue.queued") + " waiting, " + text_at(backend, "queue.workers") + " workers"});
  for (const auto& pool : items_at(backend, "pools")) {
    const Json* trouble = member(pool, "trouble");
    if (trouble != nullptr && trouble->is_string()) details.push_back({"trouble", scalar_text(*trouble), Tone::bad});
  }
  std::string out = details_text(details, look);
  Table pools({{"POOL", Align::left, true}, {"LAYOUT"}, {"WRITABLE"}, {"FREE", Align::right}, {"OF", Align::right}});
  for (const auto& pool : items_at(backend, "pools")) {
    pools.add({{text_at(pool, "name")},
               {text_at(pool, "layout")},
               {text_at(pool, "writable")},
               {size_at(pool, "free_bytes")},
               {size_at(pool, "capacity_bytes")}});
  }
  if (!pools.empty()) out += section("Pools", indented(pools.text(inside(look))));
  if (const Json* layouts = member(backend, "layouts"); layouts != nullptr && layouts->is_object()) {
    for (const auto& [name, can] : layouts->items()) {
      std::vector<Detail> facts{{"quota", text_at(can, "quota_class")}, {"snapshots", text_at(can, "snapshots")}};
      for (const auto& note : items_at(can, "notes")) facts.push_back({"note", scalar_text(note)});
      out += section("Spaces of layout " + safe_text(name), indented(details_text(facts, inside(look))));
    }
  }
  if (const Json* facts = member(backend, "facts"); facts != nullptr && facts->is_object() && !facts->empty()) {
    out += section("Facts", indented(plain_view(*facts, inside(look), now)));
  }
  return out;
}

std::string probe_view(const Json& report, const Look& look, WallTime /*now*/) {
  std::string out;
  for (const auto& check : items_at(report, "checks")) {
    const std::string status = text_at(check, "status");
    out += painted(status, tone_of(status), look.color) + std::string(status.size() < 8 ? 9 - status.size() : 1, ' ');
    out += hanging("", safe_text(text_at(check, "name") + ": " + text_at(check, "detail")), look.width, "         ");
    if (member(check, "hint") != nullptr)
      out += wrapped("hint: " + safe_text(text_at(check, "hint")), look.width, "           ");
  }
  const auto verdict = [&](const char* path) { return flag_at(report, path) ? "ok" : "bad"; };
  out += (out.empty() ? "" : "\n") +
         details_text({{"management", verdict("management_ok"), tone_of(verdict("management_ok"))},
                       {"data", verdict("data_ok"), tone_of(verdict("data_ok"))}},
                      look);
  return out;
}

namespace {

std::string origin_text(const Json& space) {
  if (!flag_at(space, "imported")) return "made by Homeport";
  return flag_at(space, "rights.destroy") ? "imported" : "imported; never renamed or deleted";
}

}  // namespace

std::string space_view(const Json& space, const Look& look, WallTime now) {
  const bool home = text_at(space, "kind") == "home";
  std::vector<Detail> details{{"space", text_at(space, "label")},
                              {"key", text_at(space, "key")},
                              {"state", text_at(space, "state"), tone_of(text_at(space, "state"))}};
  if (home) {
    const std::string names = text_at(space, "owner.names");
    details.push_back({"owner", (names == "-" ? "" : names + ", ") + text_at(space, "owner.user_key")});
  }
  details.push_back({"realm", text_at(space, "realm")});
  if (home) details.push_back({"class", text_at(space, "class")});
  std::string place = text_at(space, "backend") + ", " + text_at(space, "layout");
  if (const auto pool = text_at(space, "pool"); pool != "-") place += " in pool " + pool;
  details.push_back({"backend", place});
  details.push_back({"path", text_at(space, "path")});
  if (const Json* source = member(space, "source")) details.push_back({"mounts from", source_text(*source)});
  details.push_back({"used", used_text(space, now)});
  details.push_back({"quota", limit_text(space)});
  details.push_back(
      {"uid, gid, mode", text_at(space, "uid") + ", " + text_at(space, "gid") + ", " + text_at(space, "mode")});
  details.push_back({"access", flag_at(space, "read_only") ? "read-only" : "read and write"});
  details.push_back({"rights", rights_text(space)});
  details.push_back({"origin", origin_text(space)});
  details.push_back({"created", human_time(text_at(space, "created_at"), now)});
  if (member(space, "retired_at") != nullptr)
    details.push_back({"retired", human_time(text_at(space, "retired_at"), now)});
  if (member(space, "purge_after") != nullptr)
    details.push_back({"kept until", human_time(text_at(space, "purge_after"), now)});
  if (member(space, "recoverable_until") != nullptr)
    details.push_back({"extra time", "its backend keeps it until " +
                                         human_time(text_at(space, "recoverable_until"), now) +
                                         "; `homeport home undelete " + text_at(space, "key") + "` brings it back"});
  if (member(space, "dormant_since") != nullptr)
    details.push_back({"dormant", "since " + human_time(text_at(space, "dormant_since"), now) +
                                      ": the owner is gone from every hub they came from; nothing is withdrawn, and a "
                                      "login ends it"});
  add_if(details, "operation", text_at(space, "operation"));
  add_if(details, "copying from", text_at(space, "copying"));
  if (member(space, "copying_by") != nullptr)
    details.push_back({"copied by", text_at(space, "copying_by.by") + ", since " +
                                        human_time(text_at(space, "copying_by.since"), now) + ", last heard of " +
                                        human_time(text_at(space, "copying_by.renewed"), now)});
  add_if(details, "note", text_at(space, "note"));
  std::string out = details_text(details, look);
  if (member(space, "grants") != nullptr) out += section("Granted to", grants_text(space, look));
  return out;
}

std::string user_view(const Json& user, const Look& look, WallTime now) {
  std::vector<Detail> details{{"names", text_at(user, "names")},   {"key", text_at(user, "user_key")},
                              {"realm", text_at(user, "realm")},   {"uid", text_at(user, "uid")},
                              {"gid", text_at(user, "gid")},       {"ids from", text_at(user, "identity_source")},
                              {"groups", text_at(user, "groups")}, {"group ids", text_at(user, "gids")}};
  add_if(details, "merged into", text_at(user, "merged_into"));
  details.push_back({"known since", human_time(text_at(user, "created_at"), now)});
  if (member(user, "dormant_since") != nullptr)
    details.push_back({"dormant since", human_time(text_at(user, "dormant_since"), now)});
  if (member(user, "recreated") != nullptr)
    details.push_back({"held",
                       "the account " + text_at(user, "recreated.name") + " was deleted in hub " +
                           text_at(user, "recreated.hub") +
                           " and made again; `homeport user keep` says that it is the same person, `homeport "
                           "user rename --free` that it is somebody new",
                       Tone::warn});
  return details_text(details, look);
}

std::string operation_progress(const Json& operation) {
  const Json& steps = items_at(operation, "steps");
  std::size_t done = 0;
  std::string current;
  for (const auto& step : steps) {
    if (flag_at(step, "done")) {
      ++done;
    } else if (current.empty()) {
      current = text_at(step, "name");
    }
  }
  std::string out = safe_text(text_at(operation, "id") + " " + text_at(operation, "kind") + ": " +
                              (current.empty() ? text_at(operation, "state") : current));
  if (!steps.empty()) out += " (" + std::to_string(done) + " of " + std::to_string(steps.size()) + ")";
  if (const auto count = number_at(operation, "progress.done"); count && *count > 0) {
    out += ", " + std::to_string(*count);
    if (const auto total = number_at(operation, "progress.total")) out += " of " + std::to_string(*total);
    if (const auto unit = text_at(operation, "progress.unit"); unit != "-") out += " " + safe_text(unit);
  }
  if (text_at(operation, "state") == "waiting") out += ", waiting to try again";
  return out;
}

std::string operation_view(const Json& operation, const Look& look, WallTime now) {
  std::vector<Detail> details{{"operation", text_at(operation, "id")},
                              {"kind", text_at(operation, "kind")},
                              {"state", text_at(operation, "state"), tone_of(text_at(operation, "state"))},
                              {"space", text_at(operation, "space")},
                              {"backend", text_at(operation, "backend")},
                              {"asked by", text_at(operation, "principal")},
                              {"request", text_at(operation, "request_id")},
                              {"attempts", text_at(operation, "attempts")}};
  if (member(operation, "next_try") != nullptr)
    details.push_back({"next try", human_time(text_at(operation, "next_try"), now)});
  details.push_back({"started", human_time(text_at(operation, "created_at"), now)});
  details.push_back({"finished", human_time(text_at(operation, "finished_at"), now)});
  if (const Json* failure = member(operation, "failure")) {
    details.push_back({"failure", text_at(*failure, "message") + " (" + text_at(*failure, "code") + ")", Tone::bad});
    add_if(details, "hint", text_at(*failure, "hint"));
  }
  std::string out = details_text(details, look);
  std::string steps;
  for (const auto& step : items_at(operation, "steps")) {
    std::string text = text_at(step, "name");
    if (const auto detail = text_at(step, "detail"); detail != "-") text += ": " + detail;
    steps += hanging(flag_at(step, "done") ? "  [x] " : "  [ ] ", safe_text(text), look.width, "      ");
  }
  out += section("Steps", steps);
  out += section("Backend calls", lines_of(items_at(operation, "calls"), look));
  return out;
}

std::string dry_run_view(const Json& preview, const Look& look, WallTime now) {
  std::string out = "Dry run: nothing was changed.\n";
  out += section("What would be done", lines_of(items_at(preview, "steps"), look));
  out += section("Calls to the backend", lines_of(items_at(preview, "calls"), look));
  out += section("Notes", lines_of(items_at(preview, "notes"), look));
  if (const Json* result = member(preview, "result"); result != nullptr && result->is_object()) {
    const Look inner = inside(look);
    const bool space = result->contains("key") && result->contains("kind");
    out += section("It would then be",
                   indented(space ? space_view(*result, inner, now) : plain_view(*result, inner, now)));
  }
  return out;
}

std::string plain_view(const Json& value, const Look& look, WallTime /*now*/) {
  std::vector<Detail> details;
  if (!value.is_object()) return safe_text(scalar_text(value)) + "\n";
  for (const auto& [key, item] : value.items()) {
    if (item.is_object()) {
      for (const auto& [inner, deep] : item.items())
        details.push_back({safe_text(key + "." + inner), scalar_text(deep)});
    } else {
      details.push_back({safe_text(key), scalar_text(item)});
    }
  }
  return details_text(details, look);
}

}  // namespace homeport::cli
