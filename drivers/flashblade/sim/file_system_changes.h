// What a request body does to a file system: checks and defaults of POST and PATCH.
#pragma once

#include "drivers/flashblade/sim/call.h"
#include "drivers/flashblade/sim/objects.h"
#include "drivers/flashblade/sim/schema.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

[[nodiscard]] const Fields& file_system_post_fields();
[[nodiscard]] const Fields& file_system_patch_fields();

// Applies the body to `fs`, a copy that is kept only when nothing was refused. `name` and `destroyed` are the caller's.
[[nodiscard]] Or<void> apply_body(Call& call, FileSystem& fs);
// The id a reference of the body means; empty for "" (cleared). Errors: it does not exist.
[[nodiscard]] Or<std::string> resolve(const World& world, const Json& given, std::string_view type,
                                      std::string_view what);
[[nodiscard]] bool has_replica_link(World& world, const FileSystem& fs);

}  // namespace homeport::fbsim
