// The core's port for a cluster, over the Kubernetes API (core/v1: persistentvolumes, persistentvolumeclaims, pods).
#pragma once

#include <memory>

#include "provisioner/config/kubernetes_settings.h"
#include "provisioner/core/ports/cluster.h"

namespace homeport::drivers::kubernetes {

// The clock must outlive it.
[[nodiscard]] std::unique_ptr<core::Cluster> make_cluster(config::KubernetesSettings settings, const Clock& clock);

}  // namespace homeport::drivers::kubernetes
