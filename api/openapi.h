// api/openapi.json as it was when this was built.
#pragma once

#include <string_view>

namespace homeport::api {

[[nodiscard]] std::string_view openapi_text();

}  // namespace homeport::api
