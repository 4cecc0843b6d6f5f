#include <cassert>

#include "provisioner/store/store.h"

namespace homeport::store {
namespace {

// In the order of the enumerators. What stands here must be what the migrations make (a test compares them).
constexpr std::array<TableDef, 13> kDefs{{
    {Table::backends, "backends", {}},
    {Table::classes, "classes", {}},
    {Table::rules, "rules", {}},
    {Table::grants, "grants", {"space"}},
    {Table::users, "users", {"uid"}, {true}},
    {Table::aliases, "aliases", {"user", "skeleton"}, {false, true}},
    {Table::spaces, "spaces", {"kind", "owner", "label", "backend", "place"}, {false, false, true, false, true}},
    {Table::operations, "operations", {"space_open", "open", "state", "backend", "space"}, {true}},
    {Table::tokens, "tokens", {"hash"}, {true}},
    {Table::sessions, "sessions", {"spec_id", "user"}},
    {Table::answers, "answers", {"created"}},
    {Table::counters, "counters", {}},
    {Table::snapshots, "snapshots", {"space", "scope", "name", "label", "deleted"}, {false, false, true, true, false}},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kDefs.size(); ++i) {
    if (static_cast<std::size_t>(kDefs[i].table) != i + 1) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

std::span<const TableDef> table_defs() {
  return kDefs;
}

const TableDef& table_def(Table table) {
  const auto number = static_cast<std::size_t>(table);
  assert(number >= 1 && number <= kDefs.size());
  return kDefs[number - 1];
}

}  // namespace homeport::store
