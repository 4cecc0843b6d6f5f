// What stands on the array for one space, and whether it is what a reference says.
#pragma once

#include "drivers/flashblade/backend.h"

namespace homeport::drivers::flashblade {

struct Standing {
  FileSystem fs;
  MarkerRecord record{};
  // Not withdrawn by us and not destroyed by anybody.
  [[nodiscard]] bool live() const { return !fs.destroyed && record.shelf != Shelf::trash; }
};

enum class MarkerRule { must_match, may_be_missing };

// The file system that `ref` names, live or trashed; nullopt: there is none of that id or name. Errors:
// failed_precondition when something else stands there: another name, id or marker. Nothing has been touched then.
// What was imported keeps the name it had.
Result<std::optional<Standing>> verify(const OpContext& op, Backend& backend, const ObjectRef& ref, MarkerRule rule);
[[nodiscard]] Error gone(const ObjectRef& ref);

// Owner and mode of its root directory, read over NFS; unknown (0, 0) while it is destroyed and so not exported.
Result<Object> to_object(const OpContext& op, Backend& backend, const std::string& pool, const SpaceKey& key,
                         const Standing& standing);
// The same without asking: `root` is what was seen of its root directory.
[[nodiscard]] Object object_of(const Backend& backend, const std::string& pool, const SpaceKey& key,
                               const Standing& standing, const EntryAttributes& root);

// By id, by name, or both.
Result<std::optional<Object>> find_space(const OpContext& op, Backend& backend, const Lookup& lookup);

}  // namespace homeport::drivers::flashblade
