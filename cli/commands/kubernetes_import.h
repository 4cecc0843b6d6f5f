// home import --from-kubernetes: a dump of volumes and claims becomes a map of homes, and a list of what was left out.
#pragma once

#include <string>
#include <vector>

#include "cli/commands/registry.h"
#include "cli/kubernetes_homes.h"

namespace homeport::cli {

struct KubernetesOptions {
  std::string dump{};        // a file; "-" is standard input
  std::string name_space{};  // only its claims
  std::string slug_scheme{};
  std::vector<std::string> servers{};
  bool only_retained = false;
  bool from_array = false;  // volumes are looked for among an array's file systems, not among a server's exports

  [[nodiscard]] bool any() const {
    return !dump.empty() || !name_space.empty() || !slug_scheme.empty() || !servers.empty() || only_retained;
  }
};
void add_kubernetes_options(CLI::App* app, KubernetesOptions& options);

struct KubernetesImport {
  std::vector<DumpedHome> homes{};  // to be imported
  std::vector<LeftOut> left_out{};
  std::vector<std::string> to_patch{};  // volumes of homes that Kubernetes would remove with their claims
};
// Asks the service for the backend's address and, where the dump needs them, its exports. `names`: people that may be
// meant. Errors: those of reading the dump; not_found for the backend.
[[nodiscard]] Result<KubernetesImport> read_kubernetes(Cli& cli, const KubernetesOptions& options,
                                                       const std::string& backend, std::vector<std::string> names);

// The plan of the service with what the dump tells: volume and claim of each entry, left_out, to_patch.
void add_to_plan(const KubernetesImport& import, Json& plan);
[[nodiscard]] std::string left_out_view(const Json& plan, const Look& look);
// Why nothing may be imported as long as the dump is as it is. Precondition: to_patch is not empty.
[[nodiscard]] Error would_be_deleted(const KubernetesImport& import);

}  // namespace homeport::cli
