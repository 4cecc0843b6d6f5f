// The `kubernetes:` section of the configuration: where volumes and claims for homes and datasets are made.
//
//   server: "https://10.96.0.1:443"     the API server
//   ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt      default: the machine's own list
//   token: {file: /var/run/secrets/kubernetes.io/serviceaccount/token}  a service account's; read for each request
//   namespaces: [jupyterhub]            where pods mount; one claim of each home in each
//   placeholder_capacity: 1TiB          what a volume without a quota says it holds; NFS enforces none of it
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/bytes.h"
#include "provisioner/base/url.h"
#include "provisioner/config/secrets.h"

namespace homeport::config {

struct KubernetesSettings {
  Url server{.host = {}};  // always https: the token goes along
  std::string ca_file{};
  SecretRef token{};
  std::vector<std::string> namespaces{};  // DNS labels, each once
  Bytes placeholder_capacity{std::uint64_t{1} << 40U};
};

// The section at `kubernetes` of `in`, strictly; nullopt when it is absent. Calls no server and reads no secret.
[[nodiscard]] std::optional<KubernetesSettings> read_kubernetes(DocReader& in);

}  // namespace homeport::config
