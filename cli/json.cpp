#include "cli/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace homeport::cli {
namespace {

bool is_plain_yaml(std::string_view text) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_";
  constexpr std::string_view kMore = "0123456789-.+@=";
  if (text.empty() || kFirst.find(text.front()) == std::string_view::npos) return false;
  for (const char c : text) {
    if (kFirst.find(c) == std::string_view::npos && kMore.find(c) == std::string_view::npos) return false;
  }
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const std::string_view word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return false;
  }
  return true;
}

std::string yaml_scalar(const Json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (is_plain_yaml(text)) return text;
  }
  // A JSON scalar is a YAML scalar; quoted text in JSON's spelling is double-quoted YAML.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write_yaml(const Json& value, std::size_t depth, bool after_dash, std::string& out) {
  const std::string indent(depth * 2, ' ');
  bool first = true;
  const auto lead = [&]() -> std::string {
    const bool inline_first = first && after_dash;
    first = false;
    return inline_first ? std::string{} : indent;
  };
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += lead() + yaml_scalar(Json(key)) + ":";
      if (item.is_structured() && !item.empty()) {
        out += "\n";
        write_yaml(item, depth + 1, false, out);
      } else {
        out += " " + (item.is_structured() ? std::string(item.is_array() ? "[]" : "{}") : yaml_scalar(item)) + "\n";
      }
    }
    return;
  }
  for (const auto& item : value) {
    out += lead() + "- ";
    if (item.is_structured() && !item.empty()) {
      write_yaml(item, depth + 1, true, out);
    } else {
      out += (item.is_structured() ? std::string(item.is_array() ? "[]" : "{}") : yaml_scalar(item)) + "\n";
    }
  }
}

}  // namespace

const Json* member(const Json& value, std::string_view path) {
  const Json* at = &value;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string key(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    if (!at->is_object()) return nullptr;
    const auto found = at->find(key);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at->is_null() ? nullptr : at;
}

std::string scalar_text(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return text.empty() ? "-" : text;
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_array()) {
    std::string out;
    for (const auto& item : value) {
      if (!out.empty()) out += ", ";
      out += scalar_text(item);
    }
    return out.empty() ? "-" : out;
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text_at(const Json& value, std::string_view path) {
  const Json* found = member(value, path);
  return found == nullptr ? "-" : scalar_text(*found);
}

std::optional<std::uint64_t> number_at(const Json& value, std::string_view path) {
  const Json* found = member(value, path);
  if (found == nullptr) return std::nullopt;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  if (found->is_number_integer() && found->get<std::int64_t>() >= 0) return found->get<std::uint64_t>();
  return std::nullopt;
}

bool flag_at(const Json& value, std::string_view path) {
  const Json* found = member(value, path);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

const Json& items_at(const Json& value, std::string_view path) {
  static const Json kNone = Json::array();
  const Json* found = member(value, path);
  return found != nullptr && found->is_array() ? *found : kNone;
}

Result<Json> parse_json(std::string_view text, std::string_view source) {
  auto value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return Error{.code = Errc::internal,
                 .message = std::string(source) + " answered something that is not JSON",
                 .hint = "is this the address of a Homeport service? check --url and what stands in between"};
  }
  return value;
}

std::string json_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string yaml_text(const Json& value) {
  if (!value.is_structured()) return yaml_scalar(value) + "\n";
  if (value.empty()) return value.is_array() ? "[]\n" : "{}\n";
  std::string out;
  write_yaml(value, 0, false, out);
  return out;
}

}  // namespace homeport::cli
