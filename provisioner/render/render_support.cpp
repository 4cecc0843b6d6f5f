#include "provisioner/render/render_support.h"

#include <algorithm>

namespace homeport::render {
namespace {

Error blocked(const MountSpec& spec) {
  const auto worst = std::max_element(spec.notices.begin(), spec.notices.end(),
                                      [](const Notice& a, const Notice& b) { return a.level < b.level; });
  const auto why = worst == spec.notices.end() ? std::string("no reason was given") : worst->text;
  const auto status = spec.status_hint ? " (status " + std::to_string(*spec.status_hint) + ")" : std::string();
  return Error{.code = Errc::failed_precondition,
               .message = "the mount spec is blocked" + status + ": " + printable(why, 400),
               .hint = "nothing is to be mounted until that is settled; then ask for a new spec",
               .pointer = "/state"};
}

Error no_use(std::string_view option, std::string_view what) {
  return Error{.code = Errc::invalid_argument,
               .message = "this format has no use for " + std::string(option) + ": " + std::string(what),
               .hint = "leave " + std::string(option) + " out"};
}

}  // namespace

Result<void> check_render(const MountSpec& spec, const RenderOptions& options, const Uses& uses) {
  if (spec.state == SpecState::blocked) return blocked(spec);
  if (options.mode == TemplateMode::trait && !uses.template_mode) {
    return no_use("mode 'trait'", "it is not read through a template");
  }
  if (!options.kube_namespace.empty() && !uses.kube) return no_use("a namespace", "it is not for Kubernetes");
  if (options.host_root != RenderOptions{}.host_root && !uses.host_root) {
    return no_use("a host root", "nothing is mounted on a host");
  }
  if (options.compose_service != RenderOptions{}.compose_service && !uses.service) {
    return no_use("a service", "it is not for Compose");
  }
  if (options.inline_nfs && !uses.inline_nfs) return no_use("inline NFS", "it is not for Kubernetes");
  // The site's Kerberos flag was asked when the spec was issued; a renderer only needs what is safe to print.
  return validate(spec, {.allow_v3_kerberos = true});
}

std::string docker_user(const Identity& identity) {
  return std::to_string(identity.uid) + ":" + std::to_string(identity.gid);
}

Error cannot_express(std::string_view renderer, const Mount& mount, std::string_view members, std::string_view why,
                     std::string hint) {
  return Error{.code = Errc::unsupported,
               .message = "mount '" + mount.id + "' " + std::string(members) + " cannot be expressed by " +
                          std::string(renderer) + ": " + std::string(why),
               .hint = std::move(hint)};
}

}  // namespace homeport::render
