// A FlashBlade as a backend: spaces are file systems of their own, or directories of a pool's. See README.md for what
// it puts where.
#pragma once

#include "drivers/core/inventory.h"
#include "drivers/core/snapshot_trees.h"
#include "drivers/flashblade/directories.h"

namespace homeport::drivers::flashblade {

class FlashbladeDriver final : public StorageDriver,
                               public TreeAccess,
                               public Snapshots,
                               public SnapshotTrees,
                               public Cloner,
                               public ExportDiscovery,
                               public ArrayRestore,
                               public Replication,
                               public ReplicationControl,
                               public FileSystemInventory {
 public:
  FlashbladeDriver(std::string backend, FlashbladeConfig config, const DriverEnvironment& env)
      : backend_(std::move(backend), std::move(config), env), directories_(backend_, env) {}

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const override { return backend_.info(); }
  Result<ProbeReport> probe(const OpContext& op) override;
  Result<std::vector<Pool>> pools(const OpContext& op) override;
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

  [[nodiscard]] std::vector<PoolPlace> pool_places() const override;
  Result<std::unique_ptr<Tree>> open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) override;
  Result<std::unique_ptr<Tree>> open_path(const OpContext& op, const AbsolutePath& path) override;

  Result<std::vector<Export>> exports(const OpContext& op) override;
  Result<Inspection> inspect(const OpContext& op, const AbsolutePath& path) override;

  Result<Snapshot> take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) override;
  Result<std::optional<Cursor>> list_snapshots(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from,
                                               std::vector<Snapshot>& page) override;
  Result<void> delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) override;
  Result<OpenedSnapshots> open_snapshots(const OpContext& op, const ObjectRef& ref,
                                         std::span<const std::string> names) override;
  Result<Object> clone(const OpContext& op, const ObjectRef& source, const std::optional<std::string>& snapshot,
                       const CreateSpec& target) override;
  Result<Object> overwrite_from_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) override;

  Result<std::vector<ReplicaLink>> links(const OpContext& op, const ObjectRef& ref) override;
  Result<ReplicaLink> link(const OpContext& op, const ObjectRef& ref, const std::string& target,
                           const std::string& policy) override;
  Result<ReplicaLink> pause_link(const OpContext& op, const ObjectRef& ref, const std::string& target) override;
  Result<ReplicaLink> resume_link(const OpContext& op, const ObjectRef& ref, const std::string& target,
                                  const std::string& policy) override;
  Result<std::optional<Cursor>> file_systems(const OpContext& op, std::optional<Cursor> from,
                                             std::vector<ArrayFileSystem>& page) override;

 private:
  Backend backend_;
  Directories directories_;
};

}  // namespace homeport::drivers::flashblade
