// The specs of the golden files and tables.
#pragma once

#include <string>
#include <vector>

#include "provisioner/render/mount_spec.h"

namespace homeport::render::testing {

[[nodiscard]] WallTime at(const char* rfc3339);

[[nodiscard]] Mount home_mount();
[[nodiscard]] Mount dataset_mount(const std::string& name);

[[nodiscard]] MountSpec home_only();
[[nodiscard]] MountSpec home_and_datasets();
[[nodiscard]] MountSpec hostile();  // odd characters wherever they are allowed
[[nodiscard]] MountSpec ipv6_server();
[[nodiscard]] MountSpec v3_with_ports();
[[nodiscard]] MountSpec local_sources();
[[nodiscard]] MountSpec every_kind();  // all kinds, nested, quota, lifetime, notices, labels; degraded
[[nodiscard]] MountSpec blocked();
[[nodiscard]] MountSpec squashed_without_ids();

struct Sample {
  std::string name;
  MountSpec spec;
};
[[nodiscard]] std::vector<Sample> all_samples();  // every one above

}  // namespace homeport::render::testing
