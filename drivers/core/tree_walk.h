// What lies in a tree, counted by listing it: many directories in flight, attributes with the listings, no link
// followed, no other filesystem entered. A file with several names is counted once.
//
// It can be stopped between two steps and gone on with, also by another process (position()).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "drivers/core/optional.h"

namespace homeport::drivers {

struct TreeTotals {
  std::uint64_t entries = 0;            // names, the root's left out
  std::uint64_t directories = 0;        // the root included
  std::uint64_t files = 0;              // files, links and what else is no directory
  std::uint64_t more_names = 0;         // names left out of `files`: the file was counted by another one
  std::uint64_t allocated = 0;          // bytes on the backend, as du(1) counts
  std::uint64_t apparent = 0;           // bytes as sizes say
  std::uint64_t other_filesystems = 0;  // mounted in it; not counted
  std::uint64_t unread = 0;             // directories and entries that could not be looked at; not counted
  std::string unread_why{};             // of the first of them
};

// Threads: one at a time.
class TreeWalk {
 public:
  // From the root. The tree must outlive it.
  explicit TreeWalk(Tree& tree);
  // From where position() was taken, in the same tree. Errors: invalid_argument (no position of ours).
  static Result<TreeWalk> from(Tree& tree, std::string_view position);

  // Lists up to 32 directories, one page each. True: nothing is left. After an error it can be called again: nothing is
  // counted twice or left out by it. What is gone meanwhile is left out; what may not be read is counted as unread.
  // Errors: transient ones of the tree.
  Result<bool> step(const OpContext& op);

  [[nodiscard]] const TreeTotals& totals() const { return totals_; }
  // Text to go on by; nullopt: it would be longer than `most` bytes just now.
  [[nodiscard]] std::optional<std::string> position(std::size_t most) const;

 private:
  struct Directory {
    Node node;
    std::optional<Cursor> next{};  // where its listing goes on
  };
  struct Resumed {};
  TreeWalk(Tree& tree, Resumed /*tag*/);
  void take(const Directory& directory, ListPage page);
  [[nodiscard]] bool again(const Directory& directory, std::uint64_t id);  // its listing gave it before
  [[nodiscard]] bool read(const nlohmann::json& position);
  void count(const EntryAttributes& attributes);
  void note_unread(const Error& why);

  Tree* tree_;
  std::uint64_t fs_ = 0;
  TreeTotals totals_{};
  std::vector<Directory> waiting_{};
  std::unordered_set<std::uint64_t> several_names_{};  // ids of files that have them and are counted
  // A listing that takes several pages may begin again and give names twice: the ids seen in such directories, by the
  // directory's handle, up to a limit.
  std::map<std::string, std::unordered_set<std::uint64_t>> listed_{};
};

}  // namespace homeport::drivers
