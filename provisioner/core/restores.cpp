#include "provisioner/core/restores.h"

#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/restore_steps.h"
#include "provisioner/core/snapshot_files.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;
using trees::RestoreJob;
using trees::RestoreWay;

namespace {

constexpr const char* kKind = "space.restore";

// "2026-11-19 0300": the moment of the snapshot, in UTC, as it stands in names.
std::string stamp_of(WallTime time) {
  const auto text = format_time(time);  // 2026-11-19T03:00:00Z
  return text.substr(0, 10) + " " + text.substr(11, 2) + text.substr(14, 2);
}

bool overwrites(RestoreWay way) {
  return way == RestoreWay::in_place || way == RestoreWay::whole;
}

// The open operation does what is asked for now.
bool does_the_same(const store::OperationRecord& op, const nlohmann::json& wanted) {
  if (op.kind != kKind || !store::is_open(op.state)) return false;
  for (const char* key : {"from", "path", "way", "to"}) {
    if (op.plan.value(key, "") != wanted.value(key, "")) return false;
  }
  return true;
}

Result<void> state_lets_restore(const Catalog& catalog, const SpaceRecord& space) {
  const auto words = space_words(space, catalog);
  if (space.state != SpaceState::ready) {
    return refused("nothing is restored into " + words + ": it is " + std::string(store::space_state_name(space.state)),
                   space.state == SpaceState::retired ? "undelete it first" : "wait until it is ready");
  }
  if (space.copying)
    return refused(words + " is being copied from " + *space.copying, "wait until the copy into it is complete");
  return {};
}

// Nobody works in what is about to be overwritten as a whole, unless that is wanted.
bool heeds_sessions(const RestoreRequest& request) {
  return request.way == RestoreWay::whole && !request.force;
}

// Everything that can be said without asking the backend.
Result<void> check(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request) {
  const auto& space = request.source.space;
  HOMEPORT_CHECK(state_lets_restore(parts.catalog, space));
  const auto words = space_words(space, parts.catalog);
  HOMEPORT_CHECK(not_observed(parts.catalog, space));
  if (!space.rights.read) return refused("the right to read " + words + " was not given", "an admin can raise it");
  const bool whole = request.way == RestoreWay::whole;
  if (whole != request.path.is_root()) {
    return Error{
        .code = Errc::invalid_argument,
        .message = whole ? "the whole space is restored, and a path is given too" : "no path is given",
        .hint = whole ? "leave one of the two out" : "name a file or a folder, or restore the whole space with --whole",
        .pointer = "/path"};
  }
  if (request.without_safety && caller.principal.scope == policies::Scope::user_self) {
    return Error{.code = Errc::forbidden,
                 .message = "overwriting without a snapshot before it is an operator's decision",
                 .hint = "restore beside it, or ask an operator"};
  }
  if (!heeds_sessions(request)) return {};
  HOMEPORT_CHECK(parts.flush_sessions());
  return parts.store.read(
      [&](store::ReadTransaction& tx) { return check_no_sessions(tx, parts.catalog, space, parts.clock.now()); });
}

// A snapshot first, of what is about to be overwritten. Of a single file or folder it is taken where it can be; of the
// whole it must be, or an operator has to say that it need not.
Result<bool> takes_safety(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request,
                          Backend& backend) {
  const auto& space = request.source.space;
  if (!overwrites(request.way) || request.without_safety) return false;
  const bool can = capabilities_of(backend.driver(), layout_of(space)).snapshots;
  if (can && space.rights.snapshot && !snapshots_are_the_pools(backend.driver(), space)) return true;
  if (request.way == RestoreWay::in_place) return false;
  const bool self = caller.principal.scope == policies::Scope::user_self;
  return refused("no snapshot of " + space_words(space, parts.catalog) + " alone can be taken on backend " +
                     space.backend + ", so what was written since would be lost for good",
                 self ? "restore what you need beside what is there, or ask an operator"
                      : "restore files beside what is there, or say --no-safety-snapshot");
}

RestoreJob job_of(const RestoreRequest& request, const SnapshotInfo& snapshot, WallTime now) {
  return {.path = request.path,
          .way = request.way,
          .into = request.into,
          .stamp = stamp_of(snapshot.taken_at.value_or(now)),
          .taken_at = snapshot.taken_at};
}

// The open operation, if it does what is asked for. Errors: conflict when it does something else.
Result<std::optional<std::string>> joined(const SnapshotParts& parts, const SpaceRecord& space,
                                          const nlohmann::json& plan) {
  const auto open = parts.catalog.open_operation(space.key);
  if (!open) return std::optional<std::string>{};
  const auto op = parts.operations.get(*open);
  if (!op || !store::is_open(op->state)) return std::optional<std::string>{};
  if (does_the_same(*op, plan)) return open;
  return other_work_open(*open, space_words(space, parts.catalog));
}

Result<SpaceOutcome> begin(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request,
                           const SnapshotInfo& snapshot, const std::string& safety) {
  auto job = job_of(request, snapshot, parts.clock.now());
  HOMEPORT_TRY(job.viewer, viewer_of(parts.store, caller, request.source.space));
  auto plan = restore_plan(job, snapshot.name);
  if (!safety.empty()) plan["safety"] = safety;
  HOMEPORT_TRY(auto open, joined(parts, request.source.space, plan));
  if (open) return SpaceOutcome{.space = request.source.space, .operation = std::move(open)};
  SpaceOutcome outcome{.space = request.source.space, .created = true};
  store::OperationRecord stored;
  // Once more: somebody may have started a server while the snapshot before it was taken.
  if (heeds_sessions(request)) HOMEPORT_CHECK(parts.flush_sessions());
  HOMEPORT_CHECK(parts.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto space, store::get<SpaceRecord>(tx, request.source.space.key));
    if (!space) return Error{.code = Errc::not_found, .message = "there is no space " + request.source.space.key};
    HOMEPORT_CHECK(state_lets_restore(parts.catalog, *space));
    if (heeds_sessions(request)) HOMEPORT_CHECK(check_no_sessions(tx, parts.catalog, *space, parts.clock.now()));
    plan["backend_name"] = space->backend_name;
    plan["pool"] = space->pool;
    plan["layout"] = space->layout;
    stored = parts.operations.prepare(kKind, *space, caller, plan);
    HOMEPORT_CHECK(store::put(tx, stored, store::Expect::none()));
    outcome.space = *space;
    outcome.operation = stored.id;
    return {};
  }));
  fault_point("space.restore.intent_written");
  parts.operations.start_new(stored);
  return outcome;
}

using Done = std::function<void(Result<SpaceOutcome>)>;

void begin_on(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request,
              const BackendPtr& backend, const std::string& safety, const Done& done) {
  auto work = [parts, caller, request, backend, safety](const OpContext& op) -> Result<SpaceOutcome> {
    HOMEPORT_TRY(const auto snapshot, parts.snapshots.resolve(op, *backend, request.source));
    return begin(parts, caller, request, snapshot, safety);
  };
  parts.backends.run<SpaceOutcome>(backend, caller, std::move(work), done);
}

// The snapshot is an operation of its own: it stays whatever becomes of the restore.
void take_safety(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request,
                 const BackendPtr& backend, const Done& done) {
  const auto what = request.way == RestoreWay::whole ? "the whole space" : "'" + request.path.text() + "'";
  const auto taken = parts.snapshots.take(
      caller, request.source.space.key,
      {.reason = "before " + printable(what, 300) + " was restored from " + printable(request.source.snapshot, 100)});
  if (!taken) return done(Result<SpaceOutcome>(taken.error()).context("the snapshot before anything is overwritten"));
  auto go_on = [parts, caller, request, backend, done,
                name = taken->snapshot.name](Result<store::OperationRecord> ended) {
    if (!ended) return done(std::move(ended).error());
    if (ended->state == store::OperationState::succeeded) return begin_on(parts, caller, request, backend, name, done);
    Error error{.code = Errc::unavailable,
                .message = "the snapshot before anything is overwritten is not taken yet (operation " + ended->id + ")",
                .hint = "nothing was restored; ask again when it has ended",
                .retry_after = std::chrono::seconds(2)};
    if (ended->failure) {
      error.code = errc_from_name(ended->failure->code).value_or(Errc::internal);
      error.message = "the snapshot before anything is overwritten: " + ended->failure->message;
      error.hint = ended->failure->hint;
    }
    done(std::move(error));
  };
  if (!taken->operation) return begin_on(parts, caller, request, backend, taken->snapshot.name, done);
  parts.operations.await(*taken->operation, caller.deadline, std::move(go_on));
}

}  // namespace

void restore(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request, Done done) {
  bool safety = false;
  const auto ready = [&]() -> Result<BackendPtr> {
    HOMEPORT_CHECK(check(parts, caller, request));
    HOMEPORT_TRY(auto backend, parts.backends.get_serving(request.source.space.backend));
    HOMEPORT_CHECK(trees_of(*backend));
    HOMEPORT_TRY(safety, takes_safety(parts, caller, request, *backend));
    return backend;
  }();
  if (!ready) return done(ready.error());
  if (!safety) return begin_on(parts, caller, request, *ready, {}, done);
  // First whether there is anything to restore from, and nobody else at work: no snapshot for nothing.
  auto look = [parts, caller, request, backend = *ready](const OpContext& op) -> Result<SpaceOutcome> {
    HOMEPORT_TRY(const auto snapshot, parts.snapshots.resolve(op, *backend, request.source));
    const auto plan = restore_plan(job_of(request, snapshot, parts.clock.now()), snapshot.name);
    HOMEPORT_TRY(auto open, joined(parts, request.source.space, plan));
    return SpaceOutcome{.space = request.source.space, .operation = std::move(open)};
  };
  parts.backends.run<SpaceOutcome>(
      *ready, caller, std::move(look),
      [parts, caller, request, backend = *ready, done = std::move(done)](Result<SpaceOutcome> found) {
        if (!found || found->operation) return done(std::move(found));
        take_safety(parts, caller, request, backend, done);
      });
}

}  // namespace homeport::core
