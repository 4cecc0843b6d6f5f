#include "api/router.h"

#include <algorithm>
#include <set>

#include "provisioner/base/names.h"

namespace homeport {
namespace {

constexpr std::size_t kMaxSegments = 32;
constexpr std::size_t kMaxQuery = 64;

Error bad_target(std::string message, std::string_view raw) {
  return Error{.code = Errc::invalid_argument,
               .message = std::move(message) + ": " + printable(raw),
               .hint = "write a percent sign in a path or query as %25, and other odd bytes as % and two hex digits"};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False: a percent sign without two hex digits.
bool decode(std::string_view text, bool plus_is_space, std::string& out) {
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return false;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return true;
}

// nullopt: broken. Text without anything to decode is returned as it is.
std::optional<std::string_view> decoded_view(std::string_view text, bool plus_is_space, RequestTarget& out) {
  if (text.find_first_of(plus_is_space ? "%+" : "%") == std::string_view::npos) return text;
  std::string plain;
  if (!decode(text, plus_is_space, plain)) return std::nullopt;
  return out.decoded.emplace_front(std::move(plain));
}

Result<void> parse_path(std::string_view path, RequestTarget& out) {
  if (path.size() == 1) return {};
  std::size_t from = 1;
  while (true) {
    const auto slash = path.find('/', from);
    const auto part = decoded_view(path.substr(from, slash - from), false, out);
    if (!part) return bad_target("the path has a percent sign without two hex digits", path);
    if (out.segments.size() == kMaxSegments) return bad_target("the path has too many parts", path);
    out.segments.push_back(*part);
    if (slash == std::string_view::npos) return {};
    from = slash + 1;
  }
}

Result<void> parse_query(std::string_view query, RequestTarget& out) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto item = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (item.empty()) continue;
    const auto equals = item.find('=');
    const auto name = decoded_view(item.substr(0, equals), true, out);
    const auto value =
        decoded_view(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1), true, out);
    if (!name || !value) return bad_target("the query has a percent sign without two hex digits", item);
    if (out.query.size() == kMaxQuery) return bad_target("the query has too many parameters", item);
    out.query.push_back({*name, *value});
  }
  return {};
}

// "http://host:1/path" -> "/path"; anything else as it is.
std::string_view without_authority(std::string_view raw) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(raw.substr(0, scheme.size()), scheme)) continue;
    const auto path = raw.find_first_of("/?", scheme.size());
    return path == std::string_view::npos ? "/" : raw.substr(path);
  }
  return raw;
}

bool is_parameter(std::string_view part) {
  return part.size() > 2 && part.front() == '{' && part.back() == '}';
}

// How far `written` is from `meant`, in single edits.
std::size_t edit_distance(std::string_view written, std::string_view meant) {
  std::vector<std::size_t> row(meant.size() + 1);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (std::size_t i = 1; i <= written.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= meant.size(); ++j) {
      const std::size_t change = diagonal + (written[i - 1] == meant[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

// A parameter costs nothing, unless nothing stands in its place.
std::size_t distance(const std::vector<std::string_view>& segments, const std::vector<std::string>& pattern) {
  constexpr std::size_t kMaxPart = 64;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < std::max(segments.size(), pattern.size()); ++i) {
    const std::string_view part = i < segments.size() ? segments[i].substr(0, kMaxPart) : std::string_view();
    if (i >= pattern.size()) {
      sum += part.size() + 1;
    } else if (is_parameter(pattern[i])) {
      sum += part.empty() ? 3 : 0;
    } else {
      sum += edit_distance(part, pattern[i]);
    }
  }
  return sum;
}

std::vector<std::string> parts_of(std::string_view pattern) {
  std::vector<std::string> parts;
  if (pattern == "/") return parts;
  std::size_t from = 1;
  while (from <= pattern.size()) {
    const auto slash = std::min(pattern.find('/', from), pattern.size());
    parts.emplace_back(pattern.substr(from, slash - from));
    from = slash + 1;
  }
  return parts;
}

Error bad_pattern(const Route& route, std::string_view what) {
  return Error{
      .code = Errc::invalid_argument,
      .message = "route " + std::string(method_name(route.method)) + " " + route.pattern + " " + std::string(what)};
}

}  // namespace

Result<void> parse_target(std::string_view raw, RequestTarget& out) {
  out.segments.clear();
  out.query.clear();
  out.decoded.clear();
  out.raw = raw;
  out.path = raw;
  if (raw == "*") return {};
  if (raw.find('#') != std::string_view::npos) return bad_target("the target has a fragment", raw);
  const auto local = without_authority(raw);
  const auto mark = local.find('?');
  const bool bare_host = mark == 0 && local.size() < raw.size();  // "http://host?query"
  out.path = bare_host ? std::string_view("/") : local.substr(0, mark);
  if (out.path.empty() || out.path.front() != '/') return bad_target("the target is not a path", raw);
  HOMEPORT_CHECK(parse_path(out.path, out));
  if (mark == std::string_view::npos) return {};
  return parse_query(local.substr(mark + 1), out);
}

struct Router::Search {
  std::size_t method;  // kMethodCount: any; collects all that are there
  const std::vector<std::string_view>& segments;
  std::vector<PathParam>& params;
  std::array<bool, kMethodCount> seen{};
  bool any = false;
};

Result<Router> Router::create(std::vector<Route> routes) {
  Router router;
  router.routes_ = std::move(routes);
  router.parts_.resize(router.routes_.size());
  router.names_.resize(router.routes_.size());
  router.nodes_.emplace_back();
  std::set<int> ids;
  for (std::size_t i = 0; i < router.routes_.size(); ++i) {
    if (!ids.insert(router.routes_[i].id).second) return bad_pattern(router.routes_[i], "has an id that is taken");
    HOMEPORT_CHECK(router.add(i));
  }
  return router;
}

Result<void> Router::add(std::size_t index) {
  const Route& route = routes_[index];
  if (route.pattern.empty() || route.pattern.front() != '/') return bad_pattern(route, "does not begin with a slash");
  std::size_t node = 0;
  parts_[index] = parts_of(route.pattern);
  for (const auto& part : parts_[index]) {
    std::size_t next = 0;
    if (is_parameter(part)) {
      names_[index].push_back(part.substr(1, part.size() - 2));
      next = nodes_[node].parameter;
      if (next == 0) nodes_[node].parameter = nodes_.size();
    } else {
      if (part.empty() || part.find_first_of("{}%?#") != std::string::npos) return bad_pattern(route, "has a bad part");
      for (const auto& [literal, child] : nodes_[node].literals) {
        if (literal == part) next = child;
      }
      if (next == 0) nodes_[node].literals.emplace_back(part, nodes_.size());
    }
    if (next == 0) {
      next = nodes_.size();
      nodes_.emplace_back();
    }
    node = next;
  }
  auto& slot = nodes_[node].routes[static_cast<std::size_t>(route.method)];
  if (slot >= 0)
    return bad_pattern(route, "accepts the same paths as " + routes_[static_cast<std::size_t>(slot)].pattern);
  slot = static_cast<int>(index);
  return {};
}

int Router::find(Search& search, std::size_t node, std::size_t depth) const {
  const Node& here = nodes_[node];
  if (depth == search.segments.size()) {
    if (search.method < kMethodCount) return here.routes[search.method];
    for (std::size_t i = 0; i < kMethodCount; ++i) {
      if (here.routes[i] < 0) continue;
      search.seen[i] = true;
      search.any = true;
    }
    return -1;
  }
  const std::string_view part = search.segments[depth];
  for (const auto& [literal, child] : here.literals) {
    if (literal != part) continue;
    const int found = find(search, child, depth + 1);
    if (found >= 0) return found;
  }
  if (here.parameter == 0 || part.empty()) return -1;
  search.params.push_back({{}, part});
  const int found = find(search, here.parameter, depth + 1);
  if (found < 0) search.params.pop_back();
  return found;
}

RouteMatch Router::match(Method method, const RequestTarget& target, std::vector<PathParam>& params) const {
  params.clear();
  const bool whole_server = target.path == "*";
  Search search{.method = static_cast<std::size_t>(method), .segments = target.segments, .params = params};
  int found = whole_server ? -1 : find(search, 0, 0);
  if (found < 0 && method == Method::head && !whole_server) {
    search.method = static_cast<std::size_t>(Method::get);
    found = find(search, 0, 0);
  }
  if (found >= 0) {
    const auto index = static_cast<std::size_t>(found);
    for (std::size_t i = 0; i < params.size(); ++i) params[i].name = names_[index][i];
    return RouteMatch{.kind = RouteMatch::Kind::found, .route = &routes_[index]};
  }
  if (whole_server) {
    if (method != Method::options) return RouteMatch{.hint = "only OPTIONS may name the whole server"};
    return RouteMatch{.kind = RouteMatch::Kind::options, .allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"};
  }
  search.method = kMethodCount;
  (void)find(search, 0, 0);
  params.clear();
  if (!search.any) return RouteMatch{.hint = nearest(method, target)};
  search.seen[static_cast<std::size_t>(Method::head)] |= search.seen[static_cast<std::size_t>(Method::get)];
  search.seen[static_cast<std::size_t>(Method::options)] = true;
  std::string allow;
  for (std::size_t i = 0; i < kMethodCount; ++i) {
    if (!search.seen[i]) continue;
    if (!allow.empty()) allow += ", ";
    allow += method_name(static_cast<Method>(i));
  }
  const auto kind = method == Method::options ? RouteMatch::Kind::options : RouteMatch::Kind::method_not_allowed;
  return RouteMatch{.kind = kind, .allow = std::move(allow)};
}

std::string Router::nearest(Method method, const RequestTarget& target) const {
  constexpr std::size_t kTooFar = 12;      // half edits; further away is another thing altogether
  std::vector<std::string_view> segments;  // a doubled or trailing slash is the commonest slip of all
  for (const auto segment : target.segments) {
    if (!segment.empty()) segments.push_back(segment);
  }
  const Route* best = nullptr;
  std::size_t best_distance = kTooFar;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (segments.size() > parts_[i].size() + 2) continue;
    // Of equally near routes the one with the same method is meant.
    const std::size_t far = 2 * distance(segments, parts_[i]) + (routes_[i].method == method ? 0 : 1);
    if (far >= best_distance) continue;
    best_distance = far;
    best = &routes_[i];
  }
  if (best == nullptr) return "GET /v1/openapi.json describes every path of this service";
  return "did you mean " + std::string(method_name(best->method)) + " " + best->pattern + "?";
}

}  // namespace homeport
