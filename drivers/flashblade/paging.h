// Our places in the array's listings: its continuation tokens, marked as ours, so that a cursor of another listing is
// told apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "drivers/core/types.h"

namespace homeport::drivers::flashblade {

inline constexpr std::uint32_t kPage = 1000;  // items asked for at once

// Errors: invalid_argument for what is no cursor of ours.
[[nodiscard]] Result<std::optional<std::string>> token_of(const std::optional<Cursor>& from);
[[nodiscard]] std::optional<Cursor> cursor_of(const std::optional<std::string>& token);

}  // namespace homeport::drivers::flashblade
