// What every answer of an array is read by: lists of items, and the page that follows.
#pragma once

#include <string>

#include "drivers/flashblade/array_api.h"

namespace homeport::drivers::flashblade {

[[nodiscard]] inline Error strange(const std::string& what, const std::string& why) {
  return Error{.code = Errc::internal,
               .message = "the array's answer to " + what + " is not an answer to it: " + why,
               .hint = "report this with the array's Purity//FB version"};
}

[[nodiscard]] inline Result<const nlohmann::json*> items_of(const nlohmann::json& body, const std::string& what) {
  const auto at = body.find("items");
  if (at == body.end() || !at->is_array()) return strange(what, "it has no items");
  return &*at;
}

template <class T>
Result<Listing<T>> listing_of(const nlohmann::json& body, const std::string& what,
                              Result<T> (*read)(const nlohmann::json&)) {
  HOMEPORT_TRY(const nlohmann::json* items, items_of(body, what));
  Listing<T> out;
  out.items.reserve(items->size());
  for (const auto& item : *items) {
    HOMEPORT_TRY(auto one, read(item));
    out.items.push_back(std::move(one));
  }
  if (const auto at = body.find("continuation_token"); at != body.end() && at->is_string()) {
    if (!at->get_ref<const std::string&>().empty()) out.next = at->get<std::string>();
  }
  if (const auto at = body.find("total_item_count"); at != body.end() && at->is_number_unsigned()) {
    out.total = at->get<std::uint64_t>();
  }
  if (out.next && out.items.empty()) return strange(what, "an empty page says that another follows");
  return out;
}

}  // namespace homeport::drivers::flashblade
