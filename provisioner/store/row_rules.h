// The rules of rows that every store keeps in the same way and words.
#pragma once

#include "provisioner/store/store.h"

namespace homeport::store {

// Where `column` stands. Errors: invalid_argument for one the table does not have.
[[nodiscard]] Result<std::size_t> column_number(const TableDef& def, std::string_view column);

// A key, and no values beyond the table's columns. Errors: invalid_argument.
[[nodiscard]] Result<void> check_row(const TableDef& def, const Row& row);

// `present`: the revision that is stored now. Errors: conflict.
[[nodiscard]] Result<void> check_expected(const TableDef& def, std::string_view key,
                                          std::optional<std::uint64_t> present, Expect expect);

// already_exists: `holder` has the value of the unique column.
[[nodiscard]] Error taken_error(const TableDef& def, std::size_t column, std::string_view value,
                                std::string_view holder);

// failed_precondition for a write without the lease; `row` is what the store says now.
[[nodiscard]] Error no_lease_error(const std::optional<Lease>& row);

// invalid_argument for an empty holder or a length that is not positive.
[[nodiscard]] Result<void> check_lease_request(const std::string& holder, std::chrono::milliseconds length);

// internal: a function or the listener wrote to the store it runs in.
[[nodiscard]] Error nested_write_error(std::string_view what);

// Sorts like the time: the form of the column `created`. Times before 1970 are the smallest.
[[nodiscard]] std::string sortable_time(WallTime t);

}  // namespace homeport::store
