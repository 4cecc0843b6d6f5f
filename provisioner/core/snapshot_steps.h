// Steps of the operations that are about snapshots; for operation_kinds.cpp. The plan holds `snapshot` (the record's
// key) and `name` (on the backend).
#pragma once

#include "provisioner/core/operations.h"

namespace homeport::core {

Result<std::string> take_snapshot_step(StepContext& c);
// OperationKind::refused of snapshot.take: what was not taken has no record. Given up, it may stand: the record stays.
Result<void> forget_untaken(store::WriteTransaction& tx, const store::OperationRecord& op, bool unknown);

Result<std::string> delete_snapshot_step(StepContext& c);
// It stands and is what it was. Given up, it may be gone: the record stays as it is, and may be deleted again.
Result<void> keep_undeleted(store::WriteTransaction& tx, const store::OperationRecord& op, bool unknown);

// The plan's `source` is a space, `name` the snapshot of it, or absent.
Result<std::string> clone_space_step(StepContext& c);
// The hold on what it was made from.
Result<void> release_clone_source(store::WriteTransaction& tx, const store::OperationRecord& op, bool unknown);

Result<std::string> overwrite_space_step(StepContext& c);

// A space's own snapshots go with it: for the transaction that ends its purge.
Result<void> mark_purged(store::WriteTransaction& tx, const std::string& space, WallTime now);

}  // namespace homeport::core
