#include "provisioner/core/desired_plan.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

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

// A section as it stands or as it is wanted.
struct Section {
  nlohmann::json section;
  Provenance provenance = Provenance::api;
  std::uint64_t position = 0;  // rules
};
// The rows of one table: those that can be read, and why the others cannot.
struct Rows {
  std::map<std::string, Section> sound;
  std::map<std::string, std::string> damaged;
  [[nodiscard]] bool has(const std::string& name) const { return sound.contains(name) || damaged.contains(name); }
};
struct Present {
  Rows backends, classes, rules;
};

template <class Record>
Result<Rows> read_rows(store::ReadTransaction& tx) {
  std::vector<store::DamagedRow> damaged;
  HOMEPORT_TRY(const auto records, store::list<Record>(tx, {}, damaged));
  Rows out;
  for (const auto& r : records) {
    Section row{.section = r.section, .provenance = r.provenance};
    if constexpr (std::is_same_v<Record, store::RuleRecord>) row.position = r.position;
    out.sound.emplace(r.name, std::move(row));
  }
  for (const auto& row : damaged) out.damaged.emplace(row.key, row.error.message);
  return out;
}

Result<Present> read_present(store::ReadTransaction& tx) {
  Present out;
  HOMEPORT_TRY(out.backends, read_rows<store::BackendRecord>(tx));
  HOMEPORT_TRY(out.classes, read_rows<store::ClassRecord>(tx));
  HOMEPORT_TRY(out.rules, read_rows<store::RuleRecord>(tx));
  return out;
}

std::string kept_from_now_on(Provenance provenance) {
  return std::string("kept from now on by the ") + (provenance == Provenance::config ? "configuration" : "API");
}

PlannedChange blocked_by_damage(const std::string& what, const std::string& name, const std::string& why) {
  return {.action = Action::blocked,
          .what = what,
          .name = name,
          .detail = {"the stored row cannot be read and is left as it is: " + why}};
}

void compare(const std::string& what, const Rows& before, const std::map<std::string, Section>& after,
             Provenance provenance, Plan& out) {
  for (const auto& [name, wanted] : after) {
    if (const auto broken = before.damaged.find(name); broken != before.damaged.end()) {
      out.push_back({.change = blocked_by_damage(what, name, broken->second), .key = name});
      continue;
    }
    const auto old = before.sound.find(name);
    if (old == before.sound.end()) {
      out.push_back({.change = {.action = Action::create, .what = what, .name = name}, .key = name});
      continue;
    }
    auto detail = differences(old->second.section, wanted.section);
    if (old->second.position != wanted.position) {
      detail.push_back("place: " + std::to_string(old->second.position + 1) + " -> " +
                       std::to_string(wanted.position + 1));
    }
    if (old->second.provenance != provenance) detail.push_back(kept_from_now_on(provenance));
    const auto action = detail.empty() ? Action::keep : Action::update;
    out.push_back({.change = {.action = action, .what = what, .name = name, .detail = std::move(detail)}, .key = name});
  }
  for (const auto& [name, old] : before.sound) {
    if (!after.contains(name) && old.provenance == provenance)
      out.push_back({.change = {.action = Action::remove, .what = what, .name = name}, .key = name});
  }
}

// --- References: nothing that people's spaces stand on is taken away; what is named exists. --------------------------

Result<void> check_removals(const Catalog& catalog, const Plan& plan) {
  for (const auto& [change, key, grant] : plan) {
    if (change.action != Action::remove || (change.what != "backend" && change.what != "class")) continue;
    std::size_t users = 0;
    for (const auto& space : catalog.spaces()) {
      if ((change.what == "backend" ? space->backend : space->klass) == change.name) ++users;
    }
    if (users == 0) continue;
    return Error{.code = Errc::failed_precondition,
                 .message = change.what + " " + change.name + " is no longer named, but " + std::to_string(users) +
                            " spaces use it",
                 .hint = change.what == "backend" ? "keep it (drained: `homeport backend drain " + change.name +
                                                        "`) until its spaces are gone"
                                                  : "keep the class until its spaces have another one"};
  }
  return {};
}

template <class Spec>
bool names(const std::vector<Spec>& specs, const std::string& name) {
  return std::any_of(specs.begin(), specs.end(), [&](const Spec& spec) { return spec.name.str() == name; });
}

Result<void> check_names(const Desired& desired, const Present& present) {
  for (const auto& klass : desired.classes) {
    const auto& name = klass.backend.str();
    if (names(desired.backends, name) || present.backends.has(name)) continue;
    return Error{.code = Errc::invalid_argument,
                 .message = "class " + klass.name.str() + " names backend '" + name + "', which does not exist",
                 .hint = "add the backend to the document, or mend the name"};
  }
  for (const auto& rule : desired.rules) {
    if (!rule.klass || names(desired.classes, rule.klass->str()) || present.classes.has(rule.klass->str())) continue;
    return Error{
        .code = Errc::invalid_argument,
        .message = "rule " + rule.name.str() + " gives class '" + rule.klass->str() + "', which does not exist",
        .hint = "add the class to the document, or mend the name"};
  }
  return {};
}

Result<void> check_kinds(const Catalog& catalog, const Desired& desired) {
  for (const auto& spec : desired.backends) {
    const auto record = catalog.backend(spec.name.str());
    if (!record || record->kind == spec.kind) continue;
    return Error{
        .code = Errc::failed_precondition,
        .message = "backend " + spec.name.str() + " cannot change its kind from " + record->kind + " to " + spec.kind,
        .hint = "give the new one another name"};
  }
  return {};
}

// --- Grants ----------------------------------------------------------------------------------------------------------

struct PresentGrants {
  std::map<std::string, store::GrantRecord> sound;  // by key
  std::map<std::string, std::string> damaged;
};

Result<PresentGrants> read_grants(store::ReadTransaction& tx) {
  std::vector<store::DamagedRow> damaged;
  HOMEPORT_TRY(const auto records, store::list<store::GrantRecord>(tx, {}, damaged));
  PresentGrants out;
  for (const auto& record : records) out.sound.emplace(record.key(), record);
  for (const auto& row : damaged) out.damaged.emplace(row.key, row.error.message);
  return out;
}

PlanEntry compare_grant(const GrantSpec& wanted, const PresentGrants& present, const PlanScope& scope) {
  PlanEntry out{.change = {.action = Action::wait, .what = "grant", .name = wanted.words()}, .key = {}};
  auto& detail = out.change.detail;
  const auto space = scope.catalog.space_by_label("dataset/" + wanted.dataset.str());
  const bool personal = wanted.subject_kind == "user";
  const auto user = personal ? scope.catalog.user_by_name(scope.realm, wanted.subject) : nullptr;
  if (!space) detail.push_back("waits until dataset " + wanted.dataset.str() + " is imported; apply again then");
  if (personal && !user) detail.push_back("waits until " + wanted.subject + " is known; apply again then");
  if (!space || (personal && !user)) return out;

  store::GrantRecord record{
      .space = space->key, .subject_kind = wanted.subject_kind, .subject = user ? user->key : wanted.subject};
  record.realm = scope.realm;
  record.access = wanted.access == "rw" && space->read_only ? "ro" : wanted.access;
  record.provenance = scope.provenance;
  record.created_at = scope.now;
  out.key = record.key();
  if (const auto broken = present.damaged.find(out.key); broken != present.damaged.end()) {
    out.change = blocked_by_damage("grant", out.change.name, broken->second);
    return out;
  }
  if (record.access != wanted.access) detail.push_back("given as ro: the dataset is read-only");
  const auto old = present.sound.find(out.key);
  if (old == present.sound.end()) {
    out.change.action = Action::create;
    out.grant = std::move(record);
    return out;
  }
  const bool same = old->second.access == record.access;
  if (old->second.provenance == Provenance::hand) {
    out.change.action = same ? Action::keep : Action::blocked;
    detail.push_back(same ? std::string("made by hand: it stays when no document names it")
                          : "made by hand with access " + old->second.access +
                                ": withdraw it (`homeport dataset withdraw`) to let the document decide");
    return out;
  }
  if (!same) detail.push_back("access: " + old->second.access + " -> " + record.access);
  if (old->second.provenance != scope.provenance) detail.push_back(kept_from_now_on(scope.provenance));
  out.change.action = same && old->second.provenance == scope.provenance ? Action::keep : Action::update;
  record.created_at = old->second.created_at;
  out.grant = std::move(record);
  return out;
}

// "imagenet to user alice"; nullopt while the dataset or the person is not known, as after damage to their rows.
std::optional<std::string> words_of(const Catalog& catalog, const store::GrantRecord& grant) {
  const auto space = catalog.space(grant.space);
  if (!space) return std::nullopt;
  std::string subject = grant.subject;
  if (grant.subject_kind == "user") {
    const auto known = catalog.names_of(grant.subject);
    if (known.empty()) return std::nullopt;
    subject = known.front();
  }
  return space->name + " to " + grant.subject_kind + (subject.empty() ? "" : " " + subject);
}

void compare_grants(const std::vector<GrantSpec>& wanted, const PresentGrants& present, const PlanScope& scope,
                    Plan& out) {
  std::set<std::string> named;
  for (const auto& grant : wanted) {
    out.push_back(compare_grant(grant, present, scope));
    named.insert(out.back().key);
  }
  for (const auto& [key, grant] : present.sound) {
    if (grant.provenance != scope.provenance || named.contains(key)) continue;
    auto words = words_of(scope.catalog, grant);
    if (!words) continue;  // whether the document means it cannot be told: it stays
    out.push_back({.change = {.action = Action::remove, .what = "grant", .name = std::move(*words)}, .key = key});
  }
}

// --- Writing ---------------------------------------------------------------------------------------------------------

template <class Record>
Result<void> put_section(store::WriteTransaction& tx, const std::string& name,
                         const std::function<void(Record&)>& fill) {
  HOMEPORT_TRY(auto record, store::get<Record>(tx, name));
  Record next = record ? *record : Record{};
  next.name = name;
  fill(next);
  return store::put(tx, next, store::Expect::any());
}

store::Table table_of(const std::string& what) {
  if (what == "backend") return store::Table::backends;
  if (what == "class") return store::Table::classes;
  return what == "rule" ? store::Table::rules : store::Table::grants;
}

}  // namespace

bool writes(const PlannedChange& change) {
  switch (change.action) {
    case Action::create:
    case Action::update:
    case Action::remove: return true;
    case Action::keep:
    case Action::wait:
    case Action::blocked: break;
  }
  return false;
}

Result<Plan> plan_desired(store::ReadTransaction& tx, const Desired& desired, const PlanScope& scope) {
  HOMEPORT_TRY(const auto present, read_present(tx));
  std::map<std::string, Section> backends, classes, rules;
  const auto section = [&](const nlohmann::json& text, std::uint64_t position = 0) {
    return Section{.section = text, .provenance = scope.provenance, .position = position};
  };
  for (const auto& b : desired.backends) backends.emplace(b.name.str(), section(b.section));
  for (const auto& c : desired.classes) classes.emplace(c.name.str(), section(c.section));
  for (const auto& r : desired.rules) rules.emplace(r.name.str(), section(r.section, rules.size()));
  Plan out;
  compare("backend", present.backends, backends, scope.provenance, out);
  compare("class", present.classes, classes, scope.provenance, out);
  compare("rule", present.rules, rules, scope.provenance, out);
  HOMEPORT_CHECK(check_removals(scope.catalog, out));
  HOMEPORT_CHECK(check_names(desired, present));
  HOMEPORT_CHECK(check_kinds(scope.catalog, desired));
  if (!desired.grants) return out;
  HOMEPORT_TRY(const auto grants, read_grants(tx));
  compare_grants(*desired.grants, grants, scope, out);
  return out;
}

Result<void> write_plan(store::WriteTransaction& tx, const Desired& desired, const Plan& plan, Provenance provenance) {
  std::set<std::pair<std::string, std::string>> changed;
  for (const auto& [change, key, grant] : plan) {
    if (!writes(change)) continue;
    if (change.action == Action::remove) {
      HOMEPORT_CHECK(tx.erase(table_of(change.what), key, store::Expect::any()));
    } else if (grant) {
      auto record = *grant;
      HOMEPORT_CHECK(store::put(tx, record, store::Expect::any()));
    } else {
      changed.emplace(change.what, key);
    }
  }
  for (const auto& b : desired.backends) {
    if (!changed.contains({"backend", b.name.str()})) continue;
    HOMEPORT_CHECK(put_section<store::BackendRecord>(tx, b.name.str(), [&](store::BackendRecord& r) {
      r.kind = b.kind;
      r.mode = std::string(backend_mode_name(b.mode));
      r.section = b.section;
      r.provenance = provenance;
    }));
  }
  for (const auto& c : desired.classes) {
    if (!changed.contains({"class", c.name.str()})) continue;
    HOMEPORT_CHECK(put_section<store::ClassRecord>(tx, c.name.str(), [&](store::ClassRecord& r) {
      r.section = c.section;
      r.provenance = provenance;
    }));
  }
  std::uint64_t position = 0;
  for (const auto& rule : desired.rules) {
    const auto place = position++;
    if (!changed.contains({"rule", rule.name.str()})) continue;
    HOMEPORT_CHECK(put_section<store::RuleRecord>(tx, rule.name.str(), [&](store::RuleRecord& r) {
      r.section = rule.section;
      r.provenance = provenance;
      r.position = place;
    }));
  }
  return {};
}

}  // namespace homeport::core
