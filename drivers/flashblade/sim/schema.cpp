#include "drivers/flashblade/sim/schema.h"

#include <algorithm>
#include <string>

namespace homeport::fbsim {
namespace {

bool is_reference(const Json& value) {
  if (!value.is_object()) return false;
  for (const auto& [name, member] : value.items()) {
    if (name != "name" && name != "id" && name != "resource_type") return false;
    if (!member.is_string() && !member.is_null()) return false;
  }
  return true;
}

bool fits(const Json& value, Kind kind) {
  const auto all = [&value](auto test) { return value.is_array() && std::ranges::all_of(value, test); };
  switch (kind) {
    case Kind::text: return value.is_string();
    case Kind::number: return value.is_number_integer();
    case Kind::boolean: return value.is_boolean();
    case Kind::size:
      return (value.is_number_integer() && (value.is_number_unsigned() || value.get<std::int64_t>() >= 0)) ||
             value == "";
    case Kind::texts: return all([](const Json& element) { return element.is_string(); });
    case Kind::reference: return is_reference(value);
    case Kind::references: return all(is_reference);
    case Kind::objects: return all([](const Json& element) { return element.is_object(); });
    case Kind::object: return value.is_object();
    case Kind::any: return true;
  }
  return false;
}

Or<void> check_members(const Json& object, const std::string& prefix, const Fields& fields, int minor) {
  for (const auto& [name, value] : object.items()) {
    const std::string path = prefix + name;
    const auto known =
        std::ranges::find_if(fields, [&](const Field& field) { return field.path == path && field.since <= minor; });
    if (known != fields.end()) {
      if (!value.is_null() && !fits(value, known->kind)) return Refusal{"Invalid value for body parameter: " + name};
      continue;
    }
    const bool parent = std::ranges::any_of(fields, [&](const Field& field) {
      return field.since <= minor && field.path.size() > path.size() && field.path.starts_with(path) &&
             field.path[path.size()] == '.';
    });
    if (!parent) return Refusal{"Invalid body parameter: " + name};
    if (value.is_null()) continue;
    if (!value.is_object()) return Refusal{"Invalid value for body parameter: " + name};
    HOMEPORT_CHECK(check_members(value, path + '.', fields, minor));
  }
  return {};
}

}  // namespace

Or<void> check_body(const Json& body, const Fields& fields, int minor) {
  if (!body.is_object()) return Refusal{"The request body must be a JSON object."};
  return check_members(body, "", fields, minor);
}

}  // namespace homeport::fbsim
