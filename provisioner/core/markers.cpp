#include "provisioner/core/markers.h"

#include <utility>

#include "provisioner/base/log.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr std::size_t kPeopleAtOnce = 64;
constexpr std::chrono::seconds kCallTime{15};
constexpr std::chrono::minutes kAfterTrouble{10};

// Work that waits for people goes first.
bool takes_more(Backend& backend) {
  const auto mode = backend.spec().mode;
  if (mode == BackendMode::observe || backend.health().management == Reachability::unreachable) return false;
  return backend.workers().queued() < backend.workers().threads();
}

bool has_marker(const store::SpaceRecord& home) {
  using store::SpaceState;
  return !home.backend_id.empty() && (home.state == SpaceState::ready || home.state == SpaceState::retired);
}

}  // namespace

void make_markers_due(store::UserRecord& user) {
  user.markers_due = user.markers_due.value_or(0) + 1;
}

struct Markers::Work {
  Work(Markers& of, UserPtr who, std::shared_ptr<void> round)
      : markers(of), user(std::move(who)), of_round(std::move(round)) {}
  ~Work() { markers.end(*this); }  // with the last job, also with one that was never run
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  void written() {
    const std::lock_guard lock(mutex);
    --left;
  }
  void refused(std::string text) {
    const std::lock_guard lock(mutex);
    why = std::move(text);
  }

  Markers& markers;
  const UserPtr user;
  const std::shared_ptr<void> of_round;
  std::mutex mutex;
  std::size_t left = 0;  // homes whose marker is not written
  std::string why;       // of a refusal
};

void Markers::tick(std::function<void()> done) {
  const std::shared_ptr<void> round(nullptr, [done = std::move(done)](void*) { done(); });
  const auto now = p_.clock.mono();
  for (const auto& user : p_.catalog.people_to_mark()) {
    {
      const std::lock_guard lock(mutex_);
      if (underway_.size() >= kPeopleAtOnce) return;
      if (const auto at = trouble_.find(user->key); at != trouble_.end() && now < at->second.again) continue;
      if (!underway_.insert(user->key).second) continue;
    }
    start(user, round);
  }
}

void Markers::start(const UserPtr& user, const std::shared_ptr<void>& round) {
  const auto work = std::make_shared<Work>(*this, user, round);
  const auto homes = p_.catalog.homes_of(user->key);
  work->left = homes.size();  // what cannot be written now is left, and looked at again later
  for (const auto& home : homes) {
    const auto backend = p_.backends.get_serving(home->backend);
    if (!has_marker(*home) || !backend || !takes_more(**backend)) continue;
    auto job = [this, work, to = *backend, key = home->key](const std::stop_token& stop) {
      const OpContext op{.request_id = "markers", .deadline = p_.clock.mono() + kCallTime, .stop = stop};
      mark(op, *to, key, *work);
    };
    (void)(*backend)->workers().submit(std::move(job)).has_value();
  }
}

void Markers::mark(const OpContext& op, Backend& backend, const std::string& key, Work& work) {
  const auto home = p_.catalog.space(key);
  if (!home || !has_marker(*home) || home->owner != work.user->key || p_.catalog.open_operation(key)) return;
  const auto ref = object_ref(*home);
  if (!ref) return work.refused(ref.error().sentence());
  const auto written = backend.driver().update(op, *ref, {.marker = marker_of(*home, p_.catalog)});
  if (!written) {
    const auto code = written.error().code;
    backend.note_failure(written.error(), p_.clock.now());
    if (is_transient(code)) return;
    // What cannot be marked is served all the same, and has no marker that could be wrong.
    if (code == Errc::permission_denied || code == Errc::unsupported) return work.written();
    return work.refused(space_words(*home, p_.catalog) + ": " + written.error().sentence());
  }
  backend.note_success(p_.clock.now());
  // Whoever has begun to change it meanwhile may have written the marker before us: then once more.
  const auto after = p_.catalog.space(key);
  if (after && after->revision == home->revision && !p_.catalog.open_operation(key)) work.written();
}

void Markers::end(const Work& work) {
  const auto& key = work.user->key;
  if (work.left == 0) {
    const auto written = p_.store.write("markers", [&](store::WriteTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, key));
      // Changed again meanwhile: then they are due once more.
      if (!user || user->markers_due != work.user->markers_due) return {};
      user->markers_due.reset();
      return store::put(tx, *user);
    });
    if (!written) log::warning("markers stay due", {{"user", key}, {"why", written.error().to_string()}});
  }
  const std::lock_guard lock(mutex_);
  underway_.erase(key);
  trouble_.erase(key);
  if (work.why.empty()) return;
  log::warning("a marker could not be written", {{"user", key}, {"why", work.why}});
  trouble_[key] = {.why = work.why, .again = p_.clock.mono() + kAfterTrouble};
}

std::vector<Finding> Markers::findings() const {
  const std::lock_guard lock(mutex_);
  std::vector<Finding> out;
  for (const auto& [user, trouble] : trouble_) {
    out.push_back({.level = "warning",
                   .what = "a home's marker still carries a former name: " + trouble.why,
                   .hint = "it is tried again every ten minutes; nobody's login depends on it"});
  }
  return out;
}

}  // namespace homeport::core
