// Request heads and chunked bodies, by Beast's basic_parser, which stays behind this header. Internal to the server.
//
// The parser hands out views into the text it was given: nothing is copied and, once warm, nothing is allocated.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_limits.h"
#include "api/http_types.h"
#include "provisioner/base/error.h"

namespace homeport {

// Why a request is not even looked at, with the status where the kind's own one is not right. 0: the kind's own.
struct Refusal {
  Error error;
  unsigned status = 0;
};

class RequestParser {
 public:
  struct Head {
    bool http11 = true;
    bool keep_alive = true;
    bool chunked = false;
    bool expects_continue = false;
    std::uint64_t content_length = 0;
  };
  enum class Chunks { more, done };

  RequestParser();
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // `text`: from the first byte of the request line to the blank line, inclusive. Fills method, headers and target.raw.
  // Refuses what is not HTTP/1.x, a missing or doubled Host, folded lines, an unknown Expect, and every body whose
  // length two readers could understand differently (RFC 9112 section 6.3).
  std::optional<Refusal> parse_head(std::string_view text, const HttpLimits& limits, Request& request, Head& head);

  // After a head with `chunked`: appends to `body` what `text` holds; `taken` says how much of `text` is done with.
  std::optional<Refusal> parse_chunks(std::string_view text, std::size_t max_body, std::string& body,
                                      std::size_t& taken, Chunks& state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] Refusal body_too_large(std::size_t max_body);
[[nodiscard]] Refusal header_too_large(std::size_t max_header);
[[nodiscard]] Refusal malformed(std::string what);

}  // namespace homeport
