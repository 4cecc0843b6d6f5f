#include "drivers/nfs/nfs_xdr.h"

#include <array>
#include <charconv>

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;

EntryType type_from(ftype3 type) {
  switch (type) {
    case NF3REG: return EntryType::file;
    case NF3DIR: return EntryType::directory;
    case NF3LNK: return EntryType::symlink;
    case NF3BLK:
    case NF3CHR:
    case NF3SOCK:
    case NF3FIFO: return EntryType::other;
  }
  return EntryType::other;
}

WallTime time_from(const nfstime3& time) {
  return WallTime(std::chrono::seconds(time.seconds) + std::chrono::milliseconds(time.nseconds / 1'000'000));
}

nfstime3 to_wire(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(time - whole);
  return {.seconds = static_cast<u_int>(whole.time_since_epoch().count()),
          .nseconds = static_cast<u_int>(rest.count())};
}

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

}  // namespace

nfs_fh3 to_wire(const Node& node) {
  nfs_fh3 wire{};
  wire.data.data_len = static_cast<u_int>(node.handle.size());
  wire.data.data_val = const_cast<char*>(node.handle.data());
  return wire;
}

diropargs3 to_wire(const Node& dir, const std::string& name) {
  return {.dir = to_wire(dir), .name = const_cast<char*>(name.c_str())};
}

sattr3 to_wire(const AttributeChange& change) {
  sattr3 wire{};
  if (change.mode) {
    wire.mode.set_it = 1;
    wire.mode.set_mode3_u.mode = *change.mode & kPermissionBits;
  }
  if (change.owner) {
    wire.uid.set_it = 1;
    wire.uid.set_uid3_u.uid = change.owner->uid.value;
    wire.gid.set_it = 1;
    wire.gid.set_gid3_u.gid = change.owner->gid.value;
  }
  if (change.size) {
    wire.size.set_it = 1;
    wire.size.set_size3_u.size = *change.size;
  }
  if (change.modified) {
    wire.mtime.set_it = SET_TO_CLIENT_TIME;
    wire.mtime.set_mtime_u.mtime = to_wire(*change.modified);
  }
  return wire;
}

Node node_from(const nfs_fh3& handle) {
  return {.handle = std::string(handle.data.data_val, handle.data.data_len)};
}

EntryAttributes attributes_from(const fattr3& wire) {
  return {.type = type_from(wire.type),
          .mode = wire.mode & kPermissionBits,
          .links = wire.nlink,
          .uid = Uid{wire.uid},
          .gid = Gid{wire.gid},
          .size = wire.size,
          .used = wire.used,
          .id = wire.fileid,
          .fs = wire.fsid,
          .modified = time_from(wire.mtime),
          .changed = time_from(wire.ctime)};
}

std::optional<EntryAttributes> attributes_from(const post_op_attr& wire) {
  if (wire.attributes_follow == 0) return std::nullopt;
  return attributes_from(wire.post_op_attr_u.attributes);
}

std::optional<Node> node_from(const post_op_fh3& wire) {
  if (wire.handle_follows == 0) return std::nullopt;
  return node_from(wire.post_op_fh3_u.handle);
}

std::string object_id(const EntryAttributes& attributes) {
  return hex(attributes.id) + "@" + hex(attributes.fs);
}

Result<void> check_component(std::string_view name) {
  const bool bad = name.empty() || name == "." || name == ".." || name.size() > 255 ||
                   name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos;
  if (!bad) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(name, 60) + "' is not the name of one directory entry"};
}

}  // namespace homeport::drivers::nfs
