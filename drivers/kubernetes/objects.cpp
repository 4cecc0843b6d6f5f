#include "drivers/kubernetes/objects.h"

#include "provisioner/base/digest.h"

namespace homeport::drivers::kubernetes {

using nlohmann::json;

namespace {

constexpr std::size_t kNamespaceDigits = 8;

json metadata(const core::ClusterVolume& wanted, std::string name) {
  return {{"name", std::move(name)},
          {"labels",
           {{std::string(kManagedByLabel), "homeport"},
            {"app.kubernetes.io/component", wanted.kind},
            {std::string(kSpaceLabel), wanted.pair.space}}},
          {"annotations", {{"homeport/capacity", wanted.capacity_bytes ? "quota" : "placeholder"}}}};
}

std::string capacity_of(const core::ClusterVolume& wanted, Bytes placeholder) {
  return kubernetes_quantity(wanted.capacity_bytes ? Bytes{*wanted.capacity_bytes} : placeholder);
}

json access_modes(const core::ClusterVolume& wanted) {
  return json::array({wanted.read_only ? "ReadOnlyMany" : "ReadWriteMany"});
}

// What the API leaves out means the same as an empty text.
json member_at(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  return object.contains(at) ? object.at(at) : json("");
}

}  // namespace

std::string volume_name(const core::ClusterPair& pair) {
  return pair.claim + "-" + sha256_hex(pair.ns).substr(0, kNamespaceDigits);
}

json volume_document(const core::ClusterVolume& wanted, Bytes placeholder) {
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolume"},
          {"metadata", metadata(wanted, volume_name(wanted.pair))},
          {"spec",
           {{"capacity", {{"storage", capacity_of(wanted, placeholder)}}},
            {"accessModes", access_modes(wanted)},
            {"persistentVolumeReclaimPolicy", "Retain"},
            {"storageClassName", ""},
            {"volumeMode", "Filesystem"},
            {"mountOptions", wanted.mount_options},
            {"claimRef",
             {{"apiVersion", "v1"},
              {"kind", "PersistentVolumeClaim"},
              {"namespace", wanted.pair.ns},
              {"name", wanted.pair.claim}}},
            {"nfs", {{"server", wanted.server}, {"path", wanted.path}}}}}};
}

json claim_document(const core::ClusterVolume& wanted, Bytes placeholder) {
  json document{{"apiVersion", "v1"},
                {"kind", "PersistentVolumeClaim"},
                {"metadata", metadata(wanted, wanted.pair.claim)},
                {"spec",
                 {{"accessModes", access_modes(wanted)},
                  {"storageClassName", ""},
                  {"volumeMode", "Filesystem"},
                  {"volumeName", volume_name(wanted.pair)},
                  {"resources", {{"requests", {{"storage", capacity_of(wanted, placeholder)}}}}}}}};
  document["metadata"]["namespace"] = wanted.pair.ns;
  return document;
}

std::string text_at(const json& object, const char* pointer) {
  const auto member = member_at(object, pointer);
  return member.is_string() ? member.get<std::string>() : std::string();
}

std::string label_of(const json& object, std::string_view name) {
  const json::json_pointer labels("/metadata/labels");
  if (!object.contains(labels) || !object.at(labels).is_object()) return {};
  const auto found = object.at(labels).find(std::string(name));
  return found != object.at(labels).end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_ours(const json& object, std::string_view space) {
  return label_of(object, kManagedByLabel) == "homeport" && label_of(object, kSpaceLabel) == space;
}

std::string difference(const json& standing, const json& wanted) {
  for (const char* pointer :
       {"/spec/accessModes", "/spec/persistentVolumeReclaimPolicy", "/spec/storageClassName", "/spec/mountOptions",
        "/spec/claimRef/namespace", "/spec/claimRef/name", "/spec/nfs/server", "/spec/nfs/path", "/spec/volumeName"}) {
    if (member_at(standing, pointer) != member_at(wanted, pointer)) return pointer;
  }
  return {};
}

}  // namespace homeport::drivers::kubernetes
