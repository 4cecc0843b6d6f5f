#include "provisioner/store/row_rules.h"

#include <algorithm>

#include "provisioner/base/names.h"

namespace homeport::store {
namespace {

std::string row_name(const TableDef& def, std::string_view key) {
  return std::string(def.name) + " row '" + printable(key) + "'";
}

}  // namespace

Result<std::size_t> column_number(const TableDef& def, std::string_view column) {
  for (std::size_t i = 0; i < def.columns.size(); ++i) {
    if (!column.empty() && def.columns[i] == column) return i;
  }
  return Error{.code = Errc::invalid_argument,
               .message = "table " + std::string(def.name) + " has no index column '" + printable(column) + "'"};
}

Result<void> check_row(const TableDef& def, const Row& row) {
  if (row.key.empty()) {
    return Error{.code = Errc::invalid_argument, .message = "a row of " + std::string(def.name) + " needs a key"};
  }
  for (std::size_t i = 0; i < def.columns.size(); ++i) {
    if (def.columns[i].empty() && !row.index[i].empty()) {
      return Error{.code = Errc::invalid_argument,
                   .message = row_name(def, row.key) + " has a value for an index column that does not exist"};
    }
  }
  return {};
}

Result<void> check_expected(const TableDef& def, std::string_view key, std::optional<std::uint64_t> present,
                            Expect expect) {
  std::string why;
  switch (expect.kind) {
    case Expect::Kind::anything: return {};
    case Expect::Kind::absent:
      if (!present) return {};
      why = "exists already (revision " + std::to_string(*present) + ")";
      break;
    case Expect::Kind::revision:
      if (present && *present == expect.revision) return {};
      why = present ? "was changed meanwhile (revision " + std::to_string(*present) + ", not " +
                          std::to_string(expect.revision) + ")"
                    : "is gone (revision " + std::to_string(expect.revision) + " was read)";
      break;
  }
  return Error{.code = Errc::conflict, .message = row_name(def, key) + " " + why, .hint = "read it again and repeat"};
}

Error taken_error(const TableDef& def, std::size_t column, std::string_view value, std::string_view holder) {
  return Error{.code = Errc::already_exists,
               .message = std::string(def.name) + ": " + std::string(def.columns.at(column)) + " '" + printable(value) +
                          "' is taken by '" + printable(holder) + "'"};
}

Error no_lease_error(const std::optional<Lease>& row) {
  std::string who = "nobody holds it";
  if (row && !row->holder.empty()) {
    who = "'" + printable(row->holder) + "' holds it (epoch " + std::to_string(row->epoch) + ") until " +
          format_time(row->expires);
  }
  return Error{.code = Errc::failed_precondition,
               .message = "this process does not hold the lease of the store: " + who,
               .hint = "only the holder writes; ask that Homeport, or stop it and wait until its lease ends"};
}

Result<void> check_lease_request(const std::string& holder, std::chrono::milliseconds length) {
  if (!holder.empty() && length > std::chrono::milliseconds::zero()) return {};
  return Error{.code = Errc::invalid_argument, .message = "a lease needs a holder and a length above zero"};
}

Error nested_write_error(std::string_view what) {
  return Error{.code = Errc::internal,
               .message = "write '" + std::string(what) +
                          "' was started from inside another write: it would wait for "
                          "itself"};
}

std::string sortable_time(WallTime t) {
  const auto digits = std::to_string(std::max<std::int64_t>(0, t.time_since_epoch().count()));
  return std::string(digits.size() < 16 ? 16 - digits.size() : 0, '0') + digits;
}

}  // namespace homeport::store
