// Homes, second part: the life of a space after it was made.
#include <algorithm>
#include <iterator>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/homes.h"
#include "provisioner/core/owners.h"
#include "provisioner/core/snapshots.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;

namespace {

std::chrono::hours trash_time(const Catalog& catalog, const SpaceRecord& space) {
  const auto klass = catalog.klass(space.klass);
  return klass ? klass->trash : std::chrono::hours(24 * 30);
}

Result<void> check_resize(const Catalog& catalog, const SpaceRecord& space, const Homes::Resize& request) {
  if (request.quota.count() == 0) {
    return Error{.code = Errc::invalid_argument, .message = "a quota of 0 would let nobody write", .pointer = "/quota"};
  }
  const auto klass = catalog.klass(space.klass);
  if (klass && klass->max_quota && request.quota > *klass->max_quota && !request.force) {
    return Error{.code = Errc::invalid_argument,
                 .message = request.quota.to_string() + " is over class " + space.klass + "'s maximum of " +
                            klass->max_quota->to_string(),
                 .hint = "--force goes over it for this one space",
                 .pointer = "/quota"};
  }
  if (space.usage && request.quota.count() < space.usage->bytes && !request.force) {
    return Error{
        .code = Errc::over_quota,
        .message = space_words(space, catalog) + " holds " + Bytes{space.usage->bytes}.to_string() + ", more than " +
                   request.quota.to_string(),
        .hint = "have files removed first; --force sets the limit all the same and nothing can be written then",
        .pointer = "/quota"};
  }
  return {};
}

// What was purged comes back only while the backend itself still keeps it, and where nobody took its place.
Result<void> check_recovery(const Catalog& catalog, const SpaceRecord& space, WallTime now) {
  if (space.state != SpaceState::purged || !space.recoverable_until) return {};
  const auto words = space_words(space, catalog);
  if (now >= *space.recoverable_until) {
    return Error{.code = Errc::failed_precondition,
                 .message = words + " was purged, and its backend removed it for good at " +
                            format_time(*space.recoverable_until),
                 .hint = "it can only come back from a backup"};
  }
  const auto other = space.kind == SpaceKind::home ? catalog.home(space.realm, space.owner, space.name) : nullptr;
  if (!other) return {};
  return Error{.code = Errc::already_exists,
               .message = words + " was made anew meanwhile (" + other->key + "), and " + space.key +
                          " would be a second one of that name",
               .hint = "retire and purge " + other->key + " first; the backend keeps this one until " +
                       format_time(*space.recoverable_until)};
}

}  // namespace

Result<void> check_no_sessions(store::ReadTransaction& tx, const Catalog& catalog, const SpaceRecord& space,
                               WallTime now) {
  std::vector<store::DamagedRow> damaged;
  store::ListQuery query{.column = "user", .value = space.owner};
  if (space.owner.empty()) query = {};  // a dataset: whoever was granted it
  HOMEPORT_TRY(auto sessions, store::list<store::SessionRecord>(tx, query, damaged));
  // A home that came by a merge may still be mounted by who had it before.
  for (const auto& before : merged_into(catalog, space.owner)) {
    HOMEPORT_TRY(auto more, store::list<store::SessionRecord>(tx, {.column = "user", .value = before}, damaged));
    std::move(more.begin(), more.end(), std::back_inserter(sessions));
  }
  if (!damaged.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "whether " + space_words(space, catalog) +
                            " is in use is not known: " + damaged.front().error.message,
                 .hint = "make sure that no server of this person runs, then use --force"};
  }
  const auto klass = catalog.klass(space.klass);
  const auto valid = klass ? klass->spec_valid : std::chrono::hours(12);
  for (const auto& session : sessions) {
    if (session.released_at || session.renewed_at + valid < now) continue;
    for (const auto& mounted : session.spaces) {
      if (mounted != space.key) continue;
      return Error{.code = Errc::failed_precondition,
                   .message = space_words(space, catalog) + " is mounted by a session of hub " + session.hub +
                              " (spec " + session.spec_id + ", issued " + format_time(session.renewed_at) + ")",
                   .hint = "stop that server and `homeport spec release " + session.spec_id + "`, or use --force"};
    }
  }
  return {};
}

struct Homes::Wanted {
  Verb verb;
  nlohmann::json plan = nlohmann::json::object();
  std::optional<std::uint64_t> expected_revision{};
  std::function<bool(const SpaceRecord&)> is_so;          // already, without an operation
  std::function<Result<void>(const SpaceRecord&)> check;  // beside state, mode and rights; may be empty

  [[nodiscard]] std::string kind() const { return "space." + std::string(verb_name(verb)); }
};

namespace {

// What the record says from the intent on, and what counts against the day.
Result<void> begin_change(store::WriteTransaction& tx, Verb verb, const nlohmann::json& plan, const Catalog& catalog,
                          const BackendSpec* backend, WallTime now, SpaceRecord& space) {
  switch (verb) {
    case Verb::retire:
      if (!plan.value("force", false)) HOMEPORT_CHECK(check_no_sessions(tx, catalog, space, now));
      space.state = SpaceState::retiring;
      space.retired_at = now;
      space.purge_after = now + trash_time(catalog, space);
      return {};
    case Verb::undelete: space.state = SpaceState::undeleting; return {};
    case Verb::purge:
      HOMEPORT_CHECK(check_no_holds(tx, space, now));
      space.state = SpaceState::purging;
      return backend != nullptr ? count_against_cap(tx, *backend, "destroys", 1, backend->caps.destroys, now)
                                : Result<void>{};
    case Verb::resize: {
      const auto wanted = plan.value("quota_bytes", std::uint64_t{0});
      const auto present = space.quota_bytes.value_or(0);
      if (backend == nullptr || !backend->caps.bytes || wanted <= present) return {};
      return count_against_cap(tx, *backend, "bytes", wanted - present, backend->caps.bytes->count(), now);
    }
    case Verb::release: return {};
  }
  return {};
}

}  // namespace

std::optional<SpaceOutcome> Homes::joined(const std::string& key, const Wanted& wanted) const {
  const auto open = p_.catalog.open_operation(key);
  if (!open) return std::nullopt;
  const auto op = p_.operations.get(*open);
  if (!op || op->kind != wanted.kind()) return std::nullopt;
  const auto asked = wanted.plan.find("quota_bytes");
  if (asked != wanted.plan.end() && op->plan.value("quota_bytes", nlohmann::json()) != *asked) return std::nullopt;
  const auto space = p_.catalog.space(key);
  if (!space) return std::nullopt;
  return SpaceOutcome{.space = *space, .operation = *open};
}

Result<SpaceOutcome> Homes::change(const Caller& caller, const std::string& key, const Wanted& wanted) {
  const auto attempt = [&] { return try_change(caller, key, wanted); };
  return wanted.expected_revision ? attempt() : until_no_race(attempt);
}

Result<SpaceOutcome> Homes::try_change(const Caller& caller, const std::string& key, const Wanted& wanted) {
  // Operation first, then the space: an operation that ends in between has left its end in the space.
  if (auto same = joined(key, wanted)) return std::move(*same);
  HOMEPORT_TRY(const auto space, resolve("", key));
  if (wanted.is_so(space)) return SpaceOutcome{.space = space};
  if (wanted.check) HOMEPORT_CHECK(wanted.check(space));
  HOMEPORT_CHECK(may_change(p_.catalog, space, wanted.verb));
  return write_intent(caller, key, wanted);
}

Result<SpaceOutcome> Homes::write_intent(const Caller& caller, const std::string& key, const Wanted& wanted) {
  const auto now = p_.clock.now();
  SpaceOutcome outcome{.space = SpaceRecord{.key = key, .backend = {}, .layout = {}, .pool = {}, .backend_name = {}},
                       .created = true};
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, key));
    if (!space) return Error{.code = Errc::not_found, .message = "there is no space " + key};
    const Error changed{.code = Errc::conflict,
                        .message = space_words(*space, p_.catalog) + " was changed meanwhile (revision " +
                                   std::to_string(space->revision) + ")",
                        .hint = "read it again and decide anew"};
    if (wanted.expected_revision && *wanted.expected_revision != space->revision) return changed;
    if (!state_allows(p_.catalog, *space, wanted.verb)) return changed;
    auto op = p_.operations.prepare(wanted.kind(), *space, caller, wanted.plan);
    op.plan["backend_name"] = space->backend_name;
    op.plan["pool"] = space->pool;
    op.plan["layout"] = space->layout;
    const auto backend = p_.backends.get(space->backend);
    HOMEPORT_CHECK(
        begin_change(tx, wanted.verb, wanted.plan, p_.catalog, backend ? &(*backend)->spec() : nullptr, now, *space));
    HOMEPORT_CHECK(store::put(tx, *space));
    HOMEPORT_CHECK(store::put(tx, op, store::Expect::none()));
    outcome.operation = op.id;
    outcome.space = *space;
    return {};
  }));
  fault_point(wanted.kind() + ".intent_written");
  if (wanted.verb == Verb::retire && !wanted.plan.value("force", false)) {
    // From the intent on no spec names this space; one that was answered a moment before it is in use all the same.
    if (auto in_use = check_in_use(key); !in_use) {
      HOMEPORT_CHECK(p_.operations.withdraw(*outcome.operation, in_use.error()));
      return std::move(in_use).error();
    }
  }
  p_.operations.start(*outcome.operation);
  return outcome;
}

Result<void> Homes::check_in_use(const std::string& key) {
  HOMEPORT_CHECK(p_.flush_sessions());
  return p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto space, store::get<SpaceRecord>(tx, key));
    return space ? check_no_sessions(tx, p_.catalog, *space, p_.clock.now()) : Result<void>{};
  });
}

Result<SpaceOutcome> Homes::resize(const Caller& caller, const std::string& key, const Resize& request) {
  return change(caller, key,
                {.verb = Verb::resize,
                 .plan = {{"quota_bytes", request.quota.count()}, {"force", request.force}},
                 .expected_revision = request.expected_revision,
                 .is_so =
                     [&](const SpaceRecord& space) {
                       return space.state == SpaceState::ready && space.quota_bytes == request.quota.count() &&
                              !request.expected_revision;
                     },
                 .check = [&](const SpaceRecord& space) { return check_resize(p_.catalog, space, request); }});
}

Result<SpaceOutcome> Homes::retire(const Caller& caller, const std::string& key, bool force) {
  HOMEPORT_CHECK(p_.flush_sessions());
  return change(caller, key,
                {.verb = Verb::retire,
                 .plan = {{"force", force}},
                 .is_so = [](const SpaceRecord& space) { return space.state == SpaceState::retired; },
                 .check = [](const SpaceRecord& space) -> Result<void> {
                   if (space.kind != SpaceKind::dataset || !space.imported) return {};
                   return Error{.code = Errc::unsupported,
                                .message = "a dataset that was imported is never deleted by us",
                                .hint = "`homeport dataset release " + space.name + "` forgets it and touches nothing"};
                 }});
}

Result<void> Homes::may_retire(const std::string& key) {
  HOMEPORT_TRY(const auto space, resolve("", key));
  HOMEPORT_CHECK(may_change(p_.catalog, space, Verb::retire));
  return check_in_use(key);
}

Result<SpaceOutcome> Homes::release(const Caller& caller, const std::string& key, bool force) {
  HOMEPORT_TRY(const auto known, resolve("", key));
  HOMEPORT_CHECK(may_change(p_.catalog, known, Verb::release));
  if (!known.imported && !force) {
    return Error{.code = Errc::failed_precondition,
                 .message = space_words(known, p_.catalog) + " was made by Homeport: forgotten, it would be left at " +
                            known.path + " and the next login would make an empty one",
                 .hint = "`homeport home retire` takes it out of use and keeps it; --force forgets it all the same"};
  }
  SpaceOutcome outcome{.space = known};
  HOMEPORT_CHECK(p_.store.write("release", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, known.key));
    if (!space) return Error{.code = Errc::not_found, .message = "there is no space " + known.key};
    HOMEPORT_CHECK(state_allows(p_.catalog, *space, Verb::release));
    space->state = SpaceState::released;
    HOMEPORT_CHECK(store::put(tx, *space));
    HOMEPORT_TRY(const auto grants, tx.list(store::Table::grants, {.column = "space", .value = known.key}));
    for (const auto& grant : grants) HOMEPORT_CHECK(tx.erase(store::Table::grants, grant.key, store::Expect::any()));
    outcome.space = *space;
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = std::string(space_kind_name(space->kind)) + ".release",
                            .subject = known.key,
                            .outcome = "ok"});
  }));
  return outcome;
}

Result<SpaceRecord> Homes::set_rights(const Caller& caller, const std::string& key, const RightsChange& change) {
  SpaceRecord changed{.key = key, .backend = {}, .layout = {}, .pool = {}, .backend_name = {}};
  HOMEPORT_CHECK(p_.store.write("rights", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, key));
    if (!space) return Error{.code = Errc::not_found, .message = "there is no space " + key};
    if (space->kind == SpaceKind::dataset && change.destroy.value_or(false)) {
      return Error{
          .code = Errc::unsupported, .message = "a dataset is never deleted by us", .pointer = "/rights/destroy"};
    }
    const auto backend = p_.backends.get(space->backend);
    if (change.destroy.value_or(false) && space->imported && backend &&
        !capabilities_of((*backend)->driver(), layout_of(*space)).retires_imports) {
      return Error{.code = Errc::unsupported,
                   .message = "backend " + space->backend + " never moves or removes what was imported",
                   .hint = "`homeport home release` forgets it; its files are then removed on the server by hand",
                   .pointer = "/destroy"};
    }
    space->rights.snapshot = change.snapshot.value_or(space->rights.snapshot);
    space->rights.resize = change.resize.value_or(space->rights.resize);
    space->rights.destroy = change.destroy.value_or(space->rights.destroy);
    HOMEPORT_CHECK(store::put(
        tx, *space, change.expected_revision ? store::Expect::at(*change.expected_revision) : store::Expect::any()));
    changed = *space;
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "space.rights",
                            .subject = key,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"snapshot", space->rights.snapshot},
                                                     {"resize", space->rights.resize},
                                                     {"destroy", space->rights.destroy}}
                                          .dump()});
  }));
  return changed;
}

Result<SpaceOutcome> Homes::undelete(const Caller& caller, const std::string& key) {
  return change(caller, key,
                {.verb = Verb::undelete,
                 .is_so = [](const SpaceRecord& space) { return space.state == SpaceState::ready; },
                 .check = [&](const SpaceRecord& space) { return check_recovery(p_.catalog, space, p_.clock.now()); }});
}

Result<SpaceOutcome> Homes::purge(const Caller& caller, const std::string& key, std::string_view confirm) {
  HOMEPORT_TRY(const auto space, resolve("", key));
  if (space.state == SpaceState::purged) return SpaceOutcome{.space = space};
  const auto names = owner_names(p_.catalog, space);
  const bool named = confirm == space.key || (space.kind == SpaceKind::dataset && confirm == space.name) ||
                     (!names.empty() && std::find(names.begin(), names.end(), confirm) != names.end());
  if (!named) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the confirmation '" + printable(confirm, 60) + "' is not the name of " +
                            space_words(space, p_.catalog),
                 .hint = "a purge cannot be undone: confirm it with the owner's name or the space's key",
                 .pointer = "/confirm"};
  }
  return change(caller, key,
                {.verb = Verb::purge,
                 .is_so = [](const SpaceRecord& now) { return now.state == SpaceState::purged; },
                 .check = {}});
}

void Homes::preview(const Caller& caller, const std::string& key, std::string_view verb, std::optional<Resize> resize,
                    std::function<void(Result<Preview>)> done) {
  const auto run = [&]() -> Result<std::pair<SpaceRecord, BackendPtr>> {
    HOMEPORT_TRY(const auto space, resolve("", key));
    const auto which = verb == "resize"     ? Verb::resize
                       : verb == "retire"   ? Verb::retire
                       : verb == "undelete" ? Verb::undelete
                                            : Verb::purge;
    HOMEPORT_CHECK(may_change(p_.catalog, space, which));
    if (resize) HOMEPORT_CHECK(check_resize(p_.catalog, space, *resize));
    if (which == Verb::undelete) HOMEPORT_CHECK(check_recovery(p_.catalog, space, p_.clock.now()));
    HOMEPORT_TRY(const auto backend, p_.backends.get_serving(space.backend));
    return std::pair{space, backend};
  };
  auto ready = run();
  if (!ready) {
    done(std::move(ready).error());
    return;
  }
  const auto& space = ready->first;
  const auto& backend = ready->second;
  Preview preview;
  preview.steps.push_back(std::string(verb) + " " + space_words(space, p_.catalog) + " (" + space.key + " at " +
                          space.path + ")");
  if (verb == "retire") {
    preview.notes.push_back("specs are refused from then on; the data is kept until " +
                            format_time(p_.clock.now() + trash_time(p_.catalog, space)) +
                            " at least, and `homeport home undelete` brings it back");
  }
  if (verb == "purge") preview.notes.push_back("this cannot be undone");
  if (space.recoverable_until && verb == "undelete") {
    preview.notes.push_back("it was purged; the backend itself keeps it until " +
                            format_time(*space.recoverable_until));
  }
  const std::string what(verb);
  const auto marker = marker_of(space, p_.catalog);
  auto work = [space, backend, preview, what, resize, marker,
               &catalog = p_.catalog](const OpContext& op) mutable -> Result<Preview> {
    const DryRun dry(op);
    auto& driver = backend->driver();
    HOMEPORT_TRY(const auto ref, object_ref(space));
    if (what == "retire") HOMEPORT_CHECK(driver.retire(dry.op(), ref));
    if (what == "undelete") HOMEPORT_CHECK(driver.undelete(dry.op(), ref));
    if (what == "purge") HOMEPORT_CHECK(driver.purge(dry.op(), ref, std::nullopt));
    if (what == "resize" && resize) {
      const auto quota = quota_class_of(driver, space, catalog);
      drivers::Change change{.marker = marker};
      change.marker->quota = resize->quota;
      if (quota == drivers::QuotaClass::hard || quota == drivers::QuotaClass::cooperative) {
        change.quota = std::optional<Bytes>(resize->quota);
        change.force = resize->force;
      } else {
        preview.notes.push_back("the limit is recorded; this backend does not enforce it (quota class " +
                                std::string(drivers::quota_class_name(quota)) + ")");
      }
      HOMEPORT_CHECK(driver.update(dry.op(), ref, change));
    }
    preview.calls = dry.calls();
    return preview;
  };
  p_.backends.run<Preview>(backend, caller, std::move(work), std::move(done));
}

}  // namespace homeport::core
