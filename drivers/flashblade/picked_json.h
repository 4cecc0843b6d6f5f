// Large answers, read for a few of their members: a page of 1,000 file systems is 1.7 MB, of which a tenth is looked
// at. Building the rest takes five times as long as all that is done with it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace homeport::drivers::flashblade {

using MemberNames = std::set<std::string, std::less<>>;

// What `text` says, of a listing: its items and continuation, and in the items, at any depth, the members of these
// names. Members that are null are left out. Discarded (json::is_discarded) for what is not JSON.
[[nodiscard]] nlohmann::json picked_listing(const std::string& text, const MemberNames& members);

}  // namespace homeport::drivers::flashblade
