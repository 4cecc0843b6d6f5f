// File systems that were not made here: listed, and taken over in place as spaces of layout filesystem.
#pragma once

#include <map>

#include "drivers/core/inventory.h"
#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {

Result<std::optional<Cursor>> list_array(const OpContext& op, Backend& backend, const std::optional<Cursor>& from,
                                         std::vector<ArrayFileSystem>& page);

// What stands at lookup.path as an imported object of the first pool of layout filesystem; nullopt: nothing. Errors:
// invalid_argument for a path below a file system; failed_precondition for what cannot be a space; those of a mount.
Result<std::optional<Object>> find_standing(const OpContext& op, Backend& backend, const Lookup& lookup);

// Errors: unsupported, for what only changes what Homeport made.
Result<void> must_be_made_here(const ObjectRef& ref, const std::string& verb);

}  // namespace homeport::drivers::flashblade
