// Where existing homes lie below a base directory, and whose they are: "{user}", "{hub}/{user}", "jupyter-{tljh_user}".
// Pure; used by the import of a whole base and by a class's `existing:`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/spawner_names.h"
#include "provisioner/base/result.h"

namespace homeport::policies {

class HomePattern {
 public:
  // One or more path components, each literal text with at most one {word}; exactly one of the words of
  // encoding_from_word() in all, {hub} at most once. "{{" and "}}" stand for braces. Errors: invalid_argument.
  static Result<HomePattern> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::size_t depth() const { return components_.size(); }
  [[nodiscard]] bool needs_hub() const;
  [[nodiscard]] NameEncoding encoding() const { return encoding_; }

  // Could a directory of this name lie at that depth (0 is just below the base)? Keeps a walk from looking in vain.
  [[nodiscard]] bool fits(std::size_t depth, std::string_view name) const;

  struct Match {
    std::string user{};       // empty when only `hashed` tells
    std::string hub{};        // empty without {hub}
    bool hashed = false;      // the name ends in a hash: look for it among known names
    std::string user_text{};  // as it stands in the path, for that look-up: encode_name(encoding(), NAME)
  };
  // nullopt: no home by this pattern. `components` as many as depth().
  [[nodiscard]] std::optional<Match> match(const std::vector<std::string>& components) const;

  // The relative path of a person's home. Errors: invalid_argument when a name cannot be one component ("a/b", "..").
  [[nodiscard]] Result<std::string> expand(std::string_view user, std::string_view hub) const;

 private:
  enum class Word { none, user, hub };
  struct Component {
    std::string before{};
    Word word = Word::none;
    std::string after{};
  };
  // The text in the place of the word; nullopt: another name.
  [[nodiscard]] static std::optional<std::string_view> inner(const Component& component, std::string_view name);
  static Result<Component> parse_component(std::string_view text, NameEncoding& encoding);

  std::string text_;
  std::vector<Component> components_;
  NameEncoding encoding_ = NameEncoding::raw;
};

}  // namespace homeport::policies
