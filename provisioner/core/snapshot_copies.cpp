// Snapshots, third part: a space's content as a new space, and as it was before.
#include <algorithm>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/snapshots.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SnapshotHold;
using store::SnapshotRecord;
using store::SnapshotState;
using store::SpaceRecord;
using store::SpaceState;

namespace {

// Which content a clone has; the same words again are the same clone.
std::string source_words(const Snapshots::Clone& request, const std::optional<SnapshotInfo>& from) {
  return "clone:" + request.source.space.key + (from ? "@" + from->name : "");
}

Error no_clones(const Backend& backend, const SpaceRecord& source, const drivers::Capabilities& can) {
  std::string why;
  for (const auto& note : can.notes) {
    if (note.find("clone") != std::string::npos) why = " (" + note + ")";
  }
  return Error{
      .code = Errc::unsupported,
      .message = "backend " + backend.spec().name.str() + " makes no clones of spaces of layout " + source.layout + why,
      .hint = "restore it as a new space instead: that copies the files, which takes time and room"};
}

}  // namespace

struct Snapshots::CloneTarget {
  BackendPtr backend;
  SpaceRecord space;
  std::optional<SnapshotInfo> from;
};

Result<std::optional<SpaceOutcome>> Snapshots::known_clone(const Clone& request) const {
  const auto known = p_.catalog.space_by_label("dataset/" + request.name.str());
  if (!known) return std::optional<SpaceOutcome>{};
  const auto source = known->copy_source.value_or("");
  std::string wanted = "clone:" + request.source.space.key;
  if (!request.source.snapshot.empty()) {
    HOMEPORT_TRY(const auto record, recorded(request.source.space, request.source.snapshot));
    wanted += "@" + (record ? record->name : request.source.snapshot);
  }
  const bool alive = known->state == SpaceState::ready || known->state == SpaceState::creating;
  if (alive && source == wanted && known->read_only == request.read_only) {
    return std::optional(SpaceOutcome{.space = *known, .operation = p_.catalog.open_operation(known->key)});
  }
  return Error{.code = Errc::already_exists,
               .message = "dataset " + request.name.str() + " exists and is not this clone",
               .hint = "choose another name; `homeport dataset show " + request.name.str() + "` shows what it is",
               .pointer = "/name"};
}

Result<Snapshots::CloneTarget> Snapshots::decide_clone(const Clone& request,
                                                       const std::optional<SnapshotInfo>& from) const {
  const auto& source = request.source.space;
  const auto words = space_words(source, p_.catalog);
  if (source.state != SpaceState::ready) {
    return refused(words + " is " + std::string(store::space_state_name(source.state)) + ", so it is not cloned",
                   source.state == SpaceState::retired ? "undelete it first" : "wait until it is ready");
  }
  if (from && from->state != "ready") {
    return refused("snapshot " + from->name + " of " + words + " is " + from->state, "choose another one");
  }
  if (!source.rights.snapshot) {
    return refused("the right to take snapshots of " + words + " was not given, and a clone needs it",
                   "it was imported: an admin can raise its right `snapshot`");
  }
  HOMEPORT_CHECK(not_observed(p_.catalog, source));
  CloneTarget target{.backend = {}, .space = source, .from = from};
  HOMEPORT_TRY(target.backend, p_.backends.get_serving(source.backend));
  const auto record = p_.catalog.backend(source.backend);
  if (record && record->drained) {
    return refused("backend " + source.backend + " is drained: no new spaces are made on it",
                   "`homeport backend undrain " + source.backend + "` lets new ones in");
  }
  auto& driver = target.backend->driver();
  const auto can = capabilities_of(driver, layout_of(source));
  if (drivers::find<drivers::Cloner>(driver) == nullptr || (driver.info()->known && !can.clones)) {
    return no_clones(*target.backend, source, can);
  }
  const auto key = SpaceKey::from_random(SpaceKind::dataset, p_.ids.random64());
  SpaceRecord space{.key = key.str(),
                    .kind = SpaceKind::dataset,
                    .backend = source.backend,
                    .layout = source.layout,
                    .pool = source.pool,
                    .backend_name = p_.name_prefix + key.str()};
  space.realm = request.realm;
  space.name = request.name.str();
  space.quota_bytes = source.quota_bytes;
  space.uid = source.uid;
  space.gid = source.gid;
  space.mode = source.mode;
  space.read_only = request.read_only;
  space.note = request.note;
  space.copy_source = source_words(request, from);
  space.created_at = p_.clock.now();
  target.space = std::move(space);
  return target;
}

Result<SpaceOutcome> Snapshots::write_clone(const Caller& caller, const Clone& request,
                                            const std::optional<SnapshotInfo>& from) {
  HOMEPORT_TRY(auto known, known_clone(request));
  if (known) return std::move(*known);
  HOMEPORT_TRY(const auto target, decide_clone(request, from));
  const auto now = p_.clock.now();
  auto op = p_.operations.prepare("space.clone", target.space, caller,
                                  {{"backend_name", target.space.backend_name},
                                   {"pool", target.space.pool},
                                   {"layout", target.space.layout},
                                   {"source", request.source.space.key}});
  if (from) op.plan["name"] = from->name;
  SpaceOutcome outcome{.space = target.space, .operation = op.id, .created = true};
  store::OperationRecord stored_op;
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    auto space = target.space;
    stored_op = op;
    HOMEPORT_TRY(const auto source, store::get<SpaceRecord>(tx, request.source.space.key));
    if (!source || source->state != SpaceState::ready) {
      return Error{.code = Errc::conflict,
                   .message = space_words(request.source.space, p_.catalog) + " was changed meanwhile",
                   .hint = "look at it again and decide anew"};
    }
    HOMEPORT_CHECK(count_new_home(tx, target.backend->spec(), space.quota_bytes, now));
    if (from && from->ours && !from->of_pool) {
      // What it is made from must not go before it is made.
      HOMEPORT_TRY(auto record, record_for(tx, *source, *from, "sn-" + op.id));
      if (record.state != SnapshotState::ready) {
        return refused("snapshot " + from->name + " is " + std::string(store::snapshot_state_name(record.state)),
                       "choose another one");
      }
      record.holds.push_back(SnapshotHold{.id = op.id,
                                          .owner = "operation " + op.id,
                                          .by = "system",
                                          .reason = "dataset " + space.name + " is being made from it",
                                          .since = now});
      stored_op.plan["snapshot"] = record.key;
      HOMEPORT_CHECK(store::put(tx, record));
    }
    HOMEPORT_CHECK(store::put(tx, space, store::Expect::none()));
    HOMEPORT_CHECK(store::put(tx, stored_op, store::Expect::none()));
    outcome.space = std::move(space);
    return {};
  }));
  fault_point("space.clone.intent_written");
  p_.operations.start_new(stored_op);
  return outcome;
}

void Snapshots::clone(const Caller& caller, const Clone& request, std::function<void(Result<SpaceOutcome>)> done) {
  const auto write = [this, caller, request](const std::optional<SnapshotInfo>& from) {
    return until_no_race([&] { return write_clone(caller, request, from); });
  };
  if (request.source.snapshot.empty()) return done(write(std::nullopt));
  look_up(caller, request.source, [write, done = std::move(done)](Result<SnapshotInfo> from) {
    if (!from) return done(from.error());
    done(write(*from));
  });
}

void Snapshots::preview_clone(const Caller& caller, const Clone& request, std::function<void(Result<Preview>)> done) {
  const auto show = [this, caller, request, done](const std::optional<SnapshotInfo>& from) {
    Preview preview;
    const auto known = known_clone(request);
    if (!known) return done(known.error());
    if (*known) {
      preview.notes.push_back("dataset " + request.name.str() + " is this clone already; nothing would be done");
      return done(std::move(preview));
    }
    const auto target = decide_clone(request, from);
    if (!target) return done(target.error());
    const auto& source = request.source.space;
    preview.steps.push_back("make dataset " + request.name.str() + " from " + space_words(source, p_.catalog) +
                            (from ? " as it was in snapshot " + from->name : " as it is now"));
    preview.notes.emplace_back(request.read_only ? "specs mount it read-only" : "whoever is granted rw writes into it");
    preview.notes.push_back("files keep their owners; the dataset itself belongs to uid " +
                            std::to_string(target->space.uid) + ", gid " + std::to_string(target->space.gid));
    preview.notes.emplace_back("the zeros in the key stand for digits drawn at random when it is done");
    auto space = target->space;
    space.key = SpaceKey::from_random(SpaceKind::dataset, 0).str();
    space.backend_name = p_.name_prefix + space.key;
    auto work = [source, from, preview, space,
                 backend = target->backend](const OpContext& op) mutable -> Result<Preview> {
      const DryRun dry(op);
      HOMEPORT_TRY(const auto ref, object_ref(source));
      HOMEPORT_TRY(auto key, SpaceKey::parse(space.key));
      drivers::CreateSpec spec{.layout = layout_of(space),
                               .pool = space.pool,
                               .key = key,
                               .name = space.backend_name,
                               .owner = {Uid{space.uid}, Gid{space.gid}},
                               .mode = space.mode,
                               .marker = {.key = key, .id = ""}};
      HOMEPORT_CHECK(drivers::find<drivers::Cloner>(backend->driver())
                         ->clone(dry.op(), ref, from ? std::optional(from->name) : std::nullopt, spec));
      preview.calls = dry.calls();
      return preview;
    };
    p_.backends.run<Preview>(target->backend, caller, std::move(work), done);
  };
  if (request.source.snapshot.empty()) return show(std::nullopt);
  look_up(caller, request.source, [show, done](Result<SnapshotInfo> from) {
    if (!from) return done(from.error());
    show(*from);
  });
}

// --- The backend's own overwrite -------------------------------------------------------------------------------------

Result<void> Snapshots::may_overwrite(const SpaceRecord& space) const {
  const auto words = space_words(space, p_.catalog);
  HOMEPORT_TRY(const auto backend, p_.backends.get_serving(space.backend));
  const auto can = capabilities_of(backend->driver(), layout_of(space));
  const bool power = drivers::find<drivers::ArrayRestore>(backend->driver()) != nullptr;
  if (!power || !can.array_restore || snapshots_are_the_pools(backend->driver(), space)) {
    return Error{.code = Errc::unsupported,
                 .message = power && layout_of(space) == drivers::Layout::directory && !space.pool.empty()
                                ? words + " lies in pool " + space.pool +
                                      " with others: the backend's overwrite would take them all back"
                                : "backend " + space.backend + " has no overwrite of its own",
                 .hint = "restore by copying from the snapshot"};
  }
  HOMEPORT_CHECK(may_change(p_.catalog, space, Verb::resize));  // ready, no open operation, mode
  if (!space.imported) return {};
  const auto record = p_.catalog.backend(space.backend);
  if (space.rights.destroy && (!record || record->mode == "manage")) return {};
  return refused(words + " was imported, and its right to destroy was not given",
                 "restore by copying from the snapshot, or have the right raised");
}

Result<SpaceOutcome> Snapshots::write_overwrite(const Caller& caller, const Overwrite& request,
                                                const SnapshotInfo& info) {
  const auto& space = request.source.space;
  HOMEPORT_CHECK(may_overwrite(space));
  if (info.state != "ready") {
    return refused("snapshot " + info.name + " is " + info.state, "choose another one");
  }
  const auto names = p_.catalog.names_of(space.owner);
  const bool named = request.confirm == space.key || (!space.name.empty() && request.confirm == space.name) ||
                     std::find(names.begin(), names.end(), request.confirm) != names.end();
  if (!named) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the confirmation '" + printable(request.confirm, 60) + "' is not the name of " +
                            space_words(space, p_.catalog),
                 .hint =
                     "what was written since the snapshot is gone after this, and no safety snapshot is possible: "
                     "confirm it with the owner's name or the space's key",
                 .pointer = "/confirm"};
  }
  HOMEPORT_TRY(const auto backend, p_.backends.get_serving(space.backend));
  HOMEPORT_CHECK(p_.flush_sessions());
  const auto now = p_.clock.now();
  SpaceOutcome outcome{.space = space, .created = true};
  store::OperationRecord stored_op;
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto present, store::get<SpaceRecord>(tx, space.key));
    if (!present) return Error{.code = Errc::not_found, .message = "there is no space " + space.key};
    HOMEPORT_CHECK(state_allows(p_.catalog, *present, Verb::resize));
    if (!request.force) HOMEPORT_CHECK(check_no_sessions(tx, p_.catalog, *present, now));
    HOMEPORT_CHECK(count_against_cap(tx, backend->spec(), "destroys", 1, backend->spec().caps.destroys, now));
    stored_op = p_.operations.prepare("space.overwrite", *present, caller,
                                      {{"snapshot", info.key},
                                       {"name", info.name},
                                       {"backend_id", info.backend_id},
                                       {"backend_name", present->backend_name},
                                       {"pool", present->pool},
                                       {"layout", present->layout}});
    HOMEPORT_CHECK(store::put(tx, stored_op, store::Expect::none()));
    outcome.operation = stored_op.id;
    return {};
  }));
  fault_point("space.overwrite.intent_written");
  p_.operations.start_new(stored_op);
  return outcome;
}

void Snapshots::overwrite(const Caller& caller, const Overwrite& request,
                          std::function<void(Result<SpaceOutcome>)> done) {
  const auto& space = request.source.space;
  if (const auto open = p_.catalog.open_operation(space.key)) {
    // Asked again while it is done: the same work.
    const auto op = p_.operations.get(*open);
    const auto record = recorded(space, request.source.snapshot);
    const auto name = record && *record ? (*record)->name : request.source.snapshot;
    if (op && op->kind == "space.overwrite" && op->plan.value("name", "") == name)
      return done(SpaceOutcome{.space = space, .operation = *open});
  }
  if (const auto may = may_overwrite(space); !may) return done(may.error());
  look_up(caller, request.source, [this, caller, request, done = std::move(done)](Result<SnapshotInfo> info) {
    if (!info) return done(info.error());
    done(write_overwrite(caller, request, *info));
  });
}

void Snapshots::preview_overwrite(const Caller& caller, const SnapshotName& source,
                                  std::function<void(Result<Preview>)> done) {
  if (const auto may = may_overwrite(source.space); !may) return done(may.error());
  look_up(caller, source, [this, caller, source, done = std::move(done)](Result<SnapshotInfo> info) {
    if (!info) return done(info.error());
    const auto& space = source.space;
    const auto backend = p_.backends.get_serving(space.backend);
    if (!backend) return done(backend.error());
    Preview preview;
    preview.steps.push_back("make " + space_words(space, p_.catalog) + " what it was in snapshot " + info->name);
    preview.notes.emplace_back("what was written since then is gone, and no safety snapshot is possible");
    auto work = [space, info = *info, preview, backend = *backend](const OpContext& op) mutable -> Result<Preview> {
      const DryRun dry(op);
      HOMEPORT_TRY(const auto ref, object_ref(space));
      HOMEPORT_CHECK(drivers::find<drivers::ArrayRestore>(backend->driver())
                         ->overwrite_from_snapshot(dry.op(), ref, {.id = info.backend_id, .name = info.name}));
      preview.calls = dry.calls();
      return preview;
    };
    p_.backends.run<Preview>(*backend, caller, std::move(work), done);
  });
}

}  // namespace homeport::core
