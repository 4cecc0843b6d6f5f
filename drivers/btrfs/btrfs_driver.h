// A Linux machine with btrfs as a backend: Homeport runs on it, as root. See README.md for what it puts where.
#pragma once

#include "drivers/btrfs/backend.h"
#include "drivers/core/optional.h"

namespace homeport::drivers::btrfs {

class BtrfsDriver final : public StorageDriver, public TreeAccess, public Snapshots, public Cloner {
 public:
  BtrfsDriver(std::string backend, BtrfsConfig config, const DriverEnvironment& env, std::unique_ptr<Exporter> exporter)
      : backend_(std::move(backend), std::move(config), env, std::move(exporter)) {}

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const override { return backend_.info(); }
  Result<ProbeReport> probe(const OpContext& op) override;
  Result<std::vector<drivers::Pool>> pools(const OpContext& op) override;
  Result<std::optional<Cursor>> scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                     std::vector<Object>& page) override;
  Result<std::optional<Object>> find(const OpContext& op, const Lookup& lookup) override;
  Result<Object> create(const OpContext& op, const CreateSpec& spec) override;
  Result<Object> update(const OpContext& op, const ObjectRef& ref, const Change& change) override;
  Result<void> set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) override;
  Result<MountSource> mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) override;
  Result<Object> retire(const OpContext& op, const ObjectRef& ref) override;
  Result<Object> undelete(const OpContext& op, const ObjectRef& ref) override;
  Result<PurgeStep> purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) override;

  Result<std::unique_ptr<Tree>> open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) override;
  [[nodiscard]] std::vector<PoolPlace> pool_places() const override;
  Result<std::unique_ptr<Tree>> open_path(const OpContext& op, const AbsolutePath& path) override;

  Result<Snapshot> take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) override;
  Result<std::optional<Cursor>> list_snapshots(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from,
                                               std::vector<Snapshot>& page) override;
  Result<void> delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) override;
  Result<Object> clone(const OpContext& op, const ObjectRef& source, const std::optional<std::string>& snapshot,
                       const CreateSpec& target) override;

 private:
  Backend backend_;
};

}  // namespace homeport::drivers::btrfs
