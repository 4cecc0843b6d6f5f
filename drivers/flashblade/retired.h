// The way of a space out of sight and back, and its end.
//
//   live      exported to clients; marker in markers/
//   retired   exported to Homeport's hosts alone; marker in trash/. Data, snapshots and name stay, for as long as the
//             class says
//   destroyed by purge; the array's timer runs, and undelete still brings it back
//   gone      eradicated: by the timer, or by purge where `eradicate: true` says so and the array allows it
#pragma once

#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {

Result<Object> retire_space(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<Object> undelete_space(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<PurgeStep> purge_space(const OpContext& op, Backend& backend, const ObjectRef& ref,
                              const std::optional<Cursor>& from);

}  // namespace homeport::drivers::flashblade
