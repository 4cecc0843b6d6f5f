#include "provisioner/core/administration.h"

#include <algorithm>
#include <map>
#include <utility>

#include "provisioner/base/log.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::Provenance;

namespace {

using Action = PlannedChange::Action;

std::string short_value(const nlohmann::json& value) {
  return printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), 60);
}

// "default_quota: "10GiB" -> "20GiB"", one line per member that differs.
std::vector<std::string> differences(const nlohmann::json& before, const nlohmann::json& after) {
  std::vector<std::string> out;
  for (const auto& [key, value] : after.items()) {
    const auto old = before.find(key);
    if (old == before.end()) {
      out.push_back(key + ": set to " + short_value(value));
    } else if (*old != value) {
      out.push_back(key + ": " + short_value(*old) + " -> " + short_value(value));
    }
  }
  for (const auto& [key, value] : before.items()) {
    if (!after.contains(key)) out.push_back(key + ": " + short_value(value) + " -> default");
  }
  return out;
}

struct Existing {
  nlohmann::json section;
  Provenance provenance = Provenance::api;
};

void compare(const std::string& what, const std::map<std::string, Existing>& before,
             const std::map<std::string, nlohmann::json>& after, Provenance provenance,
             std::vector<PlannedChange>& out) {
  for (const auto& [name, section] : after) {
    const auto old = before.find(name);
    if (old == before.end()) {
      out.push_back({.action = Action::create, .what = what, .name = name});
      continue;
    }
    auto detail = differences(old->second.section, section);
    if (old->second.provenance != provenance) {
      detail.push_back(std::string("kept from now on by the ") +
                       (provenance == Provenance::config ? "configuration" : "API"));
    }
    out.push_back({.action = detail.empty() ? Action::keep : Action::update,
                   .what = what,
                   .name = name,
                   .detail = std::move(detail)});
  }
  for (const auto& [name, old] : before) {
    if (!after.contains(name) && old.provenance == provenance)
      out.push_back({.action = Action::remove, .what = what, .name = name});
  }
}

std::string grant_name(const GrantSpec& grant) {
  return grant.dataset.str() + " to " + grant.subject_kind + (grant.subject.empty() ? "" : " " + grant.subject);
}

struct Present {
  std::map<std::string, Existing> backends, classes, rules;
};

Result<Present> read_present(store::ReadTransaction& tx) {
  Present out;
  HOMEPORT_TRY(const auto backends, store::list<store::BackendRecord>(tx));
  for (const auto& r : backends) out.backends[r.name] = {r.section, r.provenance};
  HOMEPORT_TRY(const auto classes, store::list<store::ClassRecord>(tx));
  for (const auto& r : classes) out.classes[r.name] = {r.section, r.provenance};
  HOMEPORT_TRY(const auto rules, store::list<store::RuleRecord>(tx));
  for (const auto& r : rules) out.rules[r.name] = {r.section, r.provenance};
  return out;
}

// Nothing that people's spaces stand on is taken away; a class names a backend that exists.
Result<void> check_references(const Catalog& catalog, const Desired& desired, const Present& present,
                              const std::vector<PlannedChange>& changes) {
  for (const auto& change : changes) {
    if (change.action != Action::remove || (change.what != "backend" && change.what != "class")) continue;
    std::size_t users = 0;
    for (const auto& space : catalog.spaces()) {
      if ((change.what == "backend" ? space->backend : space->klass) == change.name) ++users;
    }
    if (users > 0) {
      return Error{.code = Errc::failed_precondition,
                   .message = change.what + " " + change.name + " is no longer named, but " + std::to_string(users) +
                              " spaces use it",
                   .hint = change.what == "backend" ? "keep it (drained: `homeport backend drain " + change.name +
                                                          "`) until its spaces are gone"
                                                    : "keep the class until its spaces have another one"};
    }
  }
  for (const auto& klass : desired.classes) {
    const auto& name = klass.backend.str();
    const bool named = std::any_of(desired.backends.begin(), desired.backends.end(),
                                   [&](const auto& b) { return b.name.str() == name; });
    if (!named && !present.backends.contains(name)) {
      return Error{.code = Errc::invalid_argument,
                   .message = "class " + klass.name.str() + " names backend '" + name + "', which does not exist",
                   .hint = "add the backend to the document, or mend the name"};
    }
  }
  for (const auto& rule : desired.rules) {
    if (!rule.klass) continue;
    const auto& name = rule.klass->str();
    const bool named = std::any_of(desired.classes.begin(), desired.classes.end(),
                                   [&](const auto& c) { return c.name.str() == name; });
    if (!named && !present.classes.contains(name)) {
      return Error{.code = Errc::invalid_argument,
                   .message = "rule " + rule.name.str() + " gives class '" + name + "', which does not exist",
                   .hint = "add the class to the document, or mend the name"};
    }
  }
  for (const auto& spec : desired.backends) {
    const auto record = catalog.backend(spec.name.str());
    if (record && record->kind != spec.kind) {
      return Error{
          .code = Errc::failed_precondition,
          .message = "backend " + spec.name.str() + " cannot change its kind from " + record->kind + " to " + spec.kind,
          .hint = "give the new one another name"};
    }
  }
  return {};
}

Result<std::vector<PlannedChange>> plan_in(store::ReadTransaction& tx, const Catalog& catalog, const Desired& desired,
                                           Provenance provenance) {
  HOMEPORT_TRY(const auto present, read_present(tx));
  std::map<std::string, nlohmann::json> backends, classes, rules;
  for (const auto& b : desired.backends) backends[b.name.str()] = b.section;
  for (const auto& c : desired.classes) classes[c.name.str()] = c.section;
  for (const auto& r : desired.rules) rules[r.name.str()] = r.section;
  std::vector<PlannedChange> out;
  compare("backend", present.backends, backends, provenance, out);
  compare("class", present.classes, classes, provenance, out);
  compare("rule", present.rules, rules, provenance, out);
  HOMEPORT_CHECK(check_references(catalog, desired, present, out));
  return out;
}

}  // namespace

Result<std::vector<PlannedChange>> Administration::plan(const Desired& desired, Provenance provenance) const {
  std::vector<PlannedChange> out;
  HOMEPORT_CHECK(p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(out, plan_in(tx, p_.catalog, desired, provenance));
    return {};
  }));
  for (const auto& grant : desired.grants) {
    const auto space = p_.catalog.space_by_label("dataset/" + grant.dataset.str());
    const auto user = grant.subject_kind == "user" ? p_.catalog.user_by_name("default", grant.subject) : nullptr;
    const std::string subject = grant.subject_kind == "user" ? (user ? user->key : "") : grant.subject;
    bool there = false;
    if (space) {
      for (const auto& known : p_.catalog.grants_of(space->key)) {
        there = there ||
                (known.subject_kind == grant.subject_kind && known.subject == subject && known.access == grant.access);
      }
    }
    PlannedChange change{.action = there ? Action::keep : Action::create, .what = "grant", .name = grant_name(grant)};
    if (!space)
      change.detail.push_back("waits until dataset " + grant.dataset.str() + " is imported; apply again then");
    if (grant.subject_kind == "user" && !user)
      change.detail.push_back("waits until " + grant.subject + " is known; apply again then");
    out.push_back(std::move(change));
  }
  return out;
}

namespace {

template <class Record>
Result<void> put_section(store::WriteTransaction& tx, const std::string& name,
                         const std::function<void(Record&)>& fill) {
  HOMEPORT_TRY(auto record, store::get<Record>(tx, name));
  Record next = record ? *record : Record{};
  next.name = name;
  fill(next);
  return store::put(tx, next, store::Expect::any());
}

Result<void> put_all(store::WriteTransaction& tx, const Desired& desired, Provenance provenance) {
  for (const auto& b : desired.backends) {
    HOMEPORT_CHECK(put_section<store::BackendRecord>(tx, b.name.str(), [&](store::BackendRecord& r) {
      r.kind = b.kind;
      r.mode = std::string(backend_mode_name(b.mode));
      r.section = b.section;
      r.provenance = provenance;
    }));
  }
  for (const auto& c : desired.classes) {
    HOMEPORT_CHECK(put_section<store::ClassRecord>(tx, c.name.str(), [&](store::ClassRecord& r) {
      r.section = c.section;
      r.provenance = provenance;
    }));
  }
  std::uint64_t position = 0;
  for (const auto& rule : desired.rules) {
    HOMEPORT_CHECK(put_section<store::RuleRecord>(tx, rule.name.str(), [&](store::RuleRecord& r) {
      r.section = rule.section;
      r.provenance = provenance;
      r.position = position;
    }));
    ++position;
  }
  return {};
}

Result<void> put_grants(store::WriteTransaction& tx, const Catalog& catalog, const Desired& desired,
                        Provenance provenance, WallTime now) {
  std::vector<std::string> kept;
  for (const auto& grant : desired.grants) {
    const auto space = catalog.space_by_label("dataset/" + grant.dataset.str());
    const auto user = grant.subject_kind == "user" ? catalog.user_by_name("default", grant.subject) : nullptr;
    if (!space || (grant.subject_kind == "user" && !user)) continue;  // the plan says so
    store::GrantRecord record{
        .space = space->key, .subject_kind = grant.subject_kind, .subject = user ? user->key : grant.subject};
    record.realm = "default";
    record.access = grant.access == "rw" && space->read_only ? "ro" : grant.access;
    record.provenance = provenance;
    record.created_at = now;
    kept.push_back(record.key());
    HOMEPORT_TRY(const auto known, store::get<store::GrantRecord>(tx, record.key()));
    if (known && known->access == record.access && known->provenance == provenance) continue;
    HOMEPORT_CHECK(store::put(tx, record, store::Expect::any()));
  }
  HOMEPORT_TRY(const auto all, store::list<store::GrantRecord>(tx));
  for (const auto& grant : all) {
    if (grant.provenance != provenance || std::find(kept.begin(), kept.end(), grant.key()) != kept.end()) continue;
    HOMEPORT_CHECK(tx.erase(store::Table::grants, grant.key(), store::Expect::any()));
  }
  return {};
}

store::Table table_of(const std::string& what) {
  return what == "backend" ? store::Table::backends : what == "class" ? store::Table::classes : store::Table::rules;
}

}  // namespace

Result<std::vector<PlannedChange>> Administration::apply(const Caller& caller, const Desired& desired,
                                                         Provenance provenance) {
  HOMEPORT_TRY(auto changes, plan(desired, provenance));
  const bool anything =
      std::any_of(changes.begin(), changes.end(), [](const auto& c) { return c.action != Action::keep; });
  if (!anything) return changes;
  const auto now = p_.clock.now();
  HOMEPORT_CHECK(p_.store.write("apply", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto fresh, plan_in(tx, p_.catalog, desired, provenance));
    HOMEPORT_CHECK(put_all(tx, desired, provenance));
    HOMEPORT_CHECK(put_grants(tx, p_.catalog, desired, provenance, now));
    nlohmann::json detail = nlohmann::json::array();
    for (const auto& change : fresh) {
      if (change.action == Action::remove)
        HOMEPORT_CHECK(tx.erase(table_of(change.what), change.name, store::Expect::any()));
      if (change.action != Action::keep) detail.push_back(change.what + " " + change.name);
    }
    return tx.append_audit({.at = now,
                            .principal = caller.principal.id,
                            .action = "desired.apply",
                            .subject = "desired",
                            .outcome = "ok",
                            .detail = nlohmann::json{{"changed", detail}}.dump()});
  }));
  p_.backends.follow_catalog();
  HOMEPORT_TRY(const auto refreshed, refresh_mount_sources());
  if (refreshed > 0) log::info("mount sources follow the configuration", {{"spaces", std::to_string(refreshed)}});
  return changes;
}

namespace {

constexpr std::size_t kSourcesPerWrite = 500;

// nullopt: as the record says, or not to be told now.
std::optional<std::string> new_source(const Backends& backends, const Clock& clock, const store::SpaceRecord& space) {
  if (space.source.empty() || space.label().empty()) return std::nullopt;
  const auto backend = backends.get(space.backend);
  const auto ref = object_ref(space);
  if (!backend || !ref) return std::nullopt;
  const OpContext op{.request_id = "sources", .deadline = clock.mono() + std::chrono::seconds(5)};
  const auto source = (*backend)->driver().mount_source(op, *ref, {});
  if (!source) return std::nullopt;
  auto text = render::source_to_json(to_render(*source)).dump();
  return text == space.source ? std::nullopt : std::optional(std::move(text));
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
  return flag_backend(p_, caller, backend, "backend.resume", [](store::BackendRecord& r) {
    r.paused = false;
    r.pause_text.clear();
  });
}

Result<store::BackendRecord> Administration::set_drained(const Caller& caller, std::string_view backend, bool drained) {
  return flag_backend(p_, caller, backend, drained ? "backend.drain" : "backend.undrain",
                      [&](store::BackendRecord& r) { r.drained = drained; });
}

void Administration::probe(const Caller& caller, std::string_view name,
                           std::function<void(Result<drivers::ProbeReport>)> done) {
  auto backend = p_.backends.get(name);  // a paused one may be looked at
  if (!backend) {
    done(std::move(backend).error());
    return;
  }
  auto work = [this, backend = *backend](const OpContext& op) -> Result<drivers::ProbeReport> {
    HOMEPORT_TRY(auto report, backend->driver().probe(op));
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
    if (health.management == Reachability::unreachable) {
      out.push_back({.level = "error",
                     .what = "backend " + record.name + " does not answer: " + health.last_error,
                     .hint = "`homeport backend probe " + record.name + "` tells more"});
    }
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
  if (out.empty()) out.push_back({.level = "ok", .what = "nothing is wrong"});
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
