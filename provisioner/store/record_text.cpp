#include "provisioner/store/record_text.h"

namespace homeport::store {
namespace {

bool decode_hex(const std::string& hex, std::string& out) {
  if (hex.size() % 2 != 0 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) return false;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  out.clear();
  for (std::size_t i = 0; i < hex.size(); i += 2) out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return true;
}

}  // namespace

std::string_view word(SpaceKind kind) {
  return space_kind_name(kind);
}
std::string_view word(SpaceState state) {
  return space_state_name(state);
}
std::string_view word(SnapshotState state) {
  return snapshot_state_name(state);
}
std::string_view word(OperationState state) {
  return operation_state_name(state);
}
std::string_view word(Provenance provenance) {
  switch (provenance) {
    case Provenance::api: return "api";
    case Provenance::config: return "config";
    case Provenance::hand: return "hand";
  }
  return "api";
}

void from_word(std::string_view name, std::optional<SpaceKind>& out) {
  out = space_kind_from_name(name);
}
void from_word(std::string_view name, std::optional<SpaceState>& out) {
  out = space_state_from_name(name);
}
void from_word(std::string_view name, std::optional<SnapshotState>& out) {
  out = snapshot_state_from_name(name);
}
void from_word(std::string_view name, std::optional<OperationState>& out) {
  out = operation_state_from_name(name);
}
void from_word(std::string_view name, std::optional<Provenance>& out) {
  if (name == "api") out = Provenance::api;
  if (name == "config") out = Provenance::config;
  if (name == "hand") out = Provenance::hand;
}

nlohmann::json encode_text(const std::string& text) {
  if (is_valid_utf8(text)) return text;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kHex[byte >> 4U];
    hex += kHex[byte & 15U];
  }
  return nlohmann::json{{"hex", hex}};
}

bool decode_text(const nlohmann::json& in, std::string& out) {
  if (in.is_string()) {
    out = in.get_ref<const std::string&>();
    return true;
  }
  if (!in.is_object() || in.size() != 1 || !in.contains("hex") || !in["hex"].is_string()) return false;
  return decode_hex(in["hex"].get_ref<const std::string&>(), out);
}

}  // namespace homeport::store
