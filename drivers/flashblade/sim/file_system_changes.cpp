#include "drivers/flashblade/sim/file_system_changes.h"

#include <algorithm>
#include <array>

#include "drivers/flashblade/sim/export_rules.h"
#include "drivers/flashblade/sim/file_system.h"

namespace homeport::fbsim {
namespace {

const Fields kCommon = {
    {"provisioned", Kind::size},
    {"hard_limit_enabled", Kind::boolean},
    {"fast_remove_directory_enabled", Kind::boolean},
    {"snapshot_directory_enabled", Kind::boolean},
    {"default_user_quota", Kind::size},
    {"default_group_quota", Kind::size},
    {"nfs.v3_enabled", Kind::boolean},
    {"nfs.v4_1_enabled", Kind::boolean},
    {"nfs.rules", Kind::text},
    {"nfs.export_policy", Kind::reference, 3},
    {"smb.enabled", Kind::boolean},
    {"smb.client_policy", Kind::reference, 10},
    {"smb.share_policy", Kind::reference, 10},
    {"smb.continuous_availability_enabled", Kind::boolean, 12},
    {"http.enabled", Kind::boolean},
    {"multi_protocol.access_control_style", Kind::text},
    {"multi_protocol.safeguard_acls", Kind::boolean},
    {"writable", Kind::boolean},
    {"group_ownership", Kind::text, 13},
    {"qos_policy", Kind::reference, 17},
};

Fields with(Fields more) {
  Fields out = kCommon;
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void take(const Json& body, std::string_view path, bool& into) {
  if (const auto* given = find_path(body, path); given != nullptr && given->is_boolean()) into = given->get<bool>();
}

void take(const Json& body, std::string_view path, std::uint64_t& into) {
  const auto* given = find_path(body, path);
  if (given == nullptr || given->is_null()) return;
  into = given->is_string() ? 0 : given->get<std::uint64_t>();
}

Or<void> take_choice(const Json& body, std::string_view path, std::initializer_list<std::string_view> allowed,
                     std::string& into) {
  const auto* given = find_path(body, path);
  if (given == nullptr || given->is_null()) return {};
  const auto value = given->get<std::string>();
  if (std::ranges::find(allowed, value) == allowed.end()) {
    return Refusal{"Invalid value for body parameter: " + std::string(path.substr(path.rfind('.') + 1))};
  }
  into = value;
  return {};
}

Or<void> take_reference(const World& world, const Json& body, std::string_view path, std::string_view type,
                        std::string_view what, std::string& into) {
  const auto* given = find_path(body, path);
  if (given == nullptr || given->is_null()) return {};
  HOMEPORT_TRY(into, resolve(world, *given, type, what));
  return {};
}

Or<void> apply_exports(Call& call, FileSystem& fs) {
  const Json& body = call.body;
  const auto* rules = find_path(body, "nfs.rules");
  const auto* policy = find_path(body, "nfs.export_policy");
  const bool edits = find_path(body, "nfs.add_rules") != nullptr || find_path(body, "nfs.remove_rules") != nullptr;
  if (rules != nullptr && rules->is_null()) rules = nullptr;
  if (policy != nullptr && policy->is_null()) policy = nullptr;
  if (policy != nullptr && (rules != nullptr || edits)) {
    return Refusal{"Cannot specify both rules and export policy.", fs.name};
  }
  if (rules != nullptr) {
    const auto text = rules->get<std::string>();
    HOMEPORT_TRY(const auto parsed, parse_rules(text));
    fs.rules = join_rules(parsed);
    fs.export_policy.clear();
  }
  if (policy != nullptr) {
    HOMEPORT_TRY(fs.export_policy, resolve(call.world, *policy, "nfs-export-policies", "NFS export policy"));
    if (!fs.export_policy.empty()) fs.rules.clear();
  }
  if (edits) {
    if (!fs.export_policy.empty()) return Refusal{"Cannot edit rules while an export policy is set.", fs.name};
    HOMEPORT_TRY(fs.rules, edit_rules(fs.rules, text_of(body, "nfs.remove_rules"), text_of(body, "nfs.add_rules"),
                                      text_of(body, "nfs.after")));
  }
  return {};
}

Or<void> apply_access_style(Call& call, FileSystem& fs) {
  const std::string before = fs.access_style;
  HOMEPORT_CHECK(take_choice(call.body, "multi_protocol.access_control_style",
                             {"nfs", "smb", "shared", "independent", "mode-bits"}, fs.access_style));
  take(call.body, "multi_protocol.safeguard_acls", fs.safeguard_acls);
  if (fs.safeguard_acls && (fs.access_style == "independent" || fs.access_style == "mode-bits")) {
    return Refusal{"Safeguard ACLs must be disabled for access control style " + fs.access_style + ".", fs.name};
  }
  if (call.method != "PATCH") return {};
  HOMEPORT_TRY(const bool discard, call.flag("discard_detailed_permissions"));
  const bool loses = before != "mode-bits" && fs.access_style == "mode-bits";
  if (loses && !discard) {
    return Refusal{"Changing the access control style requires discard_detailed_permissions.", fs.name};
  }
  if (!loses && discard) return Refusal{"discard_detailed_permissions does not apply to this change.", fs.name};
  return {};
}

Or<void> apply_size(Call& call, FileSystem& fs) {
  const std::uint64_t before = fs.provisioned;
  const bool was_hard = fs.hard_limit;
  take(call.body, "provisioned", fs.provisioned);
  take(call.body, "hard_limit_enabled", fs.hard_limit);
  take(call.body, "default_user_quota", fs.user_quota);
  take(call.body, "default_group_quota", fs.group_quota);
  HOMEPORT_TRY(const bool ignore_usage, call.flag("ignore_usage"));
  const bool tightened = (fs.hard_limit && !was_hard) || fs.provisioned < before || before == 0;
  if (fs.hard_limit && fs.provisioned != 0 && fs.provisioned < fs.used && tightened && !ignore_usage) {
    return Refusal{"Provisioned size cannot be less than the current usage while the hard limit is enabled.", fs.name};
  }
  return {};
}

Or<void> apply_promotion(Call& call, FileSystem& fs) {
  std::string wanted = fs.demoted_wanted ? "demoted" : "promoted";
  HOMEPORT_CHECK(take_choice(call.body, "requested_promotion_state", {"promoted", "demoted"}, wanted));
  const bool demote = wanted == "demoted";
  if (demote == fs.demoted_wanted) return {};
  if (demote) {
    if (!has_replica_link(call.world, fs)) return Refusal{"File system is not in a replica link.", fs.name};
    HOMEPORT_TRY(const bool discard, call.flag("discard_non_snapshotted_data"));
    if (!discard) return Refusal{"Demoting requires discard_non_snapshotted_data.", fs.name};
    fs.v3 = fs.v41 = fs.smb = fs.http = false;
  }
  fs.demoted_wanted = demote;
  fs.promotion = wanted;
  fs.writable = !demote;
  return {};
}

}  // namespace

const Fields& file_system_post_fields() {
  static const Fields kFields =
      with({{"source", Kind::reference}, {"eradication_config.eradication_mode", Kind::text, 15}});
  return kFields;
}

const Fields& file_system_patch_fields() {
  static const Fields kFields = with({{"name", Kind::text},
                                      {"destroyed", Kind::boolean},
                                      {"requested_promotion_state", Kind::text},
                                      {"nfs.add_rules", Kind::text},
                                      {"nfs.remove_rules", Kind::text},
                                      {"nfs.after", Kind::text},
                                      {"storage_class.name", Kind::text, 16}});
  return kFields;
}

Or<std::string> resolve(const World& world, const Json& given, std::string_view type, std::string_view what) {
  const auto id = text_of(given, "id");
  const auto name = text_of(given, "name");
  if (id.empty() && name.empty()) return std::string();
  const auto place = world.documents.find(type);
  const Document* found = nullptr;
  if (place != world.documents.end()) found = id.empty() ? place->second.by_name(name) : place->second.by_id(id);
  if (found == nullptr) return world.missing(what, id.empty() ? name : id);
  return found->id;
}

bool has_replica_link(World& world, const FileSystem& fs) {
  return std::ranges::any_of(world.table("file-system-replica-links").order(), [&](const auto& entry) {
    return text_of(entry.second->fields, "local_file_system.id") == fs.id;
  });
}

Or<void> apply_body(Call& call, FileSystem& fs) {
  const Json& body = call.body;
  HOMEPORT_CHECK(apply_size(call, fs));
  take(body, "fast_remove_directory_enabled", fs.fast_remove);
  take(body, "snapshot_directory_enabled", fs.snapshot_directory);
  HOMEPORT_CHECK(apply_promotion(call, fs));
  take(body, "nfs.v3_enabled", fs.v3);
  take(body, "nfs.v4_1_enabled", fs.v41);
  take(body, "smb.enabled", fs.smb);
  take(body, "smb.continuous_availability_enabled", fs.smb_continuous);
  take(body, "http.enabled", fs.http);
  const bool was_writable = fs.writable;
  take(body, "writable", fs.writable);
  if (fs.demoted_wanted && fs.writable && !was_writable) {
    return Refusal{"A demoted file system cannot be made writable.", fs.name};
  }
  HOMEPORT_CHECK(apply_exports(call, fs));
  HOMEPORT_CHECK(apply_access_style(call, fs));
  HOMEPORT_CHECK(take_choice(body, "group_ownership", {"creator", "parent-directory"}, fs.group_ownership));
  HOMEPORT_CHECK(take_choice(body, "eradication_config.eradication_mode", {"permission-based", "retention-based"},
                             fs.eradication_mode));
  HOMEPORT_CHECK(take_choice(body, "storage_class.name", {"S500X-S", "S500X-A"}, fs.storage_class));
  HOMEPORT_CHECK(take_reference(call.world, body, "smb.client_policy", "smb-client-policies", "SMB client policy",
                                fs.smb_client_policy));
  HOMEPORT_CHECK(take_reference(call.world, body, "smb.share_policy", "smb-share-policies", "SMB share policy",
                                fs.smb_share_policy));
  return take_reference(call.world, body, "qos_policy", "qos-policies", "QoS policy", fs.qos_policy);
}

}  // namespace homeport::fbsim
