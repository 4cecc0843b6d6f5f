// From a method and a path to a route. Pure; built once, then constant.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_types.h"
#include "provisioner/base/result.h"

namespace homeport {

// Takes a request target apart: origin form, absolute form and "*" (RFC 9112 section 3.2). Each part of the path is
// percent-decoded by itself, so an encoded slash stays within its part; in the query '+' is a space. `out` holds views
// into `raw` and into out.decoded. Errors: invalid_argument for a broken percent sign, a fragment, an authority form,
// or more than 32 parts or 64 parameters.
Result<void> parse_target(std::string_view raw, RequestTarget& out);

struct Route {
  Method method;
  std::string pattern;                          // "/v1/homes/{user}": a part is a literal or one parameter
  int id;                                       // what Request::route will say; unique
  std::optional<std::size_t> max_body_bytes{};  // instead of HttpLimits::max_body_bytes
};

struct RouteMatch {
  enum class Kind { found, not_found, method_not_allowed, options };
  Kind kind = Kind::not_found;
  const Route* route = nullptr;  // found
  std::string allow{};           // method_not_allowed and options: "GET, HEAD, OPTIONS"
  std::string hint{};            // not_found: the route that was perhaps meant
};

// Threads: constant after create().
class Router {
 public:
  // Errors: invalid_argument for a pattern that is not well-formed, and for two routes of one method that accept the
  // same paths.
  static Result<Router> create(std::vector<Route> routes);

  // Fills `params` with views into the segments. A literal part wins over a parameter. HEAD finds the GET route where
  // there is no HEAD route of its own; OPTIONS is answered from the table.
  [[nodiscard]] RouteMatch match(Method method, const RequestTarget& target, std::vector<PathParam>& params) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Node {
    std::vector<std::pair<std::string, std::size_t>> literals{};
    std::size_t parameter = 0;                                             // 0: none (the root is nobody's child)
    std::array<int, kMethodCount> routes{-1, -1, -1, -1, -1, -1, -1, -1};  // index into routes_
  };
  struct Search;

  Router() = default;
  Result<void> add(std::size_t index);
  [[nodiscard]] int find(Search& search, std::size_t node, std::size_t depth) const;
  [[nodiscard]] std::string nearest(Method method, const RequestTarget& target) const;

  std::vector<Route> routes_;
  std::vector<std::vector<std::string>> parts_;  // of the pattern, per route
  std::vector<std::vector<std::string>> names_;  // of the parameters, per route
  std::vector<Node> nodes_;
};

}  // namespace homeport
