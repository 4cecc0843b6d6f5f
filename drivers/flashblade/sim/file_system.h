// How a file system and a snapshot look on the wire, and how they are found by filters.
#pragma once

#include "drivers/flashblade/sim/listing.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

// Complete item of REST 2.`minor`, appended as JSON text. Recorded order of members.
void write_file_system(const World& world, const FileSystem& fs, int minor, std::string& out);
void write_snapshot(const World& world, const Snapshot& snapshot, int minor, std::string& out);
// The same as documents.
[[nodiscard]] Json render_file_system(const World& world, const FileSystem& fs, int minor);
[[nodiscard]] Json render_snapshot(const World& world, const Snapshot& snapshot, int minor);
// Answers the common fields without rendering the whole.
[[nodiscard]] Probe probe_file_system(const World& world, const FileSystem& fs, int minor);
[[nodiscard]] Probe probe_snapshot(const World& world, const Snapshot& snapshot, int minor);

struct Space {
  std::uint64_t logical = 0;
  std::uint64_t unique = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t provisioned = 0;
  std::uint64_t destroyed = 0;  // physical bytes of destroyed children
  std::uint64_t destroyed_logical = 0;
};
[[nodiscard]] Space space_of(const FileSystem& fs);
[[nodiscard]] Json render_space(const Space& space, int minor);

inline constexpr const char* kDefaultRules = "*(rw,no_root_squash)";

}  // namespace homeport::fbsim
