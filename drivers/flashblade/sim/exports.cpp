// /file-system-exports, /servers, and the SMB policies they refer to.
//
// The export on the default server that has its file system's name is what nfs.rules and nfs.export_policy show: it is
// made, changed and removed with them, and changes them.
#include "drivers/flashblade/sim/exports.h"

#include <algorithm>

#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/file_system_changes.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kType = "file-system-exports";
constexpr std::string_view kWhat = "File system export";
constexpr std::string_view kDefaultServer = "_array_server";
constexpr std::string_view kNfsPolicies = "nfs-export-policies";
constexpr std::string_view kClientPolicies = "smb-client-policies";
constexpr std::string_view kSharePolicies = "smb-share-policies";

FileSystem* member_of(const World& world, const Document& exported) {
  return world.file_systems.by_id(text_of(exported.fields, "member.id"));
}

std::string object_name(const Json& fields) {
  return text_of(fields, "server.name") + "::" + text_of(fields, "policy_type") + "::" + text_of(fields, "export_name");
}

bool is_default(const World& world, const Document& exported) {
  const auto* fs = member_of(world, exported);
  return fs != nullptr && text_of(exported.fields, "server.name") == kDefaultServer &&
         text_of(exported.fields, "export_name") == fs->name;
}

Document* default_export(World& world, const FileSystem& fs, std::string_view type) {
  auto& table = world.table(kType);
  for (const auto& id : fs.exports) {
    auto* exported = table.by_id(id);
    if (exported != nullptr && exported->fields.value("default", false) &&
        text_of(exported->fields, "policy_type") == type) {
      return exported;
    }
  }
  return nullptr;
}

void drop(World& world, FileSystem& fs, Document& exported) {
  std::erase(fs.exports, exported.id);
  world.table(kType).erase(exported);
}

void keep_default(World& world, FileSystem& fs, std::string_view type, bool wanted, Json policy, Json share) {
  auto& table = world.table(kType);
  auto* exported = default_export(world, fs, type);
  if (!wanted) {
    if (exported != nullptr) drop(world, fs, *exported);
    return;
  }
  const auto* server = world.table("servers").by_name(kDefaultServer);
  Json fields = {{"export_name", fs.name},
                 {"member", reference(fs.name, fs.id, "file-systems")},
                 {"policy", std::move(policy)},
                 {"share_policy", std::move(share)},
                 {"policy_type", type},
                 {"server", reference(server->name, server->id, "servers")},
                 {"default", true}};
  const auto name = object_name(fields);
  if (exported == nullptr) {
    if (table.by_name(name) != nullptr) return;  // another file system's export has the name
    fs.exports.push_back(insert_document(world, kType, name, std::move(fields)).id);
  } else {
    exported->fields = std::move(fields);
    if (exported->name != name && table.by_name(name) == nullptr) table.rename(*exported, name);
  }
}

void follow(World& world, FileSystem& fs) {
  keep_default(world, fs, "NFS", !fs.rules.empty() || !fs.export_policy.empty(),
               world.reference_to(kNfsPolicies, fs.export_policy), null_reference());
  keep_default(world, fs, "SMB", fs.smb, world.reference_to(kClientPolicies, fs.smb_client_policy),
               world.reference_to(kSharePolicies, fs.smb_share_policy));
}

Json render(World& world, const Document& exported, int minor) {
  Json out = {{"name", exported.name}, {"id", exported.id}};
  out.update(exported.fields);
  out.erase("default");
  refresh_references(world, out);
  const auto* fs = member_of(world, exported);
  const bool nfs = text_of(exported.fields, "policy_type") == "NFS";
  const bool on = fs != nullptr && !fs->destroyed && (nfs ? fs->v3 || fs->v41 : fs->smb);
  const auto place = world.documents.find(nfs ? kNfsPolicies : kClientPolicies);
  const auto* policy = place == world.documents.end() ? nullptr : place->second.by_id(text_of(out, "policy.id"));
  const bool allowed = policy == nullptr || policy->fields.value("enabled", true);
  out["enabled"] = on && allowed;
  out["status"] = !on ? Json("protocol_disabled") : (allowed ? Json(nullptr) : Json("policy_disabled"));
  if (minor >= 17) out["context"] = world.array_reference();
  if (minor >= 23) out["workload"] = null_reference();
  return out;
}

Answer get_exports(Call& call) {
  auto& table = call.world.table(kType);
  HOMEPORT_TRY(const auto found, select(call, table, kWhat));
  return list_documents(call, table, found, {},
                        [&](const Document& exported) { return render(call.world, exported, call.minor); });
}

// An NFS export policy or an SMB client policy.
Or<Json> find_policy(const World& world, const Json& given) {
  for (const auto type : {kNfsPolicies, kClientPolicies}) {
    const auto id = resolve(world, given, type, "Policy");
    if (id && !id.value().empty()) return world.reference_to(type, id.value());
  }
  return world.missing("Policy", text_of(given, "name", text_of(given, "id")));
}

// What the default export says, the file system shows.
void show_in_file_system(World& world, Document& exported) {
  auto* fs = member_of(world, exported);
  exported.fields["default"] = is_default(world, exported);
  if (fs == nullptr || !exported.fields["default"].get<bool>()) return;
  const auto policy = text_of(exported.fields, "policy.id");
  if (text_of(exported.fields, "policy_type") == "NFS") {
    if (!policy.empty()) fs->rules.clear();
    fs->export_policy = policy;
  } else {
    fs->smb_client_policy = policy;
    fs->smb_share_policy = text_of(exported.fields, "share_policy.id");
  }
}

void hide_in_file_system(World& world, const Document& exported) {
  auto* fs = member_of(world, exported);
  if (fs == nullptr || !exported.fields.value("default", false)) return;
  if (text_of(exported.fields, "policy_type") == "NFS") {
    fs->rules.clear();
    fs->export_policy.clear();
  } else {
    fs->smb_client_policy.clear();
    fs->smb_share_policy.clear();
  }
}

Or<Json> one_of(Call& call, std::string_view names, std::string_view ids, std::string_view what) {
  const auto by_name = call.list(names);
  const auto by_id = call.list(ids);
  if (by_name.size() + by_id.size() != 1)
    return Refusal{std::string(what) + " names or ids query parameter is missing"};
  return by_id.empty() ? Json{{"name", by_name.front()}} : Json{{"id", by_id.front()}};
}

Answer post_export(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto members, select(call, world.file_systems, "File system", "member_names", "member_ids"));
  if (members.objects.size() != 1) return Refusal{"Member identifier is required."};
  auto& fs = *members.objects.front();
  if (fs.destroyed) return world.missing("File system", fs.name);
  HOMEPORT_TRY(const auto given, one_of(call, "policy_names", "policy_ids", "Policy"));
  HOMEPORT_TRY(auto policy, find_policy(world, given));
  Document exported;
  exported.id = world.new_id();
  exported.fields = {{"export_name", text_of(call.body, "export_name", fs.name)},
                     {"member", reference(fs.name, fs.id, "file-systems")},
                     {"policy", policy},
                     {"share_policy", call.body.value("share_policy", Json(nullptr))},
                     {"policy_type", text_of(policy, "resource_type") == kNfsPolicies ? "NFS" : "SMB"},
                     {"server", call.body.value("server", Json{{"name", kDefaultServer}})}};
  HOMEPORT_CHECK(complete_reference(world, exported.fields, "server", "servers", "Server"));
  HOMEPORT_CHECK(complete_reference(world, exported.fields, "share_policy", kSharePolicies, "SMB share policy"));
  exported.name = object_name(exported.fields);
  // Unique for each protocol and server.
  if (world.table(kType).by_name(exported.name) != nullptr) {
    return world.exists(kWhat, text_of(exported.fields, "export_name"));
  }
  auto& placed = world.table(kType).insert(std::move(exported));
  fs.exports.push_back(placed.id);
  show_in_file_system(world, placed);
  return std::optional(items_of(Json::array({render(world, placed, call.minor)})));
}

Answer patch_export(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto chosen, select_some(call, world.table(kType), kWhat));
  if (chosen.size() > 1) return Refusal{"Cannot process more than one export at a time"};
  auto& exported = *chosen.front();
  Json fields = exported.fields;
  merge_body(fields, call.body);
  if (const auto* given = find_path(call.body, "policy"); given != nullptr && !given->is_null()) {
    HOMEPORT_TRY(fields["policy"], find_policy(world, *given));
    const bool nfs = text_of(fields, "policy.resource_type") == kNfsPolicies;
    if (nfs != (text_of(fields, "policy_type") == "NFS"))
      return Refusal{"The policy is of another protocol.", exported.name};
  }
  HOMEPORT_CHECK(complete_reference(world, fields, "share_policy", kSharePolicies, "SMB share policy"));
  const auto name = object_name(fields);
  if (name != exported.name && world.table(kType).by_name(name) != nullptr) {
    return world.exists(kWhat, text_of(fields, "export_name"));
  }
  hide_in_file_system(world, exported);
  exported.fields = std::move(fields);
  world.table(kType).rename(exported, name);
  show_in_file_system(world, exported);
  return std::optional(items_of(Json::array({render(world, exported, call.minor)})));
}

Answer delete_exports(Call& call) {
  HOMEPORT_TRY(const auto chosen, select_some(call, call.world.table(kType), kWhat));
  for (auto* exported : chosen) {
    hide_in_file_system(call.world, *exported);
    if (auto* fs = member_of(call.world, *exported); fs != nullptr) std::erase(fs->exports, exported->id);
    call.world.table(kType).erase(*exported);
  }
  return std::optional<Json>();
}

Or<void> check_new_server(Call& call, Document& next) {
  // The vendor's text and an array agree: the name plus "_nfs", and it is required.
  if (call.text("create_ds") != next.name + "_nfs") {
    return Refusal{"create_ds is required and must be the name of the server followed by _nfs.", next.name};
  }
  const auto directory = next.name + "_nfs";
  next.fields["directory_services"] = Json::array({reference(directory, call.world.new_id(), "directory-services")});
  return {};
}

Or<void> check_server_removal(Call& call, Document& server) {
  if (server.name == kDefaultServer) return Refusal{"The default server cannot be deleted.", server.name};
  if (call.text("cascade_delete") != "directory-services") {
    return Refusal{"cascade_delete=directory-services is required.", server.name};
  }
  const auto refers = [&](const Document& other, std::string_view path) {
    return text_of(other.fields, path) == server.id;
  };
  for (const auto& [key, exported] : call.world.table(kType).order()) {
    if (refers(*exported, "server.id")) return Refusal{"Server has exports.", server.name};
  }
  for (const auto& [key, interface] : call.world.table("network-interfaces").order()) {
    for (const auto& attached : interface->fields["attached_servers"]) {
      if (text_of(attached, "id") == server.id) return Refusal{"Server has network interfaces.", server.name};
    }
  }
  return {};
}

Family servers() {
  Family family{
      .type = "servers", .what = "Server", .get = 16, .post = 16, .patch = 16, .remove = 16, .has_context = false};
  family.post_fields = family.patch_fields = {{"dns", Kind::references, 16}};
  family.newer = {{"local_directory_service", 24}, {"realms", 19}};
  family.params = {{"create_ds", 16}, {"cascade_delete", 16}};
  family.defaults = [](World& world) {
    return Json{{"created", world.now()},
                {"dns", Json::array()},
                {"directory_services", Json::array()},
                {"local_directory_service", null_reference()},
                {"realms", Json::array()}};
  };
  family.on_create = [](Call& call, Document& next) -> Or<void> {
    if (next.fields["dns"].size() > 1) return Refusal{"At most one DNS configuration is allowed.", next.name};
    return check_new_server(call, next);
  };
  family.on_remove = check_server_removal;
  return family;
}

Family read_only(std::string_view type, std::string what, int since) {
  return Family{.type = std::string(type),
                .what = std::move(what),
                .get = since,
                .post = kNever,
                .patch = kNever,
                .remove = kNever};
}

}  // namespace

bool uses_policy(const World& world, std::string_view id) {
  const auto has = [&](const auto& entry) { return entry.second->export_policy == id; };
  if (std::ranges::any_of(world.file_systems.order(), has)) return true;
  const auto place = world.documents.find(kType);
  return place != world.documents.end() && std::ranges::any_of(place->second.order(), [&](const auto& entry) {
           return text_of(entry.second->fields, "policy.id") == id;
         });
}

void add_exports(Operations& operations) {
  operations.add(std::string(kType), "GET", {16, {{"workload_names", 23}, {"workload_ids", 23}}, {}, get_exports});
  operations.add(std::string(kType), "POST",
                 {16,
                  {{"member_names"}, {"member_ids"}, {"policy_names"}, {"policy_ids"}},
                  {{"export_name", Kind::text}, {"server", Kind::reference}, {"share_policy", Kind::reference}},
                  post_export});
  operations.add(std::string(kType), "PATCH",
                 {16,
                  {{"names"}, {"ids"}},
                  {{"export_name", Kind::text}, {"policy", Kind::reference}, {"share_policy", Kind::reference}},
                  patch_export});
  operations.add(std::string(kType), "DELETE", {16, {{"names"}, {"ids"}}, {}, delete_exports});
  add_family(operations, servers());
  add_family(operations, read_only(kClientPolicies, "SMB client policy", 10));
  add_family(operations, read_only(kSharePolicies, "SMB share policy", 10));
}

void furnish_exports(World& world) {
  const auto policy = [&](std::string_view type, const char* name, const char* kind) {
    insert_document(world, type, name,
                    Json{{"enabled", true},
                         {"is_local", true},
                         {"location", world.array_reference()},
                         {"policy_type", kind},
                         {"rules", Json::array()}});
  };
  policy(kClientPolicies, "_smb_client_allow_everyone", "smb-client");
  policy(kSharePolicies, "_smb_share_allow_everyone", "smb-share");
  world.on_change.push_back([&world](FileSystem& fs) { follow(world, fs); });
  world.on_eradicate.push_back([&world](FileSystem& fs) {
    auto& table = world.table(kType);
    for (const auto& id : fs.exports) {
      if (auto* exported = table.by_id(id); exported != nullptr) table.erase(*exported);
    }
    fs.exports.clear();
  });
}

}  // namespace homeport::fbsim
