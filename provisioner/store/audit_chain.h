// The hash chain of the audit table.
//
// hash(row) = SHA-256, hex, over the previous row's hash and every field of the row, each written with its length
// before it, so that no two rows have the same encoding. Sequence numbers start at 1 and have no gaps. The store keeps
// the last sequence number and hash apart from the rows (the head), so that a chain cut off at its end is noticed.
#pragma once

#include "provisioner/store/store.h"

namespace homeport::store {

struct AuditHead {
  std::uint64_t seq = 0;  // 0: no rows yet
  std::string hash{};
};

// The row that follows `head`.
[[nodiscard]] AuditRow next_audit_row(const AuditHead& head, const AuditEntry& entry);

// Feed every row in ascending order, then finish().
class AuditVerifier {
 public:
  void row(const AuditRow& row);
  [[nodiscard]] AuditCheck finish(const AuditHead& head) const;

 private:
  void bad(std::uint64_t seq, std::string detail);

  AuditHead last_{};
  AuditCheck check_{};
};

}  // namespace homeport::store
