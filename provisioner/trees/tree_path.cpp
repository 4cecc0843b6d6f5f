#include "provisioner/trees/tree_path.h"

#include <algorithm>
#include <limits>

#include "provisioner/base/names.h"

namespace homeport::trees {
namespace {

using drivers::Entry;
using drivers::EntryType;

constexpr std::size_t kLongestName = 255;  // bytes: what filesystems take
constexpr std::size_t kLongestPath = 4096;

Error refused(std::string_view text, const std::string& why) {
  return Error{.code = Errc::invalid_argument,
               .message = "path '" + printable(text, 200) + "' " + why,
               .hint =
                   "give it relative to the top of the space, without '.', '..' and empty parts, for example "
                   "work/analysis.ipynb; bytes that are no text are written \\xNN, a backslash \\\\"};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One part, its escapes resolved. nullopt: an escape that there is not.
std::optional<std::string> unescaped(std::string_view part) {
  std::string out;
  for (std::size_t at = 0; at < part.size(); ++at) {
    if (part[at] != '\\') {
      out += part[at];
    } else if (at + 1 < part.size() && part[at + 1] == '\\') {
      out += '\\';
      ++at;
    } else {
      if (at + 3 >= part.size() || part[at + 1] != 'x') return std::nullopt;
      const int high = hex_digit(part[at + 2]);
      const int low = hex_digit(part[at + 3]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      at += 3;
    }
  }
  return out;
}

std::string_view kind_words(EntryType type) {
  switch (type) {
    case EntryType::file: return "a file";
    case EntryType::symlink: return "a link, and links are not followed";
    case EntryType::directory: return "a directory";
    case EntryType::other: break;
  }
  return "neither a file nor a directory";
}

Error not_yours(const TreePath& path) {
  return Error{
      .code = Errc::forbidden,
      .message = "the owner of this space may not go into " + (path.is_root() ? "its top" : "'" + path.text() + "'"),
      .hint = "its mode and owner keep it from them; an operator can look into it"};
}

}  // namespace

std::string name_text(std::string_view name) {
  std::string doubled;
  for (const char c : name) doubled.append(c == '\\' ? 2 : 1, c);
  return printable(doubled, std::numeric_limits<std::size_t>::max());
}

Result<TreePath> TreePath::parse(std::string_view text) {
  TreePath out;
  if (text.empty()) return out;
  if (text.size() > 4 * kLongestPath) return refused(text, "is too long");
  if (text.front() == '/') return refused(text, "is absolute");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return refused(text, "contains a control character");
  }
  std::size_t bytes = 0;
  for (std::string_view rest = text;;) {
    const auto end = std::min(rest.find('/'), rest.size());
    auto part = unescaped(rest.substr(0, end));
    if (!part) return refused(text, "contains a backslash that is neither \\\\ nor \\xNN");
    if (part->empty()) return refused(text, "has an empty part (two slashes, or one at the end)");
    if (*part == "." || *part == "..") return refused(text, "has a part '" + *part + "'");
    if (part->find('/') != std::string::npos || part->find('\0') != std::string::npos) {
      return refused(text, "has a part with a slash or a zero byte, which no name can hold");
    }
    if (part->size() > kLongestName) return refused(text, "has a part of more than 255 bytes");
    bytes += part->size() + 1;
    out.parts_.push_back(*std::move(part));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (bytes > kLongestPath) return refused(text, "is longer than 4096 bytes");
  return out;
}

TreePath TreePath::parent() const {
  TreePath out = *this;
  out.parts_.pop_back();
  return out;
}

TreePath TreePath::operator/(std::string name) const {
  TreePath out = *this;
  out.parts_.push_back(std::move(name));
  return out;
}

std::string TreePath::text() const {
  std::string out;
  for (const auto& part : parts_) out += (out.empty() ? "" : "/") + name_text(part);
  return out;
}

bool Viewer::may(const drivers::EntryAttributes& attributes, std::uint32_t rights) const {
  std::uint32_t granted = attributes.mode & 7U;
  if (attributes.uid == uid) {
    granted = (attributes.mode >> 6U) & 7U;
  } else if (std::find(gids.begin(), gids.end(), attributes.gid) != gids.end()) {
    granted = (attributes.mode >> 3U) & 7U;
  }
  return (granted & rights) == rights;
}

Result<std::optional<Entry>> find_entry(const OpContext& op, drivers::Tree& tree, const TreePath& path,
                                        const std::optional<Viewer>& viewer) {
  Entry at = tree.root();
  TreePath done;
  for (const auto& part : path.parts()) {
    if (at.attributes.type != EntryType::directory) {
      return Error{.code = Errc::failed_precondition,
                   .message = "'" + done.text() + "' is " + std::string(kind_words(at.attributes.type)) +
                              "; there is nothing below it"};
    }
    if (viewer && !viewer->may(at.attributes, Viewer::search)) return not_yours(done);
    HOMEPORT_TRY(auto next, tree.lookup(op, at.node, part));
    if (!next) return std::optional<Entry>{};
    at = *std::move(next);
    at.name = part;
    done = done / part;
  }
  return std::optional<Entry>(std::move(at));
}

Result<Entry> find_directory(const OpContext& op, drivers::Tree& tree, const TreePath& path,
                             const std::optional<Viewer>& viewer) {
  HOMEPORT_TRY(auto found, find_entry(op, tree, path, viewer));
  if (!found) return Error{.code = Errc::not_found, .message = "there is no folder '" + path.text() + "'"};
  if (found->attributes.type == EntryType::directory) return *std::move(found);
  return Error{
      .code = Errc::failed_precondition,
      .message = "'" + path.text() + "' is " + std::string(kind_words(found->attributes.type)) + ", not a folder"};
}

}  // namespace homeport::trees
