// What a snapshot holds, which snapshots hold a path, and bringing it back. Names and paths are spelled as
// provisioner/trees/tree_path.h says: bytes that are no text stand as \xNN, a backslash as \\.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "provisioner/base/doc_reader.h"
#include "provisioner/core/restores.h"
#include "provisioner/core/snapshot_files.h"

namespace homeport::api {

// The body of a restore. Paths that are none are problems of the document.
struct RestoreWish {
  trees::TreePath path{};
  trees::RestoreWay way = trees::RestoreWay::beside;
  trees::TreePath to{};
  bool force = false;
  bool safety_snapshot = true;
};
[[nodiscard]] RestoreWish read_restore_wish(DocReader& in);

[[nodiscard]] nlohmann::json directory_json(const core::DirectoryPage& page, const trees::TreePath& path);
[[nodiscard]] nlohmann::json versions_json(const std::string& space, const core::FileVersions& found,
                                           const trees::TreePath& path);
// Precondition: the restore has succeeded.
[[nodiscard]] nlohmann::json restored_json(const store::OperationRecord& operation);

}  // namespace homeport::api
