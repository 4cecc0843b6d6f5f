// One place handed to people, as it is remembered. Included by records.h, which says what holds for all records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/boxed.h"
#include "provisioner/base/names.h"
#include "provisioner/store/store.h"

namespace homeport::store {

// creating -> ready -> retiring -> retired -> purging -> purged; failed: never became ready and nothing stands.
enum class SpaceState {
  creating = 1,
  ready = 2,
  retiring = 3,
  retired = 4,
  undeleting = 5,
  purging = 6,
  purged = 7,
  failed = 8,
  released = 9
};
[[nodiscard]] std::string_view space_state_name(SpaceState state);
[[nodiscard]] std::optional<SpaceState> space_state_from_name(std::string_view name);
// SpaceRecord::label() of a home. `name`: the server it belongs to; empty: all.
[[nodiscard]] std::string home_label(std::string_view realm, std::string_view user_key, std::string_view name = {});

struct UsageRecord {
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> files{};
  std::string basis = "unknown";
  WallTime as_of{};
};

struct Rights {  // what an admin lets us do to this space
  bool read = true;
  bool snapshot = true;
  bool resize = true;
  bool destroy = true;
};

// The one run that may write into a home while it is copied. After `until` it is nobody's.
struct CopyClaimRecord {
  std::string run;  // drawn by whoever copies
  std::string by;   // for people: "nb1, process 4711"
  WallTime since{};
  WallTime renewed{};
  WallTime until{};
};

// The use of a home that stood before us is to be counted by walking its tree: its backend does not tell it.
struct MeasureRecord {
  WallTime since{};           // when it was asked for
  std::uint64_t entries = 0;  // counted when this was last written
  std::string position{};     // where the walk goes on (drivers::TreeWalk); empty: at the beginning
  std::string why{};          // it was given up, and why; empty: it is due
};

// Kept in memory by the ten thousand: what few have is boxed.
// Index: kind, owner (user key), label (unique while not empty), backend, place (unique while not empty).
struct SpaceRecord {
  static constexpr Table kTable = Table::spaces;
  std::string key;  // h-…, d-…
  SpaceKind kind = SpaceKind::home;
  SpaceState state = SpaceState::creating;
  std::string realm{};
  std::string owner{};  // user key; empty for datasets
  std::string name{};   // dataset, group: its name; home: the server it belongs to ("" = all)
  std::string backend;
  std::string layout;  // filesystem | directory
  std::string pool;
  std::string backend_name;  // prefix + key, or the imported path
  std::string backend_id{};  // empty until created
  std::string path{};        // on the server
  bool imported = false;
  Rights rights{};
  std::string klass{};
  std::optional<std::uint64_t> quota_bytes{};
  std::string quota_class = "none";             // none | measured | cooperative | hard
  std::optional<std::uint64_t> quota_wanted{};  // not set before the use is known: it could be below it
  std::string quota_reason{};  // why it is this one, for people; empty: as asked for, or the class's default
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0700;
  bool read_only = false;  // datasets unless said otherwise
  std::string source{};    // mount source as last learned (render's source, as compact JSON); empty until ready
  std::optional<UsageRecord> usage{};
  Boxed<MeasureRecord> measure{};
  WallTime created_at{};
  std::optional<WallTime> retired_at{};
  std::optional<WallTime> purge_after{};  // earliest time the policy lets it be purged
  // Purged, and the backend keeps it that long by itself: until then it can come back.
  std::optional<WallTime> recoverable_until{};
  std::string note{};  // free words of an admin
  // Set while somebody's files are copied into it: from where. Logins do not get it until that is over.
  Boxed<std::string> copying{};
  Boxed<CopyClaimRecord> copy_claim{};
  // Which source that is, where the words of `copying` could change or be another's; stays when the copy is over.
  Boxed<std::string> copy_source{};
  // What stands for it in the Kubernetes cluster, as "NAMESPACE/CLAIM"; written before anybody may mount it there and
  // struck off before it is deleted. Not set: nothing was ever made.
  Boxed<std::vector<std::string>> claims{};
  std::uint64_t revision = 0;
  // "home/REALM/u-…/SERVER", "scratch/REALM/u-…/NAME", "dataset/NAME", "group/NAME"; empty for purged, failed and
  // released, so that the name is free again.
  [[nodiscard]] std::string label() const;
  // "BACKEND:/PATH" of an imported home as long as it has a label: one directory is nobody else's home.
  [[nodiscard]] std::string place() const;
};

}  // namespace homeport::store
