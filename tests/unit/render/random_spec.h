// Valid specs at random, the same for the same seed.
#pragma once

#include <cstdint>
#include <random>

#include "provisioner/render/mount_spec.h"

namespace homeport::render::testing {

struct RandomOptions {
  bool local = true;       // local sources too
  bool inline_ok = false;  // NFS sources without ports
};
[[nodiscard]] MountSpec random_spec(std::mt19937_64& random, const RandomOptions& options = {});
// One path component of the whole allowed alphabet; without ':' where `target`. Never ends with a blank.
[[nodiscard]] std::string random_part(std::mt19937_64& random, bool target);

}  // namespace homeport::render::testing
