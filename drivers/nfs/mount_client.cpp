#include "drivers/nfs/mount_client.h"

#include <netinet/in.h>
#include <nfsc/libnfs.h>
// After libnfs.h, which they need.
#include <nfsc/libnfs-raw-portmap.h>
#include <nfsc/libnfs-zdr.h>

#include <array>
#include <utility>

#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

constexpr int kNfsProgram = 100003;
constexpr int kNfsVersion = 3;
constexpr std::uint16_t kPortmapperPort = 111;
constexpr std::uint16_t kNfsPort = 2049;
constexpr std::string_view kServeV3 =
    "serve NFSv3 as well (Linux: vers3=y under [nfsd] in /etc/nfs.conf and rpc.mountd running; Ganesha: Protocols = 3, "
    "4); "
    "clients may go on mounting v4";

// 0: the program is not registered.
Result<std::uint16_t> port_of(const OpContext& op, const Reach& reach, int program, int version) {
  HOMEPORT_TRY(
      const auto channel,
      RpcChannel::open(
          op, reach.clock, reach.service.timeout,
          {.host = reach.service.server, .port = kPortmapperPort, .program = PMAP_PROGRAM, .version = PMAP_V2}));
  std::uint32_t port = 0;
  std::array<RpcCall, 1> calls{
      {{.what = "GETPORT " + std::to_string(program),
        .send = [=](rpc_context* rpc, RpcCallback done,
                    void* state) { return rpc_pmap2_getport_async(rpc, program, version, IPPROTO_TCP, done, state); },
        .take = [&](const void* answer) -> Result<void> {
          port = *static_cast<const std::uint32_t*>(answer);
          return {};
        }}}};
  channel->run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return static_cast<std::uint16_t>(port);
}

bool is_final(const Error& error) {
  return error.code == Errc::timed_out || error.code == Errc::cancelled;
}

Result<std::uint16_t> nfs_port(const OpContext& op, const Reach& reach) {
  if (reach.service.nfs_port) return *reach.service.nfs_port;
  auto port = port_of(op, reach, kNfsProgram, kNfsVersion);
  if (!port && is_final(port.error())) return port;
  // No portmapper, or one that does not know: the port that every server has.
  return port && *port != 0 ? *port : kNfsPort;
}

Error v4_only(const std::string& server) {
  return Error{.code = Errc::failed_precondition,
               .message = "server " + server + " speaks NFSv4 only; Homeport administers servers over NFSv3",
               .hint = std::string(kServeV3)};
}

// `error` came instead of a connection over v3. Tells a server that has only v4 from one that is not there.
Error explain(const OpContext& op, const Reach& reach, Error error) {
  if (is_final(error)) return error;
  const auto port = nfs_port(op, reach);
  if (!port) return error;
  const auto v3 = null_call(op, reach, reach.service.server, *port, kNfsVersion);
  if (v3 || is_final(v3.error())) return error;
  const auto v4 = null_call(op, reach, reach.service.server, *port, 4);
  return v4 ? v4_only(reach.service.server) : error;
}

}  // namespace

Result<void> null_call(const OpContext& op, const Reach& reach, const std::string& host, std::uint16_t port,
                       int version) {
  // Connecting makes the NULL call.
  auto channel = RpcChannel::open(op, reach.clock, reach.service.timeout,
                                  {.host = host, .port = port, .program = kNfsProgram, .version = version});
  if (!channel) return std::move(channel).error();
  return {};
}

Result<std::unique_ptr<RpcChannel>> connect_mount(const OpContext& op, const Reach& reach, const Credentials& who,
                                                  bool high_source_port) {
  std::uint16_t port = reach.service.mount_port.value_or(0);
  if (port == 0) {
    auto found = port_of(op, reach, MOUNT_PROGRAM, MOUNT_V3);
    if (!found && is_final(found.error())) return std::move(found).error();
    port = found ? *found : std::uint16_t{0};
    if (port == 0) {
      Error error{.code = Errc::unavailable,
                  .message = "the portmapper of " + reach.service.server + " does not tell the mount port",
                  .hint = "write the port of its mount service as service.mount_port"};
      if (!found) error.upstream = found.error().upstream;
      return explain(op, reach, std::move(error));
    }
  }
  auto channel = RpcChannel::open(op, reach.clock, reach.service.timeout,
                                  {.host = reach.service.server,
                                   .port = port,
                                   .program = MOUNT_PROGRAM,
                                   .version = MOUNT_V3,
                                   .credentials = who,
                                   .high_source_port = high_source_port});
  if (channel) return channel;
  return explain(op, reach, std::move(channel).error());
}

Result<std::unique_ptr<RpcChannel>> connect_nfs(const OpContext& op, const Reach& reach, const Credentials& who,
                                                bool high_source_port) {
  HOMEPORT_TRY(const auto port, nfs_port(op, reach));
  auto channel = RpcChannel::open(op, reach.clock, reach.service.timeout,
                                  {.host = reach.service.server,
                                   .port = port,
                                   .program = kNfsProgram,
                                   .version = kNfsVersion,
                                   .credentials = who,
                                   .high_source_port = high_source_port});
  if (channel) return channel;
  return explain(op, reach, std::move(channel).error());
}

Result<Node> mount_path(const OpContext& op, RpcChannel& channel, const std::string& path) {
  Node root;
  std::string argument = path;
  std::array<RpcCall, 1> calls{
      {{.what = "MNT " + path,
        .send = [&](rpc_context* rpc, RpcCallback done,
                    void* state) { return rpc_mount3_mnt_async(rpc, done, argument.data(), state); },
        .take = [&](const void* answer) -> Result<void> {
          const auto& result = *static_cast<const mountres3*>(answer);
          if (result.fhs_status != MNT3_OK) return mount_error(result.fhs_status, path);
          const auto& handle = result.mountres3_u.mountinfo.fhandle;
          root.handle.assign(handle.fhandle3_val, handle.fhandle3_len);
          return {};
        }}}};
  channel.run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return root;
}

Result<std::vector<Export>> list_exports(const OpContext& op, RpcChannel& channel) {
  std::vector<Export> found;
  std::array<RpcCall, 1> calls{{{.what = "EXPORT",
                                 .send = [](rpc_context* rpc, RpcCallback done,
                                            void* state) { return rpc_mount3_export_async(rpc, done, state); },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const exportnode* packed = *static_cast<const exports*>(answer);
                                   while (packed != nullptr) {
                                     const exportnode at = aligned_copy<exportnode>(packed);
                                     packed = at.ex_next;
                                     Export item{.path = at.ex_dir};
                                     const groupnode* packed_group = at.ex_groups;
                                     while (packed_group != nullptr) {
                                       const groupnode group = aligned_copy(packed_group);
                                       packed_group = group.gr_next;
                                       item.clients.emplace_back(group.gr_name);
                                     }
                                     found.push_back(std::move(item));
                                   }
                                   return {};
                                 }}}};
  channel.run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return found;
}

}  // namespace homeport::drivers::nfs
