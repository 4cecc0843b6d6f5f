// One backend instance: the only way the core reaches a storage system.
//
// Threads: every method may be called from any thread at the same time.
// Blocking: methods block, at longest until op.deadline; info() never blocks.
// Idempotence: create with a known key adopts what it finds and converges it; retire, undelete and purge succeed when
//   the wanted state already holds.
// Dry run: with op.dry_run no changing call leaves the driver; what would be sent is added to op.calls.
// Calls: every changing call that is sent is added to op.calls.
// Errors: unsupported only for what info() denies; permission_denied when the backend refuses our rights; transport
//   trouble is unavailable or timed_out, with maybe_applied once a changing request may have left us;
//   failed_precondition when an ObjectRef is not what stands there.
// Retries: none. The retry decorator does that; two retry loops multiply.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "drivers/core/types.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"

namespace homeport::drivers {

class StorageDriver {
 public:
  virtual ~StorageDriver() = default;

  [[nodiscard]] virtual std::shared_ptr<const DriverInfo> info() const = 0;
  // Management and data path apart; proves rights in a folder of its own and leaves nothing behind. A failed check is
  // part of the report; an Error means that no report could be made at all.
  virtual Result<ProbeReport> probe(const OpContext& op) = 0;
  virtual Result<std::vector<Pool>> pools(const OpContext& op) = 0;
  // Appends one page of our objects (known by prefix or marker). The returned cursor leads to the next page; nullopt:
  // that was the last. A bad cursor is invalid_argument.
  virtual Result<std::optional<Cursor>> scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                             std::vector<Object>& page) = 0;
  // Live or trashed; nullopt: not there.
  virtual Result<std::optional<Object>> find(const OpContext& op, const Lookup& lookup) = 0;
  // Durable when it returns. The object has owner, mode, quota and marker before anybody could mount it. A name that
  // stands but was not made for this key is already_exists and is left alone.
  virtual Result<Object> create(const OpContext& op, const CreateSpec& spec) = 0;
  // A quota below usage is over_quota unless change.force.
  virtual Result<Object> update(const OpContext& op, const ObjectRef& ref, const Change& change) = 0;
  virtual Result<void> set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) = 0;
  // No I/O where the configuration suffices.
  virtual Result<MountSource> mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) = 0;
  // Out of clients' sight, data kept.
  virtual Result<Object> retire(const OpContext& op, const ObjectRef& ref) = 0;
  virtual Result<Object> undelete(const OpContext& op, const ObjectRef& ref) = 0;
  // Removes a *retired* object piece by piece: call again with `next` until there is none. Never follows a link, never
  // leaves the object. A live object is failed_precondition; an absent one is done.
  virtual Result<PurgeStep> purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) = 0;
};

}  // namespace homeport::drivers
