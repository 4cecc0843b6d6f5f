// Pages of lists that lie in memory in the order of their keys.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "api/params.h"
#include "api/problem.h"
#include "api/wire_common.h"

namespace homeport::api {

// ?state= of a list of spaces.
[[nodiscard]] Result<std::optional<store::SpaceState>> state_param(const Request& request);

// `key_of(item)` gives the key, `render(item)` the JSON; `wanted(item)` filters. Items must be sorted by key.
template <class Items, class KeyOf, class Wanted, class Render>
[[nodiscard]] nlohmann::json page_of(const Items& items, const Page& page, KeyOf key_of, Wanted wanted, Render render) {
  nlohmann::json list = nlohmann::json::array();
  nlohmann::json next = nullptr;
  std::string last;
  for (const auto& item : items) {
    const std::string key = key_of(item);
    if (key <= page.after || !wanted(item)) continue;
    if (list.size() == page.limit) {
      next = make_cursor(last);
      break;
    }
    list.push_back(render(item));
    last = key;
  }
  return {{"items", std::move(list)}, {"next", std::move(next)}};
}

// For memory handlers: the answer of a function that gives Result<nlohmann::json>, or its problem.
template <class Fn>
[[nodiscard]] std::optional<Response> json_or_problem(const Request& request, Fn fn) {
  const Result<nlohmann::json> body = fn();
  if (!body) return problem_response(body.error(), request.request_id);
  return json_response(200, dump(*body));
}

}  // namespace homeport::api
