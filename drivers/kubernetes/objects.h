// PersistentVolumes and claims as the Kubernetes API takes them (core/v1). Pure; names are never taken from people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "provisioner/base/bytes.h"
#include "provisioner/core/ports/cluster.h"

namespace homeport::drivers::kubernetes {

inline constexpr std::string_view kManagedByLabel = "app.kubernetes.io/managed-by";
inline constexpr std::string_view kSpaceLabel = "homeport/space";
// Finds everything of ours, of every Homeport that uses the cluster: the space's key tells whose it is.
inline constexpr std::string_view kOurs = "app.kubernetes.io/managed-by=homeport,homeport/space";

// A DNS label of at most 63 characters: the claim's name and 8 hex digits of the namespace's digest, because a volume
// has no namespace and is one claim's.
[[nodiscard]] std::string volume_name(const core::ClusterPair& pair);

// Every scalar is a string. Without a capacity, the placeholder, and an annotation that says so.
[[nodiscard]] nlohmann::json volume_document(const core::ClusterVolume& wanted, Bytes placeholder);
[[nodiscard]] nlohmann::json claim_document(const core::ClusterVolume& wanted, Bytes placeholder);

// Made by us for this space? By its labels.
[[nodiscard]] bool is_ours(const nlohmann::json& object, std::string_view space);
// What of `standing` differs from the document that we would send: "spec.nfs.path"; empty: nothing that matters.
// Capacity does not: NFS enforces none, and a quota may have changed since.
[[nodiscard]] std::string difference(const nlohmann::json& standing, const nlohmann::json& wanted);

// A text member at a JSON pointer; empty when it is absent or no text.
[[nodiscard]] std::string text_at(const nlohmann::json& object, const char* pointer);
[[nodiscard]] std::string label_of(const nlohmann::json& object, std::string_view name);

}  // namespace homeport::drivers::kubernetes
