// Marker files: EXPORT/<admin directory>/markers/<space key>.json. Written whole or not at all.
#pragma once

#include <span>

#include "drivers/nfs/directories.h"

namespace homeport::drivers::nfs {

struct MarkerFile {
  std::optional<Entry> file{};     // what stands at its place
  std::optional<Marker> marker{};  // what it says, where it can be read
  std::string broken{};            // why it cannot
};

[[nodiscard]] std::string marker_file_name(const SpaceKey& key);

// One per entry of `dir`, in order; nullopt in, empty out. All reads at once. One that is replaced meanwhile is looked
// up again by its name, so the answer is the old or the new one, never a stale handle.
Result<std::vector<MarkerFile>> read_markers(const OpContext& op, Session& session, const Node& dir,
                                             std::span<const std::optional<Entry>> files);
// A marker that stands is replaced by rename, so that a reader finds the old or the new one. Drafts end in ".new"; one
// that a crash left behind means nothing.
Result<Entry> write_marker(const OpContext& op, const Backend& backend, Session& session, const Directories& dirs,
                           const Marker& marker, const std::optional<Entry>& existing);

}  // namespace homeport::drivers::nfs
