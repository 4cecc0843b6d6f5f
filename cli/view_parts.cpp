#include "cli/view_parts.h"

#include <nlohmann/json.hpp>

namespace homeport::cli::parts {

std::string size_at(const Json& item, std::string_view path) {
  return human_bytes(number_at(item, path));
}

std::string age_at(const Json& item, std::string_view path, WallTime now) {
  return human_age(text_at(item, path), now);
}

std::string backend_state(const Json& backend) {
  std::string state = text_at(backend, "state");
  if (flag_at(backend, "drained")) state += ", drained";
  return state;
}

std::string home_name(const Json& space) {
  std::string name = text_at(space, "name");
  if (const std::string server = text_at(space, "server"); server != "-") name += "/" + server;
  return name;
}

std::string home_state(const Json& space) {
  const std::string state = text_at(space, "state");
  return state == "ready" && member(space, "dormant_since") != nullptr ? "dormant" : state;
}

}  // namespace homeport::cli::parts
