// dataset import --from-pv: a volume that somebody wrote for data that stands becomes a dataset, by the ordinary
// import.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/dataset_imports.h"
#include "cli/kubernetes_homes.h"
#include "cli/pv_datasets.h"
#include "cli/views_imports.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

struct Candidate {
  std::string name;
  bool array = false;
  HomesInDump settings{};
};

// Where clients find a backend: its own address unless that is a URL, and what its driver knows.
Candidate candidate_of(const Json& backend, const std::vector<std::string>& servers) {
  Candidate out{.name = backend.value("name", ""), .array = text_at(backend, "kind") == "flashblade"};
  out.settings.servers = servers;
  const auto add = [&](const std::string& one) {
    if (!one.empty() && one != "-" && one.find("://") == std::string::npos) out.settings.servers.push_back(one);
  };
  add(text_at(backend, "address"));
  const auto* facts = member(backend, "facts");
  if (facts == nullptr || !facts->is_object()) return out;
  add(facts->value("client server", ""));
  add(facts->value("data address", ""));
  out.settings.path_prefix = facts->value("client path prefix", "");
  return out;
}

// An array says where its data is once somebody has asked it for its file systems.
Result<Candidate> asked(Cli& cli, const Json& backend, const std::vector<std::string>& servers) {
  auto out = candidate_of(backend, servers);
  if (!out.array || out.settings.servers.size() > servers.size()) return out;
  HOMEPORT_CHECK(file_systems_of(cli, out.name, out.name));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto again, api->get(Target("/v1/backends").part(out.name)));
  return candidate_of(again, servers);
}

Result<std::vector<Candidate>> candidates(Cli& cli, const DatasetImportOptions& o) {
  HOMEPORT_TRY(Api * api, cli.api());
  std::vector<Candidate> out;
  if (!o.backend.empty()) {
    HOMEPORT_TRY(const auto name, slug(o.backend));
    HOMEPORT_TRY(const auto one, api->get(Target("/v1/backends").part(name)));
    HOMEPORT_TRY(auto candidate, asked(cli, one, o.servers));
    out.push_back(std::move(candidate));
    return out;
  }
  HOMEPORT_TRY(const auto all, api->list(Target("/v1/backends").query("limit", "1000")));
  for (const auto& one : items_at(all, "items")) {
    // One that cannot be asked is no candidate for a server's name; the others are.
    auto candidate = asked(cli, one, {});
    out.push_back(candidate ? std::move(candidate).value() : candidate_of(one, {}));
  }
  return out;
}

struct Place {
  std::string backend{};
  std::string path{};
  bool whole = false;
  BehindVolume behind{};
  std::string reason{};  // empty: it is found
  std::string why{};
};

// What the array says of one file system; nothing where it has none of that name.
Result<std::optional<Json>> file_system(Cli& cli, const std::string& backend, const std::string& name) {
  HOMEPORT_TRY(const auto found, file_systems_of(cli, backend, name));
  for (const auto& item : items_at(found, "items"))
    if (item.value("name", "") == name) return std::optional(item);
  return std::optional<Json>();
}

Result<Place> try_backend(Cli& cli, Candidate candidate, const DumpedVolume& volume) {
  Place out{.backend = candidate.name};
  if (is_of_array(volume)) {
    if (!candidate.array) {
      out.reason = "other-server";
      out.why = "it is on an array, and backend " + candidate.name + " is none";
      return out;
    }
    HOMEPORT_TRY(const auto all, file_systems_of(cli, candidate.name, ""));
    for (const auto& item : items_at(all, "items")) candidate.settings.exports.push_back(text_at(item, "path"));
  }
  auto place = place_of(volume, candidate.settings);
  out.path = std::move(place.path);
  out.reason = std::move(place.reason);
  out.why = std::move(place.why);
  const bool top = !out.path.empty() && out.path.find('/', 1) == std::string::npos;
  if (!out.reason.empty() || !candidate.array || !top) return out;
  HOMEPORT_TRY(const auto fs, file_system(cli, candidate.name, out.path.substr(1)));
  if (!fs) return out;
  out.whole = true;
  out.behind = {.limit = number_at(*fs, "limit_bytes"), .used = number_at(*fs, "used_bytes")};
  return out;
}

// The one backend that has it. Of several refusals the most telling one is kept.
Result<Place> find_place(Cli& cli, const std::vector<Candidate>& all, const DumpedVolume& volume) {
  std::vector<Place> found;
  Place refused{.backend = {}, .reason = "no-backend", .why = "no backend is configured"};
  for (const auto& candidate : all) {
    HOMEPORT_TRY(auto place, try_backend(cli, candidate, volume));
    if (place.reason.empty()) {
      found.push_back(std::move(place));
    } else if (refused.reason == "no-backend" || refused.reason == "other-server") {
      refused = std::move(place);
    }
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    std::string names;
    for (const auto& one : found) names += (names.empty() ? "" : ", ") + one.backend;
    refused.reason = "two-backends";
    refused.why = "backends " + names + " all have it; say which with --backend";
  } else if (refused.reason == "other-server" && all.size() > 1 && !is_of_array(volume)) {
    refused.why = "it lies on " + printable(volume.server.empty() ? "its own server" : volume.server, 80) +
                  ", and no backend is that server; configure one, or name it with --backend and --server";
  }
  return refused;
}

Result<std::vector<const DumpedVolume*>> wanted(const KubernetesDump& dump, const DatasetImportOptions& o,
                                                const std::string& source) {
  std::vector<const DumpedVolume*> out;
  std::string names;
  for (const auto& volume : dump.volumes) {
    names += (names.empty() ? "" : ", ") + printable(volume.name, 60);
    if (o.volume.empty() || o.volume == volume.name) out.push_back(&volume);
  }
  if (out.empty()) {
    return Error{.code = Errc::not_found,
                 .message = source + " holds no volume '" + printable(o.volume, 60) + "'",
                 .hint = "it holds: " + names};
  }
  if (!o.name.empty() && out.size() > 1) {
    return Error{.code = Errc::invalid_argument,
                 .message = source + " holds several volumes (" + names + "), and one name is for one of them",
                 .hint = "say which with --volume, or leave the name out: each is then called as its volume"};
  }
  return out;
}

Json entry_of(const DumpedVolume& volume, const Place& place, const std::vector<std::string>& mistakes) {
  Json entry{{"dataset", volume.name},
             {"volume", volume.name},
             {"backend", place.backend.empty() ? Json(nullptr) : Json(place.backend)},
             {"path", place.path.empty() ? Json(nullptr) : Json(place.path)},
             {"limit_bytes", place.behind.limit ? Json(*place.behind.limit) : Json(nullptr)},
             {"used_bytes", place.behind.used ? Json(*place.behind.used) : Json(nullptr)},
             {"verdict", place.reason.empty() ? "import" : "refused"},
             {"reason", place.reason.empty() ? Json(nullptr) : Json(place.reason)},
             {"why", place.why.empty() ? Json(nullptr) : Json(place.why)},
             {"remarks", mistakes},
             {"whole", place.whole}};
  if (place.reason.empty() && !Slug::parse(volume.name)) {
    entry["verdict"] = "refused";
    entry["reason"] = "odd-name";
    entry["why"] = "no dataset can have this name; give one with --volume and a name";
  }
  return entry;
}

Result<ExitCode> import_one(Cli& cli, const DatasetImportOptions& o, const DumpedVolume& volume, const Place& place,
                            const std::vector<std::string>& mistakes) {
  if (!place.reason.empty()) {
    return Error{.code = place.reason == "not-exported" ? Errc::not_found : Errc::failed_precondition,
                 .message = "volume " + printable(volume.name, 80) + " cannot be a dataset: " + place.why};
  }
  HOMEPORT_TRY(
      auto outcome,
      import_dataset(cli, {.name = o.name, .backend = place.backend, .path = place.path, .whole = place.whole}, o));
  if (outcome.kind == Outcome::Kind::dry_run) {
    outcome.body["mistakes"] = mistakes;
    cli.show(outcome.body, [](const Json& v, const Look& look, WallTime now) {
      return import_preview_view(v, look, now) + mistakes_view(v, look);
    });
    return ExitCode::ok;
  }
  for (const auto& one : mistakes) cli.warn("volume " + printable(volume.name, 80) + ": " + one);
  return show_imported(cli, outcome);
}

}  // namespace

Result<ExitCode> import_from_volumes(Cli& cli, const DatasetImportOptions& o) {
  HOMEPORT_TRY(const auto text, read_text(cli, o.from_pv));
  const auto source = o.from_pv == "-" ? std::string("standard input") : safe_text(o.from_pv);
  HOMEPORT_TRY(const auto dump, parse_volumes(text, source));
  HOMEPORT_TRY(const auto volumes, wanted(dump, o, source));
  HOMEPORT_TRY(const auto backends, candidates(cli, o));
  Json plan{{"datasets", Json::array()}};
  for (const auto* volume : volumes) {
    HOMEPORT_TRY(const auto place, find_place(cli, backends, *volume));
    const auto mistakes = mistakes_in(*volume, dump.claims, !o.read_write, place.behind);
    if (!o.name.empty()) return import_one(cli, o, *volume, place, mistakes);
    plan["datasets"].push_back(entry_of(*volume, place, mistakes));
  }
  return carry_out(cli, std::move(plan), o);
}

}  // namespace homeport::cli
