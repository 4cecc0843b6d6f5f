// What stands in a pool for one space, and whether it is what a reference says. Markers: .homeport/markers/KEY.json,
// written whole or not at all.
#pragma once

#include <sys/stat.h>

#include "drivers/btrfs/backend.h"

namespace homeport::drivers::btrfs {

// A directory entry of a pool's folders, opened where it is a directory.
struct Found {
  std::string name;
  struct stat status {};
  std::shared_ptr<const Descriptor> fd{};  // null: not a directory
  std::optional<Subvolume> subvolume{};
  std::string id{};  // empty: not a thing that a space of this layout can be
  [[nodiscard]] Owner owner() const { return {Uid{status.st_uid}, Gid{status.st_gid}}; }
  [[nodiscard]] std::uint32_t mode() const { return status.st_mode & 07777U; }
};

struct MarkerFile {
  bool stands = false;
  std::optional<Marker> marker{};  // what it says, where it can be read
  std::string broken{};            // why it cannot
  WallTime modified{};
};

struct Standing {
  std::optional<Found> live{};
  std::optional<Found> trashed{};
  MarkerFile marker{};
};

struct Placed {
  ObjectState state = ObjectState::live;
  Found found;
  MarkerFile marker{};
};

Result<std::optional<Found>> find_entry(const OpenPool& pool, const Folder& folder, const std::string& name);
[[nodiscard]] std::string marker_name(const SpaceKey& key);
Result<MarkerFile> read_marker(const OpenPool& pool, const SpaceKey& key);
Result<void> write_marker(const OpContext& op, const Backend& backend, const OpenPool& pool, const Marker& marker);
Result<void> remove_marker(const OpContext& op, const OpenPool& pool, const SpaceKey& key);
// A small file of ours, replaced by rename; modified is kept where it is given.
Result<void> replace_file(const Backend& backend, const Folder& folder, const std::string& name,
                          const std::string& text, std::optional<WallTime> modified);
// nullopt: not there.
Result<std::optional<std::string>> small_file(const Folder& folder, const std::string& name);

// `pool` must be prepared.
Result<Standing> look(const OpenPool& pool, const SpaceKey& key, const std::string& name);

enum class MarkerRule { must_match, may_be_missing };
// The object `ref` names, live or trashed; nullopt: neither. Errors: failed_precondition when something else stands
// there: another name, id or marker.
Result<std::optional<Placed>> verify(const Backend& backend, const ObjectRef& ref, const Standing& standing,
                                     MarkerRule rule);
[[nodiscard]] Error gone(const ObjectRef& ref);
[[nodiscard]] Error imported_stays(const ObjectRef& ref);

// Quota and usage are looked up where `states` is null.
using QuotaStates = std::map<std::uint64_t, QuotaState>;
Result<Object> to_object(Backend& backend, const OpenPool& pool, const SpaceKey& key, const Placed& placed,
                         const QuotaStates* states = nullptr);

// Adds a line to op.calls. True: go on; false: a dry run.
bool announce(const OpContext& op, std::string line);

}  // namespace homeport::drivers::btrfs
