// One person, several names: renames, people who turn out to be one, and a name that goes to somebody new. A name is a
// row that points at a person's key; nothing on a backend is touched but by a retire that is asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "provisioner/core/homes.h"

namespace homeport::core {

// Blocking: methods wait for the store only. Threads: every method from any thread. Everything is audited.
class Renames {
 public:
  Renames(Homes::Parts parts, Homes& homes) : p_(std::move(parts)), homes_(homes) {}

  // `to` leads to the same person, and is the name that is shown. The old name leads there as well, so that a login in
  // the middle of a rename finds the home, unless `free_old_name`: then it is nobody's, and its next owner is new.
  // Asking again is success. Errors: not_found, already_exists (`to` is somebody else).
  struct Rename {
    UserName to;
    bool free_old_name = false;
    bool allow_similar = false;
  };
  Result<store::UserRecord> rename(const Caller& caller, std::string_view realm, std::string_view user,
                                   const Rename& rename);

  // `user` and all its names become names of `into`. The home of `user` is retired (its data is kept, with the class's
  // trash delay), or mounted beside the other one at kMergedRoot/NAME. Nothing is copied or chowned. Errors: not_found;
  // failed_precondition (beside, and the files belong to another uid; work is open; a session mounts the home; both are
  // one already).
  enum class OtherHome { retire, beside };
  struct Merged {
    store::UserRecord user;                  // the one that is left
    std::optional<SpaceOutcome> retiring{};  // of the other's home
  };
  Result<Merged> merge(const Caller& caller, std::string_view realm, std::string_view user, std::string_view into,
                       OtherHome other_home);

 private:
  Homes::Parts p_;
  Homes& homes_;
};

// Where a home that came by a merge is mounted, and how its record is told from a named server's: by its `name`.
inline constexpr std::string_view kMergedRoot = "/merged";
inline constexpr std::string_view kMergedPrefix = "merged/";  // no server's name holds a slash

}  // namespace homeport::core
