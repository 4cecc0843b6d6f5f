// A complete backend in this process's memory: both layouts, every optional interface, real semantics. Higher layers
// are tested on it, and `kind: memory` lets people try things; nothing survives the process.
//
// Threads: every method from any thread; one lock around one World. Blocking: never.
// Addresses: clients would find an object at /POOL/NAME; its mount source names the server "memory", which nothing can
// mount.
#pragma once

#include <memory>
#include <string>

#include "drivers/core/optional.h"
#include "drivers/memory/memory_config.h"
#include "provisioner/base/guarded.h"

namespace homeport::drivers {

namespace memory {
class World;
using SharedWorld = std::shared_ptr<Guarded<std::unique_ptr<World>>>;  // trees keep it alive
}  // namespace memory

class MemoryDriver final : public StorageDriver,
                           public TreeAccess,
                           public ExportDiscovery,
                           public Snapshots,
                           public Cloner,
                           public ArrayRestore,
                           public OpenSessions,
                           public ArrayPolicies,
                           public Replication {
 public:
  // The clock must outlive the driver.
  MemoryDriver(MemoryConfig config, const Clock& clock);
  ~MemoryDriver() override;

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const override;
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

  // A pool's path can be opened too: it shows the live objects as they are at that moment.
  Result<std::unique_ptr<Tree>> open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) override;
  [[nodiscard]] std::vector<PoolPlace> pool_places() const override;
  Result<std::unique_ptr<Tree>> open_path(const OpContext& op, const AbsolutePath& path) override;

  Result<std::vector<Export>> exports(const OpContext& op) override;
  Result<Inspection> inspect(const OpContext& op, const AbsolutePath& path) override;

  // Where snapshots are the pool's, taking one through a space takes the pool's. A ref named "." with the id that
  // inspect() gives for the pool's path is the pool itself, and may delete them.
  Result<Snapshot> take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) override;
  Result<std::optional<Cursor>> list_snapshots(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from,
                                               std::vector<Snapshot>& page) override;
  Result<void> delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) override;
  Result<Object> clone(const OpContext& op, const ObjectRef& source, const std::optional<std::string>& snapshot,
                       const CreateSpec& target) override;
  Result<Object> overwrite_from_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) override;

  Result<std::vector<OpenSession>> open_sessions(const OpContext& op, const ObjectRef& ref) override;
  Result<std::vector<ArrayPolicy>> policies(const OpContext& op) override;
  Result<void> attach(const OpContext& op, const ObjectRef& ref, const std::string& policy) override;
  Result<void> detach(const OpContext& op, const ObjectRef& ref, const std::string& policy) override;
  Result<std::vector<ReplicaLink>> links(const OpContext& op, const ObjectRef& ref) override;

  // What happens on a backend behind the service's back; tests only.
  // A directory (or filesystem) of that name without a marker, with one file "theirs.txt" of that content when not
  // empty.
  void plant(const std::string& pool, const std::string& name, const std::string& content, Owner owner);
  void forget_marker(const SpaceKey& key);
  void connect_client(const std::string& object_id, const OpenSession& session);

 private:
  template <class Fn>
  auto in_world(const OpContext& op, std::string_view what, Fn fn);
  template <class Fn>
  Result<void> on_policy(const OpContext& op, const ObjectRef& ref, const std::string& policy, std::string_view verb,
                         Fn fn);

  const Clock& clock_;
  std::shared_ptr<const DriverInfo> info_;
  memory::SharedWorld world_;
};

}  // namespace homeport::drivers
