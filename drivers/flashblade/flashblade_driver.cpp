#include "drivers/flashblade/flashblade_driver.h"

#include "drivers/flashblade/flashblade_driver_factory.h"
#include "drivers/flashblade/inventory.h"
#include "drivers/flashblade/probe.h"
#include "drivers/flashblade/replicas.h"
#include "drivers/flashblade/retired.h"
#include "drivers/flashblade/scan.h"
#include "drivers/flashblade/snapshots.h"
#include "drivers/flashblade/spaces.h"
#include "drivers/flashblade/trees.h"
#include "provisioner/base/doc_reader.h"

namespace homeport::drivers {
namespace flashblade {
namespace {

bool is_directory(const ObjectRef& ref) {
  return ref.layout == Layout::directory;
}

Result<void> own_file_system(const ObjectRef& ref) {
  if (!is_directory(ref)) return {};
  return Error{.code = Errc::unsupported,
               .message = ref.name +
                          " is a directory of a file system that it shares; the array takes, copies and "
                          "removes snapshots of the whole",
               .hint = "use a class of layout filesystem for spaces with snapshots of their own"};
}

}  // namespace

Result<ProbeReport> FlashbladeDriver::probe(const OpContext& op) {
  return probe_array(op, backend_);
}
Result<std::vector<Pool>> FlashbladeDriver::pools(const OpContext& op) {
  HOMEPORT_TRY(auto all, measure_pools(op, backend_));
  if (all.size() == backend_.config().pools.size()) return all;
  HOMEPORT_TRY(auto shared, directories_.pools(op));
  for (auto& pool : shared) all.push_back(std::move(pool));
  return all;
}
Result<std::optional<Cursor>> FlashbladeDriver::scan(const OpContext& op, const Query& query,
                                                     std::optional<Cursor> from, std::vector<Object>& page) {
  if (query.layout == Layout::filesystem) return scan_file_systems(op, backend_, query, from, page);
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return nfs->scan(op, query, std::move(from), page);
}
Result<std::optional<Object>> FlashbladeDriver::find(const OpContext& op, const Lookup& lookup) {
  if (lookup.layout == Layout::directory) return directories_.find(op, lookup);
  if (lookup.path) return find_standing(op, backend_, lookup);
  HOMEPORT_CHECK(backend_.pool(lookup.layout, lookup.pool));
  HOMEPORT_CHECK(backend_.ready(op));
  return find_space(op, backend_, lookup);
}
Result<Object> FlashbladeDriver::create(const OpContext& op, const CreateSpec& spec) {
  if (spec.layout == Layout::directory) return directories_.create(op, spec);
  return create_space(op, backend_, spec);
}
Result<Object> FlashbladeDriver::update(const OpContext& op, const ObjectRef& ref, const Change& change) {
  if (is_directory(ref)) return directories_.update(op, ref, change);
  return update_space(op, backend_, ref, change);
}
Result<void> FlashbladeDriver::set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) {
  if (!is_directory(ref)) return set_space_access(op, backend_, ref, policy);
  return Error{
      .code = Errc::unsupported,
      .message = ref.name + " is a directory of a file system that it shares: the array's rules are of the whole",
      .hint = "use a class of layout filesystem for spaces with rules of their own"};
}
Result<Object> FlashbladeDriver::retire(const OpContext& op, const ObjectRef& ref) {
  if (!is_directory(ref)) return retire_space(op, backend_, ref);
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return nfs->retire(op, ref);
}
Result<Object> FlashbladeDriver::undelete(const OpContext& op, const ObjectRef& ref) {
  if (!is_directory(ref)) return undelete_space(op, backend_, ref);
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return nfs->undelete(op, ref);
}
Result<PurgeStep> FlashbladeDriver::purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) {
  if (is_directory(ref)) return directories_.purge(op, ref, from);
  return purge_space(op, backend_, ref, from);
}

Result<MountSource> FlashbladeDriver::mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  if (is_directory(ref)) return directories_.mount_source(op, ref, view);
  HOMEPORT_CHECK(backend_.pool(ref.layout, ref.pool));
  const auto& client = backend_.config().client;
  const std::string version = view.nfs_version.empty() ? client.version : view.nfs_version;
  if (version != "3" && version != "4.1") {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(version, 20) + "' is not a version of NFS that a FlashBlade serves",
                 .hint = "use 3 or 4.1"};
  }
  HOMEPORT_TRY(const auto server, backend_.client_address(op));
  NfsSource source{.server = server,
                   .path = client.path_prefix + Backend::path_of(ref.name),
                   .version = version,
                   .port = client.port,
                   .fs_id = ref.id};
  if (version == "3") source.mount_port = client.mount_port;
  if (view.snapshot) {
    HOMEPORT_TRY(const auto fs, backend_.api().file_system_by_id(op, ref.id));
    if (!fs || fs->destroyed) return Error{.code = Errc::not_found, .message = "there is no file system " + ref.name};
    HOMEPORT_TRY(const auto directory, snapshot_directory(op, backend_, *fs, *view.snapshot));
    source.path += "/" + directory;
  }
  return MountSource(std::move(source));
}

std::vector<PoolPlace> FlashbladeDriver::pool_places() const {
  std::vector<PoolPlace> out;
  const auto& config = backend_.config();
  for (const auto& pool : config.pools) {
    if (pool.layout != Layout::directory) continue;
    const auto top = AbsolutePath::parse(config.data.path_prefix + Backend::path_of(pool.file_system));
    if (!top) continue;
    out.push_back({.pool = pool.name, .top = *top, .directory = *top / pool.directory, .administrative = ".homeport"});
  }
  return out;
}
Result<std::unique_ptr<Tree>> FlashbladeDriver::open_tree(const OpContext& op, const ObjectRef& ref,
                                                          const MountView& view) {
  if (!is_directory(ref)) return open_space_tree(op, backend_, ref, view);
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return drivers::find<TreeAccess>(*nfs)->open_tree(op, ref, view);
}
Result<std::unique_ptr<Tree>> FlashbladeDriver::open_path(const OpContext& op, const AbsolutePath& path) {
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return drivers::find<TreeAccess>(*nfs)->open_path(op, path);
}
Result<std::vector<Export>> FlashbladeDriver::exports(const OpContext& op) {
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return drivers::find<ExportDiscovery>(*nfs)->exports(op);
}
Result<ExportDiscovery::Inspection> FlashbladeDriver::inspect(const OpContext& op, const AbsolutePath& path) {
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return drivers::find<ExportDiscovery>(*nfs)->inspect(op, path);
}

Result<Snapshot> FlashbladeDriver::take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) {
  HOMEPORT_CHECK(own_file_system(ref));
  return take_space_snapshot(op, backend_, ref, name);
}
Result<std::optional<Cursor>> FlashbladeDriver::list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                               std::optional<Cursor> from,
                                                               std::vector<Snapshot>& page) {
  if (is_directory(ref)) return directories_.list_snapshots(op, ref, from, page);
  return list_space_snapshots(op, backend_, ref, from, page);
}
Result<void> FlashbladeDriver::delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) {
  HOMEPORT_CHECK(own_file_system(ref));
  return delete_space_snapshot(op, backend_, ref, snapshot);
}
Result<OpenedSnapshots> FlashbladeDriver::open_snapshots(const OpContext& op, const ObjectRef& ref,
                                                         std::span<const std::string> names) {
  if (!is_directory(ref)) return open_space_snapshots(op, backend_, ref, names);
  HOMEPORT_TRY(auto* nfs, directories_.nfs(op));
  return drivers::find<SnapshotTrees>(*nfs)->open_snapshots(op, ref, names);
}
Result<Object> FlashbladeDriver::clone(const OpContext& op, const ObjectRef& source,
                                       const std::optional<std::string>& snapshot, const CreateSpec& target) {
  HOMEPORT_CHECK(own_file_system(source));
  return clone_space(op, backend_, source, snapshot, target);
}
Result<Object> FlashbladeDriver::overwrite_from_snapshot(const OpContext& op, const ObjectRef& ref,
                                                         const Snapshot& snapshot) {
  HOMEPORT_CHECK(own_file_system(ref));
  return overwrite_space(op, backend_, ref, snapshot);
}
Result<std::optional<Cursor>> FlashbladeDriver::file_systems(const OpContext& op, std::optional<Cursor> from,
                                                             std::vector<ArrayFileSystem>& page) {
  return list_array(op, backend_, from, page);
}

Result<std::vector<ReplicaLink>> FlashbladeDriver::links(const OpContext& op, const ObjectRef& ref) {
  HOMEPORT_CHECK(own_file_system(ref));
  return space_links(op, backend_, ref);
}
Result<ReplicaLink> FlashbladeDriver::link(const OpContext& op, const ObjectRef& ref, const std::string& target,
                                           const std::string& policy) {
  HOMEPORT_CHECK(own_file_system(ref));
  return link_space(op, backend_, ref, target, policy);
}
Result<ReplicaLink> FlashbladeDriver::pause_link(const OpContext& op, const ObjectRef& ref, const std::string& target) {
  HOMEPORT_CHECK(own_file_system(ref));
  return pause_space_link(op, backend_, ref, target);
}
Result<ReplicaLink> FlashbladeDriver::resume_link(const OpContext& op, const ObjectRef& ref, const std::string& target,
                                                  const std::string& policy) {
  HOMEPORT_CHECK(own_file_system(ref));
  return resume_space_link(op, backend_, ref, target, policy);
}

}  // namespace flashblade

void validate_flashblade_section(DocReader& section) {
  (void)flashblade::read_flashblade_config(section);
}

std::optional<std::uint32_t> flashblade_max_snapshots(Layout layout) {
  // Of layout directory the snapshots are the pool's, by the array's own schedule.
  if (layout != Layout::filesystem) return std::nullopt;
  return flashblade::kSnapshotsPerFileSystem;
}

Result<std::unique_ptr<StorageDriver>> make_flashblade_driver(const std::string& backend, const nlohmann::json& section,
                                                              const DriverEnvironment& env) {
  const Document document{.root = section, .source = "backend " + backend};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto config = flashblade::read_flashblade_config(in);
  if (!problems.none()) return problems.to_error();
  return std::unique_ptr<StorageDriver>(
      std::make_unique<flashblade::FlashbladeDriver>(backend, std::move(config), env));
}

}  // namespace homeport::drivers
