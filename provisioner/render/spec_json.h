// Pieces of the document that are hashed or written on their own. Internal to this folder.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "provisioner/render/mount_spec.h"

namespace homeport::render {

[[nodiscard]] nlohmann::json nfs_options_to_json(const std::optional<NfsOptions>& options);

}  // namespace homeport::render
