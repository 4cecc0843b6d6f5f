// A path in a tree, as people and programs write it, and looking one up.
//
// Names in a tree are bytes; JSON and terminals take text. So a name is written as it is where it is printable UTF-8,
// and else byte by byte as \xNN; a backslash is written \\. Every name has a spelling, and every spelling leads back to
// its name (docs/decisions/0014).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/core/optional.h"

namespace homeport::trees {

[[nodiscard]] std::string name_text(std::string_view name);

// Relative to the root of a tree; may be the root itself.
class TreePath {
 public:
  TreePath() = default;  // the root
  // Errors: invalid_argument for an absolute path, empty, '.' and '..' parts, control characters that are not written
  // as \xNN, an unknown escape, a part over 255 bytes, more than 4096 bytes.
  static Result<TreePath> parse(std::string_view text);

  [[nodiscard]] const std::vector<std::string>& parts() const { return parts_; }  // raw bytes
  [[nodiscard]] bool is_root() const { return parts_.empty(); }
  // Precondition of the next two: not the root.
  [[nodiscard]] const std::string& name() const { return parts_.back(); }
  [[nodiscard]] TreePath parent() const;
  // `name` is one component as a tree gives it.
  [[nodiscard]] TreePath operator/(std::string name) const;
  // As parse() takes it; empty for the root.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const TreePath&, const TreePath&) = default;

 private:
  std::vector<std::string> parts_{};
};

// A person who may see and change only what the mode bits let them.
struct Viewer {
  Uid uid{0};
  std::vector<Gid> gids{};
  enum Right : std::uint32_t { read = 4, write = 2, search = 1 };
  // `rights`: bits of Right, all of them wanted.
  [[nodiscard]] bool may(const drivers::EntryAttributes& attributes, std::uint32_t rights) const;
};

// Part by part from the root, each directory above it with the right to search; nothing is followed. nullopt: it is not
// there. Errors: failed_precondition when a link or a file stands on the way, forbidden when `viewer` may not go there.
[[nodiscard]] Result<std::optional<drivers::Entry>> find_entry(const OpContext& op, drivers::Tree& tree,
                                                               const TreePath& path,
                                                               const std::optional<Viewer>& viewer);
// The same for a directory that is to be there. Errors: also not_found.
[[nodiscard]] Result<drivers::Entry> find_directory(const OpContext& op, drivers::Tree& tree, const TreePath& path,
                                                    const std::optional<Viewer>& viewer);

}  // namespace homeport::trees
