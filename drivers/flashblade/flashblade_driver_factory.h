// The driver for FlashBlade arrays: the door to this folder.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "drivers/core/factory.h"

namespace homeport::drivers {

// Reads every member of a flashblade backend's section and adds a problem for each wrong one. The caller reads the
// common members and calls section.finish(). No I/O.
void validate_flashblade_section(DocReader& section);

// DriverFactory::max_snapshots_per_object() of this kind.
[[nodiscard]] std::optional<std::uint32_t> flashblade_max_snapshots(Layout layout);

// Makes no contact. Besides StorageDriver the driver implements TreeAccess, ExportDiscovery, Snapshots, Cloner,
// ArrayRestore, Replication and ReplicationControl.
// `env.clock` must outlive it. Errors: invalid_argument when the section is not one that the validator accepts.
Result<std::unique_ptr<StorageDriver>> make_flashblade_driver(const std::string& backend, const nlohmann::json& section,
                                                              const DriverEnvironment& env);

}  // namespace homeport::drivers
