#include "provisioner/store/audit_chain.h"

#include "provisioner/base/digest.h"

namespace homeport::store {
namespace {

void append(std::string& out, std::string_view field) {
  out += std::to_string(field.size());
  out += ':';
  out += field;
}

std::string row_hash(std::string_view previous, std::uint64_t seq, const AuditEntry& entry) {
  std::string text;
  append(text, previous);
  append(text, std::to_string(seq));
  append(text, std::to_string(entry.at.time_since_epoch().count()));
  for (const auto* field :
       {&entry.principal, &entry.action, &entry.subject, &entry.outcome, &entry.detail, &entry.operation}) {
    append(text, *field);
  }
  return sha256_hex(text);
}

std::string row_words(std::uint64_t seq) {
  return "audit row " + std::to_string(seq);
}

}  // namespace

AuditRow next_audit_row(const AuditHead& head, const AuditEntry& entry) {
  return AuditRow{.seq = head.seq + 1, .entry = entry, .hash = row_hash(head.hash, head.seq + 1, entry)};
}

void AuditVerifier::bad(std::uint64_t seq, std::string detail) {
  if (check_.first_bad) return;
  check_.first_bad = seq;
  check_.detail = std::move(detail);
}

void AuditVerifier::row(const AuditRow& row) {
  ++check_.rows;
  if (row.seq != last_.seq + 1) {
    bad(row.seq, row_words(row.seq) + " follows row " + std::to_string(last_.seq) + ": rows between them are missing");
  } else if (row.hash != row_hash(last_.hash, row.seq, row.entry)) {
    bad(row.seq, row_words(row.seq) + " was changed after it was written, or the row before it was");
  }
  last_ = AuditHead{.seq = row.seq, .hash = row.hash};
}

AuditCheck AuditVerifier::finish(const AuditHead& head) const {
  AuditCheck check = check_;
  if (check.first_bad) return check;
  if (last_.seq < head.seq) {
    check.first_bad = last_.seq + 1;
    check.detail = "the audit trail ends at row " + std::to_string(last_.seq) + ", but " + std::to_string(head.seq) +
                   " rows were written";
  } else if (last_.seq != head.seq || last_.hash != head.hash) {
    check.first_bad = last_.seq;
    check.detail = row_words(last_.seq) + " is not the last row that was written";
  }
  return check;
}

}  // namespace homeport::store
