#include "provisioner/core/snapshot_steps.h"

#include "drivers/core/optional.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SnapshotRecord;
using store::SnapshotState;

namespace {

std::string key_of(const store::OperationRecord& op) {
  return op.plan.value("snapshot", "");
}

template <class T>
Result<T*> power_of(StepContext& c, const char* what) {
  if (auto* power = drivers::find<T>(c.driver)) return power;
  return Error{.code = Errc::unsupported, .message = "backend " + c.space.backend + " has no " + what};
}

}  // namespace

Result<std::string> take_snapshot_step(StepContext& c) {
  HOMEPORT_TRY(auto* snapshots, power_of<drivers::Snapshots>(c, "snapshots"));
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  HOMEPORT_TRY(
      const auto taken,
      snapshots->take_snapshot(c.op, ref, c.operation.plan.value("name", "")).context(space_words(c.space, c.catalog)));
  c.also_write = [key = key_of(c.operation), taken](store::WriteTransaction& tx, store::SpaceRecord&) -> Result<void> {
    HOMEPORT_TRY(auto record, store::get<SnapshotRecord>(tx, key));
    if (!record) return Error{.code = Errc::internal, .message = "the record of snapshot " + key + " is gone"};
    record->backend_id = taken.id;
    record->taken_at = taken.taken_at;
    record->state = SnapshotState::ready;
    return store::put(tx, *record);
  };
  return taken.name + " (id " + taken.id + ")";
}

Result<void> forget_untaken(store::WriteTransaction& tx, const store::OperationRecord& op, bool unknown) {
  if (unknown) return {};
  return tx.erase(store::Table::snapshots, key_of(op), store::Expect::any());
}

namespace {

// Of one whose taking was given up we may not know the id: then the name, which was drawn for it alone, must do.
Result<std::optional<std::string>> id_by_name(StepContext& c, drivers::Snapshots& snapshots,
                                              const drivers::ObjectRef& ref, const std::string& name) {
  std::optional<drivers::Cursor> from;
  do {
    std::vector<drivers::Snapshot> page;
    HOMEPORT_TRY(from, snapshots.list_snapshots(c.op, ref, std::move(from), page));
    for (const auto& one : page) {
      if (one.name == name && one.ours) return std::optional(one.id);
    }
  } while (from);
  return std::optional<std::string>{};
}

}  // namespace

Result<std::string> delete_snapshot_step(StepContext& c) {
  HOMEPORT_TRY(auto* snapshots, power_of<drivers::Snapshots>(c, "snapshots"));
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  const auto words = space_words(c.space, c.catalog);
  drivers::Snapshot which{
      .id = c.operation.plan.value("backend_id", ""), .name = c.operation.plan.value("name", ""), .ours = true};
  bool stands = true;
  if (which.id.empty()) {
    HOMEPORT_TRY(const auto id, id_by_name(c, *snapshots, ref, which.name));
    stands = id.has_value();
    which.id = id.value_or("");
  }
  if (stands) HOMEPORT_CHECK(snapshots->delete_snapshot(c.op, ref, which).context(words));
  c.also_write = [key = key_of(c.operation), now = c.clock.now()](store::WriteTransaction& tx,
                                                                  store::SpaceRecord&) -> Result<void> {
    HOMEPORT_TRY(auto record, store::get<SnapshotRecord>(tx, key));
    if (!record) return {};
    record->state = SnapshotState::deleted;
    record->deleted_at = now;
    return store::put(tx, *record);
  };
  return which.name + (stands ? " deleted" : " was not there");
}

Result<void> keep_undeleted(store::WriteTransaction& tx, const store::OperationRecord& op, bool unknown) {
  if (unknown) return {};
  HOMEPORT_TRY(auto record, store::get<SnapshotRecord>(tx, key_of(op)));
  if (!record) return {};
  record->state = store::snapshot_state_from_name(op.plan.value("snapshot_before", "")).value_or(SnapshotState::ready);
  return store::put(tx, *record);
}

Result<std::string> clone_space_step(StepContext& c) {
  HOMEPORT_TRY(auto* cloner, power_of<drivers::Cloner>(c, "clones"));
  const auto source = c.catalog.space(c.operation.plan.value("source", ""));
  if (!source) return Error{.code = Errc::not_found, .message = "the space to clone is gone"};
  HOMEPORT_TRY(const auto from, object_ref(*source));
  HOMEPORT_TRY(auto key, SpaceKey::parse(c.space.key));
  drivers::CreateSpec spec{.layout = layout_of(c.space),
                           .pool = c.space.pool,
                           .key = std::move(key),
                           .name = c.space.backend_name,
                           .owner = {Uid{c.space.uid}, Gid{c.space.gid}},
                           .mode = c.space.mode,
                           .marker = marker_of(c.space, c.catalog)};
  const auto quota_class = quota_class_of(c.driver, c.space, c.catalog);
  const bool enforced = quota_class == drivers::QuotaClass::hard || quota_class == drivers::QuotaClass::cooperative;
  if (c.space.quota_bytes && enforced) spec.quota = Bytes{*c.space.quota_bytes};
  if (!c.space.backend_id.empty()) spec.known_id = c.space.backend_id;
  spec.pool_in_use = c.catalog.pool_in_use(c.space.backend, c.space.pool);
  std::optional<std::string> snapshot;
  if (c.operation.plan.contains("name")) snapshot = c.operation.plan.value("name", "");
  HOMEPORT_TRY(const auto object, cloner->clone(c.op, from, snapshot, spec).context(space_words(c.space, c.catalog)));
  HOMEPORT_CHECK(take_over(c.op, c.driver, object, c.catalog, c.space));
  c.also_write = [op = c.operation](store::WriteTransaction& tx, store::SpaceRecord&) {
    return release_clone_source(tx, op, false);
  };
  return "id " + object.ref.id + " at " + object.path;
}

Result<void> release_clone_source(store::WriteTransaction& tx, const store::OperationRecord& op, bool /*unknown*/) {
  const auto key = key_of(op);
  if (key.empty()) return {};
  HOMEPORT_TRY(auto record, store::get<SnapshotRecord>(tx, key));
  if (!record || std::erase_if(record->holds, [&](const auto& hold) { return hold.id == op.id; }) == 0) return {};
  return store::put(tx, *record);
}

Result<std::string> overwrite_space_step(StepContext& c) {
  HOMEPORT_TRY(auto* power, power_of<drivers::ArrayRestore>(c, "overwrite of its own"));
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  const drivers::Snapshot from{.id = c.operation.plan.value("backend_id", ""),
                               .name = c.operation.plan.value("name", "")};
  HOMEPORT_TRY(const auto object,
               power->overwrite_from_snapshot(c.op, ref, from).context(space_words(c.space, c.catalog)));
  HOMEPORT_CHECK(take_over(c.op, c.driver, object, c.catalog, c.space));
  return "as it was in " + from.name;
}

Result<void> mark_purged(store::WriteTransaction& tx, const std::string& space, WallTime now) {
  HOMEPORT_TRY(auto records,
               store::list<SnapshotRecord>(tx, {.column = "scope", .value = store::snapshot_scope(space)}));
  for (auto& record : records) {
    if (record.state == SnapshotState::deleted) continue;
    record.state = SnapshotState::deleted;
    record.deleted_at = now;
    HOMEPORT_CHECK(store::put(tx, record));
  }
  return {};
}

}  // namespace homeport::core
