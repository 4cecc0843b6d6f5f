// The calls that change a server. All of them go through Session::change().
#include <algorithm>
#include <array>

#include "drivers/nfs/nfs_session.h"
#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/nfs_xdr.h"
#include "provisioner/base/fault_point.h"

namespace homeport::drivers::nfs {
namespace {

std::string octal(std::uint32_t mode) {
  std::string digits = "0";
  for (int shift = 9; shift >= 0; shift -= 3) {
    const auto digit = static_cast<char>('0' + ((mode >> static_cast<unsigned>(shift)) & 7U));
    if (shift == 9 && digit == '0') continue;
    digits += digit;
  }
  return digits;
}

std::string words_of(const AttributeChange& change) {
  std::string words;
  if (change.owner) {
    words += " uid=" + std::to_string(change.owner->uid.value) + " gid=" + std::to_string(change.owner->gid.value);
  }
  if (change.mode) words += " mode=" + octal(*change.mode);
  if (change.size) words += " size=" + std::to_string(*change.size);
  if (change.modified) words += " mtime=" + format_time(*change.modified);
  return words;
}

Entry planned(const Place& place, EntryType type, const AttributeChange& attributes) {
  Entry entry{.name = place.name, .node = {}, .attributes = {.type = type, .mode = attributes.mode.value_or(0)}};
  if (attributes.owner) {
    entry.attributes.uid = attributes.owner->uid;
    entry.attributes.gid = attributes.owner->gid;
  }
  return entry;
}

// A call whose answer is only a status.
template <class Answer>
std::function<Result<void>(const void*)> status_of(std::string what) {
  return [what = std::move(what)](const void* answer) -> Result<void> {
    const auto status = static_cast<const Answer*>(answer)->status;
    if (status != NFS3_OK) return nfs_error(status, what);
    return {};
  };
}

}  // namespace

bool Session::change(const OpContext& op, std::span<RpcCall> calls, const char* fault_before, const char* fault_after) {
  for (auto& call : calls) {
    call.changing = true;
    if (op.calls != nullptr) op.calls->add(call.what);
  }
  if (op.dry_run) return false;
  fault_point(fault_before);
  channel_->run(op, calls);
  fault_point(fault_after);
  return true;
}

// A server may leave handle or attributes out of its answer.
Result<Entry> Session::made(const OpContext& op, const Place& place, std::optional<Node> node,
                            std::optional<EntryAttributes> attributes) {
  if (node && attributes) return Entry{.name = place.name, .node = *std::move(node), .attributes = *attributes};
  HOMEPORT_TRY(auto found, lookup(op, place.dir, place.name));
  if (found) return *std::move(found);
  return Error{
      .code = Errc::unavailable, .message = place.path() + " was made and is not there", .maybe_applied = true};
}

Result<Entry> Session::make_directory(const OpContext& op, const Place& place, const AttributeChange& attributes) {
  HOMEPORT_CHECK(check_component(place.name));
  std::optional<Node> node;
  std::optional<EntryAttributes> got;
  const std::string what = "MKDIR " + printable(place.path(), 1100) + words_of(attributes);
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       MKDIR3args wanted{.where = to_wire(place.dir, place.name),
                                                         .attributes = to_wire(attributes)};
                                       return rpc_nfs3_mkdir_async(rpc, done, &wanted, state);
                                     },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const MKDIR3res*>(answer);
                                   if (result.status != NFS3_OK) return nfs_error(result.status, what);
                                   node = node_from(result.MKDIR3res_u.resok.obj);
                                   got = attributes_from(result.MKDIR3res_u.resok.obj_attributes);
                                   return {};
                                 }}}};
  if (!change(op, calls, "nfs.mkdir.before", "nfs.mkdir.after"))
    return planned(place, EntryType::directory, attributes);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return made(op, place, std::move(node), got);
}

Result<Entry> Session::make_file(const OpContext& op, const Place& place, const AttributeChange& attributes,
                                 Existing existing) {
  HOMEPORT_CHECK(check_component(place.name));
  std::optional<Node> node;
  std::optional<EntryAttributes> got;
  const std::string what = "CREATE " + printable(place.path(), 1100) + words_of(attributes);
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       CREATE3args wanted{};
                                       wanted.where = to_wire(place.dir, place.name);
                                       wanted.how.mode = existing == Existing::take ? UNCHECKED : GUARDED;
                                       wanted.how.createhow3_u.obj_attributes = to_wire(attributes);
                                       return rpc_nfs3_create_async(rpc, done, &wanted, state);
                                     },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const CREATE3res*>(answer);
                                   if (result.status != NFS3_OK) return nfs_error(result.status, what);
                                   node = node_from(result.CREATE3res_u.resok.obj);
                                   got = attributes_from(result.CREATE3res_u.resok.obj_attributes);
                                   return {};
                                 }}}};
  if (!change(op, calls, "nfs.create.before", "nfs.create.after")) return planned(place, EntryType::file, attributes);
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return made(op, place, std::move(node), got);
}

Result<Entry> Session::make_link(const OpContext& op, const Place& place, const std::string& target) {
  HOMEPORT_CHECK(check_component(place.name));
  std::optional<Node> node;
  std::optional<EntryAttributes> got;
  const std::string what = "SYMLINK " + printable(place.path(), 1100);
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       SYMLINK3args wanted{};
                                       wanted.where = to_wire(place.dir, place.name);
                                       wanted.symlink.symlink_data = const_cast<char*>(target.c_str());
                                       return rpc_nfs3_symlink_async(rpc, done, &wanted, state);
                                     },
                                 .take = [&](const void* answer) -> Result<void> {
                                   const auto& result = *static_cast<const SYMLINK3res*>(answer);
                                   if (result.status != NFS3_OK) return nfs_error(result.status, what);
                                   node = node_from(result.SYMLINK3res_u.resok.obj);
                                   got = attributes_from(result.SYMLINK3res_u.resok.obj_attributes);
                                   return {};
                                 }}}};
  if (!change(op, calls, "nfs.symlink.before", "nfs.symlink.after")) return planned(place, EntryType::symlink, {});
  HOMEPORT_CHECK(std::move(calls[0].outcome));
  return made(op, place, std::move(node), got);
}

namespace {

bool takes_no_more_names(const Error& error) {
  if (!error.upstream || error.upstream->system != "nfs") return false;
  return error.upstream->status == NFS3ERR_NOTSUPP || error.upstream->status == NFS3ERR_MLINK;
}

}  // namespace

Result<void> Session::link(const OpContext& op, const Node& file, const Place& place) {
  HOMEPORT_CHECK(check_component(place.name));
  const std::string what = "LINK " + printable(place.path(), 1100);
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       LINK3args wanted{.file = to_wire(file), .link = to_wire(place.dir, place.name)};
                                       return rpc_nfs3_link_async(rpc, done, &wanted, state);
                                     },
                                 .take = status_of<LINK3res>(what)}}};
  if (!change(op, calls, "nfs.link.before", "nfs.link.after")) return {};
  auto outcome = std::move(calls[0].outcome);
  // The server has no such call, or the file has as many names as it may: files there have one name.
  if (!outcome && takes_no_more_names(outcome.error())) {
    Error error = std::move(outcome).error();
    error.code = Errc::unsupported;
    return error;
  }
  return outcome;
}

Result<void> Session::set_attributes(const OpContext& op, const Node& node, const std::string& path,
                                     const AttributeChange& change_wanted) {
  const std::string what = "SETATTR " + printable(path, 1100) + words_of(change_wanted);
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       SETATTR3args wanted{};
                                       wanted.object = to_wire(node);
                                       wanted.new_attributes = to_wire(change_wanted);
                                       return rpc_nfs3_setattr_async(rpc, done, &wanted, state);
                                     },
                                 .take = status_of<SETATTR3res>(what)}}};
  if (!change(op, calls, "nfs.setattr.before", "nfs.setattr.after")) return {};
  return std::move(calls[0].outcome);
}

Result<void> Session::touch(const OpContext& op, const Node& node, const std::string& path) {
  const std::string what = "SETATTR " + printable(path, 1100) + " mtime=now";
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       SETATTR3args wanted{};
                                       wanted.object = to_wire(node);
                                       wanted.new_attributes.mtime.set_it = SET_TO_SERVER_TIME;
                                       return rpc_nfs3_setattr_async(rpc, done, &wanted, state);
                                     },
                                 .take = status_of<SETATTR3res>(what)}}};
  if (!change(op, calls, "nfs.touch.before", "nfs.touch.after")) return {};
  return std::move(calls[0].outcome);
}

Result<void> Session::write(const OpContext& op, const Node& file, const std::string& path, std::uint64_t offset,
                            std::span<const std::byte> data) {
  std::vector<RpcCall> calls;
  for (std::size_t from = 0; from < data.size(); from += write_size_) {
    const auto part = data.subspan(from, std::min<std::size_t>(write_size_, data.size() - from));
    const std::string what = "WRITE " + printable(path, 1100) + " " + std::to_string(part.size()) + " bytes";
    calls.push_back({.what = what,
                     .send =
                         [&file, part, at = offset + from](rpc_context* rpc, RpcCallback done, void* state) {
                           WRITE3args wanted{};
                           wanted.file = to_wire(file);
                           wanted.offset = at;
                           wanted.count = static_cast<count3>(part.size());
                           wanted.stable = FILE_SYNC;
                           wanted.data.data_len = static_cast<u_int>(part.size());
                           wanted.data.data_val = const_cast<char*>(reinterpret_cast<const char*>(part.data()));
                           return rpc_nfs3_write_async(rpc, done, &wanted, state);
                         },
                     .take = [what, size = part.size()](const void* answer) -> Result<void> {
                       const auto& result = *static_cast<const WRITE3res*>(answer);
                       if (result.status != NFS3_OK) return nfs_error(result.status, what);
                       if (result.WRITE3res_u.resok.count == size && result.WRITE3res_u.resok.committed == FILE_SYNC)
                         return {};
                       return Error{.code = Errc::unavailable,
                                    .message = what + ": the server wrote only a part of it"};
                     }});
  }
  if (!change(op, calls, "nfs.write.before", "nfs.write.after")) return {};
  for (auto& call : calls) HOMEPORT_CHECK(std::move(call.outcome));
  return {};
}

Result<void> Session::rename(const OpContext& op, const Place& from, const Place& to) {
  HOMEPORT_CHECK(check_component(from.name));
  HOMEPORT_CHECK(check_component(to.name));
  const std::string what = "RENAME " + printable(from.path(), 1100) + " -> " + printable(to.path(), 1100);
  std::array<RpcCall, 1> calls{{{.what = what,
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       RENAME3args wanted{.from = to_wire(from.dir, from.name),
                                                          .to = to_wire(to.dir, to.name)};
                                       return rpc_nfs3_rename_async(rpc, done, &wanted, state);
                                     },
                                 .take = status_of<RENAME3res>(what)}}};
  if (!change(op, calls, "nfs.rename.before", "nfs.rename.after")) return {};
  return std::move(calls[0].outcome);
}

std::vector<Result<void>> Session::remove(const OpContext& op, std::span<const Tree::Removal> removals,
                                          const std::string& below) {
  std::vector<Result<void>> outcomes(removals.size());
  std::vector<RpcCall> calls;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < removals.size(); ++i) {
    const auto& removal = removals[i];
    if (auto good = check_component(removal.name); !good) outcomes[i] = std::move(good).error();
    if (!outcomes[i]) continue;
    asked.push_back(i);
    const std::string path = (below == "/" ? "/" : below + "/") + removal.name;
    const std::string what = (removal.is_directory ? "RMDIR " : "REMOVE ") + printable(path, 1100);
    const auto take = [what](const void* answer) -> Result<void> {
      // REMOVE and RMDIR answer alike: RFC 1813 sections 3.3.12 and 3.3.13.
      const auto status = static_cast<const REMOVE3res*>(answer)->status;
      if (status != NFS3_OK && status != NFS3ERR_NOENT) return nfs_error(status, what);
      return {};
    };
    calls.push_back({.what = what,
                     .send =
                         [&removal](rpc_context* rpc, RpcCallback done, void* state) {
                           REMOVE3args file{.object = to_wire(removal.directory, removal.name)};
                           RMDIR3args directory{.object = to_wire(removal.directory, removal.name)};
                           return removal.is_directory ? rpc_nfs3_rmdir_async(rpc, done, &directory, state)
                                                       : rpc_nfs3_remove_async(rpc, done, &file, state);
                         },
                     .take = take});
  }
  if (!change(op, calls, "nfs.remove.before", "nfs.remove.after")) return outcomes;
  for (std::size_t at = 0; at < calls.size(); ++at) outcomes[asked[at]] = std::move(calls[at].outcome);
  return outcomes;
}

Result<void> Session::remove_one(const OpContext& op, const Place& place, bool is_directory) {
  const std::array<Tree::Removal, 1> one{{{.directory = place.dir, .name = place.name, .is_directory = is_directory}}};
  return std::move(remove(op, one, place.dir_path).front());
}

}  // namespace homeport::drivers::nfs
