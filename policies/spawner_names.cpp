#include "policies/spawner_names.h"

#include <algorithm>
#include <array>

#include "provisioner/base/digest.h"

namespace homeport::policies {
namespace {

constexpr std::size_t kDnsLabel = 63;
constexpr std::size_t kHashLength = 8;
constexpr std::size_t kSafeLength = 32 - (kHashLength + 3);  // strip_and_hash(max_length=32)
constexpr std::size_t kTljhKept = 26;
constexpr std::size_t kTljhHash = 5;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_plain(char c) {
  return is_lower(c) || (c >= '0' && c <= '9');
}

std::string hex_of(char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {digits[byte >> 4U], digits[byte & 15U]};
}

std::string escaped(std::string_view name, char mark) {
  std::string out;
  for (const char c : name) {
    if (is_plain(c)) {
      out += c;
    } else {
      out += mark + hex_of(c);
    }
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view text, char mark) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != mark) {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = digit(text[i + 1]);
    const int low = digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

bool is_dns_label(std::string_view name) {
  return !name.empty() && name.size() <= kDnsLabel && is_lower(name.front()) && is_plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_plain(c) || c == '-'; });
}

bool is_kept_safe(std::string_view name) {
  return is_dns_label(name) && name.find("--") == std::string_view::npos;
}

std::string without_ends(std::string text, std::size_t longest) {
  text.erase(0, std::min(text.find_first_not_of('-'), text.size()));
  if (text.size() > longest) text.resize(longest);
  while (!text.empty() && text.back() == '-') text.pop_back();
  return text;
}

// Runs of anything but a-z and 0-9 become one '-'; a letter comes first; never empty.
std::string readable_part(std::string_view name, std::size_t longest) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (name.substr(i, 2) == "\xC4\xB0") {  // U+0130: the only other letter whose lower case holds an a-z ('i')
      out += "i-";
      ++i;
      continue;
    }
    if (is_plain(c)) {
      out += c;
    } else if (out.empty() || out.back() != '-') {
      out += '-';
    }
  }
  out = without_ends(std::move(out), longest);
  if (!out.empty() && !is_lower(out.front())) out = "x-" + out.substr(0, longest - 2);
  return out.empty() ? "x" : out;
}

// Counted and cut in characters, as Python does.
std::size_t characters(std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(name.begin(), name.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}
std::string_view first_characters(std::string_view name, std::size_t count) {
  std::size_t at = 0;
  for (; at < name.size(); ++at) {
    if ((static_cast<unsigned char>(name[at]) & 0xC0U) == 0x80U) continue;
    if (count-- == 0) break;
  }
  return name.substr(0, at);
}

bool ends_in_hash(std::string_view text, std::string_view mark, std::size_t length) {
  if (text.size() < mark.size() + length + 1) return false;
  const auto hash = text.substr(text.size() - length);
  return text.substr(text.size() - length - mark.size(), mark.size()) == mark &&
         hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::optional<NameEncoding> encoding_from_word(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, NameEncoding>, 5> words{
      {{"user", NameEncoding::raw},
       {"escaped_user", NameEncoding::escape},
       {"legacy_escaped_user", NameEncoding::legacy_escape},
       {"safe_user", NameEncoding::safe},
       {"tljh_user", NameEncoding::tljh}}};
  const auto at = std::find_if(words.begin(), words.end(), [&](const auto& w) { return w.first == word; });
  return at == words.end() ? std::nullopt : std::optional(at->second);
}

std::string encode_name(NameEncoding encoding, std::string_view name) {
  switch (encoding) {
    case NameEncoding::raw: break;
    case NameEncoding::escape: return escaped(name, '-');
    case NameEncoding::legacy_escape: return escaped(name, '_');
    case NameEncoding::safe:
      if (is_kept_safe(name)) break;
      return readable_part(name, kSafeLength) + "---" + sha256_hex(name).substr(0, kHashLength);
    case NameEncoding::tljh:
      if (characters(name) < kTljhKept) break;
      return std::string(first_characters(name, kTljhKept)) + "-" + sha256_hex(name).substr(0, kTljhHash);
  }
  return std::string(name);
}

bool is_hashed(NameEncoding encoding, std::string_view text) {
  switch (encoding) {
    case NameEncoding::raw:
    case NameEncoding::escape:
    case NameEncoding::legacy_escape: return false;
    case NameEncoding::safe: return ends_in_hash(text, "---", kHashLength);
    case NameEncoding::tljh: return characters(text) == kTljhKept + 1 + kTljhHash && ends_in_hash(text, "-", kTljhHash);
  }
  return false;
}

std::optional<std::string> decode_name(NameEncoding encoding, std::string_view text) {
  std::optional<std::string> name;
  switch (encoding) {
    case NameEncoding::raw:
    case NameEncoding::safe:
    case NameEncoding::tljh: name = std::string(text); break;
    case NameEncoding::escape: name = unescaped(text, '-'); break;
    case NameEncoding::legacy_escape: name = unescaped(text, '_'); break;
  }
  // What the spawner would not have written so is somebody else's directory.
  if (!name || encode_name(encoding, *name) != text) return std::nullopt;
  return name;
}

}  // namespace homeport::policies
