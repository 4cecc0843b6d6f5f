#include "policies/home_pattern.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/names.h"

namespace homeport::policies {
namespace {

constexpr std::size_t kMaxDepth = 4;
constexpr std::size_t kMaxText = 512;

Error bad(std::string_view pattern, std::string why) {
  return Error{.code = Errc::invalid_argument,
               .message = "the pattern '" + printable(pattern, 80) + "' " + std::move(why),
               .hint =
                   "write where a home lies below the base: {user}, {hub}/{user}, jupyter-{tljh_user}, "
                   "{escaped_user}, {legacy_escaped_user} or {safe_user}"};
}

bool usable_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

}  // namespace

Result<HomePattern::Component> HomePattern::parse_component(std::string_view text, NameEncoding& encoding) {
  Component out;
  std::string* part = &out.before;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      *part += c;
      ++i;
      continue;
    }
    if (c == '}') return bad(text, "has a } without a {");
    if (c != '{') {
      *part += c;
      continue;
    }
    const auto end = text.find('}', i);
    if (end == std::string_view::npos) return bad(text, "has a { without a }");
    const auto word = text.substr(i + 1, end - i - 1);
    if (out.word != Word::none) return bad(text, "has two words in one component");
    const auto known = encoding_from_word(word);
    if (!known && word != "hub") return bad(text, "has the unknown word {" + printable(word, 40) + "}");
    out.word = known ? Word::user : Word::hub;
    if (known) encoding = *known;
    part = &out.after;
    i = end;
  }
  if (out.word == Word::none && !usable_component(out.before)) return bad(text, "has an empty, . or .. component");
  return out;
}

Result<HomePattern> HomePattern::parse(std::string_view text) {
  if (text.empty() || text.size() > kMaxText) return bad(text, "is empty or too long");
  if (text.front() == '/' || text.back() == '/') return bad(text, "is not relative to the base");
  HomePattern out;
  out.text_ = std::string(text);
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find('/', at), text.size());
    HOMEPORT_TRY(auto component, parse_component(text.substr(at, end - at), out.encoding_));
    out.components_.push_back(std::move(component));
    at = end + 1;
  }
  if (out.components_.size() > kMaxDepth) return bad(text, "has more than 4 components");
  const auto count = [&](Word word) {
    return std::count_if(out.components_.begin(), out.components_.end(), [&](const auto& c) { return c.word == word; });
  };
  if (count(Word::user) != 1) return bad(text, "must name the person once");
  if (count(Word::hub) > 1) return bad(text, "names the hub twice");
  return out;
}

bool HomePattern::needs_hub() const {
  return std::any_of(components_.begin(), components_.end(), [](const auto& c) { return c.word == Word::hub; });
}

std::optional<std::string_view> HomePattern::inner(const Component& component, std::string_view name) {
  const auto fixed = component.before.size() + component.after.size();
  if (component.word == Word::none) return name == component.before ? std::optional(name) : std::nullopt;
  if (name.size() <= fixed || !name.starts_with(component.before) || !name.ends_with(component.after))
    return std::nullopt;
  return name.substr(component.before.size(), name.size() - fixed);
}

bool HomePattern::fits(std::size_t depth, std::string_view name) const {
  return depth < components_.size() && inner(components_[depth], name).has_value();
}

std::optional<HomePattern::Match> HomePattern::match(const std::vector<std::string>& components) const {
  if (components.size() != components_.size()) return std::nullopt;
  Match out;
  for (std::size_t i = 0; i < components.size(); ++i) {
    const auto text = inner(components_[i], components[i]);
    if (!text) return std::nullopt;
    if (components_[i].word == Word::hub) out.hub = std::string(*text);
    if (components_[i].word != Word::user) continue;
    out.user_text = std::string(*text);
    if (is_hashed(encoding_, *text)) {
      out.hashed = true;
    } else if (auto name = decode_name(encoding_, *text)) {
      out.user = std::move(*name);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

Result<std::string> HomePattern::expand(std::string_view user, std::string_view hub) const {
  std::string out;
  for (const auto& component : components_) {
    std::string name = component.before;
    if (component.word == Word::user) name += encode_name(encoding_, user);
    if (component.word == Word::hub) name += hub;
    name += component.after;
    const bool missing = component.word == Word::hub && hub.empty();
    if (missing || !usable_component(name)) {
      return Error{.code = Errc::invalid_argument,
                   .message = missing ? "the pattern '" + text_ + "' needs a hub, and none is given"
                                      : "'" + printable(name, 80) + "' cannot be the name of a directory",
                   .hint = "use {escaped_user} in the pattern for names that hold / or are . or .."};
    }
    out += (out.empty() ? "" : "/") + name;
  }
  return out;
}

}  // namespace homeport::policies
