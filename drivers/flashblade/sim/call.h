// One request as handlers see it, and what they answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/flashblade/sim/json.h"
#include "drivers/flashblade/sim/refusal.h"

namespace homeport::fbsim {

class World;

// What the transport hands over.
struct HttpRequest {
  std::string method{};
  std::string target{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string peer{};
  [[nodiscard]] std::string header(std::string_view name) const;  // ignoring case; absent: empty
};

// How the transport delivers it.
enum class Delivery {
  whole,
  cut,        // the connection ends without a byte of an answer
  truncated,  // the connection ends in the middle of the body
  hold,       // nothing comes, the connection stays
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  Delivery delivery = Delivery::whole;
};

using Query = std::map<std::string, std::string, std::less<>>;
// Decoded. A name that comes twice is one list.
[[nodiscard]] Query parse_query(std::string_view text);
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus_is_blank);
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);  // "a,b"; empty text: no element

// Precondition of all handlers: the session is good, the operation exists in this version, the query holds nothing that
// the operation does not know in this version.
struct Call {
  World& world;
  int minor = 0;
  std::string method{};
  std::string path{};  // "file-systems/policies"
  Query query{};
  Json body = Json::object();
  std::string user{};
  std::string written{};  // the answer as JSON text, where a handler writes it itself; counts before what it returns

  [[nodiscard]] bool has(std::string_view name) const { return query.contains(name); }
  [[nodiscard]] std::string text(std::string_view name) const;               // absent: empty
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;  // absent: empty
  [[nodiscard]] Or<bool> flag(std::string_view name) const;                  // absent: false
  [[nodiscard]] Or<std::optional<bool>> optional_flag(std::string_view name) const;
  [[nodiscard]] Or<std::optional<std::uint64_t>> number(std::string_view name) const;
};

// Answers of 200. DELETE: no body at all.
using Answer = Or<std::optional<Json>>;
[[nodiscard]] Json items_of(Json items);  // {"items": […]}: POST and PATCH

}  // namespace homeport::fbsim
