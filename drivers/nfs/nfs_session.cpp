#include "drivers/nfs/nfs_session.h"

#include <algorithm>
#include <array>

#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kMostAtOnce = 1U << 20U;  // one READ or WRITE
constexpr std::uint32_t kLeastAtOnce = 4096;

std::uint32_t chunk_from(std::uint32_t preferred) {
  return std::clamp(preferred, kLeastAtOnce, kMostAtOnce);
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const OpContext& op, const Reach& reach, const std::string& export_path,
                                               Credentials who) {
  std::unique_ptr<Session> session(new Session(reach, export_path, std::move(who)));
  HOMEPORT_CHECK(session->connect(op));
  return session;
}

Result<void> Session::connect(const OpContext& op) {
  HOMEPORT_TRY(auto root, [&]() -> Result<Node> {
    HOMEPORT_TRY(const auto mount, connect_mount(op, reach_, who_));
    return mount_path(op, *mount, export_path_);
  }());
  HOMEPORT_TRY(channel_, connect_nfs(op, reach_, who_));
  root_.node = std::move(root);
  return mount(op);
}

Result<void> Session::remount(const OpContext& op) {
  HOMEPORT_TRY(const auto channel, connect_mount(op, reach_, who_));
  HOMEPORT_TRY(root_.node, mount_path(op, *channel, export_path_));
  return mount(op);
}

// The root's attributes, and how much the server likes to move at once.
Result<void> Session::mount(const OpContext& op) {
  FSINFO3args wanted{.fsroot = to_wire(root_.node)};
  std::array<RpcCall, 1> calls{{{.what = "FSINFO " + export_path_,
                                 .send = [&](rpc_context* rpc, RpcCallback done,
                                             void* state) { return rpc_nfs3_fsinfo_async(rpc, done, &wanted, state); },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const FSINFO3res*>(answer);
                                   if (result.status != NFS3_OK)
                                     return nfs_error(result.status, "FSINFO " + export_path_);
                                   read_size_ = chunk_from(result.FSINFO3res_u.resok.rtmax);
                                   write_size_ = chunk_from(result.FSINFO3res_u.resok.wtmax);
                                   return {};
                                 }}}};
  channel_->run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  HOMEPORT_TRY(root_.attributes, attributes(op, root_.node));
  return {};
}

void Session::become(const Credentials& who) {
  who_ = who;
  channel_->become(who);
}

std::vector<Result<std::optional<Entry>>> Session::lookup(const OpContext& op, std::span<const NameRequest> requests) {
  std::vector<Result<std::optional<Entry>>> found(requests.size(), Result<std::optional<Entry>>(std::nullopt));
  std::vector<RpcCall> calls;
  std::vector<std::size_t> asked;
  std::vector<std::size_t> bare;  // found, but without attributes
  calls.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto& request = requests[i];
    if (auto good = check_component(request.name); !good) found[i] = std::move(good).error();
    if (request.dir.handle.empty() || !found[i]) continue;
    asked.push_back(i);
    calls.push_back(
        {.what = "LOOKUP " + printable(request.name),
         .send =
             [&request](rpc_context* rpc, RpcCallback done, void* state) {
               LOOKUP3args wanted{.what = to_wire(request.dir, request.name)};
               return rpc_nfs3_lookup_async(rpc, done, &wanted, state);
             },
         .take = [&, i](const void* answer) -> Result<void> {
           const auto& result = *static_cast<const LOOKUP3res*>(answer);
           if (result.status == NFS3ERR_NOENT) return {};
           if (result.status != NFS3_OK) return nfs_error(result.status, "LOOKUP " + printable(requests[i].name));
           Entry entry{.name = requests[i].name, .node = node_from(result.LOOKUP3res_u.resok.object), .attributes = {}};
           const auto attributes = attributes_from(result.LOOKUP3res_u.resok.obj_attributes);
           if (attributes) entry.attributes = *attributes;
           if (!attributes) bare.push_back(i);
           found[i] = std::optional<Entry>(std::move(entry));
           return {};
         }});
  }
  channel_->run(op, calls);
  for (std::size_t at = 0; at < calls.size(); ++at) {
    if (!calls[at].outcome) found[asked[at]] = std::move(calls[at].outcome).error();
  }
  for (const auto i : bare) {
    auto known = attributes(op, (*found[i])->node);
    if (known) (*found[i])->attributes = *known;
    if (!known) found[i] = std::move(known).error();
  }
  return found;
}

Result<std::optional<Entry>> Session::lookup(const OpContext& op, const Node& dir, const std::string& name) {
  const std::array<NameRequest, 1> one{{{.dir = dir, .name = name}}};
  return std::move(lookup(op, one).front());
}

Result<EntryAttributes> Session::attributes(const OpContext& op, const Node& node) {
  EntryAttributes found;
  std::array<RpcCall, 1> calls{{{.what = "GETATTR in " + export_path_,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       GETATTR3args wanted{.object = to_wire(node)};
                                       return rpc_nfs3_getattr_async(rpc, done, &wanted, state);
                                     },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const GETATTR3res*>(answer);
                                   if (result.status != NFS3_OK)
                                     return nfs_error(result.status, "GETATTR in " + export_path_);
                                   found = attributes_from(result.GETATTR3res_u.resok.obj_attributes);
                                   return {};
                                 }}}};
  channel_->run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return found;
}

std::vector<Result<std::string>> Session::read_files(const OpContext& op, std::span<const Node> files,
                                                     std::uint32_t limit) {
  std::vector<Result<std::string>> texts(files.size(), Result<std::string>(std::string()));
  std::vector<RpcCall> calls;
  std::vector<std::size_t> asked;
  const std::uint32_t count = std::min(limit, read_size_);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].handle.empty()) continue;
    asked.push_back(i);
    calls.push_back({.what = "READ in " + export_path_,
                     .send =
                         [&files, i, count](rpc_context* rpc, RpcCallback done, void* state) {
                           READ3args wanted{.file = to_wire(files[i]), .offset = 0, .count = count};
                           return rpc_nfs3_read_async(rpc, done, &wanted, state);
                         },
                     .take = [&texts, i, this](const void* answer) -> Result<void> {
                       const auto& result = *static_cast<const READ3res*>(answer);
                       if (result.status != NFS3_OK) return nfs_error(result.status, "READ in " + export_path_);
                       const auto& data = result.READ3res_u.resok.data;
                       texts[i] = std::string(data.data_val, data.data_len);
                       return {};
                     }});
  }
  channel_->run(op, calls);
  for (std::size_t at = 0; at < calls.size(); ++at) {
    if (!calls[at].outcome) texts[asked[at]] = std::move(calls[at].outcome).error();
  }
  return texts;
}

Result<std::size_t> Session::read(const OpContext& op, const Node& file, std::uint64_t offset,
                                  std::span<std::byte> into) {
  const std::size_t chunks = (into.size() + read_size_ - 1) / read_size_;
  std::vector<std::size_t> got(chunks, 0);
  std::vector<RpcCall> calls;
  for (std::size_t i = 0; i < chunks; ++i) {
    const std::size_t from = i * read_size_;
    const std::size_t count = std::min<std::size_t>(read_size_, into.size() - from);
    calls.push_back({.what = "READ in " + export_path_,
                     .send =
                         [&file, offset, from, count](rpc_context* rpc, RpcCallback done, void* state) {
                           READ3args wanted{
                               .file = to_wire(file), .offset = offset + from, .count = static_cast<u_int>(count)};
                           return rpc_nfs3_read_async(rpc, done, &wanted, state);
                         },
                     .take = [&got, &into, i, from, count, this](const void* answer) -> Result<void> {
                       const auto& result = *static_cast<const READ3res*>(answer);
                       if (result.status != NFS3_OK) return nfs_error(result.status, "READ in " + export_path_);
                       const auto& data = result.READ3res_u.resok.data;
                       got[i] = std::min<std::size_t>(data.data_len, count);
                       std::copy_n(reinterpret_cast<const std::byte*>(data.data_val), got[i], into.data() + from);
                       return {};
                     }});
  }
  channel_->run(op, calls);
  std::size_t total = 0;
  for (std::size_t i = 0; i < chunks; ++i) {
    HOMEPORT_CHECK(std::move(calls[i].outcome));
    total += got[i];
    // A short answer: the end, or as much as the server gave at once. What came after it would leave a hole.
    if (got[i] < std::min<std::size_t>(read_size_, into.size() - i * read_size_)) break;
  }
  return total;
}

Result<std::string> Session::read_link(const OpContext& op, const Node& link) {
  std::string target;
  std::array<RpcCall, 1> calls{{{.what = "READLINK in " + export_path_,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       READLINK3args wanted{.symlink = to_wire(link)};
                                       return rpc_nfs3_readlink_async(rpc, done, &wanted, state);
                                     },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const READLINK3res*>(answer);
                                   if (result.status != NFS3_OK)
                                     return nfs_error(result.status, "READLINK in " + export_path_);
                                   target = result.READLINK3res_u.resok.data;
                                   return {};
                                 }}}};
  channel_->run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return target;
}

Result<FsStatus> Session::fs_status(const OpContext& op) {
  FsStatus status;
  std::array<RpcCall, 1> calls{
      {{.what = "FSSTAT " + export_path_,
        .send =
            [&](rpc_context* rpc, RpcCallback done, void* state) {
              FSSTAT3args wanted{.fsroot = to_wire(root_.node)};
              return rpc_nfs3_fsstat_async(rpc, done, &wanted, state);
            },
        .take = [&](const void* answer) -> Result<void> {
          const auto& result = *static_cast<const FSSTAT3res*>(answer);
          if (result.status != NFS3_OK) return nfs_error(result.status, "FSSTAT " + export_path_);
          const auto& ok = result.FSSTAT3res_u.resok;
          status = {
              .total_bytes = ok.tbytes, .free_bytes = ok.abytes, .free_files = ok.afiles, .total_files = ok.tfiles};
          return {};
        }}}};
  channel_->run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return status;
}

Result<std::uint32_t> Session::access(const OpContext& op, const Node& node, std::uint32_t wanted) {
  std::uint32_t granted = 0;
  std::array<RpcCall, 1> calls{{{.what = "ACCESS in " + export_path_,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       ACCESS3args args{.object = to_wire(node), .access = wanted};
                                       return rpc_nfs3_access_async(rpc, done, &args, state);
                                     },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const ACCESS3res*>(answer);
                                   if (result.status != NFS3_OK)
                                     return nfs_error(result.status, "ACCESS in " + export_path_);
                                   granted = result.ACCESS3res_u.resok.access;
                                   return {};
                                 }}}};
  channel_->run(op, calls);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return granted;
}

}  // namespace homeport::drivers::nfs
