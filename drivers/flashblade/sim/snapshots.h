// Taking snapshots: for the API, for policies and for replication.
#pragma once

#include <string>
#include <vector>

#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

inline constexpr std::size_t kMaxListedSnapshots = 150'000;

[[nodiscard]] std::string generated_suffix(const World& world);  // "2026_11_21_20_00_00"
// Errors: the file system is destroyed, the name is taken, a limit is reached.
[[nodiscard]] Or<void> check_new_snapshot(const World& world, const FileSystem& fs, const std::string& suffix);
// `policy`: id of the one that asks, or empty. Errors: as above, and the data path's.
[[nodiscard]] Or<Snapshot*> take_snapshot(World& world, FileSystem& fs, const std::string& suffix,
                                          const std::string& policy);

// By replication.
// Ids of the array connections that `send` and `targets` mean.
[[nodiscard]] Or<std::vector<std::string>> replication_targets(Call& call);
[[nodiscard]] Or<void> send_snapshot(World& world, Snapshot& snapshot, const std::vector<std::string>& targets);
[[nodiscard]] bool is_latest_replica(World& world, const Snapshot& snapshot);

}  // namespace homeport::fbsim
