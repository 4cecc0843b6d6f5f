// JSON as the simulator keeps and answers it: members stay in the order in which they were set.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace homeport::fbsim {

using Json = nlohmann::ordered_json;

// {"name","id","resource_type"}. The array never answers a plain null for an unset reference: every member is null.
[[nodiscard]] Json reference(std::string_view name, std::string_view id, std::string_view type);
[[nodiscard]] Json null_reference();
[[nodiscard]] bool is_set(const Json& reference);  // it has an id

// The member at "nfs.export_policy.name"; null when any part of the way is missing.
[[nodiscard]] const Json* find_path(const Json& document, std::string_view path);
// Makes objects on the way.
void set_path(Json& document, std::string_view path, Json value);
void erase_path(Json& document, std::string_view path);
[[nodiscard]] std::string text_of(const Json& object, std::string_view path, std::string_view fallback = "");

}  // namespace homeport::fbsim
