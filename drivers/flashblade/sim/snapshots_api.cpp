// /file-system-snapshots.
#include <algorithm>
#include <array>
#include <ctime>

#include "drivers/flashblade/sim/file_system.h"
#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/snapshots.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kWhat = "Snapshot";

// `names_or_owner_names` holds names of snapshots and of file systems.
Or<Found<Snapshot>> find_snapshots(Call& call) {
  World& world = call.world;
  Found<Snapshot> out;
  if (call.has("ids")) return select(call, world.snapshots, kWhat, "-", "ids");
  if (call.has("owner_ids")) {
    out.selected = true;
    for (const auto& id : call.list("owner_ids")) {
      const auto* fs = world.file_systems.by_id(id);
      if (fs == nullptr) return world.missing("File system", id);
      out.objects.insert(out.objects.end(), fs->snapshots.begin(), fs->snapshots.end());
    }
    return out;
  }
  if (!call.has("names_or_owner_names")) return out;
  out.selected = true;
  for (const auto& name : call.list("names_or_owner_names")) {
    if (auto* snapshot = world.snapshots.by_name(name); snapshot != nullptr) {
      out.objects.push_back(snapshot);
    } else if (const auto* fs = world.file_systems.by_name(name); fs != nullptr) {
      out.objects.insert(out.objects.end(), fs->snapshots.begin(), fs->snapshots.end());
    } else if (world.settings.missing_status != 200) {
      return world.missing(kWhat, name);
    }
  }
  return out;
}

Answer get_snapshots(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto found, find_snapshots(call));
  HOMEPORT_TRY(const auto destroyed, call.optional_flag("destroyed"));
  View<Snapshot> view;
  view.wanted = [&](const Snapshot& snapshot) { return !destroyed || snapshot.destroyed == *destroyed; };
  view.probe = [&](const Snapshot& snapshot) { return probe_snapshot(world, snapshot, call.minor); };
  view.write = [&](const Snapshot& snapshot, std::string& out) { write_snapshot(world, snapshot, call.minor, out); };
  view.settled = true;
  if (call.method == "GET" && world.snapshots.size() > kMaxListedSnapshots && !found.selected) {
    return Refusal{"Too many snapshots to list."};
  }
  return list_objects(call, world.snapshots, found, view, world.settings.max_page);
}

bool is_suffix(std::string_view suffix) {
  return !suffix.empty() && suffix.size() <= 255 && std::ranges::all_of(suffix, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Answer post_snapshots(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto found, select(call, world.file_systems, "File system", "source_names", "source_ids"));
  if (found.objects.size() > 1) return Refusal{"Cannot process more than one source at a time"};
  std::string suffix = text_of(call.body, "suffix");
  const auto* given = find_path(call.body, "suffix");
  if (given != nullptr && !given->is_null() && !is_suffix(suffix)) return Refusal{"Invalid snapshot suffix.", suffix};
  if (suffix.empty()) suffix = generated_suffix(world);
  std::vector<FileSystem*> sources = found.objects;
  if (!found.selected) {  // an empty selector means every file system
    for (const auto& [key, fs] : world.file_systems.order()) {
      if (!fs->destroyed) sources.push_back(fs);
    }
  }
  for (const auto* fs : sources) HOMEPORT_CHECK(check_new_snapshot(world, *fs, suffix));
  HOMEPORT_TRY(const auto targets, replication_targets(call));
  Json items = Json::array();
  for (auto* fs : sources) {
    HOMEPORT_TRY(auto* snapshot, take_snapshot(world, *fs, suffix, {}));
    if (!targets.empty()) HOMEPORT_CHECK(send_snapshot(world, *snapshot, targets));
    items.push_back(render_snapshot(world, *snapshot, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

Or<void> rename(World& world, Snapshot& snapshot, const std::string& name) {
  if (name.empty() || name == snapshot.name) return {};
  const std::string prefix = snapshot.owner->name + '.';
  if (!name.starts_with(prefix) || !is_suffix(std::string_view(name).substr(prefix.size()))) {
    return Refusal{"Invalid snapshot name.", name};
  }
  if (world.snapshots.by_name(name) != nullptr) return world.exists(kWhat, name);
  const auto suffix = name.substr(prefix.size());
  if (world.data != nullptr) HOMEPORT_CHECK(world.data->rename_snapshot(*snapshot.owner, snapshot.suffix, suffix));
  world.snapshots.rename(snapshot, name);
  snapshot.suffix = suffix;
  return {};
}

Answer patch_snapshots(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto chosen, select_some(call, world.snapshots, kWhat));
  HOMEPORT_TRY(const bool latest_replica, call.flag("latest_replica"));
  const auto* destroyed = find_path(call.body, "destroyed");
  const bool given = destroyed != nullptr && destroyed->is_boolean();
  const auto name = text_of(call.body, "name");
  if (!name.empty() && chosen.size() > 1) return Refusal{"Cannot rename more than one snapshot at a time"};
  for (const auto* snapshot : chosen) {
    if (snapshot->destroyed && !name.empty())
      return Refusal{"A destroyed snapshot cannot be modified.", snapshot->name};
    if (snapshot->owner->destroyed && given && !destroyed->get<bool>()) {
      return Refusal{"The file system of the snapshot is destroyed.", snapshot->name};
    }
    if (given && destroyed->get<bool>() && is_latest_replica(world, *snapshot) && !latest_replica) {
      return Refusal{"Snapshot is the latest replicated snapshot. Specify latest-replica to destroy it.",
                     snapshot->name};
    }
  }
  Json items = Json::array();
  for (auto* snapshot : chosen) {
    HOMEPORT_CHECK(rename(world, *snapshot, name));
    if (given && destroyed->get<bool>() && !snapshot->destroyed) world.destroy(*snapshot);
    if (given && !destroyed->get<bool>() && snapshot->destroyed) world.recover(*snapshot);
    items.push_back(render_snapshot(world, *snapshot, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

Answer delete_snapshots(Call& call) {
  HOMEPORT_TRY(const auto chosen, select_some(call, call.world.snapshots, kWhat));
  for (const auto* snapshot : chosen) {
    if (!snapshot->destroyed) return Refusal{"Snapshot must be destroyed before it can be eradicated.", snapshot->name};
  }
  for (auto* snapshot : chosen) call.world.eradicate(*snapshot);
  return std::optional<Json>();
}

}  // namespace

std::string generated_suffix(const World& world) {
  const std::time_t seconds = world.now() / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y_%m_%d_%H_%M_%S", &parts);
  return std::string(text.data(), length);
}

Or<void> check_new_snapshot(const World& world, const FileSystem& fs, const std::string& suffix) {
  if (fs.destroyed) return world.missing("File system", fs.name);
  const std::string name = fs.name + '.' + suffix;
  if (world.snapshots.by_name(name) != nullptr) return world.exists(kWhat, name);
  if (fs.snapshots.size() >= world.settings.max_snapshots_per_file_system) {
    return Refusal{"File system has reached the maximum number of snapshots.", fs.name};
  }
  if (world.snapshots.size() >= world.settings.max_snapshots) {
    return Refusal{"The maximum number of snapshots on the array has been reached.", fs.name};
  }
  return {};
}

Or<Snapshot*> take_snapshot(World& world, FileSystem& fs, const std::string& suffix, const std::string& policy) {
  HOMEPORT_CHECK(check_new_snapshot(world, fs, suffix));
  world.measure(fs);
  Snapshot snapshot;
  snapshot.id = world.new_id();
  snapshot.name = fs.name + '.' + suffix;
  snapshot.created = world.now();
  snapshot.suffix = suffix;
  snapshot.owner = &fs;
  snapshot.source = {fs.id, fs.name, "file-systems", {}};
  snapshot.policy = policy;
  snapshot.captured = fs.used;
  snapshot.sequence = ++world.last_sequence;
  if (world.data != nullptr) HOMEPORT_CHECK(world.data->snapshot(snapshot));
  auto& placed = world.snapshots.insert(std::move(snapshot));
  fs.snapshots.push_back(&placed);
  return &placed;
}

void add_snapshots(Operations& operations) {
  operations.add("file-system-snapshots", "GET",
                 {0, {{"names_or_owner_names"}, {"owner_ids"}, {"destroyed"}}, {}, get_snapshots, false});
  operations.add(
      "file-system-snapshots", "POST",
      {0, {{"source_names"}, {"source_ids"}, {"send"}, {"targets"}}, {{"suffix", Kind::text}}, post_snapshots});
  operations.add("file-system-snapshots", "PATCH",
                 {0,
                  {{"names"}, {"ids"}, {"latest_replica"}},
                  {{"destroyed", Kind::boolean}, {"name", Kind::text}},
                  patch_snapshots});
  operations.add("file-system-snapshots", "DELETE", {0, {{"names"}, {"ids"}}, {}, delete_snapshots});
}

}  // namespace homeport::fbsim
