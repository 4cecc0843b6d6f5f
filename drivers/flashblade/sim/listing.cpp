#include "drivers/flashblade/sim/listing.h"

#include <array>

#include "drivers/flashblade/sim/json_writer.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {
namespace {

constexpr std::size_t kMostTallies = 64;
constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<std::string> read_token(std::string_view token) {
  if (token.empty() || token.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < token.size(); i += 2) {
    const auto high = kDigits.find(token[i]);
    const auto low = kDigits.find(token[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

// Nothing comes last; numbers by value, texts ignoring case.
int compare(const Json& a, const Json& b) {
  if (a.is_null() || b.is_null()) return static_cast<int>(a.is_null()) - static_cast<int>(b.is_null());
  if (a.is_number() && b.is_number()) {
    const auto x = a.get<double>();
    const auto y = b.get<double>();
    return x < y ? -1 : (x > y ? 1 : 0);
  }
  if (a.is_string() && b.is_string())
    return folded(a.get_ref<const std::string&>()).compare(folded(b.get_ref<const std::string&>()));
  return a.dump().compare(b.dump());
}

}  // namespace

std::string make_token(std::string_view order_key) {
  std::string out;
  out.reserve(order_key.size() * 2);
  for (const char c : order_key) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte / 16U];
    out += kDigits[byte % 16U];
  }
  return out;
}

Or<Page> parse_page(const Call& call, std::size_t max_page) {
  Page page;
  if (call.has("filter") && !call.text("filter").empty()) {
    HOMEPORT_TRY(page.filter, Filter::parse(call.text("filter")));
  }
  for (auto field : call.list("sort")) {
    const bool descending = field.ends_with('-');
    if (descending || field.ends_with('+')) field.pop_back();
    page.sort.emplace_back(field, descending);
  }
  HOMEPORT_TRY(const auto limit, call.number("limit"));
  HOMEPORT_TRY(const auto offset, call.number("offset"));
  page.limit = std::min<std::size_t>(limit.value_or(max_page), max_page);
  page.count_only = limit == 0U;
  page.offset = offset.value_or(0);
  HOMEPORT_TRY(page.total_only, call.flag("total_only"));
  if (call.has("continuation_token") && !call.text("continuation_token").empty()) {
    const auto after = read_token(call.text("continuation_token"));
    if (!after || !page.sort.empty()) return Refusal{"Invalid continuation token.", call.text("continuation_token")};
    page.after = *after;
    page.continues = true;
  }
  return page;
}

bool sorts_before(const Page& page, const Probe& a, const Probe& b) {
  for (const auto& [field, descending] : page.sort) {
    const int sign = compare(a(field), b(field));
    if (sign != 0) return descending ? sign > 0 : sign < 0;
  }
  return false;
}

Tally* remembered_tally(Call& call, bool settled, bool& fresh) {
  // What is left of a timer is a matter of time.
  if (!settled || call.text("filter").find("time_remaining") != std::string::npos) return nullptr;
  std::string question = call.path + '?' + std::to_string(call.minor);
  for (const auto& [name, value] : call.query) {
    if (name == "limit" || name == "offset" || name == "continuation_token" || name == "total_only") continue;
    question += '&' + name + '=' + value;
  }
  auto& tallies = call.world.tallies;
  if (tallies.size() >= kMostTallies) tallies.clear();
  const auto [at, inserted] = tallies.try_emplace(std::move(question));
  fresh = inserted;
  return &at->second;
}

void write_envelope(Call& call, const Tally& tally, const std::optional<std::string>& token, std::string_view items) {
  std::string& out = call.written;
  out.reserve(items.size() + tally.total.size() + 200);
  JsonWriter writer(out);
  writer.open('{');
  if (!tally.total.empty()) {
    writer.key("total");
    out += tally.total;
  }
  writer.key("continuation_token");
  if (token) {
    writer.value(*token);
  } else {
    writer.value(nullptr);
  }
  writer.member("total_item_count", tally.count);
  writer.key("items");
  writer.open('[');
  out += items;
  writer.close(']');
  writer.close('}');
}

Json list_envelope(std::optional<Json> total, std::optional<std::string> token, std::size_t count, Json items) {
  Json out;
  if (total) out["total"] = *std::move(total);
  out["continuation_token"] = token ? Json(*token) : Json(nullptr);
  out["total_item_count"] = count;
  out["items"] = std::move(items);
  return out;
}

}  // namespace homeport::fbsim
