// What the parts of this driver share: the configuration, the pools, the exporter, and what was learned.
//
// Threads: every method from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/btrfs/pool.h"
#include "drivers/core/exporter.h"
#include "drivers/core/factory.h"
#include "provisioner/base/id_source.h"

namespace homeport::drivers::btrfs {

class Backend {
 public:
  // `exporter`: null where specs are binds on this host.
  Backend(std::string name, BtrfsConfig config, const DriverEnvironment& env, std::unique_ptr<Exporter> exporter);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const BtrfsConfig& config() const { return config_; }
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] Exporter* exporter() { return exporter_.get(); }
  [[nodiscard]] bool exports() const { return exporter_ != nullptr; }
  [[nodiscard]] std::string nonce() const { return hex16(ids_->random64()); }
  [[nodiscard]] std::vector<std::unique_ptr<Pool>>& pools() { return pools_; }

  // Errors: not_found for a pool that is not configured, unsupported for one of another layout.
  Result<Pool*> pool(Layout layout, const std::string& name);
  // As Pool::open; still wanted, and what was learned goes into info().
  Result<PoolPtr> open(const OpContext& op, Pool& pool, Make make);
  // Mounts the pool if it is not: after a reboot the first login must not be told a path with nothing behind it. What
  // stands in the way is logged and tried again after a while; the probe reports it.
  void keep_mounted(const OpContext& op, Pool& pool);

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const;
  // The key in prefix + key; nullopt: not one of our names.
  [[nodiscard]] std::optional<SpaceKey> key_of(std::string_view name) const;

 private:
  [[nodiscard]] DriverInfo describe(std::uint64_t generation) const;

  const std::string name_;
  const BtrfsConfig config_;
  const Clock* clock_;
  const std::string prefix_;
  const std::string host_;
  const std::unique_ptr<IdSource> ids_;
  const std::unique_ptr<Exporter> exporter_;
  std::vector<std::unique_ptr<Pool>> pools_;
  struct Learned {
    std::map<std::string, QuotaMode> quotas{};  // of pools that were opened
    std::shared_ptr<const DriverInfo> info{};
    std::map<std::string, MonoTime> not_before{};  // by pool: when mounting is tried again
  };
  mutable Guarded<Learned> learned_;
};

}  // namespace homeport::drivers::btrfs
