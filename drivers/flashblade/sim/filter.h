// The filter language of the array: name='x*' and not(destroyed='true') …
//
// Source: the vendor's reference introduction, as retold in this folder's README.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "drivers/flashblade/sim/json.h"
#include "drivers/flashblade/sim/refusal.h"

namespace homeport::fbsim {

// Gives the value at a path of the object in question; null for nothing.
using Probe = std::function<Json(const std::string& path)>;
// "*" in the pattern stands for any text.
[[nodiscard]] bool matches_wildcard(std::string_view pattern, std::string_view text);
// What stands at `path`; of lists on the way the values of all elements, as a list.
[[nodiscard]] Json probe_json(const Json& document, std::string_view path);

class Filter {
 public:
  struct Node;
  // Errors: 400 that names the place.
  static Or<Filter> parse(std::string_view text);
  [[nodiscard]] bool matches(const Probe& probe) const;

 private:
  explicit Filter(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace homeport::fbsim
