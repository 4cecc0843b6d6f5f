#include "drivers/btrfs/probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "drivers/btrfs/access.h"
#include "drivers/btrfs/device.h"

namespace homeport::drivers::btrfs {
namespace {

constexpr double kMetadataWarning = 0.75;
constexpr double kMetadataAlarm = 0.9;
constexpr std::uint64_t kProbeLimit = std::uint64_t{16} << 20U;

std::string percent(double part) {
  return std::to_string(static_cast<int>(part * 100)) + " %";
}

ProbeCheck failed(std::string name, const Error& error) {
  return {.name = std::move(name), .status = CheckStatus::failed, .detail = error.sentence(), .hint = error.hint};
}

// A space of our own, made, limited, snapshotted and removed: what creations will need.
Result<void> try_everything(const Backend& backend, const OpenPool& pool) {
  const std::string name = ".homeport-probe-" + backend.nonce();
  const std::string path = pool.root.of(name);
  const int root = pool.root.get();
  if (pool.config->layout == Layout::directory) {
    if (::mkdirat(root, name.c_str(), 0700) != 0) return from_errno(errno, "making " + path);
    const bool given = ::fchownat(root, name.c_str(), 65534, 65534, AT_SYMLINK_NOFOLLOW) == 0;
    const int code = errno;
    if (::unlinkat(root, name.c_str(), AT_REMOVEDIR) != 0) return from_errno(errno, "removing " + path);
    if (!given) return from_errno(code, "giving away " + path);
    return {};
  }
  HOMEPORT_CHECK(make_subvolume(root, name, path));
  const auto use = [&]() -> Result<void> {
    HOMEPORT_TRY(const auto folder, open_folder(root, pool.root.path, name));
    HOMEPORT_TRY(const auto subvolume, subvolume_of(folder.get(), path));
    if (!subvolume) return Error{.code = Errc::internal, .message = path + " is not the subvolume that was made"};
    if (pool.quota != QuotaMode::off) HOMEPORT_CHECK(set_limit(root, subvolume->id, kProbeLimit, path));
    if (::fchown(folder.get(), 65534, 65534) != 0) return from_errno(errno, "giving away " + path);
    return {};
  };
  auto used = use();
  HOMEPORT_CHECK(delete_subvolume(root, name, path));
  return used;
}

void check_headroom(const OpenPool& pool, std::vector<ProbeCheck>& checks) {
  const std::string name = "headroom of pool " + pool.config->name;
  const auto space = space_state(pool.root.get(), pool.config->name);
  if (!space) return checks.push_back(failed(name, space.error()));
  const double fill = space->metadata_fill();
  ProbeCheck check{.name = name,
                   .detail = "metadata " + percent(fill) + " of what it can have, " +
                             Bytes{space->unallocated}.to_string() + " not allocated"};
  if (fill >= kMetadataWarning) {
    check.status = CheckStatus::warning;
    check.hint = fill >= kMetadataAlarm
                     ? "btrfs without room for metadata refuses even deletions: make the pool larger now"
                     : "make the pool larger, or give allocated room back: `btrfs balance start -dusage=50 " +
                           pool.root.path + "`";
  }
  checks.push_back(std::move(check));
}

void check_host_disk(const PoolConfig& config, std::vector<ProbeCheck>& checks) {
  if (!config.loop) return;
  const auto room = room_around(config.loop->file.str());
  const auto file = file_size(config.loop->file.str());
  if (!room || !file) return;
  const auto promised = file->size - std::min(file->allocated, file->size);
  ProbeCheck check{.name = "host disk of pool " + config.name,
                   .detail = config.loop->file.str() + " may grow by " + Bytes{promised}.to_string() + ", " +
                             Bytes{room->free}.to_string() + " are free"};
  if (const auto trouble = host_disk_trouble(config)) {
    check.status = CheckStatus::warning;
    check.detail = *trouble + ": new spaces are refused";
    check.hint = "free some room there: when the file cannot grow, the pool turns read-only";
  } else if (!config.loop->preallocate && room->free < promised) {
    check.status = CheckStatus::warning;
    check.hint = "the pool promises more than the disk has: watch it, or use preallocate: true";
  }
  checks.push_back(std::move(check));
}

bool probe_pool(const OpContext& op, Backend& backend, Pool& pool, std::vector<ProbeCheck>& checks) {
  const auto& config = pool.config();
  const std::string name = "pool " + config.name;
  auto opened = backend.open(op, pool, Make::no);
  // Nothing is there yet: a probe that may change makes the bare pool, not what its first space makes.
  if (opened && !*opened && !op.dry_run) opened = backend.open(op, pool, Make::yes);
  if (!opened) {
    checks.push_back(failed(name, opened.error()));
    return false;
  }
  if (!*opened) {
    checks.push_back({.name = name, .status = CheckStatus::skipped, .detail = config.where() + " is not made yet"});
    return true;
  }
  const OpenPool& at = **opened;
  checks.push_back(
      {.name = name,
       .detail = config.where() + " at " + at.root.path + ", " + std::string(quota_mode_name(at.quota)) + " quotas"});
  const std::string data = "data path: make, give away and remove in pool " + config.name;
  if (op.dry_run) {
    checks.push_back(
        {.name = data, .status = CheckStatus::skipped, .detail = "not tried: the backend is only observed"});
    return true;
  }
  const auto tried = try_everything(backend, at);
  checks.push_back(tried ? ProbeCheck{.name = data, .detail = "works"} : failed(data, tried.error()));
  check_headroom(at, checks);
  check_host_disk(config, checks);
  return tried.has_value();
}

Result<drivers::Pool> measure(const OpContext& op, Backend& backend, Pool& pool) {
  const auto& config = pool.config();
  drivers::Pool out{.name = config.name, .layout = config.layout};
  HOMEPORT_TRY(const auto opened, backend.open(op, pool, Make::no));
  out.prepared = opened && opened->prepared();
  if (!opened) return out;
  struct statvfs state {};
  if (::fstatvfs(opened->root.get(), &state) != 0) return from_errno(errno, "measuring pool " + config.name);
  out.writable = (state.f_flag & ST_RDONLY) == 0;
  out.capacity = Bytes{std::uint64_t{state.f_blocks} * state.f_frsize};
  std::uint64_t free = std::uint64_t{state.f_bavail} * state.f_frsize;
  // A sparse file cannot give what its disk does not have.
  if (config.loop && !config.loop->preallocate) {
    const auto room = room_around(config.loop->file.str());
    if (room) free = std::min(free, room->free);
  }
  out.free = Bytes{free};
  return out;
}

}  // namespace

Result<ProbeReport> probe_backend(const OpContext& op, Backend& backend) {
  HOMEPORT_CHECK(still_wanted(op, backend.clock(), "the probe"));
  ProbeReport report{.management_ok = true, .data_ok = true};
  if (::geteuid() != 0) {
    report.checks.push_back({.name = "rights",
                             .status = CheckStatus::failed,
                             .detail = "homeportd runs as uid " + std::to_string(::geteuid()),
                             .hint = "btrfs is administered by root: run homeportd as root, or use kind: nfs"});
    report.management_ok = report.data_ok = false;
    return report;
  }
  for (const auto& pool : backend.pools()) {
    if (!probe_pool(op, backend, *pool, report.checks)) report.data_ok = report.management_ok = false;
  }
  if (backend.exporter() == nullptr) return report;
  if (op.dry_run) {
    report.checks.push_back(
        {.name = "exporter", .status = CheckStatus::skipped, .detail = "not started: the backend is only observed"});
    return report;
  }
  for (auto& check : backend.exporter()->check(op)) {
    if (check.status == CheckStatus::failed) report.data_ok = false;
    report.checks.push_back(std::move(check));
  }
  if (!report.data_ok) return report;
  for (const auto& pool : backend.pools()) {
    const auto served = serve_all(op, backend, *pool);
    if (served) continue;
    report.data_ok = false;
    report.checks.push_back(failed("exports of pool " + pool->config().name, served.error()));
  }
  return report;
}

Result<std::vector<drivers::Pool>> measure_pools(const OpContext& op, Backend& backend) {
  HOMEPORT_CHECK(still_wanted(op, backend.clock(), "measuring pools"));
  std::vector<drivers::Pool> pools;
  std::optional<Error> trouble;
  bool any = backend.pools().empty();
  for (const auto& pool : backend.pools()) {
    auto measured = measure(op, backend, *pool);
    if (measured) {
      any = true;
      pools.push_back(std::move(measured).value());
      continue;
    }
    // One that is gone does not hide the others.
    if (!trouble) trouble = std::move(measured).context("pool " + pool->config().name).error();
    pools.push_back({.name = pool->config().name, .layout = pool->config().layout, .writable = false});
  }
  if (!any) return *std::move(trouble);
  return pools;
}

}  // namespace homeport::drivers::btrfs
