// Keeps new, empty homes from being made beside a fleet that Homeport does not know. Where a class says neither
// `existing` nor `create`, the place its homes are made in is looked at first: what stands there and is nobody's that
// we know of may be the real home of whoever logs in.
//
// What counts: any directory or link in the pool's own directory, and any directory beside it up to the export's root,
// unless it
//   - is a space of ours (home, dataset, imported or made), lies in one, or is another pool of the backend;
//   - only holds such: then it is looked into instead;
//   - has the name of something Homeport makes, in this pool or an earlier one, or holds nothing else;
//   - is the administrative directory, or by its name no home: lost+found, what begins with . @ # $ or ~;
//   - is an empty directory of root's beside the pool.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"

namespace homeport::core {

class Backend;
class Catalog;
struct ClassSpec;

// What the last look at each pool found. Threads: every method from any thread.
class HomeGuard {
 public:
  struct Look {
    MonoTime at{};
    std::vector<std::string> strangers{};  // paths; a few of them
    std::string blind{};                   // why the place could not be looked at; empty: it could
  };
  [[nodiscard]] std::optional<Look> last(const std::string& pool) const;
  void note(const std::string& pool, Look look);

 private:
  Guarded<std::map<std::string, Look, std::less<>>> looks_;
};

// Does the class leave it to what stands there whether homes are made?
[[nodiscard]] bool guards_place(const ClassSpec& klass);

// The refusal of a look made a moment ago, if it still holds by what the catalog knows now: no backend call. nullopt:
// ask check_place_of_homes().
[[nodiscard]] std::optional<Error> noted_strangers(Backend& backend, const Catalog& catalog, const ClassSpec& klass,
                                                   const std::string& pool, MonoTime now);

// May a new home be made in this pool? Lists the place, unless homes of ours stand in it and it was found free within
// the last minute; at most 200,000 entries are looked at. `prefix`: of the names of what Homeport makes. Blocking:
// backend calls. Errors: failed_precondition that names some of the directories and the ways out; transient ones of the
// backend.
Result<void> check_place_of_homes(const OpContext& op, Backend& backend, const Catalog& catalog, const ClassSpec& klass,
                                  const std::string& pool, std::string_view prefix, MonoTime now);

}  // namespace homeport::core
