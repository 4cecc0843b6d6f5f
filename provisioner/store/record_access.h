// Rows as records and back. Included by records.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "provisioner/store/store.h"

namespace homeport::store {

// Both directions for every record type, defined for the types of records.h only.
template <class R>
[[nodiscard]] Row to_row(const R& record);
template <class R>
[[nodiscard]] Result<R> from_row(const Row& row);

template <class R>
Result<std::optional<R>> get(ReadTransaction& tx, std::string_view key) {
  HOMEPORT_TRY(const auto row, tx.get(R::kTable, key));
  if (!row) return std::optional<R>{};
  HOMEPORT_TRY(auto record, from_row<R>(*row));
  return std::optional<R>{std::move(record)};
}
template <class R>
Result<std::vector<R>> list(ReadTransaction& tx, const ListQuery& query = {}) {
  HOMEPORT_TRY(const auto rows, tx.list(R::kTable, query));
  std::vector<R> out;
  out.reserve(rows.size());
  for (const auto& row : rows) {
    HOMEPORT_TRY(auto record, from_row<R>(row));
    out.push_back(std::move(record));
  }
  return out;
}
// The same, but one row that cannot be read does not hide the others: it is reported in `damaged`.
struct DamagedRow {
  Table table;
  std::string key;
  Error error;
};
template <class R>
Result<std::vector<R>> list(ReadTransaction& tx, const ListQuery& query, std::vector<DamagedRow>& damaged) {
  HOMEPORT_TRY(const auto rows, tx.list(R::kTable, query));
  std::vector<R> out;
  out.reserve(rows.size());
  for (const auto& row : rows) {
    auto record = from_row<R>(row);
    if (record) {
      out.push_back(std::move(record).value());
    } else {
      damaged.push_back(DamagedRow{.table = R::kTable, .key = row.key, .error = std::move(record).error()});
    }
  }
  return out;
}
// Stores and sets record.revision to the new one.
template <class R>
Result<void> put(WriteTransaction& tx, R& record, Expect expect) {
  HOMEPORT_TRY(record.revision, tx.put(R::kTable, to_row(record), expect));
  return {};
}
// New when revision is 0, else only over the revision that was read.
template <class R>
Result<void> put(WriteTransaction& tx, R& record) {
  return put(tx, record, record.revision == 0 ? Expect::none() : Expect::at(record.revision));
}

}  // namespace homeport::store
