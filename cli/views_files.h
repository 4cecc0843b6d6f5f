// What snapshots hold and what was brought back, as views.h says for everything else.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/output.h"

namespace homeport::cli {

[[nodiscard]] std::string directory_view(const Json& list, const Look& look, WallTime now);  // of a snapshot
[[nodiscard]] std::string versions_view(const Json& found, const Look& look, WallTime now);
[[nodiscard]] std::string all_versions_view(const Json& found, const Look& look, WallTime now);
// A restore's answer, or its operation when it has ended.
[[nodiscard]] std::string restored_view(const Json& answer, const Look& look, WallTime now);

}  // namespace homeport::cli
