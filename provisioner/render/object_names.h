// Names of what a platform keeps for a mount: volumes, claims.
#pragma once

#include <string>

#include "provisioner/render/mount_spec.h"

namespace homeport::render {

// "nb-ID-H": a DNS label of at most 63 characters (RFC 1123). H is the first 10 hex digits of the SHA-256 over source,
// NFS options and access, so the name changes exactly when the mount does: platforms keep the options of a volume they
// already know by name.
[[nodiscard]] std::string object_name(const Mount& mount);

// Of a PersistentVolume: the claim's name and 8 hex digits of the namespace's digest, because a volume has no namespace
// and is one claim's.
[[nodiscard]] std::string cluster_volume_name(std::string_view claim, std::string_view ns);

[[nodiscard]] bool is_dns_label(std::string_view text);

}  // namespace homeport::render
