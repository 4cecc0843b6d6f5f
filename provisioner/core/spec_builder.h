// From what the catalog knows to one mount spec. Pure but for reading the catalog.
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

// How a space is mounted by whoever has that class, but for its target. Errors: internal (no usable source).
[[nodiscard]] Result<render::Mount> home_mount(const store::SpaceRecord& home, const ClassSpec& klass);
// A home that a merge put beside another one: its name starts with kMergedPrefix. The class is the other one's.
[[nodiscard]] Result<render::Mount> merged_mount(const store::SpaceRecord& home, const ClassSpec& klass);
[[nodiscard]] Result<render::Mount> dataset_mount(const store::SpaceRecord& dataset, const ClassSpec& klass,
                                                  render::MountAccess access);

// "ms-" and hex: the same question with the same answer has the same id.
[[nodiscard]] std::string spec_id_of(const SpecRequest& request, std::string_view user_key, std::string_view digest);

}  // namespace homeport::core
