#include "provisioner/core/cluster_steps.h"

#include "provisioner/core/cluster_volumes.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr std::string_view kNoCluster = "no cluster is configured any more";
constexpr std::string_view kNothing = "nothing that a pod could mount";

}  // namespace

Result<std::string> volume_step(StepContext& c) {
  if (c.cluster == nullptr) return std::string(kNoCluster);
  std::string seen;
  for (const auto& volume : wanted_volumes(c.catalog, c.cluster->namespaces(), c.space)) {
    HOMEPORT_TRY(const auto words, c.cluster->ensure_volume(c.op, volume).context(space_words(c.space, c.catalog)));
    seen += (seen.empty() ? "" : "; ") + words;
  }
  return seen.empty() ? std::string(kNothing) : seen;
}

Result<std::string> claim_step(StepContext& c) {
  if (c.cluster == nullptr) return std::string(kNoCluster);
  std::string seen;
  std::vector<std::string> claims;
  for (const auto& volume : wanted_volumes(c.catalog, c.cluster->namespaces(), c.space)) {
    HOMEPORT_TRY(const auto words, c.cluster->ensure_claim(c.op, volume).context(space_words(c.space, c.catalog)));
    seen += (seen.empty() ? "" : "; ") + words;
    claims.push_back(claim_word(volume.pair));
  }
  c.space.claims = std::move(claims);
  return seen.empty() ? std::string(kNothing) : seen;
}

}  // namespace homeport::core
