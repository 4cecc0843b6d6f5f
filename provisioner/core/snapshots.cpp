#include "provisioner/core/snapshots.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SnapshotRecord;
using store::SnapshotState;
using store::SpaceRecord;
using store::SpaceState;

namespace {

constexpr std::string_view kKeyPrefix = "sn-";
constexpr std::size_t kReasonBytes = 500;

// "hp-20261121-222455-3fa2c1": sorts by time, and two of one second differ.
std::string draw_name(const std::string& prefix, WallTime now, std::uint64_t random) {
  std::string stamp;
  for (const char c : format_time(now).substr(0, 19)) {
    if (c >= '0' && c <= '9') stamp += c;
    if (c == 'T') stamp += '-';
  }
  return prefix + stamp + "-" + hex16(random).substr(0, 6);
}

Result<void> check_label(const std::string& label, const std::string& prefix) {
  if (label.empty()) return {};
  if (label.find('@') != std::string::npos) {
    return Error{.code = Errc::invalid_argument,
                 .message = "a label with '@' could not be found again: SPACE@LABEL is split at the last one",
                 .hint = "lower-case letters, digits, '.', '_' and '-'",
                 .pointer = "/label"};
  }
  if (label.starts_with(prefix) || label.starts_with(kKeyPrefix)) {
    return Error{.code = Errc::invalid_argument,
                 .message = "label '" + printable(label, 60) + "' looks like the name of a snapshot",
                 .hint = "labels do not begin with " + prefix + " or " + std::string(kKeyPrefix),
                 .pointer = "/label"};
  }
  if (auto slug = Slug::parse(label); !slug) {
    auto error = std::move(slug).error();
    error.message = "label " + error.message;
    error.pointer = "/label";
    return error;
  }
  return {};
}

Result<void> check_request(const Snapshots::Take& request, const std::string& prefix) {
  HOMEPORT_CHECK(check_label(request.label, prefix));
  if (request.reason.size() <= kReasonBytes) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "a reason of " + std::to_string(request.reason.size()) + " bytes is too long",
               .hint = "at most " + std::to_string(kReasonBytes),
               .pointer = "/reason"};
}

// A space that goes, or is not there yet, has nothing to keep a moment of.
Result<void> state_lets_take(const Catalog& catalog, const SpaceRecord& space) {
  if (space.state == SpaceState::ready) return {};
  const bool may_come_back = space.state == SpaceState::retired || space.state == SpaceState::retiring;
  return refused("no snapshot is taken of " + space_words(space, catalog) + ": it is " +
                     std::string(store::space_state_name(space.state)),
                 may_come_back                         ? "undelete it first; snapshots taken before are kept with it"
                 : space.state == SpaceState::creating ? "wait until it is ready"
                                                       : "`homeport space list` shows what there is");
}

Result<void> may_take(const Catalog& catalog, const SpaceRecord& space) {
  HOMEPORT_CHECK(state_lets_take(catalog, space));
  const auto words = space_words(space, catalog);
  if (!space.rights.snapshot) {
    return refused("the right to take snapshots of " + words + " was not given",
                   "it was imported: an admin can raise its right `snapshot`");
  }
  HOMEPORT_CHECK(not_observed(catalog, space));
  if (const auto open = catalog.open_operation(space.key)) return other_work_open(*open, words);
  return {};
}

Error label_taken(const SpaceRecord& space, const Catalog& catalog, const std::string& label) {
  return Error{.code = Errc::already_exists,
               .message = space_words(space, catalog) + " has a snapshot labelled '" + printable(label, 80) + "'",
               .hint = "choose another label, or delete that snapshot first",
               .pointer = "/label"};
}

}  // namespace

bool snapshots_are_the_pools(drivers::StorageDriver& driver, const SpaceRecord& space) {
  const auto layout = layout_of(space);
  if (space.imported && layout == drivers::Layout::directory) return true;
  return !capabilities_of(driver, layout).snapshots_per_space;
}

Result<drivers::Snapshots*> snapshots_of(Backend& backend, const SpaceRecord& space) {
  auto* power = drivers::find<drivers::Snapshots>(backend.driver());
  const auto info = backend.driver().info();
  const auto can = capabilities_of(backend.driver(), layout_of(space));
  if (power != nullptr && can.snapshots) return power;
  if (power != nullptr && !info->known) {
    return Error{.code = Errc::unavailable,
                 .message = "what backend " + space.backend + " can do is not known before it was reached",
                 .hint = "`homeport backend probe " + space.backend + "` tries"};
  }
  std::string why = "the server's own snapshots, where it makes any, go on by themselves";
  for (const auto& note : can.notes) {
    if (note.find("snapshot") != std::string::npos) why = note;
  }
  return Error{.code = Errc::unsupported,
               .message = "backend " + space.backend + " takes no snapshots of spaces of layout " + space.layout,
               .hint = why};
}

Result<SnapshotOutcome> Snapshots::take(const Caller& caller, const std::string& space, const Take& request) {
  HOMEPORT_CHECK(check_request(request, p_.name_prefix));
  return until_no_race([&] { return try_take(caller, space, request); });
}

// What a person may do with their own token stays theirs: a pool's snapshot is everybody's.
Result<void> Snapshots::check_own(const Caller& caller, const SpaceRecord& space, bool of_pool) const {
  if (caller.principal.scope != policies::Scope::user_self || !of_pool) return {};
  return Error{.code = Errc::forbidden,
               .message = "snapshots of " + space_words(space, p_.catalog) + " are those of pool " + space.pool +
                          ", which many people share",
               .hint = "ask an operator; what there is can be listed and restored from"};
}

Result<SnapshotOutcome> Snapshots::try_take(const Caller& caller, const std::string& key, const Take& request) {
  HOMEPORT_TRY(const auto space, homes_.resolve("", key));
  if (!request.label.empty()) {
    HOMEPORT_TRY(const auto same, recorded(space, request.label));
    const auto open = p_.catalog.open_operation(space.key);
    if (same && same->state == SnapshotState::taking && open)
      return SnapshotOutcome{.snapshot = *same, .operation = open};
    if (same) return label_taken(space, p_.catalog, request.label);
  }
  HOMEPORT_CHECK(may_take(p_.catalog, space));
  HOMEPORT_TRY(const auto backend, p_.backends.get_serving(space.backend));
  HOMEPORT_CHECK(snapshots_of(*backend, space));
  const bool of_pool = snapshots_are_the_pools(backend->driver(), space);
  HOMEPORT_CHECK(check_own(caller, space, of_pool));
  if (caller.principal.scope == policies::Scope::user_self) {
    HOMEPORT_TRY(const auto records, records_of(space));
    const auto taken =
        std::count_if(records.begin(), records.end(), [&](const auto& r) { return r.taken_by == caller.principal.id; });
    if (static_cast<std::size_t>(taken) >= kOwnMost) {
      return Error{.code = Errc::out_of_capacity,
                   .message = "you have taken " + std::to_string(taken) + " snapshots, and " +
                              std::to_string(kOwnMost) + " are the most one person keeps",
                   .hint = "delete one that is not needed any more"};
    }
  }
  const auto now = p_.clock.now();
  const SnapshotRecord wanted{.key = std::string(kKeyPrefix) + hex16(p_.ids.random64()),
                              .space = space.key,
                              .backend = space.backend,
                              .pool = space.pool,
                              .of_pool = of_pool,
                              .name = draw_name(p_.name_prefix, now, p_.ids.random64()),
                              .label = request.label,
                              .reason = request.reason,
                              .taken_by = caller.principal.id,
                              .asked_at = now};
  SnapshotOutcome outcome{.snapshot = wanted, .created = true};
  store::OperationRecord stored_op;
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto present, store::get<SpaceRecord>(tx, key));
    if (!present || !state_lets_take(p_.catalog, *present)) {
      return Error{.code = Errc::conflict,
                   .message = space_words(space, p_.catalog) + " was changed meanwhile",
                   .hint = "look at it again and decide anew"};
    }
    auto record = wanted;
    HOMEPORT_CHECK(store::put(tx, record));
    stored_op = p_.operations.prepare("snapshot.take", *present, caller,
                                      {{"snapshot", wanted.key},
                                       {"name", wanted.name},
                                       {"label", wanted.label},
                                       {"backend_name", present->backend_name},
                                       {"pool", present->pool},
                                       {"layout", present->layout}});
    HOMEPORT_CHECK(store::put(tx, stored_op, store::Expect::none()));
    outcome.snapshot = std::move(record);
    outcome.operation = stored_op.id;
    return {};
  }));
  fault_point("snapshot.take.intent_written");
  p_.operations.start_new(stored_op);
  return outcome;
}

void Snapshots::preview_take(const Caller& caller, const std::string& key, std::function<void(Result<Preview>)> done) {
  const auto ready = [&]() -> Result<std::pair<SpaceRecord, BackendPtr>> {
    HOMEPORT_TRY(auto space, homes_.resolve("", key));
    HOMEPORT_CHECK(may_take(p_.catalog, space));
    HOMEPORT_TRY(auto backend, p_.backends.get_serving(space.backend));
    HOMEPORT_CHECK(snapshots_of(*backend, space));
    return std::pair{std::move(space), std::move(backend)};
  }();
  if (!ready) return done(ready.error());
  const auto& [space, backend] = *ready;
  Preview preview;
  preview.steps.push_back("take a snapshot of " + space_words(space, p_.catalog) + " (" + space.key + " at " +
                          space.path + ")");
  if (snapshots_are_the_pools(backend->driver(), space)) {
    preview.notes.push_back("snapshots here are those of pool " + space.pool + ": this takes one of every space in it");
  }
  const auto name = draw_name(p_.name_prefix, p_.clock.now(), 0);
  auto work = [space = space, backend = backend, preview, name](const OpContext& op) mutable -> Result<Preview> {
    const DryRun dry(op);
    HOMEPORT_TRY(auto* power, snapshots_of(*backend, space));
    HOMEPORT_TRY(const auto ref, object_ref(space));
    HOMEPORT_CHECK(power->take_snapshot(dry.op(), ref, name));
    preview.calls = dry.calls();
    return preview;
  };
  p_.backends.run<Preview>(backend, caller, std::move(work), std::move(done));
}

// --- What there is ---------------------------------------------------------------------------------------------------

namespace {

// To look at them, it is enough that the backend shows some: it may take none itself.
Result<drivers::Snapshots*> shown_snapshots_of(Backend& backend, const SpaceRecord& space) {
  if (auto* power = drivers::find<drivers::Snapshots>(backend.driver())) return power;
  return snapshots_of(backend, space);
}

}  // namespace

SnapshotInfo Snapshots::info_of(const SpaceRecord& space, const SnapshotRecord& record) const {
  SnapshotInfo info{.space = space.key, .name = record.name, .key = record.key};
  // What somebody wrote about their own space is not shown to others who share the pool.
  if (record.space == space.key) {
    info.label = record.label;
    info.reason = record.reason;
    info.taken_by = record.taken_by;
  }
  info.state = std::string(store::snapshot_state_name(record.state));
  info.ours = true;
  info.of_pool = record.of_pool;
  info.backend_id = record.backend_id;
  info.taken_at = record.taken_at;
  const auto now = p_.clock.now();
  std::copy_if(record.holds.begin(), record.holds.end(), std::back_inserter(info.holds),
               [&](const auto& hold) { return counts(hold, now); });
  return info;
}

Result<std::vector<SnapshotRecord>> Snapshots::records_of(const SpaceRecord& space) const {
  std::vector<SnapshotRecord> out;
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    out.clear();
    std::vector<store::DamagedRow> damaged;  // one of them does not hide the others
    for (const auto& scope : {store::snapshot_scope(space.key), store::snapshot_scope(space.backend, space.pool)}) {
      HOMEPORT_TRY(auto found, store::list<SnapshotRecord>(tx, {.column = "scope", .value = scope}, damaged));
      std::move(found.begin(), found.end(), std::back_inserter(out));
    }
    return {};
  }));
  std::erase_if(out, [](const SnapshotRecord& r) { return r.state == SnapshotState::deleted; });
  return out;
}

Result<std::vector<SnapshotInfo>> Snapshots::merged(const OpContext& op, Backend& backend,
                                                    const SpaceRecord& space) const {
  HOMEPORT_TRY(auto* power, shown_snapshots_of(backend, space));
  HOMEPORT_TRY(const auto ref, object_ref(space));
  // Looked at before and after the backend: what was taken or deleted meanwhile is neither unknown nor vanished.
  HOMEPORT_TRY(const auto before, records_of(space));
  std::map<std::string, drivers::Snapshot> seen;
  std::optional<drivers::Cursor> from;
  do {
    std::vector<drivers::Snapshot> page;
    HOMEPORT_TRY(from, power->list_snapshots(op, ref, std::move(from), page));
    for (auto& one : page) seen.insert_or_assign(one.name, std::move(one));
  } while (from);
  HOMEPORT_TRY(const auto after, records_of(space));
  std::set<std::string> were_ready;
  for (const auto& record : before) {
    if (record.state == SnapshotState::ready) were_ready.insert(record.key);
  }
  std::vector<SnapshotInfo> out;
  for (const auto& record : after) {
    auto info = info_of(space, record);
    const auto at = seen.find(record.name);
    const bool stands = at != seen.end() && (record.backend_id.empty() || record.backend_id == at->second.id);
    if (stands) {
      info.backend_id = at->second.id;
      info.taken_at = at->second.taken_at;
      info.unique_bytes = at->second.unique_bytes;
      // Given up while it was taken: it was.
      if (record.state == SnapshotState::taking && !p_.catalog.open_operation(record.space)) info.state = "ready";
      seen.erase(at);
    } else if (record.of_pool && record.space != space.key) {
      continue;  // the pool's, from before this space was
    } else if (record.state == SnapshotState::ready && were_ready.contains(record.key)) {
      info.state = "vanished";
    }
    out.push_back(std::move(info));
  }
  std::set<std::string> known;
  for (const auto& record : before) known.insert(record.name);
  for (const auto& [name, one] : seen) {
    if (one.ours && known.contains(name)) continue;  // deleted meanwhile
    out.push_back({.space = space.key,
                   .name = name,
                   .ours = one.ours,
                   .of_pool = snapshots_are_the_pools(backend.driver(), space),
                   .backend_id = one.id,
                   .taken_at = one.taken_at,
                   .unique_bytes = one.unique_bytes});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::pair(a.taken_at.value_or(WallTime::max()), a.name) <
           std::pair(b.taken_at.value_or(WallTime::max()), b.name);
  });
  return out;
}

void Snapshots::list(const Caller& caller, const std::string& key, std::function<void(Result<SnapshotList>)> done) {
  const auto space = homes_.resolve("", key);
  if (!space) return done(space.error());
  const auto by_records = [this, space = *space](const Error& why) -> Result<SnapshotList> {
    if (!is_transient(why.code) && why.code != Errc::failed_precondition) return why;
    HOMEPORT_TRY(const auto records, records_of(space));
    SnapshotList out;
    for (const auto& record : records) {
      if (record.space == space.key) out.items.push_back(info_of(space, record));
    }
    out.notes.push_back("backend " + space.backend +
                        " could not be asked, so this is what Homeport remembers: " + why.sentence());
    return out;
  };
  const auto backend = p_.backends.get(space->backend);
  if (!backend) return done(backend.error());
  auto work = [this, space = *space, backend = *backend](const OpContext& op) -> Result<SnapshotList> {
    HOMEPORT_TRY(auto items, merged(op, *backend, space));
    return SnapshotList{.items = std::move(items)};
  };
  p_.backends.run<SnapshotList>(*backend, caller, std::move(work),
                                [by_records, done = std::move(done)](Result<SnapshotList> listed) {
                                  done(listed ? std::move(listed) : by_records(listed.error()));
                                });
}

// --- By what people write --------------------------------------------------------------------------------------------

Result<SnapshotName> Snapshots::parse(std::string_view realm, std::string_view text) const {
  const Error unnamed{.code = Errc::invalid_argument,
                      .message = "'" + printable(text, 80) + "' does not name a snapshot",
                      .hint = "write SPACE@SNAPSHOT, such as home/alice@before-update or dataset/imagenet@2026-11"};
  const auto at = text.rfind('@');
  if (at == std::string_view::npos) return unnamed;
  if (homes_.resolve(realm, text)) {
    auto error = unnamed;
    error.message += ": it is a space, and of which of its snapshots is not said";
    return error;
  }
  if (at + 1 == text.size()) return unnamed;
  HOMEPORT_TRY(auto space, homes_.resolve(realm, text.substr(0, at)));
  return SnapshotName{.space = std::move(space), .snapshot = std::string(text.substr(at + 1))};
}

Result<std::optional<SnapshotRecord>> Snapshots::recorded(const SpaceRecord& space, std::string_view snapshot) const {
  std::optional<SnapshotRecord> found;
  const std::string wanted(snapshot);
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    found.reset();
    if (snapshot.starts_with(kKeyPrefix)) {
      HOMEPORT_TRY(auto by_key, store::get<SnapshotRecord>(tx, snapshot));
      const bool of_this = by_key && (by_key->scope() == store::snapshot_scope(space.key) ||
                                      by_key->scope() == store::snapshot_scope(space.backend, space.pool));
      if (of_this) found = std::move(by_key);
      return {};
    }
    const std::pair<std::string_view, std::string> places[] = {
        {"label", space.key + "/" + wanted},
        {"name", store::snapshot_scope(space.key) + "/" + wanted},
        {"name", store::snapshot_scope(space.backend, space.pool) + "/" + wanted}};
    for (const auto& [column, value] : places) {
      HOMEPORT_TRY(auto rows, store::list<SnapshotRecord>(tx, {.column = column, .value = value}));
      if (rows.empty()) continue;
      found = std::move(rows.front());
      return {};
    }
    return {};
  }));
  return found;
}

Result<SnapshotInfo> Snapshots::resolve(const OpContext& op, Backend& backend, const SnapshotName& wanted) const {
  HOMEPORT_TRY(const auto record, recorded(wanted.space, wanted.snapshot));
  const auto words = space_words(wanted.space, p_.catalog);
  if (record && record->state == SnapshotState::ready) {
    HOMEPORT_CHECK(shown_snapshots_of(backend, wanted.space));
    return info_of(wanted.space, *record);
  }
  HOMEPORT_TRY(auto all, merged(op, backend, wanted.space));
  const auto name = record ? record->name : wanted.snapshot;
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  if (at == all.end() || at->state == "deleted") {
    return Error{.code = Errc::not_found,
                 .message = words + " has no snapshot '" + printable(wanted.snapshot, 80) + "'",
                 .hint = "`homeport snapshot list` shows what there is"};
  }
  if (at->state != "ready") {
    return refused("snapshot '" + printable(wanted.snapshot, 80) + "' of " + words + " is " + at->state,
                   at->state == "taking" ? "wait until it is taken" : "choose another one");
  }
  return std::move(*at);
}

}  // namespace homeport::core
