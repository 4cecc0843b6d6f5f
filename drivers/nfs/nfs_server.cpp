#include "drivers/nfs/nfs_server.h"

#include <utility>

#include "drivers/nfs/backend.h"
#include "drivers/nfs/nfs_tree.h"

namespace homeport::drivers {
namespace {

nfs::NfsConfig config_of(NfsServer::Address address) {
  nfs::NfsConfig config;
  config.client.server = address.server;
  config.service.server = std::move(address.server);
  config.service.nfs_port = address.nfs_port;
  config.service.mount_port = address.mount_port;
  if (address.timeout) config.service.timeout = *address.timeout;
  return config;
}

struct OwnedBackend {
  std::unique_ptr<nfs::Backend> backend;
};

// A base, so that it is there before the tree and goes after it.
class OwningTree final : private OwnedBackend, public nfs::NfsTree {
 public:
  OwningTree(std::unique_ptr<nfs::Backend> owned, nfs::Site& site, Entry root, const std::string& path)
      : OwnedBackend{std::move(owned)}, NfsTree(*backend, site, std::move(root), path, nfs::TreeMode::read_write) {}
};

}  // namespace

NfsServer::NfsServer(Address address, Clock& clock)
    : backend_(std::make_unique<nfs::Backend>(address.server, config_of(address), DriverEnvironment{.clock = &clock})) {
}
NfsServer::~NfsServer() = default;

Result<std::unique_ptr<Tree>> NfsServer::open(const OpContext& op, const AbsolutePath& path, For what) {
  const auto mode = what == For::writing ? nfs::TreeMode::read_write : nfs::TreeMode::read_only;
  return nfs::open_path_tree(op, *backend_, path, mode);
}

Result<std::unique_ptr<Tree>> NfsServer::open_mounted(const OpContext& op, const Address& address, Clock& clock,
                                                      const AbsolutePath& path, std::uint32_t connections) {
  auto config = config_of(address);
  config.service.connections = connections;
  auto backend = std::make_unique<nfs::Backend>(address.server, std::move(config), DriverEnvironment{.clock = &clock});
  nfs::Site& site = backend->export_site(path.str());
  auto root = [&]() -> Result<Entry> {
    HOMEPORT_TRY(const auto session, site.sessions.lease(op));
    return session->root();
  }();
  if (!root) return std::move(root).error();
  return std::unique_ptr<Tree>(
      std::make_unique<OwningTree>(std::move(backend), site, std::move(root).value(), path.str()));
}

}  // namespace homeport::drivers
