// One person, several names: renames, people who turn out to be one, and a name that goes to somebody new. A name is a
// row that points at a person's key; nothing on a backend is touched but by a retire that is asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

  // `user` becomes `into`, with all names, with grants, and with whoever was merged into `user` before. Every home of
  // `user` (its own, those of named servers, those that came by merges) is retired (its data is kept, with the class's
  // trash delay), or mounted beside the other one at kMergedRoot. Nothing is copied or chowned. What is refused for one
  // home is refused before any is touched. Errors: not_found; failed_precondition (beside, and the files belong to
  // another uid; work is open; a session mounts a home; both are one already).
  enum class OtherHome { retire, beside };
  struct Merged {
    store::UserRecord user;                // the one that is left
    std::vector<SpaceOutcome> retiring{};  // of the other's homes
  };
  Result<Merged> merge(const Caller& caller, std::string_view realm, std::string_view user, std::string_view into,
                       OtherHome other_home);

 private:
  struct Pair;  // who is given up, who is left
  [[nodiscard]] Result<Pair> pair_of(std::string_view realm, std::string_view user, std::string_view into) const;
  Result<std::vector<SpaceOutcome>> retire_all(const Caller& caller, const std::vector<SpacePtr>& homes);
  Result<Merged> try_merge(const Caller& caller, const Pair& pair, const std::string& name, bool beside);
  Result<store::UserRecord> write_merge(const Caller& caller, const Pair& pair, const std::string& name, bool beside);
  Homes::Parts p_;
  Homes& homes_;
};

// Where a home that came by a merge is mounted, and how its record is told from a named server's: by its `name`, which
// is kMergedPrefix and NAME, or NAME/SERVER for what was a named server's; the space's key where that is taken.
inline constexpr std::string_view kMergedRoot = "/merged";
inline constexpr std::string_view kMergedPrefix = "merged/";  // no server's name holds a slash
// kMergedRoot/NAME or kMergedRoot/NAME+SERVER; what is not fit for a path goes by the space's key.
[[nodiscard]] std::string merged_target(const store::SpaceRecord& home);

}  // namespace homeport::core
