// A moment of a space that was kept, as it is remembered. Included by records.h, which says what holds for all records.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/store/store.h"

namespace homeport::store {

// taking -> ready -> deleting -> deleted. `taking` is written before the backend is asked; one that the backend refuses
// is erased.
enum class SnapshotState { taking = 1, ready = 2, deleting = 3, deleted = 4 };
[[nodiscard]] std::string_view snapshot_state_name(SnapshotState state);
[[nodiscard]] std::optional<SnapshotState> snapshot_state_from_name(std::string_view name);

// Somebody's word that a snapshot must not be deleted.
struct SnapshotHold {
  std::string id;
  std::string owner;  // whose it is, for people: "backup", "alice"
  std::string by{};   // the principal that set it; "system" for what Homeport itself needs
  std::string reason{};
  WallTime since{};
  std::optional<WallTime> expires{};  // does not count from then on
};

// Whose snapshots a record's name is one of: a space's own, or those of a pool that many spaces share.
[[nodiscard]] inline std::string snapshot_scope(std::string_view space) {
  return "space/" + std::string(space);
}
[[nodiscard]] std::string snapshot_scope(std::string_view backend, std::string_view pool);

// Index: space, scope, name (SCOPE/NAME, unique), label (SPACE/LABEL, unique while not empty), deleted (the UTC day of
// it). Of a deleted one name and label are free again.
struct SnapshotRecord {
  static constexpr Table kTable = Table::snapshots;
  std::string key;    // sn-…
  std::string space;  // it was taken for; label and reason are this space's
  std::string backend;
  std::string pool{};
  bool of_pool = false;      // one snapshot of many spaces: each sees its own part
  std::string name;          // on the backend, and in SPACE@NAME
  std::string backend_id{};  // empty until it was read back
  std::string label{};       // also found as SPACE@LABEL
  std::string reason{};
  std::string taken_by{};  // principal; empty for one that was found
  bool adopted = false;    // stood on the backend under our prefix, unknown to us
  SnapshotState state = SnapshotState::taking;
  WallTime asked_at{};
  std::optional<WallTime> taken_at{};  // by the backend's clock
  std::optional<WallTime> deleted_at{};
  std::vector<SnapshotHold> holds{};
  std::uint64_t revision = 0;
  [[nodiscard]] std::string scope() const;
};

}  // namespace homeport::store
