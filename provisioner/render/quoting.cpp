#include "provisioner/render/quoting.h"

#include <cstdint>

namespace homeport::render {

namespace {

// As in \x0a, \u00e9, \U0001f600.
std::string hex_escape(char kind, std::uint32_t value, int digits) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out{'\\', kind};
  for (int i = digits - 1; i >= 0; --i) out += kHex[(value >> (4U * static_cast<unsigned>(i))) & 15U];
  return out;
}

std::string with_backslash(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string shell_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string fstab_field(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case ' ': out += "\\040"; break;
      case '\t': out += "\\011"; break;
      case '\n': out += "\\012"; break;
      case '\\': out += "\\134"; break;
      case '#': out += "\\043"; break;
      default: out += c;
    }
  }
  return out;
}

std::string double_braces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '{' || c == '}') out += c;
    out += c;
  }
  return out;
}

std::string kubernetes_literal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts_something = text[i] == '$' && i + 1 < text.size() && (text[i + 1] == '$' || text[i + 1] == '(');
    if (starts_something) out += '$';
    out += text[i];
  }
  return out;
}

std::string yaml_quote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      if (c == '"' || c == '\\') out += '\\';
      if (c >= 0x20 && c < 0x7f) {
        out += static_cast<char>(c);
      } else {
        out += hex_escape('x', c, 2);
      }
      ++i;
      continue;
    }
    const std::size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    std::uint32_t point = c & (0x3fU >> more);
    for (std::size_t k = 1; k <= more && i + k < text.size(); ++k)
      point = (point << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    i += more + 1;
    out += point > 0xffff ? hex_escape('U', point, 8) : hex_escape('u', point, 4);
  }
  return out + "\"";
}

std::string compose_literal(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '$' ? 2 : 1, c);
  return out;
}

std::string autofs_word(std::string_view text) {
  return with_backslash(text, " \t\"\\$&#*");
}

std::string systemd_value(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '%' ? 2 : 1, c);
  return out;
}

std::string systemd_path_name(std::string_view path) {
  if (path == "/") return "-";
  std::string out;
  for (std::size_t i = 1; i < path.size(); ++i) {
    const char c = path[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == ':' || (c == '.' && i > 1);
    if (c == '/') {
      out += '-';
    } else if (plain) {
      out += c;
    } else {
      out += hex_escape('x', static_cast<unsigned char>(c), 2);
    }
  }
  return out;
}

std::string systemd_bind_word(std::string_view path) {
  return with_backslash(path, ": \t\"'\\");
}

std::string systemd_env_value(std::string_view text) {
  return "\"" + with_backslash(text, "\"\\`$") + "\"";
}

}  // namespace homeport::render
