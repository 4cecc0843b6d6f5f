#include "drivers/nfs/nfs_driver.h"

#include <algorithm>
#include <array>

#include "drivers/nfs/directories.h"
#include "drivers/nfs/imports.h"
#include "drivers/nfs/nfs_driver_factory.h"
#include "drivers/nfs/nfs_snapshots.h"
#include "drivers/nfs/nfs_tree.h"
#include "drivers/nfs/nfs_xdr.h"
#include "drivers/nfs/probe.h"
#include "drivers/nfs/scan.h"
#include "drivers/nfs/spaces.h"
#include "drivers/nfs/trash.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/base/nfs_versions.h"

namespace homeport::drivers {
namespace nfs {
namespace {

Error cannot_snapshot(const char* what) {
  return Error{.code = Errc::unsupported,
               .message = std::string("over NFS a snapshot cannot be ") + what,
               .hint =
                   "let the server take its own; those that an export shows as .snapshot or .zfs/snapshot are listed "
                   "and can be restored from"};
}

Result<Pool> measure(const OpContext& op, Backend& backend, Site& site) {
  return with_session(op, backend, site, [&](Session& session) -> Result<Pool> {
    HOMEPORT_TRY(const auto status, session.fs_status(op));
    HOMEPORT_TRY(const auto dirs, directories(op, backend, site, session, Make::no));
    const bool stands = !dirs.homes.node.handle.empty();
    constexpr std::uint32_t kMake = ACCESS3_MODIFY | ACCESS3_EXTEND;
    // Asked of the root itself: what is remembered may lie on a disk that is no longer there.
    const std::string& admin = backend.config().service.admin_directory;
    HOMEPORT_TRY(const auto ours, session.lookup(op, session.root().node, admin));
    HOMEPORT_TRY(const auto granted, session.access(op, stands ? dirs.homes.node : session.root().node, kMake));
    Pool pool{.name = site.pool->name, .layout = Layout::directory, .writable = (granted & kMake) == kMake};
    pool.prepared = ours.has_value();
    pool.capacity = Bytes{status.total_bytes};
    pool.free = Bytes{status.free_bytes};
    if (status.total_files > 0) pool.free_files = status.free_files;  // some filesystems do not count
    return pool;
  });
}

}  // namespace

Result<ProbeReport> NfsDriver::probe(const OpContext& op) {
  return probe_backend(op, backend_);
}

Result<std::vector<Pool>> NfsDriver::pools(const OpContext& op) {
  std::vector<Pool> pools;
  std::optional<Error> trouble;
  bool any = backend_.config().pools.empty();
  for (const auto& pool : backend_.config().pools) {
    auto measured = measure(op, backend_, backend_.export_site(pool.export_path.str()));
    if (measured) {
      any = true;
      pools.push_back(std::move(measured).value());
      continue;
    }
    // One export that is gone does not hide the others.
    if (!trouble) trouble = std::move(measured).context("pool " + pool.name).error();
    pools.push_back({.name = pool.name, .layout = Layout::directory, .writable = false});
  }
  if (!any) return *std::move(trouble);
  return pools;
}

Result<std::optional<Cursor>> NfsDriver::scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                              std::vector<Object>& page) {
  return scan_pool(op, backend_, query, from, page);
}
Result<std::optional<Object>> NfsDriver::find(const OpContext& op, const Lookup& lookup) {
  return find_object(op, backend_, lookup);
}
Result<Object> NfsDriver::create(const OpContext& op, const CreateSpec& spec) {
  return create_space(op, backend_, spec);
}
Result<Object> NfsDriver::update(const OpContext& op, const ObjectRef& ref, const Change& change) {
  return update_space(op, backend_, ref, change);
}
Result<Object> NfsDriver::retire(const OpContext& op, const ObjectRef& ref) {
  return retire_space(op, backend_, ref);
}
Result<Object> NfsDriver::undelete(const OpContext& op, const ObjectRef& ref) {
  return undelete_space(op, backend_, ref);
}
Result<PurgeStep> NfsDriver::purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) {
  return purge_space(op, backend_, ref, from);
}

Result<void> NfsDriver::set_access(const OpContext& /*op*/, const ObjectRef& /*ref*/, const AccessPolicy& /*policy*/) {
  return Error{.code = Errc::unsupported,
               .message = "an NFS server's export rules cannot be changed over NFS",
               .hint = "change the export on the server itself"};
}

Result<MountSource> NfsDriver::mount_source(const OpContext& /*op*/, const ObjectRef& ref, const MountView& view) {
  if (view.snapshot) return cannot_snapshot("handed out");
  const auto& client = backend_.config().client;
  const std::string version = view.nfs_version.empty() ? client.version : view.nfs_version;
  if (std::ranges::find(kNfsVersions, version) == kNfsVersions.end()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(version, 20) + "' is not a version of NFS that clients are told to mount",
                 .hint = "use 3, 4.1 or 4.2"};
  }
  std::string path = ref.name;
  if (!ref.imported) {
    HOMEPORT_TRY(const Site* site, backend_.pool_site(ref.layout, ref.pool));
    path = Backend::join(backend_.homes_path(*site->pool), ref.name);
  }
  if (client.local) return MountSource(LocalSource{.host = client.local->host, .path = client.local->path_of(path)});
  NfsSource source{.server = client.server, .path = client.path_prefix + path, .version = version, .fs_id = ref.id};
  source.port = client.port;
  if (version == "3") source.mount_port = client.mount_port;
  return MountSource(std::move(source));
}

Result<std::unique_ptr<Tree>> NfsDriver::open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  if (view.snapshot) return open_snapshot_tree(op, backend_, ref, *view.snapshot);
  return open_object_tree(op, backend_, ref);
}
Result<std::unique_ptr<Tree>> NfsDriver::open_path(const OpContext& op, const AbsolutePath& path) {
  return open_path_tree(op, backend_, path);
}
std::vector<PoolPlace> NfsDriver::pool_places() const {
  std::vector<PoolPlace> out;
  for (const auto& pool : backend_.config().pools) {
    auto directory = AbsolutePath::parse(backend_.homes_path(pool));
    out.push_back({.pool = pool.name,
                   .top = pool.export_path,
                   .directory = directory ? std::move(directory).value() : pool.export_path,
                   .administrative = backend_.config().service.admin_directory});
  }
  return out;
}
Result<std::vector<Export>> NfsDriver::exports(const OpContext& op) {
  return server_exports(op, backend_);
}
Result<ExportDiscovery::Inspection> NfsDriver::inspect(const OpContext& op, const AbsolutePath& path) {
  return inspect_path(op, backend_, path);
}

Result<Snapshot> NfsDriver::take_snapshot(const OpContext& /*op*/, const ObjectRef& /*ref*/,
                                          const std::string& /*name*/) {
  return cannot_snapshot("taken");
}
Result<void> NfsDriver::delete_snapshot(const OpContext& /*op*/, const ObjectRef& /*ref*/,
                                        const Snapshot& /*snapshot*/) {
  return cannot_snapshot("deleted");
}
Result<std::optional<Cursor>> NfsDriver::list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                        std::optional<Cursor> from, std::vector<Snapshot>& page) {
  if (from) {
    return Error{.code = Errc::invalid_argument,
                 .message = "cursor '" + printable(*from, 40) + "' is not one of snapshots: they come on one page"};
  }
  HOMEPORT_CHECK(list_server_snapshots(op, backend_, ref, page));
  return std::optional<Cursor>{};
}
Result<OpenedSnapshots> NfsDriver::open_snapshots(const OpContext& op, const ObjectRef& ref,
                                                  std::span<const std::string> names) {
  return open_server_snapshots(op, backend_, ref, names);
}

}  // namespace nfs

void validate_nfs_section(DocReader& section) {
  (void)nfs::read_nfs_config(section);
}

Result<std::unique_ptr<StorageDriver>> make_nfs_driver(const std::string& backend, const nlohmann::json& section,
                                                       const DriverEnvironment& env) {
  const Document document{.root = section, .source = "backend " + backend};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto config = nfs::read_nfs_config(in);
  if (!problems.none()) return problems.to_error();
  return std::unique_ptr<StorageDriver>(std::make_unique<nfs::NfsDriver>(backend, std::move(config), env));
}

}  // namespace homeport::drivers
