// Pieces that several use cases share: from records to driver values and back, and the checks before any change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/core/types.h"
#include "provisioner/base/call_log.h"
#include "provisioner/core/backends.h"
#include "provisioner/core/homes.h"
#include "provisioner/render/mount_spec.h"

namespace homeport::core {

// Precondition: the record has a backend id.
[[nodiscard]] Result<drivers::ObjectRef> object_ref(const store::SpaceRecord& space);
[[nodiscard]] drivers::Marker marker_of(const store::SpaceRecord& space, const Catalog& catalog);
[[nodiscard]] render::Source to_render(const drivers::MountSource& source);
// What the driver answered, taken over into the record (id, path, usage, mount source, quota class).
Result<void> take_over(const OpContext& op, drivers::StorageDriver& driver, const drivers::Object& object,
                       const Catalog& catalog, store::SpaceRecord& space);
// Sets the limit that waited for the use to be known; none waits: nothing. Precondition: space.usage.
void settle_limit(store::SpaceRecord& space);
// A limit below 20 % above its use becomes that. `how`: how the home came to be ours. Precondition: usage and a limit.
void raise_above_use(store::SpaceRecord& space, const std::string& how);
// Where clients mount it by the driver's present configuration, as SpaceRecord keeps it. Makes no backend call.
[[nodiscard]] Result<std::string> mount_source_text(drivers::StorageDriver& driver, const Clock& clock,
                                                    const store::SpaceRecord& space);
// All off for a layout that the driver does not have.
[[nodiscard]] drivers::Capabilities capabilities_of(const drivers::StorageDriver& driver, drivers::Layout layout);
// Who makes its limit hold. measured, whatever the backend could, where it counts owners and the class squashes
// everybody to one.
[[nodiscard]] drivers::QuotaClass quota_class_of(const drivers::StorageDriver& driver, const store::SpaceRecord& space,
                                                 const Catalog& catalog);
// Of what stood before us: looked at and snapshotted, not limited and not removed until an admin says so.
inline constexpr store::Rights kImportedRights{.read = true, .snapshot = true, .resize = false, .destroy = false};
// A home is only taken over by whom it belongs to. Errors: failed_precondition.
[[nodiscard]] Result<void> check_owner(const drivers::Object& found, Uid wanted, const std::string& path);
// Nothing stands at `path`, and for the reason `otherwise` no new home is made.
[[nodiscard]] Error no_such_home(const AbsolutePath& path, const std::string& backend, const Error& otherwise);
[[nodiscard]] drivers::Layout layout_of(const store::SpaceRecord& space);

// Somebody else may make the same person or home, take the uid or change the space between a look and its write: then
// `attempt` looks again, and finds either the answer or the refusal that has words for it.
template <class Attempt>
auto until_no_race(const Attempt& attempt) -> decltype(attempt()) {
  constexpr int kRounds = 3;
  for (int round = 1;; ++round) {
    auto outcome = attempt();
    const auto code = outcome ? Errc::internal : outcome.error().code;
    if ((code != Errc::conflict && code != Errc::already_exists) || round == kRounds) return outcome;
  }
}

enum class Verb { resize, retire, undelete, purge, release };
[[nodiscard]] std::string_view verb_name(Verb verb);
// The backend's mode, the space's rights and state, and no open operation. Errors: failed_precondition, conflict,
// unsupported; each says what to do.
[[nodiscard]] Result<void> may_change(const Catalog& catalog, const store::SpaceRecord& space, Verb verb);
// The state alone; for the transaction that writes the intent, where nobody else can be in between.
[[nodiscard]] Result<void> state_allows(const Catalog& catalog, const store::SpaceRecord& space, Verb verb);

// Of something that is well-formed and cannot be done as things stand: failed_precondition.
[[nodiscard]] Error refused(std::string message, std::string hint);
// conflict: `operation` has to end first. `words`: space_words() of its space.
[[nodiscard]] Error other_work_open(const std::string& operation, const std::string& words);
// Errors: failed_precondition where the space's backend is only looked at.
[[nodiscard]] Result<void> not_observed(const Catalog& catalog, const store::SpaceRecord& space);

// What a preview asks of a driver: op() makes dry runs, whose calls are kept.
class DryRun {
 public:
  explicit DryRun(const OpContext& op) : op_(op) {
    op_.dry_run = true;
    op_.calls = &calls_;
  }
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;
  ~DryRun() = default;
  [[nodiscard]] const OpContext& op() const { return op_; }
  [[nodiscard]] std::vector<std::string> calls() const { return calls_.lines(); }

 private:
  CallLog calls_;
  OpContext op_;
};

// Keys of those who became this person by merges, directly or by way of others.
[[nodiscard]] std::vector<std::string> merged_into(const Catalog& catalog, std::string_view user_key);
// Inside a transaction, where the catalog may be a moment behind: is an operation open on the space?
[[nodiscard]] Result<bool> work_is_open(store::ReadTransaction& tx, const std::string& space);

// Sessions that mount it right now: their specs have not run out and were not released. Errors: failed_precondition.
[[nodiscard]] Result<void> check_no_sessions(store::ReadTransaction& tx, const Catalog& catalog,
                                             const store::SpaceRecord& space, WallTime now);

// Counts against a daily cap inside the transaction that writes the intent. Errors: out_of_capacity.
Result<void> count_against_cap(store::WriteTransaction& tx, const BackendSpec& backend, std::string_view what,
                               std::uint64_t amount, std::optional<std::uint64_t> cap, WallTime now);
// The same for a home that is to be made: one object, and what its quota promises.
Result<void> count_new_home(store::WriteTransaction& tx, const BackendSpec& backend,
                            const std::optional<std::uint64_t>& quota_bytes, WallTime now);
[[nodiscard]] std::string cap_counter_name(std::string_view backend, std::string_view what, WallTime now);
// "alice's home", "dataset imagenet": for messages.
[[nodiscard]] std::string space_words(const store::SpaceRecord& space, const Catalog& catalog);

}  // namespace homeport::core
