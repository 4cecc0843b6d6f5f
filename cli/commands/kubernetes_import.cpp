#include "cli/commands/kubernetes_import.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands/dataset_imports.h"

namespace homeport::cli {
namespace {

Result<HomesInDump> settings_of(Cli& cli, const KubernetesOptions& o, const std::string& backend,
                                const KubernetesDump& dump) {
  HOMEPORT_TRY(const auto checked, slug(backend));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto shown, api->get(Target("/v1/backends").part(checked)));
  HomesInDump out{.servers = o.servers, .name_space = o.name_space};
  std::vector<std::string> own;
  if (const auto* address = member(shown, "address"); address != nullptr) own.push_back(scalar_text(*address));
  if (const auto* facts = member(shown, "facts"); facts != nullptr && facts->is_object()) {
    own.push_back(facts->value("client server", ""));
    out.path_prefix = facts->value("client path prefix", "");
  }
  for (auto& name : own)
    if (!name.empty() && std::ranges::find(out.servers, name) == out.servers.end()) out.servers.push_back(name);
  if (!o.slug_scheme.empty()) out.slugs = o.slug_scheme == "safe" ? SlugScheme::safe : SlugScheme::escape;
  if (!needs_exports(dump)) return out;
  if (o.from_array) {
    HOMEPORT_TRY(const auto all, file_systems_of(cli, checked, ""));
    for (const auto& one : items_at(all, "items")) out.exports.push_back(text_at(one, "path"));
    return out;
  }
  HOMEPORT_TRY(const auto exports, api->get(Target("/v1/backends").part(checked).literal("exports")));
  for (const auto& one : items_at(exports, "items")) out.exports.push_back(text_at(one, "path"));
  return out;
}

}  // namespace

void add_kubernetes_options(CLI::App* app, KubernetesOptions& options) {
  add(app, "--from-kubernetes", options.dump, "FILE",
      "what `kubectl get pv,pvc -A -o yaml` wrote; - is standard input");
  add(app, "--namespace", options.name_space, "NAMESPACE", "with --from-kubernetes: only the claims of this namespace");
  app->add_option("--server", options.servers,
                  "with --from-kubernetes: another name that the backend's server has in volumes; may be repeated")
      ->type_name("HOST")
      ->take_all();
  add_choice(app, "--slug-scheme", options.slug_scheme, "escape|safe",
             "with --from-kubernetes: how the hub wrote names where only a label or a claim's name is left");
  app->add_flag("--only-retained", options.only_retained,
                "with --from-kubernetes: go on with the volumes whose reclaim policy is Retain, leave out the others");
}

Result<KubernetesImport> read_kubernetes(Cli& cli, const KubernetesOptions& options, const std::string& backend,
                                         std::vector<std::string> names) {
  HOMEPORT_TRY(const auto text, read_text(cli, options.dump));
  const std::string source = options.dump == "-" ? "standard input" : safe_text(options.dump);
  HOMEPORT_TRY(const auto dump, parse_kubernetes_dump(text, source));
  HOMEPORT_TRY(auto settings, settings_of(cli, options, backend, dump));
  settings.names = std::move(names);
  auto fleet = homes_in(dump, settings);
  KubernetesImport out{.left_out = std::move(fleet.left_out)};
  for (auto& home : fleet.homes) {
    if (home.retains) {
      out.homes.push_back(std::move(home));
    } else if (options.only_retained) {
      out.left_out.push_back(
          {home.volume, home.claim, "not-retained",
           "Kubernetes removes its data when the claim goes; `" + retain_command(home.volume) + "` changes that"});
    } else {
      out.to_patch.push_back(home.volume);
      out.homes.push_back(std::move(home));
    }
  }
  return out;
}

void add_to_plan(const KubernetesImport& import, Json& plan) {
  std::map<std::string, const DumpedHome*> by_path;
  for (const auto& home : import.homes) by_path.emplace(home.path, &home);
  for (auto& entry : plan["entries"]) {
    const auto at = by_path.find(entry.value("path", ""));
    if (at == by_path.end()) continue;
    entry["volume"] = at->second->volume;
    entry["claim"] = at->second->claim;
  }
  const auto text = [](const std::string& one) { return one.empty() ? Json(nullptr) : Json(one); };
  plan["left_out"] = Json::array();
  for (const auto& one : import.left_out) {
    plan["left_out"].push_back(
        {{"volume", text(one.volume)}, {"claim", text(one.claim)}, {"reason", one.reason}, {"why", one.why}});
  }
  plan["to_patch"] = Json::array();
  for (const auto& volume : import.to_patch)
    plan["to_patch"].push_back({{"volume", volume}, {"command", retain_command(volume)}});
}

std::string left_out_view(const Json& plan, const Look& look) {
  constexpr std::size_t kShown = 40;
  std::string out;
  const auto& left_out = items_at(plan, "left_out");
  if (!left_out.empty()) {
    Table table({{"VOLUME", Align::left, true}, {"CLAIM", Align::left, true}, {"LEFT OUT"}});
    std::vector<std::pair<std::string, std::string>> words;  // reason -> its first sentence
    for (const auto& one : left_out) {
      const auto reason = text_at(one, "reason");
      if (std::ranges::find(words, reason, &std::pair<std::string, std::string>::first) == words.end())
        words.emplace_back(reason, text_at(one, "why"));
      if (table.rows() < kShown) table.add({{text_at(one, "volume")}, {text_at(one, "claim")}, {reason}});
    }
    out += "\nNot taken from the dump\n" + table.text(look);
    if (left_out.size() > kShown)
      out += "and " + std::to_string(left_out.size() - kShown) + " more; -o json has them all\n";
    out += "\nReasons, by their first case\n";
    for (const auto& [reason, why] : words) out += wrapped(safe_text(reason + ": " + why), look.width, "  ");
  }
  const auto& to_patch = items_at(plan, "to_patch");
  if (to_patch.empty()) return out;
  out += "\nKubernetes would remove the data of these volumes with their claims. Before anything is imported:\n";
  for (const auto& one : to_patch) out += text_at(one, "command") + "\n";  // whole lines, to be copied
  return out;
}

Error would_be_deleted(const KubernetesImport& import) {
  const auto count = import.to_patch.size();
  return Error{.code = Errc::failed_precondition,
               .message = std::to_string(count) + (count == 1 ? " volume has" : " volumes have") +
                          " another reclaim policy than Retain: when the hub deletes the claim, Kubernetes removes the "
                          "home; nothing was imported",
               .hint = "run the printed commands (the first: " + retain_command(import.to_patch.front()) +
                       ") and dump again, or leave those volumes out with --only-retained"};
}

}  // namespace homeport::cli
