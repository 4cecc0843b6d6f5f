// The table of renderers. Adding one: its .cpp, its declaration and its row here.
#include <algorithm>
#include <array>

#include "provisioner/render/render_support.h"

namespace homeport::render {

Result<std::string> render_docker_run(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_fstab(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_kubespawner(const MountSpec& spec, const RenderOptions& options);

namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";

constexpr std::array kRenderers{
    Renderer{"docker-run", kText, "arguments for docker run, to stand before the image",
             &checked<&render_docker_run, Uses{}>},
    Renderer{"fstab", kText, "fstab lines for a plain host, below ROOT/USER_KEY", &checked<&render_fstab, Uses{}>},
    Renderer{"kubespawner", kJson, "volumes, mounts, ids and environment for JupyterHub's KubeSpawner",
             &checked<&render_kubespawner, Uses{.template_mode = true, .kube = true}>},
};

constexpr bool sorted_by_name() {
  for (std::size_t i = 1; i < kRenderers.size(); ++i) {
    if (kRenderers[i - 1].name >= kRenderers[i].name) return false;
  }
  return true;
}
static_assert(sorted_by_name());

}  // namespace

std::span<const Renderer> renderers() {
  return kRenderers;
}

Result<const Renderer*> find_renderer(std::string_view name) {
  for (const auto& renderer : kRenderers) {
    if (renderer.name == name) return &renderer;
  }
  std::string known;
  for (const auto& renderer : kRenderers) known += (known.empty() ? "" : ", ") + std::string(renderer.name);
  return Error{.code = Errc::invalid_argument,
               .message = "format '" + printable(name, 60) + "' is not known",
               .hint = "use one of: " + known};
}

}  // namespace homeport::render
