// Reading a request: query parameters, cursors, headers and bodies. Whatever is not understood is refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/http_types.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/base/result.h"

namespace homeport::api {

// Refuses parameters that are not in `allowed` (names with blanks between; every change takes `wait`) and
// doubled ones.
[[nodiscard]] Result<void> check_query(const Request& request, std::string_view allowed);

// "true" | "false"; absent: false.
[[nodiscard]] Result<bool> flag_param(const Request& request, std::string_view name);
[[nodiscard]] Result<std::optional<std::uint64_t>> number_param(const Request& request, std::string_view name,
                                                                std::uint64_t low, std::uint64_t high);
// ?wait= in seconds.
[[nodiscard]] Result<std::chrono::seconds> wait_param(const Request& request, std::chrono::seconds fallback,
                                                      std::chrono::seconds most);

// A page of a list in the order of its keys.
struct Page {
  std::string after{};      // the last key of the page before; empty: from the start
  std::size_t limit = 100;  // 1..1000
};
[[nodiscard]] Result<Page> page_params(const Request& request);
// Opaque: base64url (RFC 4648 section 5, without padding) of a version and the key.
[[nodiscard]] std::string make_cursor(std::string_view key);
[[nodiscard]] Result<std::string> read_cursor(std::string_view cursor);

// If-Match: "7" or 7. Errors: invalid_argument. Absent or "*": nullopt.
[[nodiscard]] Result<std::optional<std::uint64_t>> if_match(const Request& request);
[[nodiscard]] std::string revision_etag(std::uint64_t revision);

// For routes that take no body: empty or {}.
[[nodiscard]] Result<void> expect_no_body(const Request& request);

// Reads a JSON body with `fn(DocReader&)`, which gives what it could read; all problems become one error with a
// pointer.
template <class Fn>
[[nodiscard]] auto read_body(const Request& request, Fn fn) -> Result<decltype(fn(std::declval<DocReader&>()))> {
  HOMEPORT_TRY(const Document document, parse_json_document(request.body, "request body"));
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto value = fn(in);
  in.finish();
  if (!problems.none()) return problems.to_error();
  return value;
}

}  // namespace homeport::api
