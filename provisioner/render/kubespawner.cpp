// KubeSpawner's volumes, volume_mounts and ids as one JSON object.
//
// Hook form is for modify_pod_hook, which is templated by nobody; trait form is for config traits, whose strings go
// through Python's str.format. Claims are used where a namespace is named, inline `nfs:` volumes otherwise; then
// `lost_options` names, by mount, the members of the spec that the node's own defaults decide.
#include <nlohmann/json.hpp>

#include "provisioner/render/mount_options.h"
#include "provisioner/render/object_names.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

using nlohmann::json;
constexpr std::string_view kName = "kubespawner";
constexpr std::uint16_t kNfsPort = 2049;  // RFC 7530 section 3.1; the only one an inline volume can reach

json claim_volume(const Mount& mount) {
  const auto name = object_name(mount);
  return {{"name", name}, {"persistentVolumeClaim", {{"claimName", name}, {"readOnly", is_read_only(mount)}}}};
}

json inline_volume(const Mount& mount, const NfsMount& nfs) {
  return {{"name", object_name(mount)},
          {"nfs", {{"server", nfs.server}, {"path", nfs.export_path}, {"readOnly", is_read_only(mount)}}}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// An inline volume has server, path and readOnly, nothing else (Kubernetes API, NFSVolumeSource).
Result<void> check_inline(const Mount& mount, const NfsMount& nfs, const RenderOptions& options) {
  std::vector<std::string> ports;
  if (nfs.port && *nfs.port != kNfsPort) ports.emplace_back("source.port");
  if (nfs.mount_port) ports.emplace_back("source.mount_port");
  if (!ports.empty()) {
    return cannot_express(kName, mount, joined(ports), "an inline NFS volume has no ports",
                          "name the namespace, so that claims are used");
  }
  if (options.inline_nfs) return {};
  const auto lost = members_unlike_linux(nfs, *mount.nfs);
  if (lost.empty()) return {};
  return cannot_express(
      kName, mount, joined(lost), "an inline NFS volume has no mount options",
      "name the namespace, so that claims are used, or say that inline NFS is right because the nodes' "
      "own defaults equal these options");
}

Result<json> volume_of(const Mount& mount, const RenderOptions& options) {
  const auto* nfs = std::get_if<NfsMount>(&mount.source);
  if (nfs == nullptr) {
    return cannot_express(kName, mount, "source.path", "a local source is on one host, a pod runs on any",
                          "serve the space over NFS to a cluster");
  }
  if (!options.inline_nfs && !options.kube_namespace.empty()) return claim_volume(mount);
  HOMEPORT_CHECK(check_inline(mount, *nfs, options));
  return inline_volume(mount, *nfs);
}

void double_all_braces(json& value) {
  if (value.is_string()) value = double_braces(value.get_ref<const std::string&>());
  if (!value.is_structured()) return;
  for (auto& item : value) double_all_braces(item);
}

json frame(const MountSpec& spec) {
  const auto& who = spec.identity;
  const bool stated = states_ids(who);
  json environment = json::object();
  for (const auto& [name, value] : spec.environment) environment[name] = kubernetes_literal(value);
  return {{"volumes", json::object()},
          {"volume_mounts", json::object()},
          {"uid", stated ? json(who.uid) : json(nullptr)},
          {"gid", stated ? json(who.gid) : json(nullptr)},
          // Kubernetes does not apply it to NFS volumes, and with a CSI driver it would change the owner of every file.
          {"fs_gid", nullptr},
          {"supplemental_gids", who.supplemental_gids},
          {"environment", std::move(environment)},
          {"lost_options", json::object()}};
}

}  // namespace

Result<std::string> render_kubespawner(const MountSpec& spec, const RenderOptions& options) {
  if (!options.kube_namespace.empty() && !is_dns_label(options.kube_namespace)) {
    return Error{.code = Errc::invalid_argument,
                 .message = "namespace '" + printable(options.kube_namespace, 80) + "' is not a Kubernetes namespace",
                 .hint = "use at most 63 lower-case letters, digits and inner hyphens"};
  }
  json out = frame(spec);
  for (const auto& mount : spec.mounts) {
    HOMEPORT_TRY(auto volume, volume_of(mount, options));
    if (volume.contains("nfs")) {
      const auto lost = members_unlike_linux(std::get<NfsMount>(mount.source), *mount.nfs);
      if (!lost.empty()) out["lost_options"][mount.id] = lost;
    }
    out["volumes"][mount.id] = std::move(volume);
    out["volume_mounts"][mount.id] = {
        {"name", object_name(mount)}, {"mountPath", mount.target}, {"readOnly", is_read_only(mount)}};
  }
  if (options.mode == TemplateMode::trait) double_all_braces(out);
  return out.dump(2) + "\n";
}

}  // namespace homeport::render
