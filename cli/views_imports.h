// What imports that look at several things at once show. Pure, as views.h.
#pragma once

#include <string>

#include "cli/views.h"

namespace homeport::cli {

// Several datasets that may be imported.
[[nodiscard]] std::string datasets_plan_view(const Json& plan, const Look& look, WallTime now);
// The mistakes in a volume's file; nothing where there is none.
[[nodiscard]] std::string mistakes_view(const Json& answer, const Look& look);
// What should be known of homes that can be taken over; nothing where there is nothing.
[[nodiscard]] std::string fleet_remarks_view(const Json& plan, const Look& look);

}  // namespace homeport::cli
