// Between libnfs's wire structures and ours. The only headers of libnfs that other files here need.
#pragma once

#include <nfsc/libnfs.h>
// After libnfs.h, which they need.
#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-zdr.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/core/optional.h"

namespace homeport::drivers::nfs {

// libnfs 4.0.0 packs the nodes of a decoded list without regard to alignment: each is copied before it is looked at.
template <class T>
[[nodiscard]] T aligned_copy(const T* packed) {
  T copy;
  std::memcpy(&copy, static_cast<const void*>(packed), sizeof copy);
  return copy;
}

// Points into `handle` and `name`: valid as long as they are. libnfs encodes a call's arguments before it returns.
[[nodiscard]] nfs_fh3 to_wire(const Node& node);
[[nodiscard]] diropargs3 to_wire(const Node& dir, const std::string& name);
[[nodiscard]] sattr3 to_wire(const AttributeChange& change);

[[nodiscard]] Node node_from(const nfs_fh3& handle);
[[nodiscard]] EntryAttributes attributes_from(const fattr3& wire);
[[nodiscard]] std::optional<EntryAttributes> attributes_from(const post_op_attr& wire);
[[nodiscard]] std::optional<Node> node_from(const post_op_fh3& wire);

// The immutable id of an object: "<fileid hex>@<fsid hex>".
[[nodiscard]] std::string object_id(const EntryAttributes& attributes);
// One path component that a server can take: not empty, '.', '..', no '/', no NUL, at most 255 bytes.
[[nodiscard]] Result<void> check_component(std::string_view name);

}  // namespace homeport::drivers::nfs
