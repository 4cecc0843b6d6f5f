#include "provisioner/core/provisioner.h"

#include <utility>

#include "provisioner/base/log.h"

namespace homeport::core {
namespace {

// The names existing hub dashboards read (prometheus-dirsize-exporter's), so that they go on working unchanged.
void add_dirsize(Metrics& metrics, const Catalog& catalog) {
  for (const auto& space : catalog.spaces()) {
    if (space->kind != SpaceKind::home) continue;
    const auto names = catalog.names_of(space->owner);
    const MetricLabels labels{{"namespace", space->realm}, {"directory", names.empty() ? space->owner : names.front()}};
    if (space->usage && space->usage->basis != "unknown") {
      metrics.gauge("dirsize_total_size_bytes", "Bytes used by the home, as last measured.", labels)
          .set(static_cast<double>(space->usage->bytes));
    }
    if (space->quota_bytes) {
      metrics.gauge("dirsize_hard_limit_bytes", "The home's quota, whatever enforces it.", labels)
          .set(static_cast<double>(*space->quota_bytes));
    }
  }
}

constexpr std::chrono::seconds kLookEvery{15};
constexpr std::chrono::seconds kLookTime{5};
constexpr std::chrono::seconds kStopTime{5};
constexpr std::chrono::hours kAnswersKept{24 * 8};
constexpr std::uint64_t kChangesKept = 100'000;

}  // namespace

Provisioner::Provisioner(Environment environment)
    : env_(std::move(environment)),
      catalog_(env_.store, env_.factory),
      backends_(catalog_, env_.factory, env_.clock),
      operations_(env_.store, catalog_, backends_, env_.clock, env_.ids, env_.metrics),
      parts_{.store = env_.store,
             .catalog = catalog_,
             .backends = backends_,
             .operations = operations_,
             .clock = env_.clock,
             .ids = env_.ids,
             .name_prefix = env_.name_prefix},
      homes_(parts_),
      datasets_(parts_),
      logins_(parts_, homes_, env_.metrics, env_.realm),
      tokens_(parts_),
      administration_(parts_, env_.factory) {}

Provisioner::~Provisioner() {
  stop();
}

Result<void> Provisioner::load() {
  env_.store.set_listener([this](std::span<const store::Change> changes) { catalog_.on_changes(changes); });
  HOMEPORT_CHECK(catalog_.load());
  backends_.follow_catalog();
  register_metrics(env_.metrics);
  return {};
}

Result<void> Provisioner::run() {
  // A change of the configuration whose follow-up was cut short by a crash.
  HOMEPORT_TRY(const auto refreshed, administration_.refresh_mount_sources());
  if (refreshed > 0) log::info("mount sources follow the configuration", {{"spaces", std::to_string(refreshed)}});
  HOMEPORT_CHECK(operations_.recover_and_run());
  logins_.start();
  caretaker_ = std::jthread([this](const std::stop_token& stop) { take_care(stop); });
  return {};
}

void Provisioner::stop() {
  if (caretaker_.joinable()) {
    caretaker_.request_stop();
    caretaker_.join();
  }
  operations_.stop();
  backends_.drain(kStopTime);
  logins_.stop();
  // What was issued in the last moment; without the lease the store refuses, and that is right.
  if (const auto flushed = logins_.flush(); !flushed)
    log::warning("issued specs could not be recorded", {{"why", flushed.error().to_string()}});
}

void Provisioner::take_care(const std::stop_token& stop) {
  std::uint64_t round = 0;
  do {
    backends_.reap();
    for (const auto& backend : backends_.all()) look_at(backend);
    if (round++ % 240 == 0) {
      if (const auto trimmed = env_.store.trim(kChangesKept, env_.clock.now() - kAnswersKept); !trimmed) {
        log::warning("old rows could not be trimmed", {{"why", trimmed.error().to_string()}});
      }
    }
  } while (env_.clock.sleep_for(kLookEvery, stop));
}

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
          backend->note_pools(std::move(*pools), env_.clock.now());
        } else if (pools.error().code == Errc::unavailable || pools.error().code == Errc::timed_out) {
          backend->note_lost(pools.error(), backend->driver().info()->management_is_data);
        } else {
          backend->note_failure(pools.error(), env_.clock.now());
        }
      })
      .has_value();
}

void Provisioner::register_metrics(Metrics& metrics) {
  metrics.on_scrape([this, &metrics] {
    std::map<std::pair<std::string, std::string>, double> spaces;
    for (const auto& space : catalog_.spaces(true)) {
      ++spaces[{std::string(space_kind_name(space->kind)), std::string(store::space_state_name(space->state))}];
    }
    for (const auto& [labels, count] : spaces) {
      metrics.gauge("homeport_spaces", "Spaces by kind and state.", {{"kind", labels.first}, {"state", labels.second}})
          .set(count);
    }
    metrics.gauge("homeport_people", "People known.", {}).set(static_cast<double>(catalog_.users().size()));
    for (const auto& record : catalog_.backends()) {
      const auto backend = backends_.get(record.name);
      const MetricLabels labels{{"backend", record.name}};
      const auto health = backend ? (*backend)->health() : BackendHealth{};
      metrics.gauge("homeport_backend_up", "1 when the backend's management answered last time, else 0.", labels)
          .set(backend && health.management == Reachability::ok ? 1 : 0);
      metrics.gauge("homeport_backend_queue", "Jobs waiting for or running on the backend's workers.", labels)
          .set(backend ? static_cast<double>((*backend)->workers().queued()) : 0);
      for (const auto& pool : health.pools) {
        const MetricLabels pool_labels{{"backend", record.name}, {"pool", pool.name}};
        if (pool.capacity)
          metrics.gauge("homeport_pool_capacity_bytes", "Size of the pool.", pool_labels)
              .set(static_cast<double>(pool.capacity->count()));
        if (pool.free)
          metrics.gauge("homeport_pool_free_bytes", "Free space of the pool.", pool_labels)
              .set(static_cast<double>(pool.free->count()));
      }
    }
    add_dirsize(metrics, catalog_);
    const auto parked = operations_.list({.state = store::OperationState::parked, .limit = 100000});
    metrics.gauge("homeport_operations_parked", "Operations that need an admin.", {})
        .set(parked ? static_cast<double>(parked->size()) : 0);
    const auto open = operations_.list({.open_only = true, .limit = 100000});
    metrics.gauge("homeport_operations_open", "Operations that have not ended.", {})
        .set(open ? static_cast<double>(open->size()) : 0);
  });
}

}  // namespace homeport::core
