// Small parts that several views are put together from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/json.h"
#include "cli/output.h"

namespace homeport::cli::parts {

[[nodiscard]] std::string size_at(const Json& item, std::string_view path);
[[nodiscard]] std::string age_at(const Json& item, std::string_view path, WallTime now);
[[nodiscard]] std::string backend_state(const Json& backend);
// "alice", "alice/gpu" for a named server.
[[nodiscard]] std::string home_name(const Json& space);
// The space's state, or "dormant" for one in use whose owner has left.
[[nodiscard]] std::string home_state(const Json& space);

}  // namespace homeport::cli::parts
