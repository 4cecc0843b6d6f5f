// A filesystem in memory: inodes with hard links, symlinks and sparse files. A plain value: copying one is a snapshot.
//
// Threads: none of its own; the owner locks. Bytes are counted in blocks of 4 KiB, an inode with several names once;
// directories count nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "drivers/core/optional.h"

namespace homeport::drivers::memory {

// Gives numbers that are never given again. One per backend.
class IdCounter {
 public:
  std::uint64_t next() { return ++last_; }

 private:
  std::uint64_t last_ = 0;
};

// The room that the volumes of one pool share.
struct Room {
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;
};

struct Inode {
  std::uint64_t id = 0;
  EntryType type = EntryType::file;
  std::uint32_t mode = 0;
  std::uint32_t links = 1;
  Owner owner{Uid{0}, Gid{0}};
  WallTime modified{};
  WallTime changed{};
  std::map<std::string, std::uint64_t, std::less<>> children{};  // directory
  std::uint64_t parent = 0;                                      // directory: the one above, 0 for the root
  std::string target{};                                          // symlink
  std::uint64_t size = 0;                                        // file
  std::map<std::uint64_t, std::string> blocks{};                 // file: number -> kBlock bytes; absent: a hole
};

class Volume {
 public:
  static constexpr std::uint64_t kBlock = 4096;

  // `room` may be null: no limit but the quota.
  Volume(IdCounter& ids, std::shared_ptr<Room> room, Owner owner, std::uint32_t mode, WallTime now);

  [[nodiscard]] std::uint64_t fs() const { return fs_; }
  [[nodiscard]] std::uint64_t root() const { return root_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  [[nodiscard]] std::uint64_t entries() const;  // names below the root's own
  // Enforced from now on, also below what is used.
  void set_limit(std::optional<std::uint64_t> bytes) { limit_ = bytes; }

  [[nodiscard]] const Inode* find(std::uint64_t id) const;
  [[nodiscard]] Inode* find(std::uint64_t id);
  [[nodiscard]] const Inode* child(const Inode& directory, std::string_view name) const;
  // "a/b/c" from the root, not through symlinks; "" is the root.
  [[nodiscard]] const Inode* walk(std::string_view path) const;
  [[nodiscard]] EntryAttributes attributes(const Inode& inode) const;
  // Blocks at and below, in bytes; and how many names.
  struct Tally {
    std::uint64_t bytes = 0;
    std::uint64_t names = 0;
  };
  [[nodiscard]] Tally tally(std::uint64_t from) const;

  // Errors of all that change: already_exists, not_found, failed_precondition, over_quota, out_of_capacity.
  Result<std::uint64_t> add(IdCounter& ids, std::uint64_t directory, std::string_view name, Inode inode, WallTime now);
  Result<void> link(std::uint64_t directory, std::string_view name, std::uint64_t target, WallTime now);
  // Absent is success.
  Result<void> remove(std::uint64_t directory, std::string_view name, bool is_directory, WallTime now);
  Result<void> rename(std::uint64_t from_dir, std::string_view from, std::uint64_t to_dir, std::string_view to,
                      WallTime now);
  Result<void> write(std::uint64_t file, std::uint64_t offset, std::span<const std::byte> data, WallTime now);
  Result<std::size_t> read(std::uint64_t file, std::uint64_t offset, std::span<std::byte> into) const;
  Result<void> truncate(std::uint64_t file, std::uint64_t size, WallTime now);

  // Removes up to `limit` names, deepest first, the root itself not. 0: it is empty.
  std::uint64_t remove_some(std::uint64_t limit, WallTime now);
  // The same content under new numbers. Takes room; errors: out_of_capacity.
  [[nodiscard]] Result<std::shared_ptr<Volume>> clone(IdCounter& ids, std::shared_ptr<Room> room) const;
  // A copy that shares no room: what a snapshot keeps.
  [[nodiscard]] std::shared_ptr<const Volume> frozen(IdCounter& ids) const;
  // Makes this the content of `other`, whose root has the same number.
  Result<void> become(const Volume& other);
  // Hangs `other` (whose numbers differ) below the root under `name`: to show many volumes as one.
  void graft(const std::string& name, const Volume& other);

 private:
  Result<void> take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes);
  void drop_link(std::uint64_t id, WallTime now);
  Result<Inode*> directory(std::uint64_t id);
  [[nodiscard]] bool is_below(std::uint64_t directory, std::uint64_t ancestor) const;
  Result<bool> check_replace(const Inode& moved, const Inode* standing) const;

  std::uint64_t fs_ = 0;
  std::uint64_t root_ = 0;
  std::unordered_map<std::uint64_t, Inode> inodes_;
  std::uint64_t used_ = 0;
  std::optional<std::uint64_t> limit_;
  std::shared_ptr<Room> room_;
};

// One component of a path. Errors: invalid_argument for "", ".", "..", '/', NUL and more than 255 bytes.
Result<void> check_component(std::string_view name);

}  // namespace homeport::drivers::memory
