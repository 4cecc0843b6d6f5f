#include "drivers/flashblade/sim/file_system.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "drivers/flashblade/sim/json_writer.h"

namespace homeport::fbsim {
namespace {

// What data reduction makes of a byte: the recorded array had 1.9.
constexpr std::uint64_t kReductionTenths = 19;

std::uint64_t physical(std::uint64_t logical) {
  return logical / kReductionTenths * 10;
}

// {"name","id","resource_type"} of what is there now.
void write_reference(JsonWriter& out, const World& world, std::string_view key, std::string_view type,
                     std::string_view id) {
  const auto* found = world.resource(type, id);
  out.key(key);
  if (found == nullptr) {
    out.reference("", "", "");
  } else {
    out.reference(found->name, found->id, type);
  }
}

void write_array(JsonWriter& out, const World& world, std::string_view key) {
  out.key(key);
  out.reference(world.array.name, world.array.id, "arrays");
}

void write_nothing(JsonWriter& out, std::string_view key) {
  out.key(key);
  out.reference("", "", "");
}

void write_text_or_null(JsonWriter& out, std::string_view key, const std::string& text, bool is_null) {
  out.key(key);
  if (is_null) {
    out.value(nullptr);
  } else {
    out.value(text);
  }
}

void write_source(JsonWriter& out, const World& world, const Source& source) {
  const bool none = source.id.empty();
  const bool local = source.location.empty();
  const auto* current = !none && local ? world.resource(source.type, source.id) : nullptr;
  const auto& name = current == nullptr ? source.name : current->name;
  const auto* location = local ? nullptr : world.resource("remote-arrays", source.location);
  out.key("source");
  out.open('{');
  write_text_or_null(out, "name", name, none);
  write_text_or_null(out, "id", source.id, none);
  write_text_or_null(out, "resource_type", source.type, none);
  if (none) {
    write_nothing(out, "location");
  } else if (local) {
    write_array(out, world, "location");
  } else {
    write_reference(out, world, "location", "remote-arrays", source.location);
  }
  out.member("is_local", local);
  write_text_or_null(out, "display_name",
                     local ? name : (location == nullptr ? "" : location->name) + ':' + source.name, none);
  out.close('}');
}

void write_time_remaining(JsonWriter& out, const World& world, Millis at) {
  out.key("time_remaining");
  if (at == 0) {
    out.value(nullptr);
  } else {
    out.value(std::max<Millis>(at - world.now(), 0));
  }
}

void write_newer(JsonWriter& out, const World& world, const FileSystem& fs, int minor) {
  if (minor >= 13) out.member("group_ownership", fs.group_ownership);
  if (minor >= 15) {
    out.key("eradication_config");
    out.open('{');
    out.member("eradication_mode", fs.eradication_mode);
    out.member("manual_eradication", "enabled");
    out.close('}');
  }
  if (minor >= 16) {
    out.key("storage_class");
    out.open('{');
    out.member("name", fs.storage_class.empty() ? std::string_view("S500X-S") : fs.storage_class);
    out.member("status", "idle");
    out.member("status_details", nullptr);
    if (minor >= 18) write_nothing(out, "tiering_policy");
    out.close('}');
  }
  if (minor >= 17) {
    write_reference(out, world, "qos_policy", "qos-policies", fs.qos_policy);
    write_array(out, world, "context");
  }
  if (minor >= 18) write_nothing(out, "node_group");
  if (minor >= 19) {
    out.key("realms");
    out.open('[');
    out.close(']');
  }
  if (minor >= 23) {
    out.key("workload");
    out.open('{');
    for (const char* name : {"name", "id", "resource_type", "configuration"}) out.member(name, nullptr);
    out.close('}');
  }
}

void write_protocols(JsonWriter& out, const World& world, const FileSystem& fs, int minor) {
  out.key("nfs");
  out.open('{');
  out.member("rules", fs.rules);
  if (minor >= 3) write_reference(out, world, "export_policy", "nfs-export-policies", fs.export_policy);
  out.member("v3_enabled", fs.v3);
  out.member("v4_1_enabled", fs.v41);
  out.close('}');
  out.key("smb");
  out.open('{');
  out.member("enabled", fs.smb);
  if (minor >= 10) {
    write_reference(out, world, "client_policy", "smb-client-policies", fs.smb_client_policy);
    write_reference(out, world, "share_policy", "smb-share-policies", fs.smb_share_policy);
  }
  if (minor >= 12) out.member("continuous_availability_enabled", fs.smb_continuous);
  out.close('}');
  out.key("http");
  out.open('{');
  out.member("enabled", fs.http);
  out.close('}');
  out.key("multi_protocol");
  out.open('{');
  out.member("safeguard_acls", fs.safeguard_acls);
  out.member("access_control_style", fs.access_style);
  out.close('}');
}

void write_number_or_null(JsonWriter& out, std::string_view key, std::uint64_t number, bool is_null) {
  out.key(key);
  if (is_null) {
    out.value(nullptr);
  } else {
    out.value(number);
  }
}

// Shares of one are common, and a document only for their digits is slow.
void write_ratio(JsonWriter& out, std::string_view key, double ratio, bool is_null) {
  out.key(key);
  if (is_null) {
    out.value(nullptr);
  } else {
    out.value(Json(ratio));
  }
}

void write_space(JsonWriter& out, const Space& space, int minor) {
  const std::uint64_t total = space.unique + space.snapshots;
  // Recorded: one decimal, and nothing where there is no data.
  const double exact = space.unique == 0 ? 0.0 : static_cast<double>(space.logical) / static_cast<double>(space.unique);
  out.open('{');
  out.member("virtual", space.logical);
  out.member("unique", space.unique);
  out.member("snapshots", space.snapshots);
  write_ratio(out, "data_reduction", std::round(exact * 10) / 10, space.unique == 0);
  out.member("total_physical", total);
  if (minor >= 11) {
    const auto left = space.provisioned > space.logical ? space.provisioned - space.logical : 0;
    const bool unlimited = space.provisioned == 0;
    const double of = unlimited ? 1.0 : static_cast<double>(space.provisioned);
    write_number_or_null(out, "total_provisioned", space.provisioned, unlimited);
    write_number_or_null(out, "available_provisioned", left, unlimited);
    write_ratio(out, "available_ratio", static_cast<double>(left) / of, unlimited);
    out.member("destroyed", space.destroyed);
    out.member("destroyed_virtual", space.destroyed_logical);
  }
  if (minor >= 15) out.member("shared", 0);
  if (minor >= 16) out.member("total_used", total);
  out.close('}');
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
  std::string text;
  JsonWriter out(text);
  write_space(out, space, minor);
  return Json::parse(text);
}

void write_file_system(const World& world, const FileSystem& fs, int minor, std::string& text) {
  JsonWriter out(text);
  out.open('{');
  out.member("name", fs.name);
  out.member("created", fs.created);
  out.member("fast_remove_directory_enabled", fs.fast_remove);
  out.member("snapshot_directory_enabled", fs.snapshot_directory);
  out.member("destroyed", fs.destroyed);
  out.member("promotion_status", fs.promotion);
  out.member("requested_promotion_state", fs.demoted_wanted ? "demoted" : "promoted");
  out.member("writable", fs.writable);
  write_time_remaining(out, world, fs.destroyed ? fs.eradicate_at : 0);
  write_protocols(out, world, fs, minor);
  out.member("hard_limit_enabled", fs.hard_limit);
  out.member("default_user_quota", fs.user_quota);
  out.member("default_group_quota", fs.group_quota);
  out.key("space");
  write_space(out, space_of(fs), minor);
  write_source(out, world, fs.source);
  out.member("id", fs.id);
  write_number_or_null(out, "provisioned", fs.provisioned, fs.provisioned == 0);
  write_newer(out, world, fs, minor);
  out.close('}');
}

Json render_file_system(const World& world, const FileSystem& fs, int minor) {
  std::string text;
  write_file_system(world, fs, minor, text);
  return Json::parse(text);
}

void write_snapshot(const World& world, const Snapshot& snapshot, int minor, std::string& text) {
  JsonWriter out(text);
  out.open('{');
  out.member("name", snapshot.name);
  out.member("id", snapshot.id);
  out.member("created", snapshot.created);
  out.member("suffix", snapshot.suffix);
  out.member("destroyed", snapshot.destroyed);
  write_time_remaining(out, world, snapshot.destroyed ? snapshot.eradicate_at : 0);
  write_reference(out, world, "owner", "file-systems", snapshot.owner->id);
  out.member("owner_destroyed", snapshot.owner->destroyed);
  write_source(out, world, snapshot.source);
  const auto* policy = world.resource("policies", snapshot.policy);
  const auto write_policy = [&] {
    const std::string name = policy == nullptr ? "" : policy->name;
    out.open('{');
    write_text_or_null(out, "name", name, policy == nullptr);
    write_text_or_null(out, "id", snapshot.policy, policy == nullptr);
    write_text_or_null(out, "resource_type", "policies", policy == nullptr);
    if (policy == nullptr) {
      write_nothing(out, "location");
    } else {
      write_array(out, world, "location");
    }
    out.member("is_local", true);
    write_text_or_null(out, "display_name", name, policy == nullptr);
    out.close('}');
  };
  if (minor >= 12) {
    out.key("policies");
    out.open('[');
    if (policy != nullptr) write_policy();
    out.close(']');
  }
  out.key("policy");
  write_policy();
  if (minor >= 17) write_array(out, world, "context");
  out.close('}');
}

Json render_snapshot(const World& world, const Snapshot& snapshot, int minor) {
  std::string text;
  write_snapshot(world, snapshot, minor, text);
  return Json::parse(text);
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
