// The values.yaml of Pure Service Orchestrator as values, and the `desired:` document that does the same. Pure.
//
// Facts: the charts pure-k8s-plugin 1 and 2, pure-csi 5 (purestorage/helm-charts) and pureStorageDriver 6
// (purestorage/pso-csi): values.yaml, values.schema.json, templates/secret.yaml; the operators' custom resources, which
// hold the same below `spec`; pure.json, which is `arrays` alone. Keys of an array are taken in any spelling of upper
// and lower case, since the charts' own examples differ (NFSEndPoint, NfsEndPoint).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json.h"
#include "provisioner/base/secret.h"

namespace homeport::cli {

struct PsoFlashBlade {
  std::string name;  // of the backend
  std::string url;   // https://…
  Secret token;
  std::string data_address{};  // empty: the file names none
  std::map<std::string, std::string> labels{};
  std::vector<std::string> notes{};  // what was left out of it, or is another way, and why
};

struct PsoValues {
  std::vector<PsoFlashBlade> flashblades{};
  std::vector<std::string> left_out{};  // arrays that become no backend, each with the reason
  std::vector<std::string> notes{};     // on the other settings: what became of each
  std::vector<std::string> unknown{};   // keys that no chart has, as dotted paths; their values are not repeated
  std::string prefix{};                 // of the volumes that PSO made: clusterID, namespace.pure, namespaces.nsm
  std::vector<std::string> clients{};   // networks that its export rules name
  std::string nfs_version{};            // "3" or "4.1", where the file says it
};

// Errors: invalid_argument for what is no YAML, is no values file, or holds no FlashBlade that could be a backend, with
// everything that was left out.
[[nodiscard]] Result<PsoValues> read_pso_values(std::string_view text, const std::string& source);

// What the file does not say.
struct PsoChoices {
  std::string secrets{};                // absolute folder of the token files
  std::vector<std::string> homeport{};  // hosts that Homeport runs on
  std::vector<std::string> clients{};   // networks of notebooks; else those of the export rules
  std::string ca_file{};
};
[[nodiscard]] std::string token_file(const PsoChoices& choices, const PsoFlashBlade& one);
// Is something in the document that an admin must put right before anybody can mount: what? Empty: no.
[[nodiscard]] std::vector<std::string> placeholders(const PsoValues& values, const PsoChoices& choices);
// {"desired": …}
[[nodiscard]] Json pso_desired(const PsoValues& values, const PsoChoices& choices);
// The same as YAML with comments.
[[nodiscard]] std::string pso_desired_text(const PsoValues& values, const PsoChoices& choices,
                                           const std::string& source);

}  // namespace homeport::cli
