// Where somebody's home is to be: a directory that stands already, or a pool to make one in.
#pragma once

#include <optional>
#include <string>

#include "provisioner/core/homes.h"

namespace homeport::core {

struct HomePlace {
  BackendPtr backend;
  // What stands there is taken over when it is there and its owner fits.
  std::optional<AbsolutePath> existing{};
  drivers::Layout existing_layout = drivers::Layout::directory;
  // Else a new one is made here; empty: none is made, and `otherwise` says why.
  std::string pool{};
  Error otherwise{};
};

// By what the class says. No backend call. Errors: not_found (backend), failed_precondition (paused, observed, drained,
// no pool; the class makes none; what the last look found, home_guard.h), invalid_argument (a name that is no path),
// already_exists (the place is somebody else's), out_of_capacity (snapshot_limits.h).
[[nodiscard]] Result<HomePlace> place_of_home(const Homes::Parts& parts, const ClassSpec& klass,
                                              const HomeRequest& request);

// What is taken over must not be, hold or lie in something that is known already. Errors: already_exists.
[[nodiscard]] Result<void> check_nobodys(const Catalog& catalog, const std::string& backend, const AbsolutePath& path);

// What ensure() would do with a directory that may stand there. nullopt: it does not, and a new home would be made.
// Blocking: backend calls. Errors: those of the import; `otherwise` when none would be made.
[[nodiscard]] Result<std::optional<Preview>> preview_existing(const OpContext& op, const HomePlace& place,
                                                              const Catalog& catalog, const Owner& owner,
                                                              const std::string& class_name);

}  // namespace homeport::core
