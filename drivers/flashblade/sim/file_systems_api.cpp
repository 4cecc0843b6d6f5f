// /file-systems: list, create, change, destroy, recover, eradicate, restore, copy.
#include <algorithm>

#include "drivers/flashblade/sim/export_rules.h"
#include "drivers/flashblade/sim/file_system.h"
#include "drivers/flashblade/sim/file_system_changes.h"
#include "drivers/flashblade/sim/operations.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kWhat = "File system";
constexpr std::size_t kMaxName = 255;

// What characters a name may have is not published; recorded ones match [A-Za-z0-9_-]+. A dot would make the names of
// snapshots ambiguous, and a slash or blank those of exports.
Or<void> check_name(std::string_view name) {
  const auto bad = std::ranges::find_if(name, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte >= 0x7F || std::string_view("/,'\"\\*").find(c) != std::string_view::npos;
  });
  if (name.empty() || name.size() > kMaxName || bad != name.end() || name.front() == '.') {
    return Refusal{"Invalid file system name.", std::string(name)};
  }
  return {};
}

Json null_total() {
  Json total;
  for (const char* field :
       {"name", "created", "fast_remove_directory_enabled", "snapshot_directory_enabled", "destroyed",
        "promotion_status", "requested_promotion_state", "writable", "time_remaining"}) {
    total[field] = nullptr;
  }
  total["nfs"] = {{"rules", nullptr}, {"export_policy", nullptr}, {"v3_enabled", nullptr}, {"v4_1_enabled", nullptr}};
  total["smb"] = {{"enabled", nullptr}};
  total["http"] = {{"enabled", nullptr}};
  total["multi_protocol"] = {{"safeguard_acls", nullptr}, {"access_control_style", nullptr}};
  for (const char* field : {"hard_limit_enabled", "default_user_quota", "default_group_quota"}) total[field] = nullptr;
  total["space"] = nullptr;
  total["source"] = {{"name", nullptr},     {"id", nullptr},       {"resource_type", nullptr},
                     {"location", nullptr}, {"is_local", nullptr}, {"display_name", nullptr}};
  total["id"] = nullptr;
  return total;
}

Json render_total(const Space& sum, int minor) {
  Json total = null_total();
  if (minor < 3) total["nfs"].erase("export_policy");
  total["space"] = render_space(sum, minor);
  total["provisioned"] = sum.provisioned;
  return total;
}

Answer get_file_systems(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(auto found, select(call, world.file_systems, kWhat));
  HOMEPORT_TRY(const auto destroyed, call.optional_flag("destroyed"));
  if (destroyed) {
    for (const auto* fs : found.objects) {
      if (fs->destroyed != *destroyed && world.settings.missing_status != 200) return world.missing(kWhat, fs->name);
    }
  }
  for (auto* fs : found.objects) world.measure(*fs);
  Space sum;
  View<FileSystem> view;
  view.wanted = [&](const FileSystem& fs) { return !destroyed || fs.destroyed == *destroyed; };
  view.probe = [&](const FileSystem& fs) { return probe_file_system(world, fs, call.minor); };
  view.write = [&](const FileSystem& fs, std::string& out) { write_file_system(world, fs, call.minor, out); };
  view.settled = true;
  view.count = [&](const FileSystem& fs) {
    const auto space = space_of(fs);
    sum.logical += space.logical;
    sum.unique += space.unique;
    sum.snapshots += space.snapshots;
    sum.provisioned += space.provisioned;
  };
  view.total = [&] { return render_total(sum, call.minor); };
  return list_objects(call, world.file_systems, found, view, world.settings.max_page);
}

Or<Snapshot*> find_source(Call& call) {
  const auto* given = find_path(call.body, "source");
  if (given == nullptr) return Refusal{"Source is required."};
  const auto name = text_of(*given, "name");
  const auto id = text_of(*given, "id");
  auto* snapshot = id.empty() ? call.world.snapshots.by_name(name) : call.world.snapshots.by_id(id);
  if (snapshot == nullptr || snapshot->destroyed) return call.world.missing("Snapshot", id.empty() ? name : id);
  return snapshot;
}

Answer restore(Call& call, FileSystem& fs) {
  HOMEPORT_TRY(auto* snapshot, find_source(call));
  HOMEPORT_TRY(const bool discard, call.flag("discard_non_snapshotted_data"));
  if (!discard) return Refusal{"Overwriting requires discard_non_snapshotted_data.", fs.name};
  if (snapshot->owner != &fs) return Refusal{"Source is not a snapshot of this file system.", snapshot->name};
  if (fs.destroyed) return call.world.missing(kWhat, fs.name);
  // The newest counts, destroyed or not: it has to be eradicated before an older one can be used.
  if (fs.snapshots.back() != snapshot) {
    return Refusal{"File system can only be restored from its most recent snapshot.", snapshot->name};
  }
  if (call.world.data != nullptr) HOMEPORT_CHECK(call.world.data->restore(*snapshot));
  fs.used = snapshot->captured;
  return std::optional(items_of(Json::array({render_file_system(call.world, fs, call.minor)})));
}

Or<void> apply_defaults(Call& call, FileSystem& fs) {
  const bool lists = call.has("default_exports");
  bool nfs = !lists;
  for (const auto& protocol : call.list("default_exports")) {
    if (protocol == "\"\"" || protocol == "''") continue;  // how an empty list is spelled is not published
    if (protocol != "nfs" && protocol != "smb") return Refusal{"Invalid value for query parameter: default_exports"};
    nfs = nfs || protocol == "nfs";
  }
  fs.rules = nfs ? kDefaultRules : "";
  fs.v3 = fs.v41 = call.world.settings.nfs_default_on;
  return {};
}

Or<std::vector<std::string>> policies_of(Call& call) {
  std::vector<std::string> out;
  const bool by_name = call.has("policy_names");
  const auto& table = call.world.table("policies");
  for (const auto& key : call.list(by_name ? "policy_names" : "policy_ids")) {
    const auto* policy = by_name ? table.by_name(key) : table.by_id(key);
    if (policy == nullptr) return call.world.missing("Policy", key);
    out.push_back(policy->id);
  }
  return out;
}

Or<FileSystem> build(Call& call, const std::string& name) {
  World& world = call.world;
  FileSystem fs;
  fs.name = name;
  fs.id = world.new_id();
  fs.created = world.now() / 1000 * 1000;
  HOMEPORT_CHECK(apply_defaults(call, fs));
  HOMEPORT_CHECK(apply_body(call, fs));
  HOMEPORT_TRY(fs.policies, policies_of(call));
  if (find_path(call.body, "source") == nullptr) return fs;
  HOMEPORT_TRY(const bool copies, call.flag("include_snapshot"));
  if (!copies) return Refusal{"Creating a file system from a snapshot requires include_snapshot or overwrite.", name};
  HOMEPORT_TRY(const auto* snapshot, find_source(call));
  fs.used = snapshot->captured;
  fs.source = {snapshot->id, snapshot->name, "file-system-snapshots", {}};
  fs.promotion = "promoting";
  fs.promoted_at = world.now() + world.settings.copy_ms;
  return fs;
}

Answer post_file_systems(Call& call) {
  World& world = call.world;
  const auto names = call.list("names");
  if (names.empty()) return Refusal{"Names query parameter is missing"};
  HOMEPORT_TRY(const bool overwrite, call.flag("overwrite"));
  if (overwrite) {
    if (names.size() != 1) return Refusal{"Cannot process more than one file system at a time"};
    auto* fs = world.file_systems.by_name(names.front());
    if (fs == nullptr) return world.missing(kWhat, names.front());
    return restore(call, *fs);
  }
  std::vector<FileSystem> built;
  for (const auto& name : names) {
    HOMEPORT_CHECK(check_name(name));
    // Also while a destroyed one has the name.
    if (world.file_systems.by_name(name) != nullptr) return world.exists(kWhat, name);
    if (std::ranges::any_of(built, [&](const FileSystem& fs) { return fs.name == name; }))
      return world.exists(kWhat, name);
    HOMEPORT_TRY(auto fs, build(call, name));
    built.push_back(std::move(fs));
  }
  Json items = Json::array();
  for (auto& fs : built) {
    if (world.data != nullptr) {
      HOMEPORT_CHECK(world.data->make(fs));
      const auto* from = world.snapshots.by_id(fs.source.id);
      auto copied = from == nullptr ? Or<void>() : world.data->copy(*from, fs);
      if (!copied) {
        world.data_step(world.data->remove(fs), "remove", fs.name);
        return std::move(copied).error();
      }
    }
    auto& placed = world.file_systems.insert(std::move(fs));
    world.schedule(placed);
    for (const auto& tell : world.on_change) tell(placed);
    items.push_back(render_file_system(world, placed, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

struct Change {
  FileSystem* fs;
  FileSystem next;
  bool destroys = false;
  bool recovers = false;
};

Or<void> check_destroyed_change(Call& call, Change& change) {
  const auto* destroyed = find_path(call.body, "destroyed");
  const bool given = destroyed != nullptr && destroyed->is_boolean();
  change.recovers = given && !destroyed->get<bool>() && change.fs->destroyed;
  change.destroys = given && destroyed->get<bool>() && !change.fs->destroyed;
  if (change.fs->destroyed && call.body.size() > (given ? 1U : 0U)) {
    return Refusal{"A destroyed file system cannot be modified.", change.fs->name};
  }
  if (!change.destroys) return {};
  HOMEPORT_TRY(change.next.delete_link, call.flag("delete_link_on_eradication"));
  if (has_replica_link(call.world, *change.fs) && !change.next.delete_link) {
    return Refusal{"File system has a replica link. Specify delete-link-on-eradication to destroy it.",
                   change.fs->name};
  }
  return {};
}

Or<void> check_rename(Call& call, const std::vector<FileSystem*>& chosen) {
  const auto name = text_of(call.body, "name");
  if (name.empty() || name == chosen.front()->name) return {};
  if (chosen.size() > 1) return Refusal{"Cannot rename more than one file system at a time"};
  HOMEPORT_CHECK(check_name(name));
  if (call.world.file_systems.by_name(name) != nullptr) return call.world.exists(kWhat, name);
  return {};
}

Or<void> rename(World& world, FileSystem& fs, const std::string& name) {
  if (name.empty() || name == fs.name) return {};
  if (world.data != nullptr) HOMEPORT_CHECK(world.data->rename(fs.name, name));
  world.file_systems.rename(fs, name);
  for (auto* snapshot : fs.snapshots) world.snapshots.rename(*snapshot, name + '.' + snapshot->suffix);
  return {};
}

Answer patch_file_systems(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto chosen, select_some(call, world.file_systems, kWhat));
  HOMEPORT_CHECK(check_rename(call, chosen));
  // All of them or none.
  std::vector<Change> changes;
  for (auto* fs : chosen) {
    Change change{fs, *fs};
    HOMEPORT_CHECK(check_destroyed_change(call, change));
    HOMEPORT_CHECK(apply_body(call, change.next));
    changes.push_back(std::move(change));
  }
  Json items = Json::array();
  for (auto& change : changes) {
    *change.fs = std::move(change.next);
    if (change.destroys) world.destroy(*change.fs);
    if (change.recovers) world.recover(*change.fs);
    HOMEPORT_CHECK(rename(world, *change.fs, text_of(call.body, "name")));
    for (const auto& tell : world.on_change) tell(*change.fs);
    items.push_back(render_file_system(world, *change.fs, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

Answer delete_file_systems(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto chosen, select_some(call, world.file_systems, kWhat));
  const auto& safe_mode = world.settings.manual_eradication;
  for (const auto* fs : chosen) {
    if (!fs->destroyed) return Refusal{"File system must be destroyed before it can be eradicated.", fs->name};
    if (safe_mode == "all-disabled" || safe_mode == "file-disabled") {
      return Refusal{"Manual eradication is disabled.", fs->name};
    }
  }
  for (auto* fs : chosen) world.eradicate(*fs);
  return std::optional<Json>();
}

}  // namespace

void add_file_systems(Operations& operations) {
  operations.add("file-systems", "GET",
                 {0, {{"destroyed"}, {"workload_names", 23}, {"workload_ids", 23}}, {}, get_file_systems});
  operations.add("file-systems", "POST",
                 {0,
                  {{"names"},
                   {"overwrite"},
                   {"discard_non_snapshotted_data"},
                   {"policy_names", 15},
                   {"policy_ids", 15},
                   {"default_exports", 16},
                   {"include_snapshot", 25}},
                  file_system_post_fields(),
                  post_file_systems});
  operations.add("file-systems", "PATCH",
                 {0,
                  {{"names"},
                   {"ids"},
                   {"delete_link_on_eradication"},
                   {"discard_detailed_permissions"},
                   {"discard_non_snapshotted_data"},
                   {"ignore_usage"},
                   {"cancel_in_progress_storage_class_transition", 16}},
                  file_system_patch_fields(),
                  patch_file_systems});
  operations.add("file-systems", "DELETE", {0, {{"names"}, {"ids"}}, {}, delete_file_systems});
}

}  // namespace homeport::fbsim
