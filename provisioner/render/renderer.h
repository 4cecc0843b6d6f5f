// Renderers: pure functions from a mount spec to what one platform takes. Byte-stable; digest-covered fields only.
//
// A renderer that cannot express a field refuses with unsupported and names the field; it never drops one.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "provisioner/render/mount_spec.h"

namespace homeport::render {

enum class TemplateMode { hook, trait };  // trait: KubeSpawner and DockerSpawner format strings, braces doubled

struct RenderOptions {
  TemplateMode mode = TemplateMode::hook;
  std::string kube_namespace{};              // for renderers that need one
  std::string host_root = "/srv/homeport";   // where host-side mounts go: ROOT/USER_KEY/MOUNT_ID
  std::string compose_service = "notebook";  // the service of a Compose file that gets the mounts
  bool inline_nfs = false;                   // volumes of pods without claims: what they lose is listed, not refused
};

struct Renderer {
  std::string_view name;  // as --format and ?format= take it
  std::string_view content_type;
  std::string_view summary;  // one line for --help
  Result<std::string> (*render)(const MountSpec& spec, const RenderOptions& options);
};

[[nodiscard]] std::span<const Renderer> renderers();  // sorted by name
// Errors: invalid_argument that lists the formats.
[[nodiscard]] Result<const Renderer*> find_renderer(std::string_view name);

}  // namespace homeport::render
