// Powers that some backends have. The core asks with find<T>(driver) and answers `unsupported` where one is absent.
// The rules of storage_driver.h (threads, blocking, errors, dry run) hold here too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/core/replication.h"
#include "drivers/core/storage_driver.h"

namespace homeport::drivers {

// --- Trees: the only walker. Handle-relative, never following links. ---------------------------------------------

enum class EntryType { file, directory, symlink, other };

struct EntryAttributes {
  EntryType type = EntryType::other;
  std::uint32_t mode = 0;  // permission bits with setuid, setgid, sticky
  std::uint32_t links = 1;
  Uid uid{0};
  Gid gid{0};
  std::uint64_t size = 0;  // apparent
  std::uint64_t used = 0;  // bytes on the backend
  std::uint64_t id = 0;    // file id within its filesystem
  std::uint64_t fs = 0;    // filesystem id: another one than the root's is a mount point, not ours to enter
  WallTime modified{};
  WallTime changed{};
};

// A handle: stays right when the path above it is renamed. Opaque outside its driver.
struct Node {
  std::string handle;
};
struct Entry {
  std::string name;  // raw bytes as the backend gives them; not always UTF-8
  Node node;
  EntryAttributes attributes;
};
struct ListPage {
  std::vector<Entry> entries;  // "." and ".." left out
  std::optional<Cursor> next{};
  // Stand there and cannot be looked at: a dead mount, a bad block. Only where asked for; else the listing fails.
  struct Unseen {
    std::string name;
    Error why;
  };
  std::vector<Unseen> unseen{};
};
struct ListRequest {
  Node directory;
  std::optional<Cursor> from{};
  bool with_unseen = false;
};
struct AttributeChange {
  std::optional<Owner> owner{};
  std::optional<std::uint32_t> mode{};
  std::optional<std::uint64_t> size{};
  std::optional<WallTime> modified{};
};

// One open tree. Threads: one at a time.
class Tree {
 public:
  virtual ~Tree() = default;
  [[nodiscard]] virtual Entry root() const = 0;  // name empty
  // nullopt: no such entry. `name` is one component; '/', "." and ".." are invalid_argument.
  virtual Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) = 0;
  virtual Result<EntryAttributes> stat(const OpContext& op, const Node& node) = 0;
  // Many directories at once, kept in flight together. One result per request, in order; attributes come with the
  // listing, never by a lookup per entry. A server whose directory changes meanwhile may begin again: a name can come
  // twice, on two pages, the later one being right.
  virtual std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) = 0;
  virtual Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                                   std::span<std::byte> into) = 0;  // 0: end of file
  virtual Result<std::string> read_link(const OpContext& op, const Node& link) = 0;
  // Fails with already_exists when the name stands.
  virtual Result<Entry> make_directory(const OpContext& op, const Node& dir, std::string_view name,
                                       const AttributeChange& attributes) = 0;
  virtual Result<Entry> make_file(const OpContext& op, const Node& dir, std::string_view name,
                                  const AttributeChange& attributes) = 0;
  virtual Result<Entry> make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                                  Owner owner) = 0;
  // One more name of a file. Fails with already_exists when the name stands, unsupported where files have one name
  // only.
  virtual Result<void> link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) = 0;
  // Durable (stable storage) when it returns.
  virtual Result<void> write(const OpContext& op, const Node& file, std::uint64_t offset,
                             std::span<const std::byte> data) = 0;
  virtual Result<void> set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) = 0;
  // Replaces an existing target, as rename(2) does.
  virtual Result<void> rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                              std::string_view to) = 0;
  // Many at once, kept in flight together; an absent name is success. Directories must be empty.
  struct Removal {
    Node directory;
    std::string name;
    bool is_directory = false;
  };
  virtual std::vector<Result<void>> remove(const OpContext& op, std::span<const Removal> removals) = 0;
};

// Where the spaces of one pool of layout directory are made.
struct PoolPlace {
  std::string pool;
  AbsolutePath top;            // the whole of what is open to us around it: the export
  AbsolutePath directory;      // the spaces lie in it; `top` itself, or below it
  std::string administrative;  // the directory of Homeport's own, right below `top`
};
class TreeAccess {
 public:
  virtual ~TreeAccess() = default;
  // By configuration: no backend call.
  [[nodiscard]] virtual std::vector<PoolPlace> pool_places() const = 0;
  // An object's live tree, or one snapshot of it.
  virtual Result<std::unique_ptr<Tree>> open_tree(const OpContext& op, const ObjectRef& ref, const MountView& view) = 0;
  // Any directory at or below an export: for previews before anything is imported. Read-only.
  virtual Result<std::unique_ptr<Tree>> open_path(const OpContext& op, const AbsolutePath& path) = 0;
};

// --- What a server offers, before anything is imported. ------------------------------------------------------------

struct Export {
  std::string path;
  std::vector<std::string> clients{};  // as the server words them; empty: everyone
};
class ExportDiscovery {
 public:
  virtual ~ExportDiscovery() = default;
  virtual Result<std::vector<Export>> exports(const OpContext& op) = 0;
  // What one exported path is, as the server lets *us* see it: the filesystem, whether it takes writes, its owner.
  struct Inspection {
    std::string export_path;  // the export it belongs to
    std::string id;           // immutable id of the directory itself
    Owner owner{Uid{0}, Gid{0}};
    std::uint32_t mode = 0;
    bool read_only_for_us = false;
    std::optional<Bytes> filesystem_used{};
    std::vector<std::string> clients{};  // who may mount it, where the server tells
    bool clients_known = false;
  };
  virtual Result<Inspection> inspect(const OpContext& op, const AbsolutePath& path) = 0;
};

// --- Snapshots, clones, restore, sessions, array policies. --------------------------------------------

struct Snapshot {
  std::string id;
  std::string name;
  WallTime taken_at{};
  bool ours = false;  // by prefix and marker; others are never touched
  std::optional<Bytes> unique_bytes{};
};
class Snapshots {
 public:
  virtual ~Snapshots() = default;
  // The same name again is the same snapshot.
  virtual Result<Snapshot> take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) = 0;
  virtual Result<std::optional<Cursor>> list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                       std::optional<Cursor> from, std::vector<Snapshot>& page) = 0;
  // Absent is success. Takes name and id: both must match.
  virtual Result<void> delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) = 0;
};

class Cloner {
 public:
  virtual ~Cloner() = default;
  virtual Result<Object> clone(const OpContext& op, const ObjectRef& source, const std::optional<std::string>& snapshot,
                               const CreateSpec& target) = 0;
};

// The backend's own overwrite of a live object by one of its snapshots.
class ArrayRestore {
 public:
  virtual ~ArrayRestore() = default;
  virtual Result<Object> overwrite_from_snapshot(const OpContext& op, const ObjectRef& ref,
                                                 const Snapshot& snapshot) = 0;
};

struct OpenSession {
  std::string client;
  std::optional<std::string> user{};
  std::optional<WallTime> since{};
};
class OpenSessions {
 public:
  virtual ~OpenSessions() = default;
  virtual Result<std::vector<OpenSession>> open_sessions(const OpContext& op, const ObjectRef& ref) = 0;
};

// Snapshot and quality-of-service policies that the backend itself keeps.
struct ArrayPolicy {
  std::string name;
  std::string kind;  // "snapshot", "qos"
  bool enabled = false;
  std::vector<std::string> members{};
};
class ArrayPolicies {
 public:
  virtual ~ArrayPolicies() = default;
  virtual Result<std::vector<ArrayPolicy>> policies(const OpContext& op) = 0;
  virtual Result<void> attach(const OpContext& op, const ObjectRef& ref, const std::string& policy) = 0;
  virtual Result<void> detach(const OpContext& op, const ObjectRef& ref, const std::string& policy) = 0;
};

// Decorators forward powers they know of; this finds the first layer that has T. Null: the backend cannot.
class DriverLayer {
 public:
  virtual ~DriverLayer() = default;
  [[nodiscard]] virtual StorageDriver& below() = 0;
};
template <class T>
T* find(StorageDriver& driver) {
  for (StorageDriver* layer = &driver;;) {
    if (auto* found = dynamic_cast<T*>(layer)) return found;
    auto* decorator = dynamic_cast<DriverLayer*>(layer);
    if (decorator == nullptr) return nullptr;
    layer = &decorator->below();
  }
}

}  // namespace homeport::drivers
