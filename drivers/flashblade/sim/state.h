// Keeping the array's state in a file, and starting from answers that were recorded from a real one.
#pragma once

#include <filesystem>

#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

// Replaces the file as a whole; 0600, since it holds API tokens. Errors: failed_precondition.
[[nodiscard]] Result<void> save_state(const World& world, const std::filesystem::path& file);
// False: there is no such file. Replaces everything in `world` but its settings. Errors: invalid_argument for a file
// that is not one of ours.
[[nodiscard]] Result<bool> load_state(World& world, const std::filesystem::path& file);

// arrays.json, arrays_space.json, versions.json, filesystems.json, nfs_export_policies.json, alerts*.json, blades.json,
// hardware.json and *performance.json of a directory, each if it is there. Errors: invalid_argument with the file.
[[nodiscard]] Result<void> load_recorded(World& world, const std::filesystem::path& directory);

}  // namespace homeport::fbsim
