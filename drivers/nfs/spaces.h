// Making spaces and changing them.
#pragma once

#include "drivers/nfs/standing.h"

namespace homeport::drivers::nfs {

Result<Object> create_space(const OpContext& op, Backend& backend, const CreateSpec& spec);
Result<Object> update_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const Change& change);

// Sets owner and mode in one call, only what differs. A refused chown whose result is already right is success
// (everybody squashed to the right uid). Returns the attributes as they are then.
Result<EntryAttributes> converge(const OpContext& op, Session& session, const Entry& entry, const std::string& path,
                                 const std::optional<Owner>& owner, const std::optional<std::uint32_t>& mode);

}  // namespace homeport::drivers::nfs
