// What a desired document changes, decided and written inside one transaction. Used by Administration alone.
//
// Ownership: a document takes away only what has its own provenance. Grants made one by one (`homeport dataset grant`)
// belong to no document: where one names such a grant, it stays as it was made, also with another access, and stays
// when the document no longer names it. A document without `grants` leaves every grant alone. Damage: a row that cannot
// be read is never overwritten or erased; the entry that would need it is `blocked`, and the rest is done.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioner/core/administration.h"

namespace homeport::core {

struct PlanEntry {
  PlannedChange change;
  std::string key;                            // of the row
  std::optional<store::GrantRecord> grant{};  // what to store, for a grant that is created or updated
};
using Plan = std::vector<PlanEntry>;

[[nodiscard]] bool writes(const PlannedChange& change);

struct PlanScope {
  const Catalog& catalog;
  store::Provenance provenance;
  std::string realm;  // of the people that grants name
  WallTime now{};
};
// Errors: invalid_argument (a class or rule names what does not exist), failed_precondition (spaces still use what
// would be removed, a backend would change its kind).
[[nodiscard]] Result<Plan> plan_desired(store::ReadTransaction& tx, const Desired& desired, const PlanScope& scope);
// Precondition: `plan` was made in the same transaction.
[[nodiscard]] Result<void> write_plan(store::WriteTransaction& tx, const Desired& desired, const Plan& plan,
                                      store::Provenance provenance);

}  // namespace homeport::core
