// What stands on the server already: its exports, directories below them, and the imported spaces among them.
#pragma once

#include "drivers/nfs/standing.h"

namespace homeport::drivers::nfs {

// The path of an export and the components below it. Errors: not_found when no export holds the path.
struct Below {
  std::string export_path;
  std::vector<std::string> parts{};
};
Result<Below> export_of(const OpContext& op, Backend& backend, const AbsolutePath& path);

// The components of `path` below `root`, which contains it.
[[nodiscard]] std::vector<std::string> parts_below(const AbsolutePath& root, const AbsolutePath& path);

// Component by component from the export's root; a link on the way is failed_precondition. nullopt: not there.
Result<std::optional<Entry>> walk_to(const OpContext& op, Session& session, const Below& below);

Result<std::vector<Export>> server_exports(const OpContext& op, Backend& backend);
Result<ExportDiscovery::Inspection> inspect_path(const OpContext& op, Backend& backend, const AbsolutePath& path);

// The directory at `path` as an object; `key`: whose marker to read beside it.
Result<std::optional<Object>> find_import(const OpContext& op, Backend& backend, const Lookup& lookup);
Result<Object> update_import(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change);

}  // namespace homeport::drivers::nfs
