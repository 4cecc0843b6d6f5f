// From what the catalog knows to one mount spec. Pure but for reading the catalog; used by Logins alone.
#pragma once

#include "provisioner/core/backends.h"
#include "provisioner/core/logins.h"

namespace homeport::core {

struct BuiltSpec {
  render::MountSpec spec;           // without id and times
  std::vector<std::string> spaces;  // keys of what it mounts
};

// Preconditions: `home` is ready and belongs to `user`. Errors: forbidden (a wanted dataset is not due), unsupported
// (a purpose or a snapshot this release cannot give), failed_precondition (the class contradicts itself).
[[nodiscard]] Result<BuiltSpec> build_spec(const Catalog& catalog, const Backends& backends, const SpecRequest& request,
                                           const store::UserRecord& user, const store::SpaceRecord& home, WallTime now);

// "ms-" and hex: the same question with the same answer has the same id.
[[nodiscard]] std::string spec_id_of(const SpecRequest& request, std::string_view user_key, std::string_view digest);

}  // namespace homeport::core
