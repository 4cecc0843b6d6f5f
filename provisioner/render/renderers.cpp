// The table of renderers. Adding one: its .cpp, its declaration and its row here.
#include <algorithm>
#include <array>

#include "provisioner/render/render_support.h"

namespace homeport::render {

Result<std::string> render_autofs(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_compose(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_docker_run(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_dockerspawner(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_env(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_env_file(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_env_systemd(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_fstab(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_kubespawner(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_mount(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_pv(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_swarmspawner(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_systemd(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_systemdspawner(const MountSpec& spec, const RenderOptions& options);
Result<std::string> render_umount(const MountSpec& spec, const RenderOptions& options);

namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";  // RFC 9512

constexpr std::array kRenderers{
    Renderer{"autofs", kText, "entries of an autofs direct map, below ROOT/USER_KEY",
             &checked<&render_autofs, Uses{.host_root = true}>},
    Renderer{"compose", kYaml, "a Compose file with one service's volumes, ids and environment",
             &checked<&render_compose, Uses{.service = true}>},
    Renderer{"docker-run", kText, "arguments for docker run, to stand before the image",
             &checked<&render_docker_run, Uses{}>},
    Renderer{"dockerspawner", kJson, "mounts, ids and environment for JupyterHub's DockerSpawner",
             &checked<&render_dockerspawner, Uses{}>},
    Renderer{"env", kText, "where things are, as variables of a shell", &checked<&render_env, Uses{}>},
    Renderer{"env-file", kText, "the same as a file for docker run --env-file", &checked<&render_env_file, Uses{}>},
    Renderer{"env-systemd", kText, "the same as an EnvironmentFile of systemd", &checked<&render_env_systemd, Uses{}>},
    Renderer{"fstab", kText, "fstab lines for a plain host, below ROOT/USER_KEY",
             &checked<&render_fstab, Uses{.host_root = true}>},
    Renderer{"kubespawner", kJson, "volumes, mounts, ids and environment for JupyterHub's KubeSpawner",
             &checked<&render_kubespawner, Uses{.template_mode = true, .kube = true, .inline_nfs = true}>},
    Renderer{"mount", kText, "commands that mount by hand, below ROOT/USER_KEY",
             &checked<&render_mount, Uses{.host_root = true}>},
    Renderer{"pv", kYaml, "PersistentVolumes and claims for a Kubernetes namespace",
             &checked<&render_pv, Uses{.kube = true}>},
    Renderer{"swarmspawner", kJson, "the container spec and environment for JupyterHub's SwarmSpawner",
             &checked<&render_swarmspawner, Uses{}>},
    Renderer{"systemd", kText, "mount and automount units for a plain host, below ROOT/USER_KEY",
             &checked<&render_systemd, Uses{.host_root = true}>},
    Renderer{"systemdspawner", kJson, "binds from ROOT/USER_KEY and environment for JupyterHub's SystemdSpawner",
             &checked<&render_systemdspawner, Uses{.host_root = true}>},
    Renderer{"umount", kText, "commands that undo those of mount", &checked<&render_umount, Uses{.host_root = true}>},
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
