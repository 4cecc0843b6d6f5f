#include "drivers/flashblade/picked_json.h"

#include <simdjson.h>

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;
namespace dom = simdjson::dom;

json picked(const dom::element& element, const MemberNames& members);

// As the other parser does it: what is not below zero is unsigned.
json integer(std::int64_t value) {
  return value < 0 ? json(value) : json(static_cast<std::uint64_t>(value));
}

json picked_object(const dom::object& object, const MemberNames& members) {
  json out = json::object();
  for (const auto& [name, value] : object) {
    if (!value.is_null() && members.contains(name)) out[std::string(name)] = picked(value, members);
  }
  return out;
}

json picked_array(const dom::array& array, const MemberNames& members) {
  json out = json::array();
  auto& items = out.get_ref<json::array_t&>();
  items.reserve(array.size());
  for (const auto& one : array) items.push_back(picked(one, members));
  return out;
}

json picked(const dom::element& element, const MemberNames& members) {
  switch (element.type()) {
    case dom::element_type::OBJECT: return picked_object(element.get_object().value_unsafe(), members);
    case dom::element_type::ARRAY: return picked_array(element.get_array().value_unsafe(), members);
    case dom::element_type::STRING: return std::string(element.get_string().value_unsafe());
    case dom::element_type::INT64: return integer(element.get_int64().value_unsafe());
    case dom::element_type::UINT64: return element.get_uint64().value_unsafe();
    case dom::element_type::DOUBLE: return element.get_double().value_unsafe();
    case dom::element_type::BOOL: return element.get_bool().value_unsafe();
    case dom::element_type::NULL_VALUE: return nullptr;
  }
  return nullptr;
}

MemberNames with_listing(const MemberNames& members) {
  MemberNames out = members;
  out.insert({"items", "continuation_token", "total_item_count"});
  return out;
}

}  // namespace

json picked_listing(const std::string& text, const MemberNames& members) {
  dom::parser parser;
  dom::element root;
  // What this parser refuses and the other one takes (a number beyond 64 bits) is left to the other one.
  if (parser.parse(text).get(root) != simdjson::SUCCESS) return json::parse(text, nullptr, false);
  return picked(root, with_listing(members));
}

}  // namespace homeport::drivers::flashblade
