// Bringing files, folders and whole spaces back from snapshots, as the operation space.restore. The copying itself is
// provisioner/trees/restore.h.
//
// Threads: every method from any thread. `done` may be called on another one.
#pragma once

#include <functional>
#include <string>

#include "provisioner/core/snapshot_files.h"
#include "provisioner/trees/restore.h"

namespace homeport::core {

struct RestoreRequest {
  SnapshotName source;
  trees::TreePath path{};
  trees::RestoreWay way = trees::RestoreWay::beside;
  trees::TreePath into{};
  bool force = false;           // the whole, although a session mounts it
  bool without_safety = false;  // over what stands, although no snapshot of it is taken first; an operator's word
};

// The operation's plan says under `result` where it went, under `safety` which snapshot was taken before. Joins the
// open operation that does the same. Errors: invalid_argument, not_found (the snapshot), failed_precondition (state of
// the space, sessions, no safety snapshot), forbidden, unsupported, conflict; those of Snapshots::take(). What the
// snapshot does not have, a full space and the like end the operation.
void restore(const SnapshotParts& parts, const Caller& caller, const RestoreRequest& request,
             std::function<void(Result<SpaceOutcome>)> done);

}  // namespace homeport::core
