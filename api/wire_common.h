// What all wire types share: how times, absent values and sizes stand in JSON. Every member of a reply is always there,
// null for nothing; times are RFC 3339 in UTC; sizes are bytes and their member ends in _bytes.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "provisioner/base/bytes.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/error.h"
#include "provisioner/store/records.h"

namespace homeport::api {

[[nodiscard]] inline nlohmann::json time_json(WallTime t) {
  return format_time(t);
}
[[nodiscard]] inline nlohmann::json time_json(const std::optional<WallTime>& t) {
  return t ? nlohmann::json(format_time(*t)) : nlohmann::json(nullptr);
}
template <class T>
[[nodiscard]] nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}
[[nodiscard]] inline nlohmann::json bytes_json(const std::optional<Bytes>& value) {
  return value ? nlohmann::json(value->count()) : nlohmann::json(nullptr);
}
// "0750": permission bits with setuid, setgid and sticky.
[[nodiscard]] inline std::string mode_text(std::uint32_t mode) {
  std::string digits;
  for (const unsigned shift : {9U, 6U, 3U, 0U}) digits += static_cast<char>('0' + ((mode >> shift) & 7U));
  return digits;
}
// Empty text is "nothing".
[[nodiscard]] inline nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}
[[nodiscard]] inline std::string provenance_name(store::Provenance provenance) {
  switch (provenance) {
    case store::Provenance::api: return "api";
    case store::Provenance::config: return "config";
    case store::Provenance::hand: return "hand";
  }
  return "api";
}
// {"code", "message", "hint"}: an error inside a reply that is not itself a problem.
[[nodiscard]] inline nlohmann::json failure_json(const Error& error) {
  return {
      {"code", std::string(errc_name(error.code))}, {"message", error.sentence()}, {"hint", text_or_null(error.hint)}};
}
// Compact text. Broken UTF-8 (a backend's own words, an entry's raw name) becomes U+FFFD instead of an exception.
[[nodiscard]] inline std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace homeport::api
