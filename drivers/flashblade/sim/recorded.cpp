// Starting from recorded answers of a real array.
#include <fstream>
#include <sstream>

#include "drivers/flashblade/sim/state.h"

namespace homeport::fbsim {
namespace {

namespace fs = std::filesystem;

Result<std::optional<Json>> read_answer(const fs::path& file) {
  std::ifstream in(file);
  if (!in) return std::optional<Json>();
  std::stringstream text;
  text << in.rdbuf();
  auto answer = Json::parse(text.str(), nullptr, false);
  if (!answer.is_object()) {
    return Error{.code = Errc::invalid_argument,
                 .message = file.string() + " is not a JSON object",
                 .hint = "it must be a whole answer of an array, as it came"};
  }
  return std::optional(std::move(answer));
}

void take_array(World& world, const Json& item) {
  Json fields = item;
  world.array.id = text_of(item, "id", world.array.id);
  world.array.name = text_of(item, "name", world.array.name);
  if (const auto* config = find_path(item, "eradication_config"); config != nullptr && config->is_object()) {
    world.settings.manual_eradication = text_of(*config, "manual_eradication", "all-enabled");
    world.settings.eradication_delay_ms = config->value("eradication_delay", world.settings.eradication_delay_ms);
  }
  for (const char* worked_out : {"id", "name", "_as_of", "eradication_config", "context"}) fields.erase(worked_out);
  world.array.fields.update(fields);
}

Source take_source(World& world, const Json& item) {
  Source out;
  const auto* given = find_path(item, "source");
  if (given == nullptr || text_of(*given, "id").empty()) return out;
  out = {text_of(*given, "id"), text_of(*given, "name"), text_of(*given, "resource_type", "file-systems"), {}};
  const auto location = text_of(*given, "location.id");
  if (location.empty() || location == world.array.id) return out;
  out.location = location;
  auto& remotes = world.table("remote-arrays");
  if (remotes.by_id(location) == nullptr) {
    Document remote;
    remote.id = location;
    remote.name = text_of(*given, "location.name");
    remotes.insert(std::move(remote));
  }
  return out;
}

FileSystem take_file_system(World& world, const Json& item) {
  FileSystem out;
  item.at("name").get_to(out.name);
  item.at("id").get_to(out.id);
  item.at("created").get_to(out.created);
  if (!item.at("provisioned").is_null()) item.at("provisioned").get_to(out.provisioned);
  item.at("hard_limit_enabled").get_to(out.hard_limit);
  item.at("fast_remove_directory_enabled").get_to(out.fast_remove);
  item.at("snapshot_directory_enabled").get_to(out.snapshot_directory);
  item.at("default_user_quota").get_to(out.user_quota);
  item.at("default_group_quota").get_to(out.group_quota);
  const auto& nfs = item.at("nfs");
  nfs.at("v3_enabled").get_to(out.v3);
  nfs.at("v4_1_enabled").get_to(out.v41);
  out.rules = text_of(nfs, "rules");
  out.export_policy = text_of(nfs, "export_policy.id");
  item.at("smb").at("enabled").get_to(out.smb);
  item.at("http").at("enabled").get_to(out.http);
  item.at("multi_protocol").at("safeguard_acls").get_to(out.safeguard_acls);
  item.at("multi_protocol").at("access_control_style").get_to(out.access_style);
  item.at("writable").get_to(out.writable);
  item.at("promotion_status").get_to(out.promotion);
  out.demoted_wanted = item.at("requested_promotion_state") == "demoted";
  const auto& space = item.at("space");
  space.at("virtual").get_to(out.used);
  out.recorded = {out.used, space.at("unique").get<std::uint64_t>(), space.at("snapshots").get<std::uint64_t>()};
  out.source = take_source(world, item);
  item.at("destroyed").get_to(out.destroyed);
  if (out.destroyed) out.eradicate_at = world.now() + item.at("time_remaining").get<Millis>();
  return out;
}

void take_policy(World& world, const Json& item) {
  Document policy;
  item.at("id").get_to(policy.id);
  item.at("name").get_to(policy.name);
  policy.fields = item;
  policy.fields.erase("id");
  policy.fields.erase("name");
  for (auto& rule : policy.fields.at("rules")) {
    for (const char* worked_out : {"name", "policy", "index", "policy_version", "context"}) rule.erase(worked_out);
    if (!rule.contains("required_transport_security")) rule["required_transport_security"] = "none";
  }
  world.table("nfs-export-policies").insert(std::move(policy));
}

void take_documents(World& world, const char* type, const Json& answer) {
  for (const auto& item : answer.at("items")) {
    Document document;
    document.id = text_of(item, "id", world.new_id());
    document.name = text_of(item, "name");
    document.fields = item;
    document.fields.erase("id");
    document.fields.erase("name");
    if (world.table(type).by_id(document.id) == nullptr) world.table(type).insert(std::move(document));
  }
}

void take_file_systems(World& world, const Json& answer) {
  for (const auto& item : answer.at("items")) {
    auto& placed = world.file_systems.insert(take_file_system(world, item));
    world.schedule(placed);
    for (const auto& tell : world.on_change) tell(placed);
  }
}

using Take = void (*)(World&, const Json&);
struct File {
  const char* name;
  Take take;
};

// Policies before the file systems that use them.
constexpr File kFiles[] = {
    {"arrays.json", [](World& world, const Json& answer) { take_array(world, answer.at("items").at(0)); }},
    {"arrays_space.json",
     [](World& world, const Json& answer) { answer.at("items").at(0).at("capacity").get_to(world.settings.capacity); }},
    {"versions.json",
     [](World& world, const Json& answer) { answer.at("versions").get_to(world.settings.api_versions); }},
    {"nfs_export_policies.json",
     [](World& world, const Json& answer) {
       for (const auto& item : answer.at("items")) take_policy(world, item);
     }},
    {"filesystems.json", take_file_systems},
    {"alerts_distinct_subset.json", [](World& world, const Json& answer) { take_documents(world, "alerts", answer); }},
    {"alerts_open.json", [](World& world, const Json& answer) { take_documents(world, "alerts", answer); }},
    {"blades.json", [](World& world, const Json& answer) { take_documents(world, "blades", answer); }},
    {"hardware.json", [](World& world, const Json& answer) { take_documents(world, "hardware", answer); }},
    {"arrays_nfs_performance.json",
     [](World& world, const Json& answer) { world.recorded_answers["arrays/nfs-specific-performance"] = answer; }},
    {"arrays_http_performance.json",
     [](World& world, const Json& answer) { world.recorded_answers["arrays/http-specific-performance"] = answer; }},
    {"arrays_performance_replication.json",
     [](World& world, const Json& answer) { world.recorded_answers["arrays/performance/replication"] = answer; }},
    {"clients_performance_subset.json",
     [](World& world, const Json& answer) { world.recorded_answers["arrays/clients/performance"] = answer; }},
    {"hw_connectors_perf.json",
     [](World& world, const Json& answer) { world.recorded_answers["hardware-connectors/performance"] = answer; }},
};

}  // namespace

Result<void> load_recorded(World& world, const fs::path& directory) {
  std::size_t found = 0;
  for (const auto& file : kFiles) {
    HOMEPORT_TRY(const auto answer, read_answer(directory / file.name));
    if (!answer) continue;
    ++found;
    try {
      file.take(world, *answer);
    } catch (const Json::exception& problem) {
      return Error{.code = Errc::invalid_argument,
                   .message = (directory / file.name).string() + ": " + problem.what(),
                   .hint = "it must be a whole answer of an array, as it came"};
    }
  }
  if (found > 0) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "there are no recorded answers in " + directory.string(),
               .hint = "it looks for files such as arrays.json and filesystems.json"};
}

}  // namespace homeport::fbsim
