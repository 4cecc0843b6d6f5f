// Bringing a file, a folder or a whole space back from a snapshot, by copying between two open trees.
//
// What is brought back is made in a directory of its own right below the space's root, which only root may enter, and
// comes under its name by one rename or link when it is whole. Nothing is found by a path twice: every call takes a
// handle, a link is never followed, and what somebody plants under a name is replaced or refused as that name. A
// restore can die anywhere and be run again with the state that was kept last. Brought back are content, owner, mode,
// times, and several names of one file within what is restored.
#pragma once

#include <optional>
#include <string>

#include "provisioner/trees/tree_copy.h"
#include "provisioner/trees/tree_path.h"

namespace homeport::trees {

// Beginning of the directory's name; the rest is whoever runs the restore.
inline constexpr std::string_view kStagingPrefix = ".homeport-restore-";

enum class RestoreWay {
  beside,    // in the same folder, as "name (restored 2026-11-19 0300).ipynb"
  in_place,  // over it: a file replaces the file, a folder goes into the folder; files that came since stay
  into,      // into another folder under its own name, or as beside where that is taken
  whole      // the whole space as it was; files that came since are removed
};
[[nodiscard]] std::string_view restore_way_name(RestoreWay way);
[[nodiscard]] std::optional<RestoreWay> restore_way_from_name(std::string_view name);

struct RestoreJob {
  TreePath path;  // in the snapshot; the root for `whole`
  RestoreWay way = RestoreWay::beside;
  TreePath into{};
  std::string stamp{};                 // "2026-11-19 0300"
  std::optional<WallTime> taken_at{};  // of the snapshot
  std::optional<Viewer> viewer{};      // set: only what this person could reach and put there
};

// What a restore knows on its way. Kept by whoever runs it each time it changes.
struct RestoreState {
  std::string staging;            // name of its directory
  std::uint64_t staging_id = 0;   // file id; 0: not made, as far as is known
  std::string name{};             // raw; the name it was given, or is about to get
  std::uint64_t restored_id = 0;  // file id of what gets that name
  bool merged = false;            // it went into a folder that stood there: nothing is left to be put in place
};

// "name (restored STAMP).ipynb"; `number` over 1: "name (restored STAMP, 2).ipynb". At most 255 bytes.
[[nodiscard]] std::string restored_name(std::string_view name, bool is_directory, std::string_view stamp,
                                        unsigned number = 1);

// Threads: one at a time. Errors of all methods: those of the two trees, and what each says.
class Restore {
 public:
  // `keep` makes the state durable: called before what depends on it is done.
  Restore(CopyCalls calls, CopyProgress& progress, const RestoreJob& job, RestoreState& state,
          std::function<Result<void>()> keep)
      : calls_(std::move(calls)), progress_(progress), job_(job), state_(state), keep_(std::move(keep)) {}

  // What there is to bring back, and that it can go where it shall. Errors: not_found, failed_precondition, forbidden.
  Result<CopyReport> check(drivers::Tree& from, drivers::Tree& to);
  // All of it, out of sight; or, where it goes into a folder that stands, file by file into that. What an earlier try
  // has done is not done again.
  Result<CopyReport> copy(drivers::Tree& from, drivers::Tree& to);
  // Under its name. Returns the path. Called again after it was done, it says the same.
  Result<TreePath> place(drivers::Tree& from, drivers::Tree& to);
  // Removes the directory of its own, if it is there.
  Result<void> clean_up(drivers::Tree& to);

 private:
  struct Ends;  // what is restored, and the folder it goes to
  Result<Ends> ends(drivers::Tree& from, drivers::Tree& to);
  Result<drivers::Entry> staging(drivers::Tree& to);
  Result<std::optional<drivers::Entry>> standing(drivers::Tree& to);
  Result<TreePath> placed_before(drivers::Tree& to, const TreePath& folder);
  Result<TreePath> place_over(drivers::Tree& to, const drivers::Node& own, const drivers::Entry& staged,
                              const Ends& ends);
  Result<void> put_beside(drivers::Tree& to, const drivers::Node& dir, const drivers::Entry& staged,
                          const drivers::Node& target);
  [[nodiscard]] bool goes_into_folder(const Ends& ends) const;

  CopyCalls calls_;
  CopyProgress& progress_;
  const RestoreJob& job_;
  RestoreState& state_;
  std::function<Result<void>()> keep_;
};

}  // namespace homeport::trees
