// The driver for btrfs pools of Homeport's own machine: the door to this folder.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "drivers/core/factory.h"

namespace homeport::drivers {

// Reads every member of a btrfs backend's section and adds a problem for each wrong one. The caller reads the common
// members and calls section.finish(). No I/O.
void validate_btrfs_section(DocReader& section);

// Touches nothing. Besides StorageDriver the driver implements TreeAccess, Snapshots and Cloner. `env.clock` must
// outlive it. Errors: invalid_argument when the section is not one that validate_btrfs_section accepts.
Result<std::unique_ptr<StorageDriver>> make_btrfs_driver(const std::string& backend, const nlohmann::json& section,
                                                         const DriverEnvironment& env);

}  // namespace homeport::drivers
