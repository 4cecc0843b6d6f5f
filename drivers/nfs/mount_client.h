// The MOUNT protocol (RFC 1813 appendix I) and the portmapper (RFC 1833): from a server and a path to a file handle.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "drivers/core/optional.h"
#include "drivers/nfs/nfs_config.h"
#include "drivers/nfs/rpc_channel.h"

namespace homeport::drivers::nfs {

// How to reach one server. Must outlive what is made with it.
struct Reach {
  const ServiceConfig& service;
  const Clock& clock;
};

// Errors: as RpcChannel::open. A server that speaks NFSv4 only is failed_precondition and says what to change.
Result<std::unique_ptr<RpcChannel>> connect_mount(const OpContext& op, const Reach& reach, const Credentials& who,
                                                  bool high_source_port = false);
Result<std::unique_ptr<RpcChannel>> connect_nfs(const OpContext& op, const Reach& reach, const Credentials& who,
                                                bool high_source_port = false);

// The handle of an exported path. Errors: permission_denied when this host is not listed; not_found.
Result<Node> mount_path(const OpContext& op, RpcChannel& channel, const std::string& path);
Result<std::vector<Export>> list_exports(const OpContext& op, RpcChannel& channel);

// Does this version of NFS answer a NULL call there?
Result<void> null_call(const OpContext& op, const Reach& reach, const std::string& host, std::uint16_t port,
                       int version);

}  // namespace homeport::drivers::nfs
