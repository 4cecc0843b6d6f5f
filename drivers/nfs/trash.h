// The way of a space out of sight and back, and its end.
#pragma once

#include "drivers/nfs/standing.h"

namespace homeport::drivers::nfs {

Result<Object> retire_space(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<Object> undelete_space(const OpContext& op, Backend& backend, const ObjectRef& ref);
// Removes about kPurgeStep entries per call.
inline constexpr std::uint64_t kPurgeStep = 2000;
Result<PurgeStep> purge_space(const OpContext& op, Backend& backend, const ObjectRef& ref,
                              const std::optional<Cursor>& from);

}  // namespace homeport::drivers::nfs
