// The file systems of an array, whoever made them: for imports in place, and for what an admin should know of them.
// The rules of storage_driver.h (threads, blocking, errors) hold here too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/core/storage_driver.h"

namespace homeport::drivers {

struct ArrayFileSystem {
  std::string name;
  std::string id;    // immutable
  std::string path;  // what Lookup::path takes with layout filesystem
  std::optional<Bytes> limit{};
  bool limit_holds = false;  // the array refuses writes over it
  std::optional<Bytes> used{};
  bool own = false;  // by its name Homeport's: a space, a pool, the administrative one
  // Why it cannot become a space as it is: a word to sort by, and a sentence with what to do. Empty: nothing that the
  // array tells of; whether it can be mounted is found out by find().
  std::string refusal{};
  std::string why{};
  std::vector<std::string> remarks{};  // what does not speak against it and should be known
  // Everybody on the network may write or is root: why, in the array's words, and what to change. Empty: it is not so.
  std::string open_to_all{};
  std::string how_to_close{};
};

// A driver with this power takes layout filesystem with a path in find(): the file system that stands there, by whoever
// it was made, as an object that is imported. Errors: failed_precondition with ArrayFileSystem::why; those of mounting.
class FileSystemInventory {
 public:
  virtual ~FileSystemInventory() = default;
  // Appends one page of those that are not destroyed. The returned cursor leads to the next page; nullopt: that was
  // the last.
  virtual Result<std::optional<Cursor>> file_systems(const OpContext& op, std::optional<Cursor> from,
                                                     std::vector<ArrayFileSystem>& page) = 0;
};

}  // namespace homeport::drivers
