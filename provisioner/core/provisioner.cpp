#include "provisioner/core/provisioner.h"

#include <iterator>
#include <utility>

#include "provisioner/base/log.h"
#include "provisioner/core/gauges.h"
#include "provisioner/core/snapshot_limits.h"

namespace homeport::core {
namespace {

constexpr std::chrono::seconds kLookEvery{15};
constexpr std::chrono::seconds kLookTime{5};
constexpr std::chrono::seconds kStopTime{5};
constexpr std::chrono::hours kAnswersKept{24 * 8};
constexpr std::uint64_t kChangesKept = 100'000;

std::set<std::string, std::less<>> trusted_among(const std::vector<HubEntry>& hubs) {
  std::set<std::string, std::less<>> out;
  for (const auto& hub : hubs) {
    if (hub.settings.recreated_is_same) out.insert(hub.settings.name);
  }
  return out;
}

}  // namespace

Provisioner::Provisioner(Environment environment)
    : env_(std::move(environment)),
      catalog_(env_.store, env_.factory),
      backends_(catalog_, env_.factory, env_.clock),
      operations_(env_.store, catalog_, backends_, env_.clock, env_.ids, env_.metrics),
      people_(env_.store, catalog_, env_.clock, env_.identity),
      parts_{.store = env_.store,
             .catalog = catalog_,
             .backends = backends_,
             .operations = operations_,
             .people = people_,
             .clock = env_.clock,
             .ids = env_.ids,
             .name_prefix = env_.name_prefix,
             .copy_claim = env_.copy_claim,
             .trusted_hubs = trusted_among(env_.hubs),
             .flush_sessions = [this] { return logins_.flush(); }},
      homes_(parts_),
      renames_(parts_, homes_),
      markers_(parts_),
      measures_(parts_),
      datasets_(parts_, homes_),
      snapshots_(parts_, homes_),
      logins_(parts_, homes_, env_.metrics, env_.realm),
      tokens_(parts_, env_.realm),
      administration_(parts_, env_.realm),
      hub_tokens_(env_.hubs, env_.clock, env_.metrics),
      hub_people_(parts_, env_.hubs),
      cluster_volumes_(env_.cluster, env_.store, catalog_, env_.clock) {
  operations_.assign_owners_by(
      [this](store::WriteTransaction& tx, const std::string& realm) { return people_.take_assigned(tx, realm); });
  if (env_.cluster != nullptr) operations_.use_cluster(*cluster_volumes_.cluster(), *cluster_volumes_.workers());
}

Provisioner::~Provisioner() {
  stop();
}

Result<void> Provisioner::load() {
  env_.store.set_listener([this](std::span<const store::Change> changes) { catalog_.on_changes(changes); });
  HOMEPORT_CHECK(catalog_.load());
  backends_.follow_catalog();
  env_.metrics.add_gauges(
      [this] { return read_gauges(catalog_, backends_, operations_, administration_, cluster_volumes_); });
  return {};
}

Result<void> Provisioner::run() {
  // A change of the configuration whose follow-up was cut short by a crash.
  HOMEPORT_TRY(const auto refreshed, administration_.refresh_mount_sources());
  if (refreshed > 0) log::info("mount sources follow the configuration", {{"spaces", std::to_string(refreshed)}});
  HOMEPORT_CHECK(operations_.recover_and_run());
  logins_.start();
  cluster_volumes_.start();
  caretaker_ = std::jthread([this](const std::stop_token& stop) { take_care(stop); });
  return {};
}

void Provisioner::stop() {
  hub_tokens_.stop();  // first: whoever waits there is told at once
  if (caretaker_.joinable()) {
    caretaker_.request_stop();
    caretaker_.join();
  }
  hub_people_.stop();
  measures_.stop();
  people_.stop();
  operations_.stop();
  cluster_volumes_.stop();
  backends_.drain(kStopTime);
  logins_.stop();
  // What was issued in the last moment; without the lease the store refuses, and that is right.
  if (const auto flushed = logins_.flush(); !flushed)
    log::warning("issued specs could not be recorded", {{"why", flushed.error().to_string()}});
}

std::vector<Finding> Provisioner::findings() const {
  auto out = administration_.doctor();
  for (const auto& more : {markers_.findings(), measures_.findings(), hub_people_.findings(),
                           cluster_volumes_.findings(), snapshot_findings(catalog_, backends_, env_.clock.now())})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

namespace {

std::vector<Finding> or_well(std::vector<Finding> findings) {
  if (findings.empty()) findings.push_back({.level = "ok", .what = "nothing is wrong"});
  return findings;
}

}  // namespace

std::vector<Finding> Provisioner::doctor() const {
  return or_well(findings());
}

void Provisioner::doctor(const Caller& caller, std::function<void(std::vector<Finding>)> done) {
  check_arrays(parts_, caller, [known = findings(), done = std::move(done)](std::vector<Finding> more) mutable {
    known.insert(known.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    done(or_well(std::move(known)));
  });
}

void Provisioner::take_care(const std::stop_token& stop) {
  std::uint64_t round = 0;
  do {
    backends_.reap();
    for (const auto& backend : backends_.all()) look_at(backend);
    markers_.tick();
    measures_.tick();
    hub_people_.tick();
    if (round++ % 240 == 0) {
      snapshots_.forget_old();
      if (const auto trimmed = env_.store.trim(kChangesKept, env_.clock.now() - kAnswersKept); !trimmed) {
        log::warning("old rows could not be trimmed", {{"why", trimmed.error().to_string()}});
      }
    }
  } while (env_.clock.sleep_for(kLookEvery, stop));
}

namespace {

// A pool that we made spaces in and that holds nothing of ours: the server shows an empty directory where its disk
// should be mounted. Nothing is made there, and nobody is sent there.
std::map<std::string, std::string> troubled_pools(const Catalog& catalog, const std::string& backend,
                                                  std::vector<drivers::Pool>& pools) {
  std::map<std::string, std::string> out;
  for (auto& pool : pools) {
    if (pool.prepared || !catalog.pool_in_use(backend, pool.name)) continue;
    pool.writable = false;
    out.emplace(pool.name, "pool " + pool.name + " of backend " + backend +
                               " holds nothing of what was made in it: is its disk mounted on the server?");
  }
  return out;
}

}  // namespace

void Provisioner::look_at(const BackendPtr& backend) {
  const auto record = catalog_.backend(backend->spec().name.str());
  if (record && record->paused) return;
  // A backend whose workers are all busy is not asked on top of that: its work tells how it is.
  if (backend->workers().queued() >= backend->workers().threads()) return;
  (void)backend->workers()
      .submit([this, backend](const std::stop_token& job_stop) {
        const OpContext op{.request_id = "health", .deadline = env_.clock.mono() + kLookTime, .stop = job_stop};
        auto pools = backend->driver().pools(op);
        if (pools) {
          auto troubled = troubled_pools(catalog_, backend->spec().name.str(), *pools);
          backend->note_pools(std::move(*pools), env_.clock.now());
          backend->note_troubled(std::move(troubled));
          look_at_imports(op, *backend, catalog_);
        } else if (pools.error().code == Errc::unavailable || pools.error().code == Errc::timed_out) {
          backend->note_lost(pools.error(), backend->driver().info()->management_is_data);
        } else {
          backend->note_failure(pools.error(), env_.clock.now());
        }
      })
      .has_value();
}

}  // namespace homeport::core
