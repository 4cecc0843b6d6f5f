// Writing the head of an answer by hand: one buffer, no map of fields in between (RFC 9112).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http_types.h"

namespace homeport {

struct WireOptions {
  bool http11 = true;
  bool keep_alive = true;
  bool chunked = false;  // a stream: no Content-Length
  std::string_view request_id{};
  std::string_view date{};  // IMF-fixdate
};

// Appends status line, fields and the blank line. Content-Length is that of response.text(), except for 204 and 304,
// which have none.
void append_head(std::string& out, const Response& response, const WireOptions& options);
// False for statuses that never have a body.
[[nodiscard]] bool may_have_body(unsigned status);
void append_chunk(std::string& out, std::string_view data);  // "5\r\nhello\r\n"; nothing for empty data
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// "Fri, 20 Nov 2026 08:00:00 GMT" (RFC 9110 section 5.6.7).
[[nodiscard]] std::string http_date(WallTime time);
// 1 to 128 bytes of [A-Za-z0-9._:/+=-]: what we echo and log of a client's own id.
[[nodiscard]] bool is_request_id(std::string_view text);

}  // namespace homeport
