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
  return config;
}

}  // namespace

NfsServer::NfsServer(Address address, Clock& clock)
    : backend_(std::make_unique<nfs::Backend>(address.server, config_of(address), DriverEnvironment{.clock = &clock})) {
}
NfsServer::~NfsServer() = default;

Result<std::unique_ptr<Tree>> NfsServer::open(const OpContext& op, const AbsolutePath& path, For what) {
  const auto mode = what == For::writing ? nfs::TreeMode::read_write : nfs::TreeMode::read_only;
  return nfs::open_path_tree(op, *backend_, path, mode);
}

}  // namespace homeport::drivers
