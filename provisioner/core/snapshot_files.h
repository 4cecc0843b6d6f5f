// Looking into snapshots: what a directory of one holds, and which of them have a path. Reads, on the backend's workers
// within the caller's deadline; a person's own token sees what their mode bits let them see.
//
// Threads: every method from any thread. `done` may be called on another one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/core/snapshots.h"
#include "provisioner/trees/tree_path.h"

namespace homeport::core {

struct DirectoryPage {
  SnapshotInfo snapshot;
  bool is_directory = true;               // false: the path is no directory, and the one entry is what it is
  std::vector<drivers::Entry> entries{};  // in the backend's order
  std::optional<drivers::Cursor> next{};
};

struct FileVersion {
  SnapshotInfo snapshot;
  drivers::EntryAttributes attributes{};
  std::optional<std::string> digest{};  // hex SHA-256 of a file, where asked for
  bool as_now = false;                  // as what stands there now
};
struct FileVersions {
  std::optional<FileVersion> now{};     // nullopt: nothing stands there
  std::vector<FileVersion> versions{};  // newest first; snapshots without the path are left out
  std::uint64_t looked_into = 0;        // snapshots
  std::vector<std::string> notes{};
};

// What looking into snapshots and restoring works with. Everything outlives the calls.
struct SnapshotParts {
  store::Store& store;
  const Catalog& catalog;
  Backends& backends;
  Operations& operations;
  Homes& homes;
  Snapshots& snapshots;
  Clock& clock;
  std::function<Result<void>()> flush_sessions;  // as Homes::Parts
};

// Errors: not_found, failed_precondition (a link on the way), forbidden, invalid_argument (cursor).
void browse(const SnapshotParts& parts, const Caller& caller, const SnapshotName& wanted, const trees::TreePath& path,
            std::optional<drivers::Cursor> from, std::function<void(Result<DirectoryPage>)> done);

// `digest`: files are read; files of one size, times and id are taken for one. Errors: too_large when they hold more
// than kMostDigested together.
inline constexpr std::uint64_t kMostDigested = std::uint64_t{1} << 30U;
void versions(const SnapshotParts& parts, const Caller& caller, const store::SpaceRecord& space,
              const trees::TreePath& path, bool digest, std::function<void(Result<FileVersions>)> done);

// Whose mode bits count: those of the space's owner where a person asks with their own token, nobody's otherwise.
[[nodiscard]] Result<std::optional<trees::Viewer>> viewer_of(store::Store& store, const Caller& caller,
                                                             const store::SpaceRecord& space);
// Errors: unsupported.
[[nodiscard]] Result<drivers::TreeAccess*> trees_of(Backend& backend);

}  // namespace homeport::core
