#include "provisioner/core/space_work.h"

#include <map>
#include <utility>

#include "provisioner/core/owners.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;

drivers::Layout layout_of(const SpaceRecord& space) {
  return drivers::layout_from_name(space.layout).value_or(drivers::Layout::directory);
}

Result<drivers::ObjectRef> object_ref(const SpaceRecord& space) {
  HOMEPORT_TRY(auto key, SpaceKey::parse(space.key));
  if (space.backend_id.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + space.key + " was never created on its backend"};
  }
  return drivers::ObjectRef{.layout = layout_of(space),
                            .pool = space.pool,
                            .key = std::move(key),
                            .name = space.backend_name,
                            .id = space.backend_id,
                            .imported = space.imported};
}

drivers::Marker marker_of(const SpaceRecord& space, const Catalog& catalog) {
  auto key = SpaceKey::parse(space.key);
  drivers::Marker marker{.key = key ? *key : SpaceKey::from_random(space.kind, 0), .id = space.backend_id};
  marker.aliases = space.kind == SpaceKind::home ? catalog.names_of(space.owner) : std::vector<std::string>{space.name};
  marker.owner = space.owner;
  marker.klass = space.klass;
  if (space.quota_bytes) marker.quota = Bytes{*space.quota_bytes};
  for (const auto& grant : catalog.grants_of(space.key))
    marker.grants.push_back(grant.subject_kind + ":" + grant.subject);
  marker.imported = space.imported;
  if (space.imported) marker.path = space.path;
  return marker;
}

render::Source to_render(const drivers::MountSource& source) {
  if (const auto* nfs = std::get_if<drivers::NfsSource>(&source)) {
    return render::NfsMount{.server = nfs->server,
                            .export_path = nfs->path,
                            .version = nfs->version,
                            .port = nfs->port,
                            .mount_port = nfs->mount_port,
                            .fs_id = nfs->fs_id};
  }
  const auto& local = std::get<drivers::LocalSource>(source);
  return render::LocalMount{.host = local.host, .path = local.path};
}

drivers::Capabilities capabilities_of(const drivers::StorageDriver& driver, drivers::Layout layout) {
  const auto info = driver.info();
  const auto at = info->layouts.find(layout);
  return at == info->layouts.end() ? drivers::Capabilities{} : at->second;
}

drivers::QuotaClass quota_class_of(const drivers::StorageDriver& driver, const SpaceRecord& space,
                                   const Catalog& catalog) {
  const auto can = capabilities_of(driver, layout_of(space));
  const auto klass = can.quota_by_owner ? catalog.klass(space.klass) : nullptr;
  const bool one_owner = klass && klass->identity == render::IdentityMode::squash;
  return one_owner ? drivers::QuotaClass::measured : can.quota;
}

void raise_above_use(SpaceRecord& space, const std::string& how) {
  constexpr std::uint64_t kRoundTo = std::uint64_t{1} << 30U;
  const auto wanted = space.usage->bytes + space.usage->bytes / 5;
  const auto limit = (wanted + kRoundTo - 1) / kRoundTo * kRoundTo;
  if (limit <= *space.quota_bytes) return;
  space.quota_bytes = limit;
  space.quota_reason = how + ": 20 % above its use";
}

void settle_limit(SpaceRecord& space) {
  if (!space.quota_wanted) return;
  space.quota_bytes = *space.quota_wanted;
  space.quota_wanted.reset();
  space.quota_reason = "class " + space.klass;
  raise_above_use(space, "imported");
}

Result<void> take_over(const OpContext& op, drivers::StorageDriver& driver, const drivers::Object& object,
                       const Catalog& catalog, SpaceRecord& space) {
  space.backend_id = object.ref.id;
  space.backend_name = object.ref.name;
  space.path = object.path;
  space.quota_class = std::string(drivers::quota_class_name(quota_class_of(driver, space, catalog)));
  if (object.usage) {
    space.usage = store::UsageRecord{.bytes = object.usage->bytes.count(),
                                     .files = object.usage->files,
                                     .basis = std::string(drivers::usage_basis_name(object.usage->basis)),
                                     .as_of = object.usage->as_of};
    if (object.usage->basis != drivers::UsageBasis::unknown) settle_limit(space);
  }
  HOMEPORT_TRY(const auto source, driver.mount_source(op, object.ref, {}));
  space.source = render::source_to_json(to_render(source)).dump();
  return {};
}

Result<std::string> mount_source_text(drivers::StorageDriver& driver, const Clock& clock, const SpaceRecord& space) {
  HOMEPORT_TRY(const auto ref, object_ref(space));
  const OpContext op{.request_id = "sources", .deadline = clock.mono() + std::chrono::seconds(5)};
  HOMEPORT_TRY(const auto source, driver.mount_source(op, ref, {}));
  return render::source_to_json(to_render(source)).dump();
}

Result<void> check_owner(const drivers::Object& found, Uid wanted, const std::string& path) {
  if (found.owner.uid == wanted) return {};
  return Error{.code = Errc::failed_precondition,
               .message = path + " belongs to uid " + std::to_string(found.owner.uid.value) + ", not to " +
                          (wanted == Uid{0} ? "the uid that would be drawn for a new person"
                                            : "uid " + std::to_string(wanted.value)),
               .hint = "import it with the uid it has, or have its owner changed on the server first"};
}

Error no_such_home(const AbsolutePath& path, const std::string& backend, const Error& otherwise) {
  Error error{.code = Errc::failed_precondition,
              .message = "there is no directory " + path.str() + " on " + backend,
              .hint = otherwise.hint};
  if (!otherwise.message.empty()) error.message += ", and " + otherwise.message;
  return error;
}

std::string_view verb_name(Verb verb) {
  switch (verb) {
    case Verb::resize: return "resize";
    case Verb::retire: return "retire";
    case Verb::undelete: return "undelete";
    case Verb::purge: return "purge";
    case Verb::release: return "release";
  }
  return "change";
}

std::string space_words(const SpaceRecord& space, const Catalog& catalog) {
  if (space.kind != SpaceKind::home) return std::string(space_kind_name(space.kind)) + " " + space.name;
  const auto names = owner_names(catalog, space);
  return "the home of " + (names.empty() ? space.owner : printable(names.front(), 60));
}

Error refused(std::string message, std::string hint) {
  return Error{.code = Errc::failed_precondition, .message = std::move(message), .hint = std::move(hint)};
}

Error other_work_open(const std::string& operation, const std::string& words) {
  return Error{.code = Errc::conflict,
               .message = "another operation (" + operation + ") is open on " + words,
               .hint = "`homeport operation watch " + operation + "` shows it; a parked one needs retry or give-up",
               .retry_after = std::chrono::seconds(2)};
}

Result<void> not_observed(const Catalog& catalog, const SpaceRecord& space) {
  const auto backend = catalog.backend(space.backend);
  if (!backend || backend->mode != "observe") return {};
  return refused("backend " + space.backend + " is in mode observe: nothing on it is changed",
                 "an admin can set mode create or manage in the desired document");
}

Result<void> state_allows(const Catalog& catalog, const SpaceRecord& space, Verb verb) {
  const std::string words = space_words(space, catalog);
  const std::string state(store::space_state_name(space.state));
  const auto wrong = [&](std::string hint) {
    return refused(words + " is " + state + ", so it cannot be " + std::string(verb_name(verb)) + "d", std::move(hint));
  };
  switch (verb) {
    // retiring, undeleting, purging without an open operation: one was given up. The same verb goes on from there, and
    // the opposite one as long as nothing was removed.
    case Verb::retire:
      if (space.state == SpaceState::retiring || space.state == SpaceState::undeleting) return {};
      [[fallthrough]];
    case Verb::resize:
    case Verb::release:
      if (space.state == SpaceState::ready) return {};
      return wrong(space.state == SpaceState::retired ? "undelete it first" : "wait until it is ready");
    case Verb::undelete:
      if (space.state == SpaceState::retired || space.state == SpaceState::retiring ||
          space.state == SpaceState::undeleting || space.recoverable_until)
        return {};
      return wrong("only a retired space can be undeleted; what is purged is gone");
    case Verb::purge:
      if (space.state == SpaceState::retired || space.state == SpaceState::purging) return {};
      return wrong("retire it first; it then stays recoverable until you purge it");
  }
  return {};
}

Result<void> may_change(const Catalog& catalog, const SpaceRecord& space, Verb verb) {
  const std::string words = space_words(space, catalog);
  if (const auto open = catalog.open_operation(space.key)) return other_work_open(*open, words);
  HOMEPORT_CHECK(state_allows(catalog, space, verb));
  if (verb == Verb::release) return {};
  HOMEPORT_CHECK(not_observed(catalog, space));
  if (!space.imported) return {};
  const auto backend = catalog.backend(space.backend);
  const bool right = verb == Verb::resize ? space.rights.resize : space.rights.destroy;
  if (!right || (backend && backend->mode == "create")) {
    return refused(words + " was imported and its right to " + std::string(verb_name(verb)) + " was not given",
                   space.kind == SpaceKind::dataset ? "`homeport dataset release` forgets it and touches nothing"
                                                    : "`homeport home release` forgets it and touches nothing");
  }
  return {};
}

std::vector<std::string> merged_into(const Catalog& catalog, std::string_view user_key) {
  std::map<std::string, std::string> next;
  for (const auto& user : catalog.merged_people()) next.emplace(user->key, user->merged_into.value_or(""));
  std::vector<std::string> out;
  for (const auto& [key, into] : next) {
    // What an older Homeport wrote may be a chain, and a damaged row may close it to a circle.
    auto at = into;
    for (std::size_t steps = 0; at != user_key && next.contains(at) && steps < next.size(); ++steps) at = next[at];
    if (at == user_key) out.push_back(key);
  }
  return out;
}

Result<bool> work_is_open(store::ReadTransaction& tx, const std::string& space) {
  HOMEPORT_TRY(const auto open, tx.count(store::Table::operations, "space_open", space));
  return open > 0;
}

namespace {

constexpr std::size_t kDayText = 10;  // "2026-11-21"

// Once a day, when the first of the new day is counted: yesterday's is of no more use.
Result<void> forget_earlier_days(store::WriteTransaction& tx, std::string_view backend, std::string_view what,
                                 WallTime now) {
  const auto today = cap_counter_name(backend, what, now);
  const auto date_at = backend.size() + 1;
  HOMEPORT_TRY(const auto rows, tx.list(store::Table::counters, {}));
  for (const auto& row : rows) {
    if (row.key.size() != today.size() || row.key >= today) continue;
    auto same_but_for_the_day = row.key;
    same_but_for_the_day.replace(date_at, kDayText, today, date_at, kDayText);
    if (same_but_for_the_day != today) continue;
    HOMEPORT_CHECK(tx.erase(store::Table::counters, row.key, store::Expect::any()));
  }
  return {};
}

}  // namespace

std::string cap_counter_name(std::string_view backend, std::string_view what, WallTime now) {
  return std::string(backend) + "/" + format_time(now).substr(0, kDayText) + "/" + std::string(what);
}

Result<void> count_against_cap(store::WriteTransaction& tx, const BackendSpec& backend, std::string_view what,
                               std::uint64_t amount, std::optional<std::uint64_t> cap, WallTime now) {
  if (!cap) return {};
  const auto name = cap_counter_name(backend.name.str(), what, now);
  HOMEPORT_TRY(auto counter, store::get<store::CounterRecord>(tx, name));
  if (!counter) {
    HOMEPORT_CHECK(forget_earlier_days(tx, backend.name.str(), what, now));
    counter = store::CounterRecord{.name = name};
  }
  if (counter->value > *cap || amount > *cap - counter->value) {
    return Error{
        .code = Errc::out_of_capacity,
        .message = "the daily cap of " + std::to_string(*cap) + " " + std::string(what) + " on backend " +
                   backend.name.str() + " is reached (" + std::to_string(counter->value) + " used)",
        .hint = "it starts anew at 00:00 UTC; an admin can raise caps." + std::string(what) + " of the backend"};
  }
  counter->value += amount;
  return store::put(tx, *counter);
}

Result<void> count_new_home(store::WriteTransaction& tx, const BackendSpec& backend,
                            const std::optional<std::uint64_t>& quota_bytes, WallTime now) {
  HOMEPORT_CHECK(count_against_cap(tx, backend, "objects", 1, backend.caps.objects, now));
  if (!quota_bytes || !backend.caps.bytes) return {};
  return count_against_cap(tx, backend, "bytes", *quota_bytes, backend.caps.bytes->count(), now);
}

}  // namespace homeport::core
