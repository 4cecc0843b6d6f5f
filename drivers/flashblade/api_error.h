// What an array's refusals mean here. The only place that looks at its statuses and words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/http/client.h"
#include "provisioner/base/error.h"

namespace homeport::drivers::flashblade {

inline constexpr std::string_view kArraySystem = "flashblade";

struct ApiMessage {
  std::string text;
  std::string context{};  // the object, or the request's path
};

// Error bodies come as errors[], error[], {"message"}, {"error","error_description"} or plain text; looked for in this
// order. Control characters are made visible and long texts cut. HTML has no message.
[[nodiscard]] std::vector<ApiMessage> messages_in(std::string_view body);

// `what` names the call: "PATCH file-systems". `changing`: an unclear outcome becomes maybe_applied.
//   not_found            the object is missing (400 "does not exist", 404 in the array's own form)
//   already_exists       the name is taken (400 or 409)
//   out_of_capacity      space, or a limit of the array
//   over_quota           below what is used
//   permission_denied    401, 403
//   rate_limited         429, with what the headers ask for as retry_after
//   unavailable          5xx, and what no array says (HTML, an empty body)
//   conflict, unsupported, failed_precondition; internal when it calls our request malformed
[[nodiscard]] Error refusal(const http::Reply& reply, const std::string& what, bool changing);

// A 2xx answer that cannot be what the array meant to say.
[[nodiscard]] Error garbled(const http::Reply& reply, const std::string& what, const std::string& why, bool changing);

}  // namespace homeport::drivers::flashblade
