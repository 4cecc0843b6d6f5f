#include "provisioner/core/administration.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/log.h"
#include "provisioner/core/desired_plan.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::Provenance;

namespace {

std::vector<PlannedChange> changes_of(const Plan& plan) {
  std::vector<PlannedChange> out;
  out.reserve(plan.size());
  for (const auto& entry : plan) out.push_back(entry.change);
  return out;
}

// Keys, not people's names: those live in the alias table alone.
std::string audit_detail(const Plan& plan) {
  nlohmann::json changed = nlohmann::json::array();
  for (const auto& entry : plan) {
    if (writes(entry.change)) changed.push_back(entry.change.what + " " + entry.key);
  }
  return nlohmann::json{{"changed", std::move(changed)}}.dump();
}

}  // namespace

Result<std::vector<PlannedChange>> Administration::plan(const Desired& desired, Provenance provenance) const {
  const PlanScope scope{.catalog = p_.catalog, .provenance = provenance, .realm = realm_, .now = p_.clock.now()};
  Plan plan;
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(plan, plan_desired(tx, desired, scope));
    return {};
  }));
  return changes_of(plan);
}

Result<std::vector<PlannedChange>> Administration::apply(const Caller& caller, const Desired& desired,
                                                         Provenance provenance) {
  HOMEPORT_TRY(auto changes, plan(desired, provenance));
  if (std::none_of(changes.begin(), changes.end(), writes)) return changes;
  const PlanScope scope{.catalog = p_.catalog, .provenance = provenance, .realm = realm_, .now = p_.clock.now()};
  HOMEPORT_CHECK(p_.store.write("apply", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto fresh, plan_desired(tx, desired, scope));
    HOMEPORT_CHECK(write_plan(tx, desired, fresh, provenance));
    changes = changes_of(fresh);
    return tx.append_audit({.at = scope.now,
                            .principal = caller.principal.id,
                            .action = "desired.apply",
                            .subject = "desired",
                            .outcome = "ok",
                            .detail = audit_detail(fresh)});
  }));
  p_.backends.follow_catalog();
  HOMEPORT_TRY(const auto refreshed, refresh_mount_sources());
  if (refreshed > 0) log::info("mount sources follow the configuration", {{"spaces", std::to_string(refreshed)}});
  p_.operations.try_waiting();
  return changes;
}

void Administration::apply_configuration(const Caller& caller, const Desired& desired) {
  std::vector<Finding> problems;
  const auto changes = apply(caller, desired, Provenance::config);
  if (!changes) {
    const auto& why = changes.error();
    log::error("the desired section is not in force: the service goes on with what it holds",
               {{"why", why.to_string()}, {"hint", why.hint}});
    problems.push_back({.level = "error",
                        .what = "the configuration's desired section is not in force: " + why.sentence(),
                        .hint = why.hint.empty() ? "mend it and restart homeportd" : why.hint});
  } else {
    for (const auto& change : *changes) {
      if (writes(change)) log::info("desired", {{"what", change.what}, {"name", change.name}});
      if (change.action != PlannedChange::Action::blocked) continue;
      const std::string why = change.detail.empty() ? std::string() : change.detail.front();
      log::error("part of the desired section is not in force",
                 {{"what", change.what}, {"name", change.name}, {"why", why}});
      problems.push_back({.level = "error",
                          .what = "the configuration's " + change.what + " " + change.name + " is not in force: " + why,
                          .hint = "settle that and restart homeportd"});
    }
  }
  configuration_problems_.with([&](auto& kept) { kept = std::move(problems); });
}

std::vector<Finding> Administration::configuration_problems() const {
  return configuration_problems_.with([](const std::vector<Finding>& kept) { return kept; });
}

namespace {

constexpr std::size_t kSourcesPerWrite = 500;

// nullopt: as the record says, or not to be told now.
std::optional<std::string> new_source(const Backends& backends, const Clock& clock, const store::SpaceRecord& space) {
  if (space.source.empty() || space.label().empty()) return std::nullopt;
  const auto backend = backends.get(space.backend);
  if (!backend) return std::nullopt;
  auto text = mount_source_text((*backend)->driver(), clock, space);
  return !text || *text == space.source ? std::nullopt : std::optional(std::move(text).value());
}

}  // namespace

Result<std::size_t> Administration::refresh_mount_sources() {
  std::vector<std::pair<std::string, std::string>> changed;  // key, source
  for (const auto& space : p_.catalog.spaces()) {
    if (auto source = new_source(p_.backends, p_.clock, *space)) changed.emplace_back(space->key, std::move(*source));
  }
  for (std::size_t at = 0; at < changed.size(); at += kSourcesPerWrite) {
    const auto end = std::min(changed.size(), at + kSourcesPerWrite);
    HOMEPORT_CHECK(p_.store.write("sources", [&](store::WriteTransaction& tx) -> Result<void> {
      for (std::size_t i = at; i < end; ++i) {
        HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, changed[i].first));
        if (!space) continue;
        space->source = changed[i].second;
        HOMEPORT_CHECK(store::put(tx, *space));
      }
      return {};
    }));
  }
  return changed.size();
}

namespace {

Result<store::BackendRecord> flag_backend(Homes::Parts& p, const Caller& caller, std::string_view name,
                                          std::string_view action,
                                          const std::function<void(store::BackendRecord&)>& set) {
  std::optional<store::BackendRecord> record;
  HOMEPORT_CHECK(p.store.write("backend-flag", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(record, store::get<store::BackendRecord>(tx, name));
    if (!record)
      return Error{.code = Errc::not_found,
                   .message = "there is no backend '" + printable(name, 60) + "'",
                   .hint = "`homeport backend list` shows them"};
    set(*record);
    HOMEPORT_CHECK(store::put(tx, *record));
    return tx.append_audit({.at = p.clock.now(),
                            .principal = caller.principal.id,
                            .action = std::string(action),
                            .subject = record->name,
                            .outcome = "ok"});
  }));
  p.backends.follow_catalog();
  return std::move(*record);
}

}  // namespace

Result<store::BackendRecord> Administration::pause(const Caller& caller, std::string_view backend, std::string text) {
  // It becomes a notice of every spec on this backend.
  if (auto valid =
          render::validate(render::Notice{.code = "backend-paused", .level = render::NoticeLevel::error, .text = text});
      !valid) {
    auto error = std::move(valid).error();
    error.hint = "say in one line of at most 300 characters what people should be told while the backend is paused";
    return error;
  }
  return flag_backend(p_, caller, backend, "backend.pause", [&](store::BackendRecord& r) {
    r.paused = true;
    r.pause_text = text;
  });
}

Result<store::BackendRecord> Administration::resume(const Caller& caller, std::string_view backend) {
  auto resumed = flag_backend(p_, caller, backend, "backend.resume", [](store::BackendRecord& r) {
    r.paused = false;
    r.pause_text.clear();
  });
  if (resumed) p_.operations.try_waiting();
  return resumed;
}

Result<store::BackendRecord> Administration::set_drained(const Caller& caller, std::string_view backend, bool drained) {
  return flag_backend(p_, caller, backend, drained ? "backend.drain" : "backend.undrain",
                      [&](store::BackendRecord& r) { r.drained = drained; });
}

void Administration::probe(const Caller& caller, std::string_view name,
                           const std::function<void(Result<drivers::ProbeReport>)>& done) {
  auto backend = p_.backends.get(name);  // a paused one may be looked at
  if (!backend) {
    done(std::move(backend).error());
    return;
  }
  auto work = [this, backend = *backend](const OpContext& op) -> Result<drivers::ProbeReport> {
    OpContext looking = op;
    looking.dry_run = backend->spec().mode == BackendMode::observe;
    HOMEPORT_TRY(auto report, backend->driver().probe(looking));
    backend->note_probe(report, p_.clock.now());
    return report;
  };
  // The report itself says what failed, so a failed check must not look like a successful contact.
  auto job = [this, work, caller, done](const std::stop_token& stop) {
    done(work({.request_id = caller.request_id, .deadline = caller.deadline, .stop = stop}));
  };
  if (auto queued = (*backend)->workers().submit(std::move(job)); !queued) done(std::move(queued).error());
}

Result<Administration::UsedToday> Administration::used_today(std::string_view backend) const {
  UsedToday used;
  const auto now = p_.clock.now();
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    for (const auto& [what, into] : {std::pair<std::string_view, std::uint64_t*>{"objects", &used.objects},
                                     {"bytes", &used.bytes},
                                     {"destroys", &used.destroys}}) {
      HOMEPORT_TRY(const auto counter, store::get<store::CounterRecord>(tx, cap_counter_name(backend, what, now)));
      *into = counter ? counter->value : 0;
    }
    return {};
  }));
  return used;
}

Result<std::vector<store::AuditRow>> Administration::audit(std::uint64_t after, std::size_t limit,
                                                           std::string_view subject) const {
  std::vector<store::AuditRow> rows;
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(rows, tx.audit(after, limit, subject));
    return {};
  }));
  return rows;
}

Result<store::AuditCheck> Administration::verify_audit() const {
  return p_.store.verify_audit();
}

Result<std::vector<store::Change>> Administration::changes(std::uint64_t after, std::size_t limit) const {
  std::vector<store::Change> rows;
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(rows, tx.changes(after, limit));
    return {};
  }));
  return rows;
}

void Administration::audit_refusal(const policies::Principal& principal, std::string_view action,
                                   std::string_view subject, const Error& why) {
  // Best effort by nature: a refusal stays a refusal also when it cannot be written down.
  (void)p_.store
      .write("audit",
             [&](store::WriteTransaction& tx) {
               return tx.append_audit({.at = p_.clock.now(),
                                       .principal = principal.id,
                                       .action = std::string(action),
                                       .subject = std::string(subject),
                                       .outcome = std::string(errc_name(why.code))});
             })
      .has_value();
}

std::vector<Finding> Administration::doctor() const {
  std::vector<Finding> out;
  for (const auto& damage : p_.catalog.damaged()) {
    out.push_back({.level = "error",
                   .what = "a row cannot be read: " + damage,
                   .hint = "restore the newest `homeport state backup`, or ask for help with this text"});
  }
  for (auto& problem : configuration_problems()) out.push_back(std::move(problem));
  const auto records = p_.catalog.backends();
  if (records.empty())
    out.push_back({.level = "warning",
                   .what = "no backend is configured",
                   .hint = "write one under desired: or use `homeport apply -f FILE`"});
  for (const auto& record : records) {
    if (const auto why = p_.backends.construction_error(record.name); !why.empty()) {
      out.push_back({.level = "error",
                     .what = "backend " + record.name + " could not be set up: " + why,
                     .hint = "mend its section and apply it again"});
      continue;
    }
    const auto backend = p_.backends.get(record.name);
    if (!backend) continue;
    const auto health = (*backend)->health();
    if (record.paused)
      out.push_back({.level = "warning",
                     .what = "backend " + record.name + " is paused: " + record.pause_text,
                     .hint = "`homeport backend resume " + record.name + "`"});
    for (const auto& [pool, why] : health.troubled)
      out.push_back({.level = "error",
                     .what = why,
                     .hint = "mount it there; waiting operations and logins then go on by themselves"});
    for (const auto& [key, why] : health.missing) {
      const auto space = p_.catalog.space(key);
      out.push_back(
          {.level = "error",
           .what = (space ? space_words(*space, p_.catalog) : key) + " is gone: " + why,
           .hint = "sessions start without it; bring it back there, or `homeport dataset release` forgets it"});
    }
    if (health.management == Reachability::unreachable) {
      out.push_back({.level = "error",
                     .what = "backend " + record.name + " does not answer: " + health.last_error,
                     .hint = "`homeport backend probe " + record.name + "` tells more"});
    }
  }
  for (const auto& check : p_.people.check()) {
    if (!check.answer)
      out.push_back({.level = "error",
                     .what = "identity source " + check.source + ": " + check.answer.error().sentence(),
                     .hint = check.answer.error().hint});
  }
  for (const auto& held : p_.people.held()) {
    out.push_back({.level = "warning",
                   .what = printable(held.user, 60) + " is kept out: " + held.why,
                   .hint = "`homeport user rename`, `homeport user set-uid`, or mend the uid where it comes from"});
  }
  if (p_.catalog.rules()->empty())
    out.push_back({.level = "warning",
                   .what = "no rule exists, so a first login gives nobody a home",
                   .hint = "add a rule with everyone: true or a group to the desired document"});
  const auto parked = p_.operations.list({.state = store::OperationState::parked});
  if (parked) {
    for (const auto& op : *parked) {
      out.push_back({.level = "error",
                     .what = "operation " + op.id + " (" + op.kind + " of " + op.space +
                             ") is parked: " + (op.failure ? op.failure->message : ""),
                     .hint = "`homeport operation show " + op.id + "`, then retry or give-up"});
    }
  }
  return out;
}

Result<void> Administration::backup_to(const Caller& caller, const std::string& file) {
  HOMEPORT_CHECK(p_.store.backup_to(file));
  return p_.store.write("audit", [&](store::WriteTransaction& tx) {
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "state.backup",
                            .subject = "state",
                            .outcome = "ok"});
  });
}

}  // namespace homeport::core
