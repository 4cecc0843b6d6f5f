#include "drivers/kubernetes/kubernetes_cluster.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "drivers/kubernetes/api_server.h"
#include "drivers/kubernetes/objects.h"

namespace homeport::drivers::kubernetes {

using core::ClusterPair;
using core::ClusterVolume;
using core::CollectedPair;
using core::StandingPair;
using nlohmann::json;

namespace {

constexpr const char* kPageSize = "500";

std::string volumes_target() {
  return "/api/v1/persistentvolumes";
}
std::string volume_target(const ClusterPair& pair) {
  return Target(volumes_target()).part(volume_name(pair)).str();
}
Target in_namespace(const std::string& ns, const char* what) {
  return Target("/api/v1/namespaces").part(ns).literal(what);
}
std::string claim_target(const ClusterPair& pair) {
  return in_namespace(pair.ns, "persistentvolumeclaims").part(pair.claim).str();
}

// Exactly the object that was looked at, and only as it was then.
json preconditions(const json& object) {
  return {
      {"apiVersion", "v1"},
      {"kind", "DeleteOptions"},
      {"preconditions",
       {{"uid", text_at(object, "/metadata/uid")}, {"resourceVersion", text_at(object, "/metadata/resourceVersion")}}}};
}

// Its claim is gone for good, or it could not be cleaned up: no claim is ever bound to it again.
bool is_used_up(const json& volume) {
  const auto phase = text_at(volume, "/status/phase");
  return phase == "Released" || phase == "Failed";
}
bool is_lost(const json& claim) {
  return text_at(claim, "/status/phase") == "Lost";
}
bool is_going(const json& object) {
  return !text_at(object, "/metadata/deletionTimestamp").empty();
}

std::string words_of(const json& document) {
  return text_at(document, "/kind") + " " + text_at(document, "/metadata/name");
}

Error gone_meanwhile(const std::string& what) {
  return Error{.code = Errc::unavailable,
               .message = what + " changed while it was looked at",
               .upstream = Upstream{.system = "kubernetes", .status = 409},
               .retry_after = std::chrono::seconds(1)};
}

class KubernetesCluster final : public core::Cluster {
 public:
  KubernetesCluster(config::KubernetesSettings settings, const Clock& clock)
      : settings_(std::move(settings)), api_(settings_, clock) {}

  [[nodiscard]] const std::vector<std::string>& namespaces() const override { return settings_.namespaces; }

  Result<std::string> ensure_volume(const OpContext& op, const ClusterVolume& wanted) override {
    return ensure(op, volumes_target(), volume_target(wanted.pair),
                  volume_document(wanted, settings_.placeholder_capacity), wanted.pair.space, is_used_up);
  }

  Result<std::string> ensure_claim(const OpContext& op, const ClusterVolume& wanted) override {
    const auto all = in_namespace(wanted.pair.ns, "persistentvolumeclaims").str();
    return ensure(op, all, claim_target(wanted.pair), claim_document(wanted, settings_.placeholder_capacity),
                  wanted.pair.space, is_lost);
  }

  Result<std::vector<StandingPair>> standing(const OpContext& op) override;
  Result<void> collect(const OpContext& op, const std::vector<ClusterPair>& pairs,
                       std::vector<CollectedPair>& done) override;

 private:
  // Makes it, or takes what stands under its name if that is ours and the same.
  Result<std::string> ensure(const OpContext& op, const std::string& all, const std::string& one, const json& document,
                             const std::string& space, bool (*useless)(const json&));
  // False: something of that name stands.
  Result<bool> create(const OpContext& op, const std::string& all, const json& document);
  // nullopt: there is none.
  Result<std::optional<json>> find(const OpContext& op, const std::string& target);
  // False: it changed since, or is in use by what protects it.
  Result<bool> erase(const OpContext& op, const std::string& target, const json& object);
  Result<void> each(const OpContext& op, const Target& list, const std::function<void(const json&)>& item);
  // Claims of the namespace that a pod has or will have mounted.
  Result<std::set<std::string>> claims_in_use(const OpContext& op, const std::string& ns);
  // Why the pair is still there; empty: it is not.
  Result<std::string> collect_one(const OpContext& op, const ClusterPair& pair, const std::set<std::string>& in_use);

  const config::KubernetesSettings settings_;
  ApiServer api_;
};

Result<bool> KubernetesCluster::create(const OpContext& op, const std::string& all, const json& document) {
  HOMEPORT_TRY(const auto made, api_.call(op, "POST", all, &document));
  if (made.status != 404) return made.status != 409;
  return Error{.code = Errc::unavailable,
               .message = words_of(document) + " cannot be made: " + text_at(made.body, "/message"),
               .hint = "is the namespace there?",
               .retry_after = std::chrono::seconds(10)};
}

Result<std::string> KubernetesCluster::ensure(const OpContext& op, const std::string& all, const std::string& one,
                                              const json& document, const std::string& space,
                                              bool (*useless)(const json&)) {
  const std::string words = words_of(document);
  HOMEPORT_TRY(const bool made, create(op, all, document));
  if (made) return words + " made";
  HOMEPORT_TRY(const auto standing, find(op, one));
  if (!standing || is_going(*standing)) return gone_meanwhile(words);
  if (!is_ours(*standing, space)) {
    return Error{.code = Errc::failed_precondition,
                 .message = words + " is there already and was not made by this service for " + space,
                 .hint =
                     "look at it with kubectl; remove it if nobody needs it, or use another namespace. It is left "
                     "alone"};
  }
  if (const auto what = difference(*standing, document); !what.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = words + " was made by Homeport and changed since: " + what + " differs",
                 .hint = "delete it with kubectl once no pod uses it; it is then made anew. It is left alone"};
  }
  if (!useless(*standing)) return words + " was there";
  HOMEPORT_TRY(const bool erased, erase(op, one, *standing));
  if (!erased) return gone_meanwhile(words);
  HOMEPORT_TRY(const bool again, create(op, all, document));
  if (!again) return gone_meanwhile(words);
  return words + " made in place of one that could not be used any more";
}

Result<std::optional<json>> KubernetesCluster::find(const OpContext& op, const std::string& target) {
  HOMEPORT_TRY(auto found, api_.call(op, "GET", target));
  if (found.status == 404) return std::optional<json>{};
  return std::optional<json>(std::move(found.body));
}

Result<bool> KubernetesCluster::erase(const OpContext& op, const std::string& target, const json& object) {
  const auto options = preconditions(object);
  HOMEPORT_TRY(const auto answer, api_.call(op, "DELETE", target, &options));
  return answer.status != 409;
}

Result<void> KubernetesCluster::each(const OpContext& op, const Target& list,
                                     const std::function<void(const json&)>& item) {
  std::string next;
  do {
    Target page = list;
    page.query("limit", kPageSize).query_if("continue", next);
    HOMEPORT_TRY(const auto answer, api_.call(op, "GET", page.str()));
    const auto items = answer.body.find("items");
    if (answer.status != 200 || items == answer.body.end() || !items->is_array()) {
      return Error{
          .code = Errc::unavailable,
          .message = "the Kubernetes API lists nothing at " + list.str() + ": " + text_at(answer.body, "/message"),
          .retry_after = std::chrono::seconds(10)};
    }
    for (const auto& object : *items) item(object);
    next = text_at(answer.body, "/metadata/continue");
  } while (!next.empty());
  return {};
}

Result<std::vector<StandingPair>> KubernetesCluster::standing(const OpContext& op) {
  std::map<ClusterPair, StandingPair> pairs;
  const auto at = [&pairs](const std::string& ns, const std::string& claim, const json& object) -> StandingPair& {
    const ClusterPair pair{.ns = ns, .claim = claim, .space = label_of(object, kSpaceLabel)};
    return pairs.try_emplace(pair, StandingPair{.pair = pair}).first->second;
  };
  HOMEPORT_CHECK(each(op, Target(volumes_target()).query("labelSelector", kOurs), [&](const json& volume) {
    auto& pair = at(text_at(volume, "/spec/claimRef/namespace"), text_at(volume, "/spec/claimRef/name"), volume);
    // Somebody's object with our labels under another name is not the one we would look for.
    if (text_at(volume, "/metadata/name") != volume_name(pair.pair) || is_going(volume)) return;
    pair.volume = true;
    pair.broken = pair.broken || is_used_up(volume);
  }));
  for (const auto& ns : settings_.namespaces) {
    const auto list = in_namespace(ns, "persistentvolumeclaims").query("labelSelector", kOurs);
    HOMEPORT_CHECK(each(op, list, [&](const json& claim) {
      auto& pair = at(ns, text_at(claim, "/metadata/name"), claim);
      pair.claim = !is_going(claim);
      pair.broken = pair.broken || is_lost(claim);
    }));
  }
  std::vector<StandingPair> out;
  for (auto& [key, pair] : pairs) {
    // A namespace that was configured once is not ours any more: we may not even look into it.
    if (std::find(settings_.namespaces.begin(), settings_.namespaces.end(), key.ns) != settings_.namespaces.end())
      out.push_back(std::move(pair));
  }
  return out;
}

Result<std::set<std::string>> KubernetesCluster::claims_in_use(const OpContext& op, const std::string& ns) {
  std::set<std::string> used;
  HOMEPORT_CHECK(each(op, in_namespace(ns, "pods"), [&](const json& pod) {
    const auto phase = text_at(pod, "/status/phase");
    const json::json_pointer volumes("/spec/volumes");
    if (phase == "Succeeded" || phase == "Failed" || !pod.contains(volumes)) return;
    for (const auto& volume : pod.at(volumes)) {
      const auto name = text_at(volume, "/persistentVolumeClaim/claimName");
      if (!name.empty()) used.insert(name);
    }
  }));
  return used;
}

Result<void> KubernetesCluster::collect(const OpContext& op, const std::vector<ClusterPair>& pairs,
                                        std::vector<CollectedPair>& done) {
  std::map<std::string, std::set<std::string>> in_use;
  for (const auto& pair : pairs) {
    if (!in_use.contains(pair.ns)) {
      HOMEPORT_TRY(in_use[pair.ns], claims_in_use(op, pair.ns));
    }
    HOMEPORT_TRY(auto kept, collect_one(op, pair, in_use[pair.ns]));
    done.push_back({.pair = pair, .kept = std::move(kept)});
  }
  return {};
}

Result<std::string> KubernetesCluster::collect_one(const OpContext& op, const ClusterPair& pair,
                                                   const std::set<std::string>& in_use) {
  HOMEPORT_TRY(const auto volume, find(op, volume_target(pair)));
  HOMEPORT_TRY(const auto claim, find(op, claim_target(pair)));
  const bool our_volume = volume && is_ours(*volume, pair.space);
  const bool our_claim = claim && is_ours(*claim, pair.space);
  // Only with Retain does nothing happen to what a deleted claim was bound to.
  const auto policy = our_volume ? text_at(*volume, "/spec/persistentVolumeReclaimPolicy") : std::string("Retain");
  if (policy != "Retain") {
    return "somebody set the reclaim policy of its volume to " + policy + ": set it to Retain, then it is deleted";
  }
  if (our_claim) {
    if (in_use.contains(pair.claim)) return std::string("a pod uses it");
    if (is_going(*claim)) return std::string("the cluster is still deleting it");
    HOMEPORT_TRY(const bool erased, erase(op, claim_target(pair), *claim));
    if (!erased) return std::string("it changed while it was looked at");
  }
  if (!our_volume) return std::string();
  // Whether the claim is gone is the cluster's to say: its controllers release the volume.
  if (text_at(*volume, "/status/phase") == "Bound") return std::string("its volume is still bound");
  if (is_going(*volume)) return std::string("the cluster is still deleting its volume");
  HOMEPORT_TRY(const bool erased, erase(op, volume_target(pair), *volume));
  return erased ? std::string() : std::string("its volume changed while it was looked at");
}

}  // namespace

std::unique_ptr<core::Cluster> make_cluster(config::KubernetesSettings settings, const Clock& clock) {
  return std::make_unique<KubernetesCluster>(std::move(settings), clock);
}

}  // namespace homeport::drivers::kubernetes
