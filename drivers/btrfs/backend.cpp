#include "drivers/btrfs/backend.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "provisioner/base/log.h"

namespace homeport::drivers::btrfs {
namespace {

constexpr std::chrono::seconds kMountAgain{5};

std::string own_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "localhost";
}

}  // namespace

Backend::Backend(std::string name, BtrfsConfig config, const DriverEnvironment& env, std::unique_ptr<Exporter> exporter)
    : name_(std::move(name)),
      config_(std::move(config)),
      clock_(env.clock),
      prefix_(env.name_prefix),
      host_(config_.host.empty() ? own_host() : config_.host),
      ids_(make_system_ids()),
      exporter_(std::move(exporter)) {
  for (const auto& pool : config_.pools) pools_.push_back(std::make_unique<Pool>(pool, name_));
  learned_.with([&](Learned& learned) { learned.info = std::make_shared<const DriverInfo>(describe(1)); });
}

DriverInfo Backend::describe(std::uint64_t generation) const {
  DriverInfo info{.kind = "btrfs", .address = "this host (" + host_ + ")", .generation = generation};
  info.management_is_data = false;
  info.max_parallel_calls = 16;
  for (const auto& pool : config_.pools) {
    if (info.layouts.contains(pool.layout)) continue;
    Capabilities can;
    const bool own = pool.layout == Layout::filesystem;
    can.quota = own ? QuotaClass::hard : QuotaClass::none;
    can.snapshots = own;
    can.snapshots_per_space = own;
    can.clones = own;
    can.access_rules = exporter_ != nullptr;
    can.undelete = true;
    can.ownership = true;
    if (!own) {
      can.notes.emplace_back(
          "quotas, snapshots, clones: a plain directory has none; layout filesystem (a subvolume per space) has all "
          "three");
    } else {
      can.notes.emplace_back(
          "quotas: files that were deleted while an NFS client or a process has them open count until they are closed");
      can.notes.emplace_back(
          "quotas: who has a shell on this host can make subvolumes inside a home, which count for nobody; over NFS "
          "nobody can");
    }
    if (exporter_) {
      const auto limits = exporter_->limits();
      can.max_objects = limits.exports;
      for (const auto& note : limits.notes) can.notes.push_back(note);
    } else {
      can.notes.push_back("specs are binds on host " + host_ + "; with exporter: other hosts mount over NFS");
    }
    info.layouts.emplace(pool.layout, std::move(can));
  }
  return info;
}

Result<Pool*> Backend::pool(Layout layout, const std::string& name) {
  for (const auto& pool : pools_) {
    if (pool->config().name != name) continue;
    if (pool->config().layout == layout) return pool.get();
    return Error{.code = Errc::unsupported,
                 .message = "pool " + name + " keeps spaces as layout " +
                            std::string(layout_name(pool->config().layout)) + ", not " +
                            std::string(layout_name(layout))};
  }
  return Error{.code = Errc::not_found,
               .message = "backend " + name_ + " has no pool '" + printable(name, 60) + "'",
               .hint = "its pools are named in the backend's section"};
}

Result<PoolPtr> Backend::open(const OpContext& op, Pool& pool, Make make) {
  HOMEPORT_CHECK(still_wanted(op, *clock_, "working on pool " + pool.config().name));
  HOMEPORT_TRY(auto opened, pool.open(op, make));
  if (!opened) return opened;
  const QuotaMode quota = opened->quota;
  learned_.with([&](Learned& learned) {
    const auto [at, fresh] = learned.quotas.try_emplace(pool.config().name, quota);
    if (!fresh && at->second == quota) return;
    at->second = quota;
    DriverInfo info = describe(learned.info->generation + 1);
    info.known = true;
    for (const auto& entry : learned.quotas) {
      const std::string& name = entry.first;
      const QuotaMode mode = entry.second;
      info.facts["quotas of pool " + name] = std::string(quota_mode_name(mode));
      if (mode != QuotaMode::off) continue;
      const auto own = info.layouts.find(Layout::filesystem);
      const bool uses = own != info.layouts.end() && std::ranges::any_of(config_.pools, [&](const PoolConfig& p) {
                          return p.name == name && p.layout == Layout::filesystem;
                        });
      if (!uses) continue;
      // The least that any pool of the layout can.
      own->second.quota = QuotaClass::none;
      own->second.notes.push_back("quotas: off on the btrfs of pool " + name +
                                  "; quota: simple (Linux 6.7 and later only) or quota: full switches them on");
    }
    learned.info = std::make_shared<const DriverInfo>(std::move(info));
  });
  return opened;
}

void Backend::keep_mounted(const OpContext& op, Pool& pool) {
  const std::string& name = pool.config().name;
  const auto now = clock_->mono();
  const bool waits = learned_.with([&](Learned& learned) {
    const auto at = learned.not_before.find(name);
    return at != learned.not_before.end() && now < at->second;
  });
  if (waits) return;
  const auto opened = open(op, pool, Make::no);
  if (opened) return;
  log::warning("btrfs_pool_not_mounted", {{"pool", name}, {"why", opened.error().to_string()}});
  learned_.with([&](Learned& learned) { learned.not_before[name] = now + kMountAgain; });
}

std::shared_ptr<const DriverInfo> Backend::info() const {
  return learned_.with([](const Learned& learned) { return learned.info; });
}

std::optional<SpaceKey> Backend::key_of(std::string_view name) const {
  if (!name.starts_with(prefix_)) return std::nullopt;
  auto key = SpaceKey::parse(name.substr(prefix_.size()));
  if (!key) return std::nullopt;
  return std::move(key).value();
}

}  // namespace homeport::drivers::btrfs
