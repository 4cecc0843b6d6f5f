#include "drivers/nfs/backend.h"

#include <utility>

namespace homeport::drivers::nfs {
namespace {

std::optional<Owner> assumed(const SquashConfig& squash) {
  if (!squash.all) return std::nullopt;
  return Owner{squash.uid.value_or(Uid{65534}), squash.gid.value_or(Gid{65534})};
}

}  // namespace

Backend::Backend(std::string name, NfsConfig config, const DriverEnvironment& env)
    : name_(std::move(name)),
      config_(std::move(config)),
      clock_(env.clock),
      prefix_(env.name_prefix),
      ids_(make_system_ids()) {
  const auto squashed = assumed(config_.squash);
  learned_.with([&](Learned& learned) {
    learned.squashed = squashed;
    learned.info = std::make_shared<const DriverInfo>(describe(1, false, squashed));
  });
}

DriverInfo Backend::describe(std::uint64_t generation, bool known, const std::optional<Owner>& squashed) const {
  Capabilities can;
  can.quota = QuotaClass::none;
  can.undelete = true;
  can.ownership = !squashed;
  can.notes.emplace_back(
      "quotas: this server offers none that Homeport could set; limits are recorded and nobody enforces them. A quota "
      "on the "
      "server itself (project or dataset quotas) is the real alternative");
  can.notes.emplace_back("snapshots: none through this driver; the server's own schedule goes on by itself");
  can.notes.emplace_back("access rules: the export's own, on the server; Homeport cannot change them over NFS");
  if (squashed) {
    can.notes.push_back("everybody on this export is uid " + std::to_string(squashed->uid.value) +
                        ": homes cannot be owned by their users, and neither the trash nor the markers are root-only");
  }
  DriverInfo info{.kind = "nfs", .address = config_.service.server};
  // On the server's own host files are reached without the NFS service that we ask.
  info.management_is_data = !config_.client.local && config_.client.server == config_.service.server;
  info.generation = generation;
  info.known = known;
  info.max_parallel_calls = config_.service.connections;
  info.layouts.emplace(Layout::directory, std::move(can));
  info.facts.emplace(
      "protocol",
      "NFSv3 (administration), " + (config_.client.local ? "binds on host " + config_.client.local->host + " (clients)"
                                                         : "NFSv" + config_.client.version + " (clients)"));
  info.facts.emplace("client server", config_.client.server);
  if (config_.client.port) info.facts.emplace("client port", std::to_string(*config_.client.port));
  if (config_.client.mount_port) info.facts.emplace("client mount port", std::to_string(*config_.client.mount_port));
  if (!config_.client.path_prefix.empty()) info.facts.emplace("client path prefix", config_.client.path_prefix);
  if (squashed) info.facts.emplace("squash", "all to uid " + std::to_string(squashed->uid.value));
  return info;
}

Result<Site*> Backend::pool_site(Layout layout, const std::string& pool) {
  if (layout != Layout::directory) {
    return Error{.code = Errc::unsupported,
                 .message = "backend " + name_ + " (nfs) keeps spaces as directories only",
                 .hint = "use layout: directory"};
  }
  for (const auto& known : config_.pools) {
    if (known.name == pool) return &export_site(known.export_path.str());
  }
  return Error{.code = Errc::not_found,
               .message = "backend " + name_ + " has no pool '" + printable(pool, 60) + "'",
               .hint = "its pools are named in the backend's section"};
}

Site& Backend::export_site(const std::string& export_path) {
  const PoolConfig* pool = nullptr;
  for (const auto& known : config_.pools) {
    if (known.export_path.str() == export_path) pool = &known;
  }
  return sites_.with([&](auto& sites) -> Site& {
    auto& site = sites[export_path];
    if (!site) site = std::make_unique<Site>(reach(), export_path, pool, config_.service.connections);
    return *site;
  });
}

std::shared_ptr<const DriverInfo> Backend::info() const {
  return learned_.with([](const Learned& learned) { return learned.info; });
}

void Backend::learn_contact() {
  if (in_contact_.exchange(true)) return;
  learned_.with([&](Learned& learned) {
    learned.contact = true;
    learned.info = std::make_shared<const DriverInfo>(describe(learned.info->generation + 1, true, learned.squashed));
  });
}

void Backend::learn_identity(std::optional<Owner> squashed) {
  learned_.with([&](Learned& learned) {
    if (learned.squashed == squashed) return;
    learned.squashed = squashed;
    learned.info =
        std::make_shared<const DriverInfo>(describe(learned.info->generation + 1, learned.contact, squashed));
  });
}

std::optional<Uid> Backend::squashed_uid() const {
  return learned_.with([](const Learned& learned) -> std::optional<Uid> {
    if (!learned.squashed) return std::nullopt;
    return learned.squashed->uid;
  });
}

std::string Backend::join(const std::string& base, std::string_view part) {
  return base == "/" ? "/" + std::string(part) : base + "/" + std::string(part);
}

std::string Backend::homes_path(const PoolConfig& pool) const {
  std::string path = pool.export_path.str();
  for (const auto& part : pool.directory) path = join(path, part);
  return path;
}

}  // namespace homeport::drivers::nfs
