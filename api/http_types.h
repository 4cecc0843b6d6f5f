// Requests and answers as plain structs: what handlers see. No socket, no library.
#pragma once

#include <cstdint>
#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "provisioner/base/clock.h"

namespace homeport {

enum class Method { get, head, post, put, patch, del, options, other };
inline constexpr std::size_t kMethodCount = 8;
[[nodiscard]] std::string_view method_name(Method method);                       // "GET"; other: "other"
[[nodiscard]] Method method_from_name(std::string_view name);                    // case matters (RFC 9110 section 9.1)
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

struct QueryParam {  // decoded
  std::string_view name;
  std::string_view value;
};

struct PathParam {
  std::string_view name;   // "user" of the pattern "/v1/homes/{user}"
  std::string_view value;  // decoded: may hold anything, also '/' and control characters
};

// The target of a request line, taken apart (see parse_target). Target (base/url.h) is what a client puts together.
struct RequestTarget {
  std::string_view raw{};                    // as sent
  std::string_view path{};                   // as sent, without the query: for messages
  std::vector<std::string_view> segments{};  // decoded parts of the path; "/" has none
  std::vector<QueryParam> query{};           // in the order sent
  std::forward_list<std::string> decoded{};  // the texts of those parts that had to be decoded
};

// One request. The views point into the memory of `storage`, or, in an inline handler, into the connection's buffer:
// there they are valid until the handler returns. An asynchronous handler owns its Request, and the views live with it.
struct Request {
  Method method = Method::get;
  int route = -1;  // Route::id
  RequestTarget target{};
  std::vector<PathParam> params{};
  std::vector<HeaderField> headers{};
  std::string_view body{};
  std::string request_id{};      // the client's X-Request-ID where that is well-formed, otherwise ours
  std::string remote_address{};  // "127.0.0.1", "2001:db8::1"
  bool is_loopback = false;
  bool is_tls = false;
  MonoTime received_at{};  // when the header was complete
  MonoTime deadline{};     // received_at + HttpLimits::request_time; a handler may choose another
  std::shared_ptr<const void> storage{};

  Request() = default;
  Request(Request&&) = default;
  Request& operator=(Request&&) = default;
  Request(const Request&) = delete;  // the views of a copy would dangle
  Request& operator=(const Request&) = delete;
  ~Request() = default;

  // The first field of that name, whatever its case. Null: there is none.
  [[nodiscard]] const HeaderField* find_header(std::string_view name) const;
  [[nodiscard]] std::string_view header(std::string_view name) const;  // absent: empty
  // The first of that name. Names matter in case.
  [[nodiscard]] std::optional<std::string_view> query(std::string_view name) const;
  [[nodiscard]] std::string_view param(std::string_view name) const;  // absent: empty
  void clear();                                                       // keeps the memory of its lists
};

// A request that owns its text, as a client would have sent it: for tests and for calls inside the service. `target`
// must be well-formed; params are left to the router.
[[nodiscard]] Request make_request(Method method, std::string target,
                                   std::vector<std::pair<std::string, std::string>> headers = {},
                                   std::string body = {});

struct Response {
  unsigned status = 200;
  std::string content_type{};  // empty: no Content-Type field
  std::string body{};
  // Used instead of `body` when set: bytes that several answers share are not copied.
  std::shared_ptr<const std::string> shared_body{};
  // Without Content-Type, Content-Length, Connection, Date and X-Request-ID, which the server writes itself. Control
  // characters in names and values are replaced, so that no value can begin a field of its own.
  std::vector<std::pair<std::string, std::string>> headers{};
  bool close = false;  // end the connection after this answer

  [[nodiscard]] std::string_view text() const { return shared_body ? *shared_body : body; }
  Response& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

[[nodiscard]] Response json_response(unsigned status, std::string body);  // application/json

}  // namespace homeport
