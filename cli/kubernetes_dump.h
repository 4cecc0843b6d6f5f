// What `kubectl get pv,pvc -A -o yaml` (or json) wrote, as values: volumes and the claims on them. Nothing is judged
// here; kubernetes_homes.h says whose homes they are.
//
// Members as the Kubernetes API names them (core/v1 PersistentVolume and PersistentVolumeClaim); unknown ones are
// passed over, since every version adds some.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport::cli {

struct DumpedVolume {
  std::string name;
  std::string source{};  // the member of spec that says where the data is: "nfs", "csi", "awsElasticBlockStore", …
  std::string driver{};  // csi and flexVolume
  std::string handle{};  // csi: volumeHandle
  std::map<std::string, std::string> attributes{};  // csi: volumeAttributes
  std::string server{};                             // nfs
  std::string path{};                               // nfs
  bool read_only = false;
  std::string volume_mode{};     // "Filesystem", "Block"; empty: Filesystem
  std::string reclaim_policy{};  // "Retain", "Delete", "Recycle"
  std::vector<std::string> access_modes{};
  std::vector<std::string> mount_options{};
  std::string capacity{};                      // as written: "50Gi"
  std::optional<std::string> storage_class{};  // "" is written on purpose, by whoever wants none
  std::string phase{};                         // "Available", "Bound", "Released", "Failed"
  struct ClaimRef {
    std::string name_space{};
    std::string name{};
    std::string uid{};
  };
  std::vector<ClaimRef> claim{};  // none or one
  std::string trouble{};          // a member that is needed could not be read: which, and why
};

struct DumpedClaim {
  std::string name_space;
  std::string name;
  std::string uid{};
  std::string volume{};  // spec.volumeName
  std::string phase{};   // "Bound", "Pending", "Lost"
  std::map<std::string, std::string> annotations{};
  std::map<std::string, std::string> labels{};
  std::string trouble{};
  [[nodiscard]] std::string words() const { return name_space + "/" + name; }
};

struct KubernetesDump {
  std::vector<DumpedVolume> volumes{};
  std::vector<DumpedClaim> claims{};
};

inline constexpr std::size_t kMostDumpBytes = std::size_t{64} << 20U;
inline constexpr std::size_t kMostDumpValues = 2'000'000;  // some 10,000 homes with everything that kubectl writes

// YAML (one document or several) or JSON; lists or single objects, in any order. The same object twice is taken once.
// Errors: too_large; invalid_argument for what is no YAML or JSON, holds no volume or no claim at all, or is not what
// kubectl writes.
[[nodiscard]] Result<KubernetesDump> parse_kubernetes_dump(std::string_view text, const std::string& source);
// What somebody wrote by hand: the same, with volumes and perhaps no claims.
[[nodiscard]] Result<KubernetesDump> parse_volumes(std::string_view text, const std::string& source);

}  // namespace homeport::cli
