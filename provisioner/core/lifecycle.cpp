// Homes, second part: the life of a space after it was made.
#include <algorithm>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/homes.h"
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

// Sessions that mount it right now: their specs have not run out and were not released.
Result<void> check_no_sessions(store::ReadTransaction& tx, const Catalog& catalog, const SpaceRecord& space,
                               WallTime now) {
  HOMEPORT_TRY(const auto sessions, store::list<store::SessionRecord>(tx, {.column = "user", .value = space.owner}));
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

}  // namespace

std::optional<SpaceOutcome> Homes::joined(const SpaceRecord& space, std::string_view kind,
                                          const nlohmann::json& plan) const {
  const auto open = p_.catalog.open_operation(space.key);
  const auto op = open ? p_.operations.get(*open)
                       : Result<store::OperationRecord>(Error{.code = Errc::not_found, .message = "none is open"});
  if (!op || op->kind != kind) return std::nullopt;
  const auto asked = plan.find("quota_bytes");
  if (asked != plan.end() && op->plan.value("quota_bytes", nlohmann::json()) != *asked) return std::nullopt;
  return SpaceOutcome{.space = space, .operation = *open};
}

Result<SpaceOutcome> Homes::change(const Caller& caller, const std::string& space_key, std::string_view kind,
                                   nlohmann::json plan, std::optional<std::uint64_t> expected_revision) {
  const auto now = p_.clock.now();
  SpaceOutcome outcome{.space =
                           SpaceRecord{.key = space_key, .backend = {}, .layout = {}, .pool = {}, .backend_name = {}}};
  std::string operation;
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, space_key));
    if (!space) return Error{.code = Errc::not_found, .message = "there is no space " + space_key};
    if (expected_revision && *expected_revision != space->revision) {
      return Error{.code = Errc::conflict,
                   .message = space_words(*space, p_.catalog) + " was changed meanwhile (revision " +
                              std::to_string(space->revision) + ")",
                   .hint = "read it again and decide anew"};
    }
    auto op = p_.operations.prepare(kind, *space, caller, plan);
    op.plan["backend_name"] = space->backend_name;
    op.plan["pool"] = space->pool;
    op.plan["layout"] = space->layout;
    operation = op.id;
    if (kind == "space.retire") {
      if (!plan.value("force", false)) HOMEPORT_CHECK(check_no_sessions(tx, p_.catalog, *space, now));
      space->state = SpaceState::retiring;
      space->retired_at = now;
      space->purge_after = now + trash_time(p_.catalog, *space);
    } else if (kind == "space.undelete") {
      space->state = SpaceState::undeleting;
    } else if (kind == "space.purge") {
      space->state = SpaceState::purging;
      const auto backend = p_.backends.get(space->backend);
      if (backend)
        HOMEPORT_CHECK(count_against_cap(tx, (*backend)->spec(), "destroys", 1, (*backend)->spec().caps.destroys, now));
    } else if (kind == "space.resize") {
      const auto backend = p_.backends.get(space->backend);
      const auto wanted = plan.value("quota_bytes", std::uint64_t{0});
      const auto more = wanted > space->quota_bytes.value_or(0) ? wanted - space->quota_bytes.value_or(0) : 0;
      if (backend && (*backend)->spec().caps.bytes && more > 0) {
        HOMEPORT_CHECK(
            count_against_cap(tx, (*backend)->spec(), "bytes", more, (*backend)->spec().caps.bytes->count(), now));
      }
    }
    HOMEPORT_CHECK(store::put(tx, *space));
    HOMEPORT_CHECK(store::put(tx, op, store::Expect::none()));
    outcome.space = *space;
    return {};
  }));
  fault_point(std::string(kind) + ".intent_written");
  outcome.operation = operation;
  outcome.created = true;
  p_.operations.start(operation);
  return outcome;
}

Result<SpaceOutcome> Homes::resize(const Caller& caller, const std::string& key, const Resize& request) {
  HOMEPORT_TRY(const auto space, resolve("", key));
  if (auto same = joined(space, "space.resize", {{"quota_bytes", request.quota.count()}})) return std::move(*same);
  HOMEPORT_CHECK(may_change(p_.catalog, space, Verb::resize));
  HOMEPORT_CHECK(check_resize(p_.catalog, space, request));
  if (space.quota_bytes == request.quota.count() && !request.expected_revision) return SpaceOutcome{.space = space};
  return change(caller, key, "space.resize", {{"quota_bytes", request.quota.count()}, {"force", request.force}},
                request.expected_revision);
}

Result<SpaceOutcome> Homes::retire(const Caller& caller, const std::string& key, bool force) {
  HOMEPORT_TRY(const auto space, resolve("", key));
  if (space.state == SpaceState::retired) return SpaceOutcome{.space = space};
  if (space.kind == SpaceKind::dataset) {
    return Error{.code = Errc::unsupported,
                 .message = "a dataset is never deleted by us",
                 .hint = "`homeport dataset release " + space.name + "` forgets it and touches nothing"};
  }
  if (auto same = joined(space, "space.retire", {})) return std::move(*same);
  HOMEPORT_CHECK(may_change(p_.catalog, space, Verb::retire));
  return change(caller, key, "space.retire", {{"force", force}}, std::nullopt);
}

Result<SpaceOutcome> Homes::undelete(const Caller& caller, const std::string& key) {
  HOMEPORT_TRY(const auto space, resolve("", key));
  if (space.state == SpaceState::ready) return SpaceOutcome{.space = space};
  if (auto same = joined(space, "space.undelete", {})) return std::move(*same);
  HOMEPORT_CHECK(may_change(p_.catalog, space, Verb::undelete));
  return change(caller, key, "space.undelete", nlohmann::json::object(), std::nullopt);
}

Result<SpaceOutcome> Homes::purge(const Caller& caller, const std::string& key, std::string_view confirm) {
  HOMEPORT_TRY(const auto space, resolve("", key));
  if (space.state == SpaceState::purged) return SpaceOutcome{.space = space};
  const auto names = p_.catalog.names_of(space.owner);
  const bool named =
      confirm == space.key || (!names.empty() && std::find(names.begin(), names.end(), confirm) != names.end());
  if (!named) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the confirmation '" + printable(confirm, 60) + "' is not the name of " +
                            space_words(space, p_.catalog),
                 .hint = "a purge cannot be undone: confirm it with the owner's name or the space's key",
                 .pointer = "/confirm"};
  }
  if (auto same = joined(space, "space.purge", {})) return std::move(*same);
  HOMEPORT_CHECK(may_change(p_.catalog, space, Verb::purge));
  return change(caller, key, "space.purge", nlohmann::json::object(), std::nullopt);
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
    HOMEPORT_TRY(const auto backend, p_.backends.get_serving(space.backend));
    return std::pair{space, backend};
  };
  auto ready = run();
  if (!ready) {
    done(std::move(ready).error());
    return;
  }
  auto [space, backend] = std::move(ready).value();
  Preview preview;
  preview.steps.push_back(std::string(verb) + " " + space_words(space, p_.catalog) + " (" + space.key + " at " +
                          space.path + ")");
  if (verb == "retire") {
    preview.notes.push_back("specs are refused from then on; the data is kept until " +
                            format_time(p_.clock.now() + trash_time(p_.catalog, space)) +
                            " at least, and `homeport home undelete` brings it back");
  }
  if (verb == "purge") preview.notes.push_back("this cannot be undone");
  const std::string what(verb);
  const auto marker = marker_of(space, p_.catalog);
  auto work = [space, backend, preview, what, resize, marker](const OpContext& op) mutable -> Result<Preview> {
    CallLog calls;
    OpContext dry = op;
    dry.calls = &calls;
    dry.dry_run = true;
    auto& driver = backend->driver();
    HOMEPORT_TRY(const auto ref, object_ref(space));
    if (what == "retire") HOMEPORT_CHECK(driver.retire(dry, ref));
    if (what == "undelete") HOMEPORT_CHECK(driver.undelete(dry, ref));
    if (what == "purge") HOMEPORT_CHECK(driver.purge(dry, ref, std::nullopt));
    if (what == "resize" && resize) {
      const auto quota = quota_class_of(driver, layout_of(space));
      drivers::Change change{.marker = marker};
      change.marker->quota = resize->quota;
      if (quota == drivers::QuotaClass::hard || quota == drivers::QuotaClass::cooperative) {
        change.quota = std::optional<Bytes>(resize->quota);
        change.force = resize->force;
      } else {
        preview.notes.push_back("the limit is recorded; this backend does not enforce it (quota class " +
                                std::string(drivers::quota_class_name(quota)) + ")");
      }
      HOMEPORT_CHECK(driver.update(dry, ref, change));
    }
    preview.calls = calls.lines();
    return preview;
  };
  p_.backends.run<Preview>(backend, caller, std::move(work), std::move(done));
}

}  // namespace homeport::core
