#include "provisioner/core/gauges.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace homeport::core {
namespace {

GaugeFamily spaces(const Catalog& catalog) {
  GaugeFamily family{.name = "homeport_spaces", .help = "Spaces by kind and state."};
  std::map<std::pair<std::string_view, std::string_view>, double> counts;
  for (const auto& space : catalog.spaces(true))
    ++counts[{space_kind_name(space->kind), store::space_state_name(space->state)}];
  for (const auto& [what, count] : counts) {
    family.samples.push_back(
        {.labels = {{"kind", std::string(what.first)}, {"state", std::string(what.second)}}, .value = count});
  }
  return family;
}

void add_backends(const Catalog& catalog, Backends& backends, std::vector<GaugeFamily>& out) {
  GaugeFamily up{.name = "homeport_backend_up", .help = "1 when the backend's management answered last time, else 0."};
  GaugeFamily queue{.name = "homeport_backend_queue", .help = "Jobs waiting for or running on the backend's workers."};
  GaugeFamily capacity{.name = "homeport_pool_capacity_bytes", .help = "Size of the pool."};
  GaugeFamily free{.name = "homeport_pool_free_bytes", .help = "Free space of the pool."};
  for (const auto& record : catalog.backends()) {
    const auto backend = backends.get(record.name);
    const auto health = backend ? (*backend)->health() : BackendHealth{};
    const MetricLabels labels{{"backend", record.name}};
    up.samples.push_back({.labels = labels, .value = backend && health.management == Reachability::ok ? 1.0 : 0.0});
    queue.samples.push_back(
        {.labels = labels, .value = backend ? static_cast<double>((*backend)->workers().queued()) : 0.0});
    for (const auto& pool : health.pools) {
      const MetricLabels where{{"backend", record.name}, {"pool", pool.name}};
      if (pool.capacity)
        capacity.samples.push_back({.labels = where, .value = static_cast<double>(pool.capacity->count())});
      if (pool.free) free.samples.push_back({.labels = where, .value = static_cast<double>(pool.free->count())});
    }
  }
  for (auto* family : {&up, &queue, &capacity, &free}) out.push_back(std::move(*family));
}

// The names existing hub dashboards read (prometheus-dirsize-exporter's), so that they go on working unchanged.
void add_dirsize(const Catalog& catalog, std::vector<GaugeFamily>& out) {
  GaugeFamily size{.name = "dirsize_total_size_bytes", .help = "Bytes used by the home, as last measured."};
  GaugeFamily limit{.name = "dirsize_hard_limit_bytes", .help = "The home's quota, whatever enforces it."};
  for (const auto& space : catalog.spaces()) {
    if (space->kind != SpaceKind::home) continue;
    const bool measured = space->usage && space->usage->basis != "unknown";
    if (!measured && !space->quota_bytes) continue;
    const auto names = catalog.names_of(space->owner);
    std::string directory = names.empty() ? space->owner : names.front();
    // A named server's home is another directory of the same person: one series each.
    if (!space->name.empty()) directory += "/" + space->name;
    const MetricLabels labels{{"namespace", space->realm}, {"directory", std::move(directory)}};
    if (measured) size.samples.push_back({.labels = labels, .value = static_cast<double>(space->usage->bytes)});
    if (space->quota_bytes)
      limit.samples.push_back({.labels = labels, .value = static_cast<double>(*space->quota_bytes)});
  }
  out.push_back(std::move(size));
  out.push_back(std::move(limit));
}

GaugeFamily one(std::string name, std::string help, std::size_t value) {
  GaugeFamily family{.name = std::move(name), .help = std::move(help)};
  family.samples.push_back({.labels = {}, .value = static_cast<double>(value)});
  return family;
}

}  // namespace

std::vector<GaugeFamily> read_gauges(const Catalog& catalog, Backends& backends, const Operations& operations,
                                     const Administration& administration, const ClusterVolumes& cluster_volumes) {
  std::vector<GaugeFamily> out;
  out.push_back(spaces(catalog));
  const auto people = catalog.users();
  out.push_back(one("homeport_people", "People known.", people.size()));
  const auto dormant =
      std::count_if(people.begin(), people.end(), [](const auto& user) { return user->dormant_since; });
  out.push_back(one("homeport_people_dormant", "People who are gone from every hub they came from.",
                    static_cast<std::size_t>(dormant)));
  add_backends(catalog, backends, out);
  add_dirsize(catalog, out);
  out.push_back(one("homeport_rows_damaged", "Rows of the store that cannot be read.", catalog.damaged().size()));
  out.push_back(one("homeport_configuration_problems",
                    "What of the configuration's desired section is not in force since start.",
                    administration.configuration_problems().size()));
  if (cluster_volumes.cluster() != nullptr) {
    const auto state = cluster_volumes.state();
    out.push_back(one("homeport_cluster_up", "1 when the Kubernetes API did all it was asked last time, else 0.",
                      state.trouble ? 0 : 1));
    out.push_back(one("homeport_cluster_claims_missing", "Spaces whose volumes or claims are not all there.",
                      state.missing.size()));
    out.push_back(one("homeport_cluster_claims_kept", "Claims that nothing wants and that cannot be deleted yet.",
                      state.kept.size()));
  }
  constexpr std::size_t kAll = 1'000'000;
  const auto parked = operations.list({.state = store::OperationState::parked, .limit = kAll});
  if (parked) out.push_back(one("homeport_operations_parked", "Operations that need an admin.", parked->size()));
  const auto open = operations.list({.open_only = true, .limit = kAll});
  if (open) out.push_back(one("homeport_operations_open", "Operations that have not ended.", open->size()));
  return out;
}

}  // namespace homeport::core
