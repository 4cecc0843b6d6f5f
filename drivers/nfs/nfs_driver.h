// Any server that speaks NFSv3 as a backend: spaces are directories of a pool. See README.md for what it puts where.
#pragma once

#include "drivers/core/snapshot_trees.h"
#include "drivers/nfs/backend.h"

namespace homeport::drivers::nfs {

class NfsDriver final : public StorageDriver,
                        public TreeAccess,
                        public ExportDiscovery,
                        public Snapshots,
                        public SnapshotTrees {
 public:
  NfsDriver(std::string backend, NfsConfig config, const DriverEnvironment& env)
      : backend_(std::move(backend), std::move(config), env) {}

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

  Result<std::unique_ptr<Tree>> open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) override;
  [[nodiscard]] std::vector<PoolPlace> pool_places() const override;
  Result<std::unique_ptr<Tree>> open_path(const OpContext& op, const AbsolutePath& path) override;

  Result<std::vector<Export>> exports(const OpContext& op) override;
  Result<Inspection> inspect(const OpContext& op, const AbsolutePath& path) override;

  // The server's own, where an export shows them: looked at, never taken nor deleted.
  Result<Snapshot> take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) override;
  Result<std::optional<Cursor>> list_snapshots(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from,
                                               std::vector<Snapshot>& page) override;
  Result<void> delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) override;
  Result<OpenedSnapshots> open_snapshots(const OpContext& op, const ObjectRef& ref,
                                         std::span<const std::string> names) override;

 private:
  Backend backend_;
};

}  // namespace homeport::drivers::nfs
