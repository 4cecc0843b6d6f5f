// Looks at the file systems of arrays, whoever made them (drivers/core/inventory.h): for imports in place, and for
// `homeport doctor`. Reads only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/core/inventory.h"
#include "provisioner/core/administration.h"

namespace homeport::core {

// The power of a backend's driver. Errors: unsupported for a backend that is no array.
[[nodiscard]] Result<drivers::FileSystemInventory*> inventory_of(Backend& backend);

// All pages, by name. Blocking: backend calls. Errors: those of the backend; too_large for more than 200,000.
[[nodiscard]] Result<std::vector<drivers::ArrayFileSystem>> all_file_systems(const OpContext& op,
                                                                             drivers::FileSystemInventory& inventory);

// The live space that stands at the file system's path, whatever its id; null: none.
[[nodiscard]] SpacePtr space_on(const Catalog& catalog, std::string_view backend,
                                const drivers::ArrayFileSystem& file_system);
// Another file system has the name of one that was taken over: what to tell an admin. Empty: it is the same.
[[nodiscard]] std::string replaced(const store::SpaceRecord& space, const drivers::ArrayFileSystem& file_system);

// Whose a file system is, by its root directory, or by the record where it is taken over already; or what speaks
// against taking it over: a word to sort by, and a sentence. Blocking: one mount. Errors: transient ones of the
// backend.
struct SeenFileSystem {
  drivers::EntryAttributes attributes{.type = drivers::EntryType::directory};
  std::string refusal{};
  std::string why{};
};
Result<SeenFileSystem> look_at_file_system(const OpContext& op, Backend& backend, const Catalog& catalog,
                                           const drivers::ArrayFileSystem& file_system);

struct ListedFileSystem {
  drivers::ArrayFileSystem file_system;
  SpacePtr space{};        // that it is already
  std::string replaced{};  // it only has the name of that space's
};
// `match`: of names, with * and ?; empty: all. `done` is called on the backend's workers.
void list_file_systems(const Homes::Parts& parts, const Caller& caller, std::string_view backend, std::string match,
                       std::function<void(Result<std::vector<ListedFileSystem>>)> done);

// What only a look at each array tells: exports that let everybody in, spaces behind which another file system stands.
// A backend that cannot be asked is a finding. `done` may be called on the calling thread.
void check_arrays(const Homes::Parts& parts, const Caller& caller, std::function<void(std::vector<Finding>)> done);

}  // namespace homeport::core
