#include "provisioner/base/names.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace homeport {
namespace {

constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxPathBytes = 1024;

struct FreeMemory {
  void operator()(utf8proc_uint8_t* p) const { std::free(p); }  // NOLINT: utf8proc_map allocates with malloc
};
using Utf8Text = std::unique_ptr<utf8proc_uint8_t, FreeMemory>;

const utf8proc_uint8_t* as_utf8(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

std::optional<std::string> mapped(std::string_view text, utf8proc_option_t options) {
  utf8proc_uint8_t* raw = nullptr;
  const auto length = utf8proc_map(as_utf8(text), static_cast<utf8proc_ssize_t>(text.size()), &raw, options);
  const Utf8Text owned(raw);
  if (length < 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(owned.get()), static_cast<std::size_t>(length));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7F;
}

// U+0080 to U+009F: some terminals obey them. Precondition: valid UTF-8.
bool has_c1_control(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

enum class Script { other, latin, greek, cyrillic };

// Only the three alphabets whose letters are mistaken for one another; digits, marks and all else are neutral.
Script script_of(utf8proc_int32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0x2AF) || (c >= 0x1E00 && c <= 0x1EFF) ||
      (c >= 0xFF21 && c <= 0xFF5A)) {
    return Script::latin;
  }
  if ((c >= 0x370 && c <= 0x3FF) || (c >= 0x1F00 && c <= 0x1FFF)) return Script::greek;
  if ((c >= 0x400 && c <= 0x52F) || (c >= 0x1C80 && c <= 0x1C8F) || (c >= 0xA640 && c <= 0xA69F))
    return Script::cyrillic;
  return Script::other;
}

std::string_view reject_code_points(std::string_view text) {
  if (is_ascii(text)) {  // nearly every name: no marks, blanks or alphabets to tell apart
    const bool control = std::any_of(text.begin(), text.end(), [](unsigned char c) { return is_control(c); });
    return control ? "contains a control character" : "";
  }
  Script seen = Script::other;
  std::size_t at = 0;
  while (at < text.size()) {
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(as_utf8(text.substr(at)), static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    if (used <= 0) return "is not valid UTF-8";
    at += static_cast<std::size_t>(used);
    const auto category = utf8proc_category(c);
    if (category == UTF8PROC_CATEGORY_CC) return "contains a control character";
    if (category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CN ||
        category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP || utf8proc_get_property(c)->ignorable) {
      return "contains an invisible or unassigned character";
    }
    if (category == UTF8PROC_CATEGORY_ZS && c != ' ') return "contains an unusual blank";
    const Script script = script_of(c);
    if (script == Script::other) continue;
    if (seen != Script::other && seen != script) return "mixes alphabets whose letters look alike";
    seen = script;
  }
  return {};
}

bool is_key(std::string_view text, std::string_view letters) {
  if (text.size() != 18 || text[1] != '-' || letters.find(text[0]) == std::string_view::npos) return false;
  for (const char c : text.substr(2)) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

constexpr std::string_view kKeyLetters = "hdgsu";
// Where a name or a key may stand, the key is meant: a name that looks like one would act on somebody else.
constexpr std::string_view kLikeAKey =
    "has the form of a key (a letter, '-' and 16 hex digits), so it cannot be a name";

std::string_view reject_person_name(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > kMaxNameBytes) return "is longer than 255 bytes";
  if (text == "." || text == "..") return "is a path, not a name";
  if (text.find('/') != std::string_view::npos) return "contains '/'";
  if (text.front() == ' ' || text.back() == ' ') return "starts or ends with a blank";
  if (const auto why = reject_code_points(text); !why.empty()) return why;
  if (is_ascii(text)) return {};
  const auto composed = mapped(text, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  if (!composed || *composed != text) return "is not in Unicode normal form C";
  return {};
}

bool is_slug_edge(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Lower-case Cyrillic and Greek letters that look like a Latin one in common fonts (from Unicode TR 39's table).
struct Twin {
  utf8proc_int32_t letter;
  char latin;
};
constexpr std::array<Twin, 26> kTwins{
    {{0x0430, 'a'}, {0x0435, 'e'}, {0x043E, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'},
     {0x0455, 's'}, {0x0456, 'i'}, {0x0458, 'j'}, {0x043A, 'k'}, {0x04BB, 'h'}, {0x0501, 'd'}, {0x051B, 'q'},
     {0x051D, 'w'}, {0x04CF, 'l'}, {0x03B1, 'a'}, {0x03BF, 'o'}, {0x03BD, 'v'}, {0x03C1, 'p'}, {0x03B9, 'i'},
     {0x03BA, 'k'}, {0x03C5, 'u'}, {0x03C7, 'x'}, {0x03B3, 'y'}, {0x03F3, 'j'}}};

constexpr std::string_view kPersonHint =
    "use the name the hub or directory gives, 1 to 255 bytes of plain text without '/', control or invisible "
    "characters";

}  // namespace

struct UserNameTag {
  static constexpr std::string_view what = "user name";
  static std::string_view reject(std::string_view text) {
    return is_key(text, kKeyLetters) ? kLikeAKey : reject_person_name(text);
  }
  static constexpr std::string_view hint = kPersonHint;
};
struct ServerNameTag {
  static constexpr std::string_view what = "server name";
  static std::string_view reject(std::string_view text) {
    return text.empty() ? std::string_view{} : reject_person_name(text);
  }
  static constexpr std::string_view hint = kPersonHint;
};
struct GroupNameTag {
  static constexpr std::string_view what = "group name";
  static std::string_view reject(std::string_view text) { return reject_person_name(text); }
  static constexpr std::string_view hint = kPersonHint;
};
struct SlugTag {
  static constexpr std::string_view what = "name";
  static std::string_view reject(std::string_view text) {
    if (text.empty()) return "is empty";
    if (text.size() > 63) return "is longer than 63 characters";
    if (is_key(text, kKeyLetters)) return kLikeAKey;
    if (!is_slug_edge(text.front()) || !is_slug_edge(text.back())) return "must start and end with a letter or digit";
    for (const char c : text) {
      if (!is_slug_edge(c) && c != '.' && c != '_' && c != '-') return "has a character that is not allowed";
    }
    return {};
  }
  static constexpr std::string_view hint =
      "use lower-case letters, digits, '.', '_' and '-', for example imagenet-2026";
};

template <class Tag>
Result<Name<Tag>> Name<Tag>::parse(std::string_view text) {
  if (const auto why = Tag::reject(text); !why.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = std::string(Tag::what) + " '" + printable(text, 60) + "' " + std::string(why),
                 .hint = std::string(Tag::hint)};
  }
  return Name{std::string(text)};
}
template class Name<UserNameTag>;
template class Name<ServerNameTag>;
template class Name<GroupNameTag>;
template class Name<SlugTag>;

std::string name_skeleton(std::string_view name) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                                           UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  if (is_ascii(name)) {  // nearly every name, and thousands at a time: only the case can differ
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
  }
  const std::string folded = mapped(name, kOptions).value_or(std::string(name));
  std::string out;
  std::size_t at = 0;
  while (at < folded.size()) {
    utf8proc_int32_t c = 0;
    const std::string_view rest = std::string_view(folded).substr(at);
    const auto used = utf8proc_iterate(as_utf8(rest), static_cast<utf8proc_ssize_t>(rest.size()), &c);
    const std::size_t step = used > 0 ? static_cast<std::size_t>(used) : 1;
    const auto twin = std::find_if(kTwins.begin(), kTwins.end(), [c](const auto& t) { return t.letter == c; });
    if (used > 0 && twin != kTwins.end()) {
      out += twin->latin;
    } else {
      out.append(rest.substr(0, step));
    }
    at += step;
  }
  return out;
}

bool is_valid_utf8(std::string_view text) {
  if (is_ascii(text)) return true;
  std::size_t at = 0;
  while (at < text.size()) {
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(as_utf8(text.substr(at)), static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    if (used <= 0) return false;
    at += static_cast<std::size_t>(used);
  }
  return true;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (out.size() >= max_bytes) return out + "…";
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(as_utf8(text.substr(at)), static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    const auto category = used > 0 ? utf8proc_category(c) : UTF8PROC_CATEGORY_CN;
    const bool plain = used > 0 && category != UTF8PROC_CATEGORY_CC && category != UTF8PROC_CATEGORY_CF &&
                       category != UTF8PROC_CATEGORY_CN && category != UTF8PROC_CATEGORY_CO &&
                       category != UTF8PROC_CATEGORY_ZL && category != UTF8PROC_CATEGORY_ZP;
    const std::size_t step = used > 0 ? static_cast<std::size_t>(used) : 1;
    if (plain) {
      out.append(text.substr(at, step));
    } else {
      for (std::size_t i = 0; i < step; ++i) {
        const auto byte = static_cast<unsigned char>(text[at + i]);
        out += "\\x";
        out += kHex[byte >> 4U];
        out += kHex[byte & 15U];
      }
    }
    at += step;
  }
  return out;
}

Result<AbsolutePath> AbsolutePath::parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Error{
        .code = Errc::invalid_argument,
        .message = "path '" + printable(text, 80) + "' " + std::string(why),
        .hint = "give an absolute path without '.', '..', empty parts or control characters, for example /export/data"};
  };
  if (text.empty() || text.front() != '/') return refuse("is not absolute");
  if (text.size() > kMaxPathBytes) return refuse("is longer than 1024 bytes");
  for (const char c : text) {
    if (is_control(static_cast<unsigned char>(c))) return refuse("contains a control character");
  }
  if (!is_valid_utf8(text)) return refuse("is not valid UTF-8");
  if (has_c1_control(text)) return refuse("contains a control character");
  if (text == "/") return AbsolutePath{std::string(text)};
  std::size_t at = 1;
  while (at <= text.size()) {
    const std::size_t slash = std::min(text.find('/', at), text.size());
    const auto part = text.substr(at, slash - at);
    if (part.empty()) return refuse(slash == text.size() ? "ends with '/'" : "has an empty part");
    if (part == "." || part == "..") return refuse("contains '.' or '..'");
    if (part.size() > 255) return refuse("has a part longer than 255 bytes");
    at = slash + 1;
  }
  return AbsolutePath{std::string(text)};
}

bool AbsolutePath::contains(const AbsolutePath& other) const {
  if (text_ == "/" || text_ == other.text_) return true;
  return other.text_.size() > text_.size() && other.text_.starts_with(text_) && other.text_[text_.size()] == '/';
}

AbsolutePath AbsolutePath::operator/(std::string_view part) const {
  return AbsolutePath{(text_ == "/" ? std::string() : text_) + "/" + std::string(part)};
}

std::string_view space_kind_name(SpaceKind kind) {
  switch (kind) {
    case SpaceKind::home: return "home";
    case SpaceKind::dataset: return "dataset";
    case SpaceKind::group: return "group";
    case SpaceKind::scratch: return "scratch";
  }
  return "home";
}

std::optional<SpaceKind> space_kind_from_name(std::string_view name) {
  for (const auto kind : {SpaceKind::home, SpaceKind::dataset, SpaceKind::group, SpaceKind::scratch}) {
    if (space_kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

char space_kind_letter(SpaceKind kind) {
  return space_kind_name(kind).front();
}

std::string hex16(std::uint64_t value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = kHex[(value >> (4 * i)) & 15U];
  return text;
}

Result<SpaceKey> SpaceKey::parse(std::string_view text) {
  if (is_key(text, "hdgs")) return SpaceKey{std::string(text)};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(text, 40) + "' is not a space key",
               .hint = "a space key is h-, d-, g- or s- and 16 hex digits"};
}

SpaceKey SpaceKey::from_random(SpaceKind kind, std::uint64_t random) {
  return SpaceKey{std::string(1, space_kind_letter(kind)) + "-" + hex16(random)};
}

SpaceKind SpaceKey::kind() const {
  for (const auto kind : {SpaceKind::dataset, SpaceKind::group, SpaceKind::scratch}) {
    if (space_kind_letter(kind) == text_.front()) return kind;
  }
  return SpaceKind::home;
}

Result<UserKey> UserKey::parse(std::string_view text) {
  if (is_key(text, "u")) return UserKey{std::string(text)};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(text, 40) + "' is not a user key",
               .hint = "a user key is u- and 16 hex digits"};
}

UserKey UserKey::from_random(std::uint64_t random) {
  return UserKey{"u-" + hex16(random)};
}

}  // namespace homeport
