// How Operations reads and audits its rows; for its own source files.
#pragma once

#include <string>
#include <string_view>

#include "provisioner/store/records.h"

namespace homeport::core {

// Errors: not_found.
[[nodiscard]] Result<store::OperationRecord> read_operation(store::Store& store, const std::string& id);
[[nodiscard]] store::AuditEntry audit_of(const store::OperationRecord& op, std::string_view outcome, WallTime now);
[[nodiscard]] inline store::FailureRecord failure_of(const Error& error) {
  return {.code = std::string(errc_name(error.code)), .message = error.sentence(), .hint = error.hint};
}

}  // namespace homeport::core
