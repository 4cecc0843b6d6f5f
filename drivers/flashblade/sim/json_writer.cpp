#include "drivers/flashblade/sim/json_writer.h"

#include <algorithm>

namespace homeport::fbsim {

void JsonWriter::element() {
  if (!out_.empty() && out_.back() != '[') out_ += ',';
}

void JsonWriter::key(std::string_view name) {
  if (!out_.empty() && out_.back() != '{') out_ += ',';
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void JsonWriter::value(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
  if (!plain) {
    // Names may hold any bytes that a client sent.
    out_ += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out_ += '"';
  out_ += text;
  out_ += '"';
}

void JsonWriter::value(const Json& document) {
  out_ += document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void JsonWriter::reference(std::string_view name, std::string_view id, std::string_view type) {
  if (id.empty()) {
    out_ += R"({"name":null,"id":null,"resource_type":null})";
    return;
  }
  open('{');
  member("name", name);
  member("id", id);
  member("resource_type", type);
  close('}');
}

}  // namespace homeport::fbsim
