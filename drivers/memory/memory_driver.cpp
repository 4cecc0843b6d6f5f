#include "drivers/memory/memory_driver.h"

#include <algorithm>

#include "drivers/memory/memory_tree.h"
#include "drivers/memory/world.h"

namespace homeport::drivers {

using memory::Calls;
using memory::Step;
using memory::World;

namespace {

std::shared_ptr<const DriverInfo> describe(const World& world) {
  auto out = std::make_shared<DriverInfo>();
  out->kind = "memory";
  out->address = "this process";
  out->generation = 1;
  out->known = true;
  out->max_parallel_calls = 64;
  for (const auto& [name, pool] : world.pools) {
    const Layout layout = pool.config.layout;
    out->layouts[layout] = world.capabilities(layout);
  }
  if (!world.exports.empty()) out->layouts.try_emplace(Layout::directory, world.capabilities(Layout::directory));
  out->facts["version"] = HOMEPORT_VERSION;
  return out;
}

}  // namespace

// fn(World&, const Step&) under the lock; what it recorded goes to op.calls once the lock is free.
template <class Fn>
auto MemoryDriver::in_world(const OpContext& op, std::string_view what, Fn fn) {
  using Out = std::invoke_result_t<Fn&, World&, const Step&>;
  if (auto wanted = still_wanted(op, clock_, what); !wanted) return Out(std::move(wanted).error());
  Calls calls;
  Out out = world_->with(
      [&](std::unique_ptr<World>& world) { return fn(*world, Step{.op = op, .now = clock_.now(), .calls = calls}); });
  if (op.calls != nullptr) {
    for (auto& line : calls) op.calls->add(std::move(line));
  }
  return out;
}

MemoryDriver::MemoryDriver(MemoryConfig config, const Clock& clock)
    : clock_(clock),
      world_(
          std::make_shared<Guarded<std::unique_ptr<World>>>(std::make_unique<World>(std::move(config), clock.now()))) {
  info_ = world_->with([](const std::unique_ptr<World>& world) { return describe(*world); });
}
MemoryDriver::~MemoryDriver() = default;

std::shared_ptr<const DriverInfo> MemoryDriver::info() const {
  return info_;
}

Result<ProbeReport> MemoryDriver::probe(const OpContext& op) {
  return in_world(op, "the probe", [&](World& world, const Step& step) -> Result<ProbeReport> {
    ProbeReport report{.management_ok = true, .data_ok = true};
    report.checks.push_back({.name = "management", .detail = "this process"});
    for (const auto& [name, pool] : world.pools) {
      const std::uint64_t free = pool.room->capacity - pool.room->used;
      if (op.dry_run) {
        report.checks.push_back({.name = "data path: write in pool " + name,
                                 .status = CheckStatus::skipped,
                                 .detail = "not tried: the backend is only observed"});
        continue;
      }
      // A volume of its own, written and dropped: the same code that serves objects, and nothing stays.
      memory::Volume trial(world.ids, pool.room, Owner{Uid{0}, Gid{0}}, 0700, step.now);
      ProbeCheck check{.name = "data path: write in pool " + name, .detail = Bytes(free).to_string() + " free"};
      const auto file = trial.add(world.ids, trial.root(), "probe", memory::Inode{.mode = 0600}, step.now);
      const std::byte one{1};
      const auto written = file ? trial.write(*file, 0, std::span(&one, 1), step.now) : Result<void>(file.error());
      if (!written) {
        check.status = CheckStatus::failed;
        check.detail = written.error().message;
        check.hint = written.error().hint;
        report.data_ok = false;
      }
      trial.remove_some(2, step.now);
      report.checks.push_back(std::move(check));
    }
    return report;
  });
}

Result<std::vector<Pool>> MemoryDriver::pools(const OpContext& op) {
  return in_world(op, "listing pools", [](World& world, const Step&) -> Result<std::vector<Pool>> {
    std::vector<Pool> out;
    for (const auto& [name, stored] : world.pools) {
      Pool pool{.name = name, .layout = stored.config.layout, .capacity = Bytes(stored.room->capacity)};
      pool.free = Bytes(stored.room->capacity - stored.room->used);
      if (stored.config.max_objects) {
        const auto have = static_cast<std::uint64_t>(stored.objects.size());
        pool.objects_left = *stored.config.max_objects - std::min(have, *stored.config.max_objects);
      }
      out.push_back(std::move(pool));
    }
    return out;
  });
}

Result<std::optional<Cursor>> MemoryDriver::scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                                 std::vector<Object>& page) {
  return in_world(op, "listing objects", [&](World& w, const Step&) { return w.scan(query, from, page); });
}
Result<std::optional<Object>> MemoryDriver::find(const OpContext& op, const Lookup& lookup) {
  return in_world(op, "looking an object up", [&](World& w, const Step&) { return w.find(lookup); });
}
Result<Object> MemoryDriver::create(const OpContext& op, const CreateSpec& spec) {
  return in_world(op, "creating " + spec.name, [&](World& w, const Step& s) { return w.create(s, spec); });
}
Result<Object> MemoryDriver::update(const OpContext& op, const ObjectRef& ref, const Change& change) {
  return in_world(op, "changing " + ref.name, [&](World& w, const Step& s) { return w.update(s, ref, change); });
}
Result<void> MemoryDriver::set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) {
  return in_world(op, "setting access", [&](World& w, const Step& s) { return w.set_access(s, ref, policy); });
}
Result<Object> MemoryDriver::retire(const OpContext& op, const ObjectRef& ref) {
  return in_world(op, "retiring " + ref.name, [&](World& w, const Step& s) { return w.retire(s, ref); });
}
Result<Object> MemoryDriver::undelete(const OpContext& op, const ObjectRef& ref) {
  return in_world(op, "undeleting " + ref.name, [&](World& w, const Step& s) { return w.undelete(s, ref); });
}
Result<PurgeStep> MemoryDriver::purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) {
  return in_world(op, "purging " + ref.name, [&](World& w, const Step& s) { return w.purge(s, ref, from); });
}

Result<MountSource> MemoryDriver::mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  return in_world(op, "finding the mount source", [&](World& world, const Step&) -> Result<MountSource> {
    HOMEPORT_TRY(const auto named, world.resolve(ref, World::Proof::identity));
    if (named.object != nullptr && named.object->state == ObjectState::trashed) {
      return Error{.code = Errc::failed_precondition,
                   .message = "'" + printable(ref.name) + "' is in the trash and is not served",
                   .hint = "undelete it first"};
    }
    NfsSource source{.server = "memory",
                     .path = World::path_of(ref.pool, ref.name),
                     .version = view.nfs_version.empty() ? "4.2" : view.nfs_version,
                     .port = std::nullopt,
                     .mount_port = std::nullopt,
                     .fs_id = ref.id};
    if (view.snapshot) {
      HOMEPORT_TRY(const auto frozen, world.snapshot_volume(named, *view.snapshot));
      const bool own = named.object != nullptr && world.capabilities(ref.layout).snapshots_per_space;
      source.path =
          own ? source.path + "/.snapshot/" + *view.snapshot
              : World::path_of(ref.pool, ".snapshot/" + *view.snapshot + (ref.name == "." ? "" : "/" + ref.name));
      source.fs_id = std::to_string(frozen->fs());
    }
    return MountSource(source);
  });
}

Result<Snapshot> MemoryDriver::take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) {
  return in_world(op, "taking a snapshot", [&](World& w, const Step& s) { return w.take_snapshot(s, ref, name); });
}
Result<std::optional<Cursor>> MemoryDriver::list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                           std::optional<Cursor> from, std::vector<Snapshot>& page) {
  return in_world(op, "listing snapshots", [&](World& w, const Step&) { return w.list_snapshots(ref, from, page); });
}
Result<void> MemoryDriver::delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) {
  return in_world(op, "deleting a snapshot",
                  [&](World& w, const Step& s) { return w.delete_snapshot(s, ref, snapshot); });
}
Result<Object> MemoryDriver::clone(const OpContext& op, const ObjectRef& source,
                                   const std::optional<std::string>& snapshot, const CreateSpec& target) {
  return in_world(op, "cloning " + source.name,
                  [&](World& w, const Step& s) { return w.clone(s, source, snapshot, target); });
}
Result<Object> MemoryDriver::overwrite_from_snapshot(const OpContext& op, const ObjectRef& ref,
                                                     const Snapshot& snapshot) {
  return in_world(op, "restoring " + ref.name, [&](World& w, const Step& s) { return w.overwrite(s, ref, snapshot); });
}

Result<std::vector<OpenSession>> MemoryDriver::open_sessions(const OpContext& op, const ObjectRef& ref) {
  return in_world(op, "listing sessions", [&](World& world, const Step&) -> Result<std::vector<OpenSession>> {
    HOMEPORT_TRY(const auto named, world.resolve(ref, World::Proof::identity));
    if (named.object == nullptr) return std::vector<OpenSession>{};
    return named.object->sessions;
  });
}

Result<std::vector<ArrayPolicy>> MemoryDriver::policies(const OpContext& op) {
  return in_world(op, "listing policies", [](World& world, const Step&) -> Result<std::vector<ArrayPolicy>> {
    std::vector<ArrayPolicy> out;
    for (const auto& policy : world.config.policies) {
      ArrayPolicy shown{.name = policy.name, .kind = policy.kind, .enabled = true};
      for (const auto& [pool_name, pool] : world.pools) {
        for (const auto& [name, object] : pool.objects) {
          if (object.policies.contains(policy.name)) shown.members.push_back(name);
        }
      }
      out.push_back(std::move(shown));
    }
    return out;
  });
}

template <class Fn>
Result<void> MemoryDriver::on_policy(const OpContext& op, const ObjectRef& ref, const std::string& policy,
                                     std::string_view verb, Fn fn) {
  return in_world(op, "changing policies", [&](World& world, const Step& step) -> Result<void> {
    HOMEPORT_TRY(const auto named, world.resolve(ref, World::Proof::marker));
    if (named.object == nullptr) return memory::not_what_stands(ref, "an imported path has no policies");
    const bool known = std::any_of(world.config.policies.begin(), world.config.policies.end(),
                                   [&](const auto& p) { return p.name == policy; });
    if (!known) {
      return Error{.code = Errc::not_found,
                   .message = "there is no policy '" + printable(policy) + "'",
                   .hint = "list the policies of the backend"};
    }
    step.calls.push_back(std::string(verb) + " POLICY " + policy + " " + World::path_of(ref.pool, ref.name));
    if (!step.op.dry_run) fn(named.object->policies);
    return {};
  });
}
Result<void> MemoryDriver::attach(const OpContext& op, const ObjectRef& ref, const std::string& policy) {
  return on_policy(op, ref, policy, "ATTACH", [&](auto& set) { set.insert(policy); });
}
Result<void> MemoryDriver::detach(const OpContext& op, const ObjectRef& ref, const std::string& policy) {
  return on_policy(op, ref, policy, "DETACH", [&](auto& set) { set.erase(policy); });
}

Result<std::vector<ReplicaLink>> MemoryDriver::links(const OpContext& op, const ObjectRef& ref) {
  return in_world(op, "listing replica links", [&](World& world, const Step& step) -> Result<std::vector<ReplicaLink>> {
    HOMEPORT_TRY(const auto named, world.resolve(ref, World::Proof::identity));
    if (named.object == nullptr || world.config.replica_target.empty()) return std::vector<ReplicaLink>{};
    return std::vector<ReplicaLink>{{.id = "replica-" + ref.id,
                                     .target = world.config.replica_target,
                                     .state = "replicating",
                                     .recovery_point = step.now}};
  });
}

void MemoryDriver::plant(const std::string& pool, const std::string& name, const std::string& content, Owner owner) {
  world_->with([&](std::unique_ptr<World>& world) {
    auto& stored = world->pools.at(pool);
    const auto now = clock_.now();
    auto volume = std::make_shared<memory::Volume>(world->ids, stored.room, owner, 0755, now);
    if (!content.empty()) {
      const auto file =
          volume->add(world->ids, volume->root(), "theirs.txt", memory::Inode{.mode = 0644, .owner = owner}, now);
      if (file) (void)volume->write(*file, 0, std::as_bytes(std::span(content)), now).has_value();
    }
    memory::StoredObject object{.layout = stored.config.layout,
                                .pool = pool,
                                .name = name,
                                .id = std::to_string(volume->root()),
                                .volume = volume};
    world->index[object.id] = {pool, name};
    stored.objects.insert_or_assign(name, std::move(object));
  });
}
void MemoryDriver::forget_marker(const SpaceKey& key) {
  world_->with([&](std::unique_ptr<World>& world) { world->markers.erase(key.str()); });
}
void MemoryDriver::connect_client(const std::string& object_id, const OpenSession& session) {
  world_->with([&](std::unique_ptr<World>& world) {
    if (auto* object = world->by_id(object_id)) object->sessions.push_back(session);
  });
}

}  // namespace homeport::drivers
