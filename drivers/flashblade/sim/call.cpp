#include "drivers/flashblade/sim/call.h"

#include <charconv>

#include "drivers/flashblade/sim/table.h"

namespace homeport::fbsim {

std::string HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (folded(key) == folded(name)) return value;
  }
  return {};
}

std::string percent_decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_blank ? ' ' : text[i];
    }
  }
  return out;
}

Query parse_query(std::string_view text) {
  Query out;
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::string() : percent_decode(pair.substr(equals + 1), true);
    const auto [at, fresh] = out.emplace(std::move(name), value);
    if (!fresh) at->second += ',' + value;
  }
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto comma = text.find(',');
    out.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return out;
}

std::string Call::text(std::string_view name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

std::vector<std::string> Call::list(std::string_view name) const {
  return split_list(text(name));
}

Or<std::optional<bool>> Call::optional_flag(std::string_view name) const {
  if (!has(name)) return std::optional<bool>();
  const auto value = folded(text(name));
  if (value == "true") return std::optional<bool>(true);
  if (value == "false") return std::optional<bool>(false);
  return Refusal{"Invalid value for query parameter: " + std::string(name)};
}

Or<bool> Call::flag(std::string_view name) const {
  HOMEPORT_TRY(const auto value, optional_flag(name));
  return value.value_or(false);
}

Or<std::optional<std::uint64_t>> Call::number(std::string_view name) const {
  if (!has(name)) return std::optional<std::uint64_t>();
  const auto value = text(name);
  std::uint64_t out = 0;
  const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (bad != std::errc() || end != value.data() + value.size() || value.empty()) {
    return Refusal{"Invalid value for query parameter: " + std::string(name)};
  }
  return std::optional<std::uint64_t>(out);
}

Json items_of(Json items) {
  Json out;
  out["items"] = std::move(items);
  return out;
}

}  // namespace homeport::fbsim
