// Where a spec's mounts go on a host. Internal to this folder.
#pragma once

#include <string>

#include "provisioner/render/renderer.h"

namespace homeport::render {

// ROOT/USER_KEY/MOUNT_ID of each mount: made of ids only, whatever a target is called.
class HostPaths {
 public:
  // Errors: invalid_argument for a root that is no absolute path.
  static Result<HostPaths> of(const MountSpec& spec, const RenderOptions& options);
  [[nodiscard]] std::string operator[](const Mount& mount) const { return (base_ / mount.id).str(); }
  [[nodiscard]] const AbsolutePath& base() const { return base_; }  // ROOT/USER_KEY

 private:
  explicit HostPaths(AbsolutePath base) : base_(std::move(base)) {}
  AbsolutePath base_;
};

// What mount(8) calls it: "nfs" for version 3, "nfs4" for all later ones.
[[nodiscard]] std::string_view nfs_type(const NfsMount& nfs);

}  // namespace homeport::render
