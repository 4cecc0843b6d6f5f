// Markers of spaces that are file systems of their own: in a file system of Homeport's, since the root directory of a
// home is its user's.
//
//   ADMINISTRATIVE/markers/<space key>.json   live
//   ADMINISTRATIVE/trash/<space key>.json     retired; its modification time is when
//
// It is exported to Homeport's hosts alone and belongs to root, 0700. Files are written whole, or not at all.
// Threads: every method from any thread. Changing calls obey op.dry_run and are recorded.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "drivers/core/optional.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/id_source.h"

namespace homeport::drivers::flashblade {

enum class Shelf { none, live, trash };

struct MarkerRecord {
  Shelf shelf = Shelf::none;
  std::optional<Marker> marker{};  // as far as it can be read
  std::string broken{};            // why it cannot
  WallTime modified{};
};

// no: what is missing is empty. where_ours: refused where nothing of ours stands (kMissingPoolSystem).
enum class Make { no, where_ours, yes };

class AdminPlace {
 public:
  // Gives the mounted file system; null: there is none (Make::no).
  using Open = std::function<Result<std::unique_ptr<Tree>>(const OpContext& op, Make make)>;
  AdminPlace(Open open, Clock& clock) : open_(std::move(open)), clock_(clock), ids_(make_system_ids()) {}

  Result<MarkerRecord> read(const OpContext& op, const SpaceKey& key, Make make = Make::no);
  // On the shelf it lies on, or among the live ones; in the trash it keeps its date.
  Result<void> write(const OpContext& op, const Marker& marker, const MarkerRecord& stands, Make make);
  Result<void> move_to_trash(const OpContext& op, const SpaceKey& key);
  Result<void> move_back(const OpContext& op, const SpaceKey& key);
  Result<void> remove(const OpContext& op, const SpaceKey& key, Shelf shelf);
  // Everything in the trash, by key, with its date.
  Result<std::map<std::string, WallTime>> trash(const OpContext& op);

 private:
  struct Opened {
    std::unique_ptr<Tree> tree;
    Node markers;
    Node trash;
  };
  Result<std::shared_ptr<Opened>> opened(const OpContext& op, Make make);
  template <class Fn>
  auto with(const OpContext& op, Make make, Fn fn) -> decltype(fn(std::declval<Opened&>()));

  const Open open_;
  Clock& clock_;
  const std::unique_ptr<IdSource> ids_;
  Guarded<std::shared_ptr<Opened>> known_;
};

}  // namespace homeport::drivers::flashblade
