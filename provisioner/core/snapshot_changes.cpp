// Snapshots, second part: holding them, and their end.
#include <algorithm>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/base/log.h"
#include "provisioner/core/snapshots.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SnapshotHold;
using store::SnapshotRecord;
using store::SnapshotState;
using store::SpaceRecord;
using store::SpaceState;

namespace {

constexpr std::size_t kWordsBytes = 500;
constexpr std::chrono::hours kDeletedKept{24 * 8};
constexpr int kDaysLookedBack = 30;
constexpr std::size_t kForgottenAtOnce = 10'000;

bool is_own_token(const Caller& caller) {
  return caller.principal.scope == policies::Scope::user_self;
}

std::string named(const SnapshotInfo& info) {
  return info.label.empty() ? info.name : info.label + " (" + info.name + ")";
}

Error not_ours(const SnapshotInfo& info, const std::string& words) {
  return refused(
      "snapshot " + printable(info.name, 80) + " of " + words + " was not taken by Homeport",
      "what others took, a schedule of the array for one, is theirs to keep or to delete; take one of our own");
}

Result<void> check_hold(const Snapshots::Hold& request, WallTime now) {
  if (request.expires && *request.expires <= now) {
    return Error{.code = Errc::invalid_argument,
                 .message = "a hold that ended at " + format_time(*request.expires) + " would hold nothing",
                 .hint = "give a time that is to come, or none",
                 .pointer = "/expires"};
  }
  for (const auto& [text, pointer] : {std::pair(&request.owner, "/owner"), std::pair(&request.reason, "/reason")}) {
    if (text->size() <= kWordsBytes) continue;
    return Error{.code = Errc::invalid_argument,
                 .message = std::to_string(text->size()) + " bytes are too long",
                 .hint = "at most " + std::to_string(kWordsBytes),
                 .pointer = pointer};
  }
  return {};
}

store::AuditEntry audit_hold(const Caller& caller, std::string_view action, const SnapshotRecord& record,
                             const SnapshotHold& hold, WallTime now) {
  return {.at = now,
          .principal = caller.principal.id,
          .action = std::string(action),
          .subject = record.space,
          .outcome = "ok",
          .detail = nlohmann::json{{"snapshot", record.key}, {"name", record.name}, {"hold", hold.id}}.dump()};
}

}  // namespace

bool counts(const SnapshotHold& hold, WallTime now) {
  return !hold.expires || now < *hold.expires;
}

std::string hold_words(const std::vector<SnapshotHold>& holds) {
  constexpr std::size_t kShown = 3;
  std::string out;
  for (std::size_t i = 0; i < std::min(holds.size(), kShown); ++i) {
    const auto& hold = holds[i];
    if (!out.empty()) out += ", ";
    out += printable(hold.owner, 60);
    std::string more = printable(hold.reason, 120);
    if (hold.expires) more += (more.empty() ? "until " : ", until ") + format_time(*hold.expires);
    if (!more.empty()) out += " (" + more + ")";
  }
  if (holds.size() > kShown) out += " and " + std::to_string(holds.size() - kShown) + " more";
  return out;
}

Result<void> check_no_holds(store::ReadTransaction& tx, const SpaceRecord& space, WallTime now) {
  HOMEPORT_TRY(const auto records,
               store::list<SnapshotRecord>(tx, {.column = "scope", .value = store::snapshot_scope(space.key)}));
  for (const auto& record : records) {
    if (record.state == SnapshotState::deleted) continue;
    std::vector<SnapshotHold> holds;
    std::copy_if(record.holds.begin(), record.holds.end(), std::back_inserter(holds),
                 [&](const auto& hold) { return counts(hold, now); });
    if (holds.empty()) continue;
    const auto name = record.label.empty() ? record.name : record.label;
    return refused(
        "snapshot " + name + " of space " + space.key + ", which would go with it, is held by " + hold_words(holds),
        "`homeport snapshot release " + space.key + "@" + name + "` when it is not needed any more");
  }
  return {};
}

// --- Finding the one that is meant -----------------------------------------------------------------------------------

void Snapshots::look_up(const Caller& caller, const SnapshotName& wanted, Info done) {
  const auto record = recorded(wanted.space, wanted.snapshot);
  if (!record) return done(record.error());
  if (*record) return done(info_of(wanted.space, **record));
  const auto backend = p_.backends.get_serving(wanted.space.backend);
  if (!backend) return done(backend.error());
  auto work = [this, wanted, backend = *backend](const OpContext& op) -> Result<SnapshotInfo> {
    HOMEPORT_TRY(auto all, merged(op, *backend, wanted.space));
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == wanted.snapshot; });
    if (at != all.end()) return std::move(*at);
    return Error{
        .code = Errc::not_found,
        .message = space_words(wanted.space, p_.catalog) + " has no snapshot '" + printable(wanted.snapshot, 80) + "'",
        .hint = "`homeport snapshot list` shows what there is"};
  };
  p_.backends.run<SnapshotInfo>(*backend, caller, std::move(work), std::move(done));
}

void Snapshots::show(const Caller& caller, const SnapshotName& wanted, Info done) {
  const auto record = recorded(wanted.space, wanted.snapshot);
  if (!record) return done(record.error());
  const auto backend = p_.backends.get_serving(wanted.space.backend);
  if (!*record || !backend) return look_up(caller, wanted, std::move(done));
  // What the backend knows of it, where it answers; else what we remember.
  const auto remembered = info_of(wanted.space, **record);
  auto work = [this, wanted, remembered, backend = *backend](const OpContext& op) -> Result<SnapshotInfo> {
    auto all = merged(op, *backend, wanted.space);
    if (!all) return remembered;
    const auto at = std::find_if(all->begin(), all->end(), [&](const auto& one) { return one.key == remembered.key; });
    if (at == all->end()) return remembered;
    return std::move(*at);
  };
  p_.backends.run<SnapshotInfo>(*backend, caller, std::move(work), std::move(done));
}

Result<SnapshotRecord> Snapshots::record_for(store::WriteTransaction& tx, const SpaceRecord& space,
                                             const SnapshotInfo& info, const std::string& new_key) const {
  if (!info.key.empty()) {
    HOMEPORT_TRY(auto record, store::get<SnapshotRecord>(tx, info.key));
    if (record && record->state != SnapshotState::deleted) return std::move(*record);
    return Error{.code = Errc::not_found, .message = "snapshot " + named(info) + " was deleted meanwhile"};
  }
  SnapshotRecord record{.key = new_key, .space = space.key, .backend = space.backend, .name = info.name};
  record.pool = space.pool;
  record.of_pool = info.of_pool;
  record.backend_id = info.backend_id;
  record.adopted = true;
  record.state = SnapshotState::ready;
  record.asked_at = p_.clock.now();
  record.taken_at = info.taken_at;
  return record;
}

// --- Holds -----------------------------------------------------------------------------------------------------------

void Snapshots::hold(const Caller& caller, const SnapshotName& wanted, const Hold& request, Info done) {
  if (const auto right = check_hold(request, p_.clock.now()); !right) return done(right.error());
  look_up(caller, wanted, [this, caller, wanted, request, done = std::move(done)](Result<SnapshotInfo> info) {
    done(info ? write_hold(caller, wanted.space, *info, request) : std::move(info));
  });
}

Result<SnapshotInfo> Snapshots::write_hold(const Caller& caller, const SpaceRecord& space, const SnapshotInfo& info,
                                           const Hold& request) {
  const auto words = space_words(space, p_.catalog);
  if (!info.ours) {
    auto error = not_ours(info, words);
    error.message += ", and a hold binds nobody but Homeport";
    return error;
  }
  HOMEPORT_CHECK(check_own(caller, space, info.of_pool));
  const bool own = is_own_token(caller);
  SnapshotHold hold{.id = "hold-" + hex16(p_.ids.random64()).substr(0, 8),
                    .owner = request.owner.empty() || own ? caller.principal.id : request.owner};
  hold.by = caller.principal.id;
  hold.reason = request.reason;
  hold.since = p_.clock.now();
  hold.expires = request.expires;
  const auto new_key = "sn-" + hex16(p_.ids.random64());
  SnapshotRecord held;
  HOMEPORT_CHECK(p_.store.write("hold", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(held, record_for(tx, space, info, new_key));
    HOMEPORT_TRY(const auto present, store::get<SpaceRecord>(tx, held.space));
    const bool goes =
        !held.of_pool && present && (present->state == SpaceState::purging || present->state == SpaceState::purged);
    if (held.state == SnapshotState::deleting || goes) {
      return refused("snapshot " + named(info) + " of " + words + " is being deleted", "it is too late to hold it");
    }
    const auto same = std::find_if(held.holds.begin(), held.holds.end(),
                                   [&](const auto& other) { return other.owner == hold.owner; });
    if (same == held.holds.end()) {
      held.holds.push_back(hold);
    } else {
      hold.id = same->id;
      *same = hold;
    }
    HOMEPORT_CHECK(store::put(tx, held));
    return tx.append_audit(audit_hold(caller, "snapshot.hold", held, hold, hold.since));
  }));
  return info_of(space, held);
}

void Snapshots::release(const Caller& caller, const SnapshotName& wanted, const std::string& hold, Info done) {
  look_up(caller, wanted, [this, caller, wanted, hold, done = std::move(done)](Result<SnapshotInfo> info) {
    done(info ? write_release(caller, wanted.space, *info, hold) : std::move(info));
  });
}

Result<SnapshotInfo> Snapshots::write_release(const Caller& caller, const SpaceRecord& space, const SnapshotInfo& info,
                                              const std::string& hold) {
  const Error none{.code = Errc::not_found,
                   .message = "'" + printable(hold, 60) + "' holds no snapshot " + named(info) + " of " +
                              space_words(space, p_.catalog),
                   .hint = info.holds.empty() ? "nobody holds it" : "it is held by " + hold_words(info.holds)};
  if (info.key.empty()) return none;
  SnapshotRecord left;
  HOMEPORT_CHECK(p_.store.write("release-hold", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(left, record_for(tx, space, info, ""));
    const auto at = std::find_if(left.holds.begin(), left.holds.end(),
                                 [&](const auto& one) { return one.id == hold || one.owner == hold; });
    if (at == left.holds.end()) return none;
    if (is_own_token(caller) && at->by != caller.principal.id) {
      return Error{.code = Errc::forbidden,
                   .message = "this hold is " + printable(at->owner, 60) + "'s, and a person's token releases its own",
                   .hint = "ask an operator"};
    }
    if (at->by == "system") {
      return refused("this hold is Homeport's own: " + at->reason, "it is released when that is done");
    }
    const auto released = *at;
    left.holds.erase(at);
    HOMEPORT_CHECK(store::put(tx, left));
    return tx.append_audit(audit_hold(caller, "snapshot.release", left, released, p_.clock.now()));
  }));
  return info_of(space, left);
}

// --- The end ---------------------------------------------------------------------------------------------------------

Result<void> Snapshots::may_remove(const Caller& caller, const SpaceRecord& space, const SnapshotInfo& info) const {
  const auto words = space_words(space, p_.catalog);
  if (!info.ours) return not_ours(info, words);
  if (info.of_pool) {
    return Error{.code = Errc::unsupported,
                 .message = "snapshot " + named(info) + " is the whole pool's: " + words +
                            " shares it with every other space there, so it is not deleted for one",
                 .hint = "the pool's retention removes it"};
  }
  if (is_own_token(caller) && info.taken_by != caller.principal.id) {
    return Error{.code = Errc::forbidden,
                 .message = "snapshot " + named(info) + " was not taken with this person's token",
                 .hint = "a person deletes what they took themselves; ask an operator for others"};
  }
  if (!info.holds.empty()) {
    return refused("snapshot " + named(info) + " of " + words + " is held by " + hold_words(info.holds),
                   "`homeport snapshot release` when it is not needed any more");
  }
  if (space.state != SpaceState::ready && space.state != SpaceState::retired) {
    return refused(words + " is " + std::string(store::space_state_name(space.state)),
                   "snapshots are deleted while their space is ready or retired");
  }
  return not_observed(p_.catalog, space);
}

void Snapshots::remove(const Caller& caller, const SnapshotName& wanted,
                       std::function<void(Result<SnapshotOutcome>)> done) {
  look_up(caller, wanted, [this, caller, wanted, done = std::move(done)](Result<SnapshotInfo> info) {
    if (!info) return done(info.error());
    done(write_remove(caller, wanted.space, *info));
  });
}

Result<SnapshotOutcome> Snapshots::write_remove(const Caller& caller, const SpaceRecord& space,
                                                const SnapshotInfo& info) {
  const auto open = p_.catalog.open_operation(space.key);
  if (open && info.state == "deleting") {
    const auto op = p_.operations.get(*open);
    HOMEPORT_TRY(const auto record, recorded(space, info.key));
    if (op && record && op->plan.value("snapshot", "") == info.key)
      return SnapshotOutcome{.snapshot = *record, .operation = open};
  }
  HOMEPORT_CHECK(may_remove(caller, space, info));
  if (open) return other_work_open(*open, space_words(space, p_.catalog));
  HOMEPORT_TRY(const auto backend, p_.backends.get_serving(space.backend));
  const auto now = p_.clock.now();
  const auto new_key = "sn-" + hex16(p_.ids.random64());
  SnapshotOutcome outcome{.snapshot = {}, .created = true};
  store::OperationRecord stored_op;
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto present, store::get<SpaceRecord>(tx, space.key));
    if (!present) return Error{.code = Errc::not_found, .message = "there is no space " + space.key};
    HOMEPORT_TRY(auto record, record_for(tx, space, info, new_key));
    // As it is now: a hold may have come since the look.
    HOMEPORT_CHECK(may_remove(caller, *present, info_of(*present, record)));
    HOMEPORT_CHECK(count_against_cap(tx, backend->spec(), "destroys", 1, backend->spec().caps.destroys, now));
    stored_op = p_.operations.prepare("snapshot.delete", *present, caller,
                                      {{"snapshot", record.key},
                                       {"name", record.name},
                                       {"backend_id", record.backend_id},
                                       {"snapshot_before", std::string(store::snapshot_state_name(record.state))},
                                       {"backend_name", present->backend_name},
                                       {"pool", present->pool},
                                       {"layout", present->layout}});
    record.state = SnapshotState::deleting;
    HOMEPORT_CHECK(store::put(tx, record));
    HOMEPORT_CHECK(store::put(tx, stored_op, store::Expect::none()));
    outcome.snapshot = std::move(record);
    outcome.operation = stored_op.id;
    return {};
  }));
  fault_point("snapshot.delete.intent_written");
  p_.operations.start_new(stored_op);
  return outcome;
}

void Snapshots::preview_remove(const Caller& caller, const SnapshotName& wanted,
                               std::function<void(Result<Preview>)> done) {
  look_up(caller, wanted, [this, caller, wanted, done = std::move(done)](Result<SnapshotInfo> info) {
    if (!info) return done(info.error());
    const auto& space = wanted.space;
    if (const auto may = may_remove(caller, space, *info); !may) return done(may.error());
    const auto backend = p_.backends.get_serving(space.backend);
    if (!backend) return done(backend.error());
    Preview preview;
    preview.steps.push_back("delete snapshot " + named(*info) + " of " + space_words(space, p_.catalog));
    preview.notes.emplace_back("what only this snapshot still holds is gone then");
    auto work = [space, info = *info, preview, backend = *backend](const OpContext& op) mutable -> Result<Preview> {
      const DryRun dry(op);
      HOMEPORT_TRY(auto* power, snapshots_of(*backend, space));
      HOMEPORT_TRY(const auto ref, object_ref(space));
      HOMEPORT_CHECK(power->delete_snapshot(dry.op(), ref, {.id = info.backend_id, .name = info.name, .ours = true}));
      preview.calls = dry.calls();
      return preview;
    };
    p_.backends.run<Preview>(*backend, caller, std::move(work), done);
  });
}

void Snapshots::forget_old() {
  const auto last = p_.clock.now() - kDeletedKept;
  std::vector<std::string> old;
  const auto read = p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    old.clear();
    for (int day = 0; day < kDaysLookedBack; ++day) {
      const auto date = format_time(last - std::chrono::hours(24) * day).substr(0, 10);
      HOMEPORT_TRY(const auto rows,
                   tx.list(store::Table::snapshots, {.column = "deleted", .value = date, .limit = kForgottenAtOnce}));
      for (const auto& row : rows) old.push_back(row.key);
    }
    return {};
  });
  if (!read || old.empty()) return;  // in an hour
  const auto forgotten = p_.store.write("forget-snapshots", [&](store::WriteTransaction& tx) -> Result<void> {
    for (const auto& key : old) HOMEPORT_CHECK(tx.erase(store::Table::snapshots, key, store::Expect::any()));
    return {};
  });
  if (!forgotten)
    log::warning("records of deleted snapshots were not trimmed", {{"why", forgotten.error().to_string()}});
}

}  // namespace homeport::core
