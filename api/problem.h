// Errors on the wire: application/problem+json (RFC 9457), and the one map from error kind to HTTP status.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http_types.h"
#include "provisioner/base/error.h"

namespace homeport {

// Exhaustive. The caller's rights are 401 and 403; our own credentials failing at a backend are 502.
[[nodiscard]] unsigned http_status(Errc code);
[[nodiscard]] std::string_view problem_title(Errc code);  // one per kind, never about the single case
// "Not Found" for 404 (RFC 9110 section 15 and its registry); an unknown number gives "Status".
[[nodiscard]] std::string_view status_reason(unsigned status);

// {type: "urn:homeport:error:<code>", title, status, detail, code, hint, retryable, request_id, pointer, upstream}:
// every member is always there, null for nothing. Of the upstream only the name of its system is shown. `status`
// overrides the map where HTTP knows better: 405, 408, 412, 417, 431, 505.
[[nodiscard]] std::string problem_body(const Error& error, std::string_view request_id,
                                       std::optional<unsigned> status = std::nullopt);
// With Retry-After (whole seconds, rounded up, at least 1) when the error says when to come back.
[[nodiscard]] Response problem_response(const Error& error, std::string_view request_id,
                                        std::optional<unsigned> status = std::nullopt);

}  // namespace homeport
