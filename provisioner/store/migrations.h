// The numbered steps from an empty file to the schema of this version. A released step is never changed.
#pragma once

#include <span>
#include <string_view>

#include "provisioner/store/sqlite_connection.h"

namespace homeport::store {

struct Migration {
  int version;  // 1, 2, 3, … without gaps
  std::string_view sql;
};
[[nodiscard]] std::span<const Migration> migrations();

// 0: an empty file. Errors: failed_precondition for a database that is not ours.
[[nodiscard]] Result<int> schema_version(Connection& c);
// "0.1.0": the Homeport that wrote the schema; empty when it is not known.
[[nodiscard]] Result<std::string> schema_writer(Connection& c);

// Each step in an immediate transaction of its own, from the version that is there.
[[nodiscard]] Result<void> migrate(Connection& c, std::span<const Migration> steps);

}  // namespace homeport::store
