// Homes that somebody's files are copied into: what makes two copies one, and who may write.
#pragma once

#include <string>

#include "provisioner/core/homes.h"

namespace homeport::core {

// A home that people may have worked in is never copied over, and one that is being copied goes on from its own source
// only. `words`: the home, for people. Errors: already_exists.
[[nodiscard]] Result<void> check_copy(const store::SpaceRecord& known, const std::string& words,
                                      const HomeRequest::Copying& wanted);

}  // namespace homeport::core
