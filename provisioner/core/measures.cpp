#include "provisioner/core/measures.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/log.h"
#include "provisioner/core/markers.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kThreads = 4;  // backends at once
constexpr std::chrono::seconds kStepTime{20};
constexpr std::chrono::seconds kKeepEvery{30};
constexpr std::chrono::minutes kAfterTrouble{1};
constexpr std::chrono::hours kLongestWalk{12};
constexpr std::uint64_t kMostEntries = 20'000'000;
constexpr const char* kMeasured = "measured";  // beside the words of drivers::UsageBasis: counted by us
constexpr std::size_t kLongestPlace = std::size_t{64} << 10U;

std::string ways_out(const store::SpaceRecord& home, const Catalog& catalog) {
  const auto names = catalog.names_of(home.owner);
  const auto who = names.empty() ? home.key : printable(names.front(), 60);
  return "`homeport home resize " + who + " SIZE` sets a limit, `homeport home measure " + who + "` counts again";
}

}  // namespace

bool can_measure(Backend& backend) {
  return backend.spec().measure_rate > 0 && drivers::find<drivers::TreeAccess>(backend.driver()) != nullptr;
}

Measures::Measures(Homes::Parts parts) : p_(std::move(parts)), pool_("measure", kThreads, kThreads * 4) {}

void Measures::stop() {
  pool_.drain(milliseconds(0));
}

void Measures::tick() {
  std::set<std::string> due;
  for (const auto& home : p_.catalog.homes_to_measure()) due.insert(home->backend);
  const auto now = p_.clock.mono();
  for (const auto& backend : due) {
    const std::lock_guard lock(mutex_);
    if (const auto at = not_yet_.find(backend); at != not_yet_.end() && now < at->second) continue;
    if (!underway_.insert(backend).second) continue;
    const auto queued = pool_.submit([this, backend](const std::stop_token& stop) {
      work_on(backend, stop);
      const std::lock_guard ended(mutex_);
      underway_.erase(backend);
    });
    if (!queued) underway_.erase(backend);
  }
}

void Measures::work_on(const std::string& name, const std::stop_token& stop) {
  for (auto due = due_on(name); !due.empty(); due = due_on(name)) {
    for (const auto& key : due) {
      const auto backend = p_.backends.get_serving(name);
      if (stop.stop_requested() || !backend || (*backend)->health().data == Reachability::unreachable) return;
      const auto home = p_.catalog.space(key);  // as it is by now
      if (!home || !home->measure || !home->measure->why.empty()) continue;
      if (!measure(*backend, home, stop)) return;
    }
  }
}

// Who has waited longest first.
std::vector<std::string> Measures::due_on(const std::string& backend) const {
  std::vector<std::pair<WallTime, std::string>> homes;
  for (const auto& home : p_.catalog.homes_to_measure()) {
    if (home->backend == backend) homes.emplace_back(home->measure->since, home->key);
  }
  std::sort(homes.begin(), homes.end());
  std::vector<std::string> out;
  out.reserve(homes.size());
  for (auto& [since, key] : homes) out.push_back(std::move(key));
  return out;
}

bool Measures::measure(const BackendPtr& backend, const SpacePtr& home, const std::stop_token& stop) {
  auto done = walk(backend, home, stop);
  if (done) return true;
  if (!is_transient(done.error().code)) {
    done = give_up(home, done.error().sentence());
    if (done) return true;
  }
  if (stop.stop_requested()) return false;
  log::warning("a home is not measured yet", {{"space", home->key}, {"why", done.error().to_string()}});
  backend->note_failure(done.error(), p_.clock.now());
  const std::lock_guard lock(mutex_);
  not_yet_[home->backend] = p_.clock.mono() + kAfterTrouble;
  return false;
}

Result<void> Measures::walk(const BackendPtr& backend, const SpacePtr& home, const std::stop_token& stop) {
  if (!can_measure(*backend))
    return give_up(home, "homes on backend " + home->backend + " are not measured by walking");
  auto* trees = drivers::find<drivers::TreeAccess>(backend->driver());
  const auto started = p_.clock.mono();
  const auto context = [&] {
    return OpContext{.request_id = "measure", .deadline = p_.clock.mono() + kStepTime, .stop = stop};
  };
  HOMEPORT_TRY(const auto ref, object_ref(*home));
  HOMEPORT_TRY(const auto tree, trees->open_tree(context(), ref, {}));
  drivers::TreeWalk walk(*tree);
  if (auto place = home->measure->position; !place.empty()) {
    if (auto from = drivers::TreeWalk::from(*tree, place)) walk = std::move(from).value();
  }
  const auto before = walk.totals().entries;
  auto kept = started;
  for (bool done = false; !done;) {
    auto stepped = walk.step(context());
    if (!stepped) {
      (void)keep_place(home, walk).has_value();  // then it begins again
      return std::move(stepped).error();
    }
    done = *stepped;
    if (walk.totals().entries > kMostEntries)
      return give_up(home, "it holds more than " + std::to_string(kMostEntries) + " entries");
    const auto now = p_.clock.mono();
    if (!done && now - started > kLongestWalk) return give_up(home, "it could not be walked in twelve hours");
    if (!done && now - kept > kKeepEvery) {
      HOMEPORT_CHECK(keep_place(home, walk));
      kept = now;
    }
    const auto due = started + milliseconds((walk.totals().entries - before) * 1000 / backend->spec().measure_rate);
    const auto ahead = std::chrono::duration_cast<milliseconds>(due - now);
    if (ahead.count() > 0) (void)p_.clock.sleep_for(ahead, stop);  // when stopped, the next step says so
  }
  backend->note_success(p_.clock.now());
  const auto& totals = walk.totals();
  if (totals.unread == 0) return finish(home, totals);
  return give_up(home, std::to_string(totals.unread) + " of its directories or files could not be looked at (" +
                           totals.unread_why + "); the export must let this host be root");
}

// Whatever was released, moved or asked for anew meanwhile is left alone.
Result<void> Measures::change(
    const SpacePtr& home, const std::function<Result<void>(store::WriteTransaction&, store::SpaceRecord&)>& change) {
  return p_.store.write("measure", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, home->key));
    const bool same = space && space->measure && space->measure->since == home->measure->since &&
                      space->backend_id == home->backend_id && space->state == store::SpaceState::ready;
    if (!same) return {};
    HOMEPORT_CHECK(change(tx, *space));
    return store::put(tx, *space);
  });
}

Result<void> Measures::keep_place(const SpacePtr& home, const drivers::TreeWalk& walk) {
  auto place = walk.position(kLongestPlace);
  return change(home, [&](store::WriteTransaction&, store::SpaceRecord& space) -> Result<void> {
    space.measure->entries = walk.totals().entries;
    if (place) space.measure->position = *place;  // else the one before holds
    return {};
  });
}

Result<void> Measures::give_up(const SpacePtr& home, const std::string& why) {
  log::warning("a home's use cannot be counted", {{"space", home->key}, {"why", why}});
  return change(home, [&](store::WriteTransaction&, store::SpaceRecord& space) -> Result<void> {
    space.measure->why = why;
    space.measure->position.clear();
    if (space.quota_wanted) {
      space.quota_reason =
          "imported: no limit, because its use could not be counted: " + why + "; " + ways_out(space, p_.catalog);
    }
    return {};
  });
}

Result<void> Measures::finish(const SpacePtr& home, const drivers::TreeTotals& totals) {
  const auto now = p_.clock.now();
  return change(home, [&](store::WriteTransaction& tx, store::SpaceRecord& space) -> Result<void> {
    space.measure.reset();
    space.usage =
        store::UsageRecord{.bytes = totals.allocated, .files = totals.files, .basis = kMeasured, .as_of = now};
    settle_limit(space);
    HOMEPORT_TRY(auto owner, store::get<store::UserRecord>(tx, space.owner));
    if (owner) {
      make_markers_due(*owner);  // the limit stands in them
      HOMEPORT_CHECK(store::put(tx, *owner));
    }
    return tx.append_audit({.at = now,
                            .principal = "system",
                            .action = "home.measured",
                            .subject = space.key,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"bytes", totals.allocated},
                                                     {"apparent_bytes", totals.apparent},
                                                     {"files", totals.files},
                                                     {"directories", totals.directories}}
                                          .dump()});
  });
}

Result<store::SpaceRecord> Measures::ask(const Caller& caller, const std::string& key) {
  const auto known = p_.catalog.space(key);
  if (!known) return Error{.code = Errc::not_found, .message = "there is no space " + printable(key, 60)};
  const auto words = space_words(*known, p_.catalog);
  if (known->state != store::SpaceState::ready || known->kind != SpaceKind::home) {
    return Error{.code = Errc::failed_precondition,
                 .message = words + " is " + std::string(store::space_state_name(known->state)) +
                            ", and only homes that are ready are measured",
                 .hint = "wait until it is ready, or bring it back with `homeport home undelete`"};
  }
  HOMEPORT_TRY(const auto backend, p_.backends.get_serving(known->backend));
  if (!can_measure(*backend)) {
    const bool off = backend->spec().measure_rate == 0;
    return Error{.code = off ? Errc::failed_precondition : Errc::unsupported,
                 .message = "homes on backend " + known->backend + " are not measured by walking",
                 .hint = off ? "its measure_rate is 0: give it another one (entries a second)"
                             : "its directories cannot be listed"};
  }
  store::SpaceRecord asked = *known;
  HOMEPORT_CHECK(p_.store.write("measure", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, key));
    if (!space || space->state != store::SpaceState::ready) {
      return Error{.code = Errc::conflict, .message = words + " was changed meanwhile", .hint = "ask again"};
    }
    asked = *space;
    if (space->measure && space->measure->why.empty()) return {};  // it is due already
    space->measure = store::MeasureRecord{.since = p_.clock.now()};
    HOMEPORT_CHECK(store::put(tx, *space));
    asked = *space;
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "home.measure",
                            .subject = key,
                            .outcome = "ok"});
  }));
  tick();
  return asked;
}

std::vector<Finding> Measures::findings() const {
  std::size_t given_up = 0;
  SpacePtr first;
  for (const auto& space : p_.catalog.spaces()) {
    if (!space->measure || space->measure->why.empty()) continue;
    ++given_up;
    if (!first) first = space;
  }
  if (given_up == 0) return {};
  return {{.level = "warning",
           .what = "the use of " + std::to_string(given_up) + " imported home" + (given_up == 1 ? "" : "s") +
                   " could not be counted, for example " + space_words(*first, p_.catalog) + ": " + first->measure->why,
           .hint = ways_out(*first, p_.catalog)}};
}

}  // namespace homeport::core
