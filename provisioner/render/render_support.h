// What every renderer does first. Internal to this folder.
#pragma once

#include <string>
#include <string_view>

#include "provisioner/render/renderer.h"

namespace homeport::render {

// Which options mean something to a renderer; the others are refused when they are set, never ignored.
struct Uses {
  bool template_mode = false;
  bool kube = false;        // namespace
  bool inline_nfs = false;  // volumes without claims
  bool service = false;     // of a Compose file
  bool host_root = false;
};

// Errors: failed_precondition with the notice of a blocked spec, invalid_argument from validate() and for options the
// renderer has no use for.
[[nodiscard]] Result<void> check_render(const MountSpec& spec, const RenderOptions& options, const Uses& uses);

// "mount 'home' nfs.nosuid cannot be expressed by kubespawner: …"
[[nodiscard]] Error cannot_express(std::string_view renderer, const Mount& mount, std::string_view members,
                                   std::string_view why, std::string hint);

[[nodiscard]] inline bool is_read_only(const Mount& mount) {
  return mount.access == MountAccess::ro;
}
// False: the session runs with the image's own ids.
[[nodiscard]] inline bool states_ids(const Identity& identity) {
  return identity.mode == IdentityMode::native || identity.uid != 0;
}
// "UID:GID", as Docker takes it. Precondition: states_ids().
[[nodiscard]] std::string docker_user(const Identity& identity);

using RenderFn = Result<std::string> (*)(const MountSpec& spec, const RenderOptions& options);

// For the table of renderers: the checks, then the renderer.
template <RenderFn render, Uses uses>
Result<std::string> checked(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_CHECK(check_render(spec, options, uses));
  return render(spec, options);
}

}  // namespace homeport::render
