// JSON as the command line keeps it: members in the order the service sent them. Reading by dotted paths.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport::cli {

using Json = nlohmann::ordered_json;

// Null: no such member, or it is null. "owner.user_key" goes down two levels.
[[nodiscard]] const Json* member(const Json& value, std::string_view path);
// What a person reads: text as it is, numbers, "yes"/"no", lists joined by ", ", "-" for nothing.
[[nodiscard]] std::string text_at(const Json& value, std::string_view path);
[[nodiscard]] std::string scalar_text(const Json& value);
[[nodiscard]] std::optional<std::uint64_t> number_at(const Json& value, std::string_view path);
[[nodiscard]] bool flag_at(const Json& value, std::string_view path);          // absent: false
[[nodiscard]] const Json& items_at(const Json& value, std::string_view path);  // absent or no list: an empty list

// Errors: internal, naming `source`, for what is not JSON.
[[nodiscard]] Result<Json> parse_json(std::string_view text, std::string_view source);
// Indented, UTF-8 whatever the service sent, ends with a newline.
[[nodiscard]] std::string json_text(const Json& value);
// Block style YAML 1.2; text that could be read as something else is quoted. Ends with a newline.
[[nodiscard]] std::string yaml_text(const Json& value);

}  // namespace homeport::cli
