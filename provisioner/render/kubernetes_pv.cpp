// A PersistentVolume and its claim for each mount, to be applied beside pods that the kubespawner format describes.
// Every scalar is quoted: what looks like a number, a boolean or a map in YAML stays a text.
#include "provisioner/base/bytes.h"
#include "provisioner/render/mount_options.h"
#include "provisioner/render/object_names.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

constexpr std::string_view kName = "pv";
// Of a mount without a limit; NFS enforces none of it, and Kubernetes wants one.
constexpr Bytes kPlaceholder{std::uint64_t{1} << 40U};

struct Pair {
  std::string ns;
  std::string claim;
  std::string capacity;
  std::string modes;
};

Pair pair_of(const Mount& mount, const std::string& ns) {
  const auto limit = mount.quota ? mount.quota->limit_bytes : 0;
  return {.ns = ns,
          .claim = object_name(mount),
          .capacity = kubernetes_quantity(limit > 0 ? Bytes{limit} : kPlaceholder),
          .modes = is_read_only(mount) ? R"(["ReadOnlyMany"])" : R"(["ReadWriteMany"])"};
}

std::string metadata(const Mount& mount, const std::string& name, const std::string& ns, const MountSpec& spec) {
  std::string out = "metadata:\n  name: " + yaml_quote(name) + "\n";
  if (!ns.empty()) out += "  namespace: " + yaml_quote(ns) + "\n";
  return out + "  labels:\n    \"app.kubernetes.io/managed-by\": \"homeport\"\n    \"homeport/mount\": " +
         yaml_quote(mount.id) + "\n  annotations:\n    \"homeport/user-key\": " + yaml_quote(spec.subject.user_key) +
         "\n";
}

std::string volume_document(const MountSpec& spec, const Mount& mount, const NfsMount& nfs, const Pair& pair) {
  std::string out = "apiVersion: \"v1\"\nkind: \"PersistentVolume\"\n";
  out += metadata(mount, cluster_volume_name(pair.claim, pair.ns), "", spec);
  out += "spec:\n  capacity:\n    storage: " + yaml_quote(pair.capacity) + "\n  accessModes: " + pair.modes + "\n";
  out += "  persistentVolumeReclaimPolicy: \"Retain\"\n  storageClassName: \"\"\n  volumeMode: \"Filesystem\"\n";
  out += "  mountOptions:\n";
  for (const auto& word : mount_option_words(mount)) out += "    - " + yaml_quote(word) + "\n";
  out += "  claimRef:\n    apiVersion: \"v1\"\n    kind: \"PersistentVolumeClaim\"\n    namespace: " +
         yaml_quote(pair.ns) + "\n    name: " + yaml_quote(pair.claim) + "\n";
  return out + "  nfs:\n    server: " + yaml_quote(nfs.server) + "\n    path: " + yaml_quote(nfs.export_path) + "\n";
}

std::string claim_document(const MountSpec& spec, const Mount& mount, const Pair& pair) {
  return "apiVersion: \"v1\"\nkind: \"PersistentVolumeClaim\"\n" + metadata(mount, pair.claim, pair.ns, spec) +
         "spec:\n  accessModes: " + pair.modes + "\n  storageClassName: \"\"\n  volumeMode: \"Filesystem\"\n" +
         "  volumeName: " + yaml_quote(cluster_volume_name(pair.claim, pair.ns)) +
         "\n  resources:\n    requests:\n      storage: " + yaml_quote(pair.capacity) + "\n";
}

}  // namespace

Result<std::string> render_pv(const MountSpec& spec, const RenderOptions& options) {
  if (!is_dns_label(options.kube_namespace)) {
    return Error{
        .code = Errc::invalid_argument,
        .message = options.kube_namespace.empty()
                       ? std::string("a claim lies in a namespace, and none is named")
                       : "namespace '" + printable(options.kube_namespace, 80) + "' is not a Kubernetes namespace",
        .hint = "name the hub's namespace, at most 63 lower-case letters, digits and inner hyphens"};
  }
  std::string out;
  for (const auto& mount : spec.mounts) {
    const auto* nfs = std::get_if<NfsMount>(&mount.source);
    if (nfs == nullptr) {
      return cannot_express(kName, mount, "source.path", "a local source is on one host, a pod runs on any",
                            "serve the space over NFS to a cluster");
    }
    const auto pair = pair_of(mount, options.kube_namespace);
    out += "---\n" + volume_document(spec, mount, *nfs, pair) + "---\n" + claim_document(spec, mount, pair);
  }
  return out;
}

}  // namespace homeport::render
