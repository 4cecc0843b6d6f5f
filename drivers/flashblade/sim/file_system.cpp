#include "drivers/flashblade/sim/file_system.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace homeport::fbsim {
namespace {

// What data reduction makes of a byte: the recorded array had 1.9.
constexpr std::uint64_t kReductionTenths = 19;

std::uint64_t physical(std::uint64_t logical) {
  return logical / kReductionTenths * 10;
}

Json source_of(const World& world, const Source& source) {
  Json out = source.id.empty() ? null_reference() : reference(source.name, source.id, source.type);
  out["location"] = null_reference();
  out["is_local"] = source.location.empty();
  out["display_name"] = source.id.empty() ? Json(nullptr) : Json(source.name);
  if (source.id.empty()) return out;
  if (source.location.empty()) {
    const auto current = world.reference_to(source.type, source.id);
    if (is_set(current)) out["name"] = out["display_name"] = current["name"];
    out["location"] = world.array_reference();
  } else {
    const auto location = world.reference_to("remote-arrays", source.location);
    out["location"] = location;
    out["display_name"] = text_of(location, "name") + ':' + source.name;
  }
  return out;
}

Json time_remaining(const World& world, Millis at) {
  return at == 0 ? Json(nullptr) : Json(std::max<Millis>(at - world.now(), 0));
}

void render_newer(const World& world, const FileSystem& fs, int minor, Json& out) {
  if (minor >= 13) out["group_ownership"] = fs.group_ownership;
  if (minor >= 15) {
    out["eradication_config"] = {{"eradication_mode", fs.eradication_mode}, {"manual_eradication", "enabled"}};
  }
  if (minor >= 16) {
    out["storage_class"] = {{"name", fs.storage_class.empty() ? "S500X-S" : fs.storage_class},
                            {"status", "idle"},
                            {"status_details", nullptr}};
    if (minor >= 18) out["storage_class"]["tiering_policy"] = null_reference();
  }
  if (minor >= 17) {
    out["qos_policy"] = world.reference_to("qos-policies", fs.qos_policy);
    out["context"] = world.array_reference();
  }
  if (minor >= 18) out["node_group"] = null_reference();
  if (minor >= 19) out["realms"] = Json::array();
  if (minor >= 23) {
    out["workload"] = null_reference();
    out["workload"]["configuration"] = nullptr;
  }
}

}  // namespace

Space space_of(const FileSystem& fs) {
  Space out;
  out.logical = fs.used;
  out.unique = physical(fs.used);
  out.provisioned = fs.provisioned;
  if (fs.recorded.logical != 0 && fs.recorded.logical == fs.used && fs.snapshots.empty()) {
    out.unique = fs.recorded.unique;
    out.snapshots = fs.recorded.snapshots;
    return out;
  }
  std::uint64_t captured = 0;
  for (const auto* snapshot : fs.snapshots) captured = std::max(captured, snapshot->captured);
  if (captured > fs.used) out.snapshots = physical(captured - fs.used);
  return out;
}

Json render_space(const Space& space, int minor) {
  const std::uint64_t total = space.unique + space.snapshots;
  // Recorded: one decimal, and nothing where there is no data.
  const double exact = space.unique == 0 ? 0.0 : static_cast<double>(space.logical) / static_cast<double>(space.unique);
  const Json reduction = space.unique == 0 ? Json(nullptr) : Json(std::round(exact * 10) / 10);
  Json out = {{"virtual", space.logical},
              {"unique", space.unique},
              {"snapshots", space.snapshots},
              {"data_reduction", reduction},
              {"total_physical", total}};
  if (minor >= 11) {
    const auto left = space.provisioned > space.logical ? space.provisioned - space.logical : 0;
    const bool limited = space.provisioned != 0;
    out["total_provisioned"] = limited ? Json(space.provisioned) : Json(nullptr);
    out["available_provisioned"] = limited ? Json(left) : Json(nullptr);
    out["available_ratio"] =
        limited ? Json(static_cast<double>(left) / static_cast<double>(space.provisioned)) : Json(nullptr);
    out["destroyed"] = space.destroyed;
    out["destroyed_virtual"] = space.destroyed_logical;
  }
  if (minor >= 15) out["shared"] = 0;
  if (minor >= 16) out["total_used"] = total;
  return out;
}

Json render_file_system(const World& world, const FileSystem& fs, int minor) {
  Json out;
  out["name"] = fs.name;
  out["created"] = fs.created;
  out["fast_remove_directory_enabled"] = fs.fast_remove;
  out["snapshot_directory_enabled"] = fs.snapshot_directory;
  out["destroyed"] = fs.destroyed;
  out["promotion_status"] = fs.promotion;
  out["requested_promotion_state"] = fs.demoted_wanted ? "demoted" : "promoted";
  out["writable"] = fs.writable;
  out["time_remaining"] = time_remaining(world, fs.destroyed ? fs.eradicate_at : 0);
  Json nfs;
  nfs["rules"] = fs.rules;
  if (minor >= 3) nfs["export_policy"] = world.reference_to("nfs-export-policies", fs.export_policy);
  nfs["v3_enabled"] = fs.v3;
  nfs["v4_1_enabled"] = fs.v41;
  out["nfs"] = std::move(nfs);
  out["smb"] = {{"enabled", fs.smb}};
  if (minor >= 10) {
    out["smb"]["client_policy"] = world.reference_to("smb-client-policies", fs.smb_client_policy);
    out["smb"]["share_policy"] = world.reference_to("smb-share-policies", fs.smb_share_policy);
  }
  if (minor >= 12) out["smb"]["continuous_availability_enabled"] = fs.smb_continuous;
  out["http"] = {{"enabled", fs.http}};
  out["multi_protocol"] = {{"safeguard_acls", fs.safeguard_acls}, {"access_control_style", fs.access_style}};
  out["hard_limit_enabled"] = fs.hard_limit;
  out["default_user_quota"] = fs.user_quota;
  out["default_group_quota"] = fs.group_quota;
  out["space"] = render_space(space_of(fs), minor);
  out["source"] = source_of(world, fs.source);
  out["id"] = fs.id;
  out["provisioned"] = fs.provisioned == 0 ? Json(nullptr) : Json(fs.provisioned);
  render_newer(world, fs, minor, out);
  return out;
}

Json render_snapshot(const World& world, const Snapshot& snapshot, int minor) {
  Json out;
  out["name"] = snapshot.name;
  out["id"] = snapshot.id;
  out["created"] = snapshot.created;
  out["suffix"] = snapshot.suffix;
  out["destroyed"] = snapshot.destroyed;
  out["time_remaining"] = time_remaining(world, snapshot.destroyed ? snapshot.eradicate_at : 0);
  out["owner"] = reference(snapshot.owner->name, snapshot.owner->id, "file-systems");
  out["owner_destroyed"] = snapshot.owner->destroyed;
  out["source"] = source_of(world, snapshot.source);
  Json policy = world.reference_to("policies", snapshot.policy);
  policy["location"] = is_set(policy) ? world.array_reference() : null_reference();
  policy["is_local"] = true;
  policy["display_name"] = policy["name"];
  if (minor >= 12) out["policies"] = is_set(policy) ? Json::array({policy}) : Json::array();
  out["policy"] = std::move(policy);
  if (minor >= 17) out["context"] = world.array_reference();
  return out;
}

Probe probe_file_system(const World& world, const FileSystem& fs, int minor) {
  auto whole = std::make_shared<Json>();
  return [&world, &fs, minor, whole](const std::string& path) -> Json {
    if (path == "name") return fs.name;
    if (path == "id") return fs.id;
    if (path == "destroyed") return fs.destroyed;
    if (path == "created") return fs.created;
    if (whole->is_null()) *whole = render_file_system(world, fs, minor);
    return probe_json(*whole, path);
  };
}

Probe probe_snapshot(const World& world, const Snapshot& snapshot, int minor) {
  auto whole = std::make_shared<Json>();
  return [&world, &snapshot, minor, whole](const std::string& path) -> Json {
    if (path == "name") return snapshot.name;
    if (path == "id") return snapshot.id;
    if (path == "destroyed") return snapshot.destroyed;
    if (path == "created") return snapshot.created;
    if (path == "owner.name") return snapshot.owner->name;
    if (whole->is_null()) *whole = render_snapshot(world, snapshot, minor);
    return probe_json(*whole, path);
  };
}

}  // namespace homeport::fbsim
