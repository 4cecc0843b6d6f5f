// Retiring, undeleting and purging spaces.
#pragma once

#include "drivers/btrfs/standing.h"

namespace homeport::drivers::btrfs {

Result<Object> retire_space(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<Object> undelete_space(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<PurgeStep> purge_space(const OpContext& op, Backend& backend, const ObjectRef& ref,
                              const std::optional<Cursor>& from);

}  // namespace homeport::drivers::btrfs
