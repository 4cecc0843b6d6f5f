// Enumerators and text as they stand in the documents of rows; for records.cpp.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "provisioner/store/records.h"

namespace homeport::store {

[[nodiscard]] std::string_view word(SpaceKind kind);
[[nodiscard]] std::string_view word(SpaceState state);
[[nodiscard]] std::string_view word(SnapshotState state);
[[nodiscard]] std::string_view word(OperationState state);
[[nodiscard]] std::string_view word(Provenance provenance);
// Leaves `out` as it is for a name that is none.
void from_word(std::string_view name, std::optional<SpaceKind>& out);
void from_word(std::string_view name, std::optional<SpaceState>& out);
void from_word(std::string_view name, std::optional<SnapshotState>& out);
void from_word(std::string_view name, std::optional<OperationState>& out);
void from_word(std::string_view name, std::optional<Provenance>& out);

// JSON text must be UTF-8; bytes from a backend or a header need not be: then {"hex": "…"}.
[[nodiscard]] nlohmann::json encode_text(const std::string& text);
[[nodiscard]] bool decode_text(const nlohmann::json& in, std::string& out);

}  // namespace homeport::store
