#include "drivers/identity/directory_text.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "provisioner/base/names.h"

namespace homeport::drivers::identity {
namespace {

constexpr std::size_t kDeepestFilter = 32;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Empty: `text` is not UTF-8.
std::optional<std::string> composed(std::string_view text, bool fold_case) {
  unsigned options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  if (fold_case) options |= UTF8PROC_CASEFOLD;
  utf8proc_uint8_t* raw = nullptr;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size =
      utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &raw, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  if (size < 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size));
}

// Reads one filter; says what is wrong or moves past it.
class FilterReader {
 public:
  explicit FilterReader(std::string_view text) : text_(text) {}

  std::string_view read_all() {
    if (const auto why = read(0); !why.empty()) return why;
    return at_ == text_.size() ? "" : "goes on after its last bracket";
  }

 private:
  std::string_view read(std::size_t depth) {
    if (depth > kDeepestFilter) return "nests too deep";
    if (!take('(')) return "must be in brackets, for example (objectClass=posixAccount)";
    std::string_view why;
    if (take('&') || take('|')) {
      while (why.empty() && peek() == '(') why = read(depth + 1);
    } else if (take('!')) {
      why = read(depth + 1);
    } else {
      why = read_item();
    }
    if (!why.empty()) return why;
    return take(')') ? "" : "has a bracket that is not closed";
  }

  std::string_view read_item() {
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           (is_letter(peek()) || is_digit(peek()) || std::string_view("-.;:").find(peek()) != std::string_view::npos))
      ++at_;
    if (at_ == start) return "has a condition without an attribute";
    if (peek() == '~' || peek() == '<' || peek() == '>') ++at_;
    if (!take('=')) return "has a condition without '='";
    while (at_ < text_.size() && peek() != ')') {
      if (peek() == '(' || peek() == '\0') return "has a value with '(' or NUL that is not escaped";
      if (take('\\')) {
        if (at_ + 1 >= text_.size() || !is_hex(text_[at_]) || !is_hex(text_[at_ + 1]))
          return "has a '\\' that is not followed by two hex digits";
        ++at_;
      }
      ++at_;
    }
    return "";
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : ')'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string escaped_filter_value(std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : value) {
    if (c != '*' && c != '(' && c != ')' && c != '\\' && c != '\0') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '\\';
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
  return out;
}

std::string_view filter_trouble(std::string_view filter) {
  if (!is_valid_utf8(filter)) return "is not valid UTF-8";
  return FilterReader(filter).read_all();
}

bool is_attribute_name(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  if (is_letter(text.front())) {
    return std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
  }
  return is_digit(text.front()) && is_digit(text.back()) && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
}

bool same_name(std::string_view a, std::string_view b, bool case_sensitive) {
  const auto left = composed(a, !case_sensitive);
  const auto right = composed(b, !case_sensitive);
  return left && right && *left == *right;
}

std::optional<std::string> usable_group_name(std::string_view raw) {
  auto name = composed(raw, false);
  if (!name || !GroupName::parse(*name)) return std::nullopt;
  return name;
}

}  // namespace homeport::drivers::identity
