#include "drivers/btrfs/btrfs_driver.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "drivers/btrfs/access.h"
#include "drivers/btrfs/btrfs_driver_factory.h"
#include "drivers/btrfs/probe.h"
#include "drivers/btrfs/scan.h"
#include "drivers/btrfs/snapshots.h"
#include "drivers/btrfs/spaces.h"
#include "drivers/btrfs/trash.h"
#include "drivers/local/handle_tree.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/base/nfs_versions.h"

namespace homeport::drivers {
namespace btrfs {
namespace {

Result<std::unique_ptr<Descriptor>> again(const Descriptor& directory, const std::string& path) {
  auto fd = std::make_unique<Descriptor>(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd->get() < 0) return from_errno(errno, "opening " + path);
  return fd;
}

Result<NfsSource> nfs_source(Backend& backend, const ObjectRef& ref, const MountView& view) {
  HOMEPORT_TRY(const auto endpoint, backend.exporter()->endpoint());
  const std::string version = view.nfs_version.empty() ? backend.config().exports.version : view.nfs_version;
  if (std::ranges::find(endpoint.versions, version) == endpoint.versions.end()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "NFS " + printable(version, 20) + " is not served by backend " + backend.name(),
                 .hint = "its exporter's protocols say what is"};
  }
  NfsSource out{
      .server = endpoint.server, .path = export_path(ref.pool, ref.name), .version = version, .fs_id = ref.id};
  constexpr std::uint16_t kNfsPort = 2049;
  if (endpoint.port != kNfsPort) out.port = endpoint.port;
  if (version == "3") out.mount_port = endpoint.mount_port;
  return out;
}

// Below `root`, without a link on the way.
int open_beneath(int root, const std::string& relative) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how));
}

}  // namespace

Result<ProbeReport> BtrfsDriver::probe(const OpContext& op) {
  return probe_backend(op, backend_);
}
Result<std::vector<drivers::Pool>> BtrfsDriver::pools(const OpContext& op) {
  return measure_pools(op, backend_);
}
Result<std::optional<Cursor>> BtrfsDriver::scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                                std::vector<Object>& page) {
  return scan_pool(op, backend_, query, from, page);
}
Result<std::optional<Object>> BtrfsDriver::find(const OpContext& op, const Lookup& lookup) {
  return find_object(op, backend_, lookup);
}
Result<Object> BtrfsDriver::create(const OpContext& op, const CreateSpec& spec) {
  return create_space(op, backend_, spec);
}
Result<Object> BtrfsDriver::update(const OpContext& op, const ObjectRef& ref, const Change& change) {
  return update_space(op, backend_, ref, change);
}
Result<void> BtrfsDriver::set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) {
  return set_space_access(op, backend_, ref, policy);
}
Result<Object> BtrfsDriver::retire(const OpContext& op, const ObjectRef& ref) {
  return retire_space(op, backend_, ref);
}
Result<Object> BtrfsDriver::undelete(const OpContext& op, const ObjectRef& ref) {
  return undelete_space(op, backend_, ref);
}
Result<PurgeStep> BtrfsDriver::purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) {
  return purge_space(op, backend_, ref, from);
}
Result<Snapshot> BtrfsDriver::take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) {
  return take_space_snapshot(op, backend_, ref, name);
}
Result<std::optional<Cursor>> BtrfsDriver::list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                          std::optional<Cursor> from, std::vector<Snapshot>& page) {
  return list_space_snapshots(op, backend_, ref, from, page);
}
Result<void> BtrfsDriver::delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) {
  return delete_space_snapshot(op, backend_, ref, snapshot);
}
Result<Object> BtrfsDriver::clone(const OpContext& op, const ObjectRef& source,
                                  const std::optional<std::string>& snapshot, const CreateSpec& target) {
  return clone_space(op, backend_, source, snapshot, target);
}

// The answer for a live space needs no look at the pool; a bind needs the pool mounted, so that it does not show the
// host's own disk. A snapshot is looked for, and served from now on.
Result<MountSource> BtrfsDriver::mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Pool * pool, backend_.pool(ref.layout, ref.pool));
  const std::string top = pool->config().top().str();
  std::string path = top + "/" + pool->config().homes + "/" + ref.name;
  std::string id = ref.id;
  if (view.snapshot) {
    HOMEPORT_TRY(const auto opened, backend_.open(op, *pool, Make::where_ours));
    const std::shared_lock together(pool->everything());
    const auto alone = pool->lock_space(ref.key.str());
    HOMEPORT_TRY(const auto standing, look(*opened, ref.key, ref.name));
    HOMEPORT_TRY(const auto placed, verify(backend_, ref, standing, MarkerRule::must_match));
    if (!placed) return gone(ref);
    if (placed->state != ObjectState::live) {
      return Error{.code = Errc::failed_precondition,
                   .message = "space " + ref.key.str() + " is in the trash: its snapshots are not served",
                   .hint = "undelete it first"};
    }
    HOMEPORT_TRY(const auto found, find_snapshot(*opened, ref.name, *view.snapshot));
    HOMEPORT_CHECK(serve_snapshot(op, backend_, *opened, ref.key, ref.name, *view.snapshot));
    path = opened->admin->snapshots.of(ref.name) + "/" + *view.snapshot;
    id = found.id;
  }
  if (!view.snapshot && backend_.exporter() == nullptr) backend_.keep_mounted(op, *pool);
  if (backend_.exporter() == nullptr) return MountSource(LocalSource{.host = backend_.host(), .path = path});
  HOMEPORT_TRY(auto source, nfs_source(backend_, ref, view));
  if (view.snapshot) source.path = snapshot_export_path(ref.pool, ref.name, *view.snapshot);
  source.fs_id = id;
  return MountSource(std::move(source));
}

Result<std::unique_ptr<Tree>> BtrfsDriver::open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Pool * pool, backend_.pool(ref.layout, ref.pool));
  HOMEPORT_TRY(const auto opened, backend_.open(op, *pool, Make::where_ours));
  HOMEPORT_TRY(const auto standing, look(*opened, ref.key, ref.name));
  HOMEPORT_TRY(const auto placed, verify(backend_, ref, standing, MarkerRule::must_match));
  if (!placed) return gone(ref);
  if (view.snapshot) {
    HOMEPORT_TRY(const auto found, find_snapshot(*opened, ref.name, *view.snapshot));
    const std::string path = opened->admin->snapshots.of(ref.name) + "/" + *view.snapshot;
    HOMEPORT_TRY(auto fd, again(*found.fd, path));
    return open_handle_tree(std::move(fd), path, TreeRights::read, backend_.clock());
  }
  const bool live = placed->state == ObjectState::live;
  const std::string path = live ? opened->homes->of(ref.name) : opened->admin->trash.of(ref.name);
  HOMEPORT_TRY(auto fd, again(*placed->found.fd, path));
  return open_handle_tree(std::move(fd), path, live ? TreeRights::write : TreeRights::read, backend_.clock());
}

std::vector<PoolPlace> BtrfsDriver::pool_places() const {
  std::vector<PoolPlace> out;
  for (const auto& pool : backend_.config().pools) {
    if (pool.layout != Layout::directory) continue;
    auto directory = AbsolutePath::parse(pool.top().str() + "/" + pool.homes);
    out.push_back({.pool = pool.name,
                   .top = pool.top(),
                   .directory = directory ? std::move(directory).value() : pool.top(),
                   .administrative = kAdmin});
  }
  return out;
}

Result<std::unique_ptr<Tree>> BtrfsDriver::open_path(const OpContext& op, const AbsolutePath& path) {
  for (const auto& pool : backend_.pools()) {
    const auto& top = pool->config().top();
    if (!top.contains(path)) continue;
    HOMEPORT_TRY(const auto opened, backend_.open(op, *pool, Make::no));
    if (!opened) break;
    const std::string relative = path == top ? "." : path.str().substr(top.str().size() + 1);
    if (relative == kAdmin || relative.starts_with(std::string(kAdmin) + "/")) {
      return Error{.code = Errc::permission_denied, .message = path.str() + " is Homeport's own"};
    }
    auto fd = std::make_unique<Descriptor>(open_beneath(opened->root.get(), relative));
    if (fd->get() < 0) return from_errno(errno, "opening " + path.str());
    return open_handle_tree(std::move(fd), path.str(), TreeRights::read, backend_.clock());
  }
  return Error{.code = Errc::not_found,
               .message = path.str() + " does not lie in a pool of backend " + backend_.name()};
}

}  // namespace btrfs

void validate_btrfs_section(DocReader& section) {
  (void)btrfs::read_btrfs_config(section);
}

Result<std::unique_ptr<StorageDriver>> make_btrfs_driver(const std::string& backend, const nlohmann::json& section,
                                                         const DriverEnvironment& env) {
  const Document document{.root = section, .source = "backend " + backend};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto config = btrfs::read_btrfs_config(in);
  if (!problems.none()) return problems.to_error();
  std::unique_ptr<Exporter> exporter;
  if (config.exporter) exporter = make_ganesha_exporter(*config.exporter, *env.clock);
  return std::unique_ptr<StorageDriver>(
      std::make_unique<btrfs::BtrfsDriver>(backend, std::move(config), env, std::move(exporter)));
}

}  // namespace homeport::drivers
