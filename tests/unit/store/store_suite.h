// The fixture of the suite that runs over every store. The suite is instantiated once, in store_suite_test.cpp.
#pragma once

#include "tests/unit/store/store_fixture.h"

namespace homeport::store::testing {

struct Kind {
  std::string name;
  bool in_file;
  friend void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }
};

class StoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam().in_file) {
      auto opened = open_sqlite_store(dir_.path(), clock_);
      ASSERT_OK(opened);
      store_ = std::move(opened).value();
    } else {
      store_ = make_memory_store(clock_);
    }
  }
  void lead() {
    const auto got = store_->acquire_lease("one", kLeaseLength);
    ASSERT_OK(got);
    ASSERT_TRUE(*got);
  }
  Result<std::uint64_t> put_raw(Table table, const Row& row, Expect expect) {
    std::uint64_t revision = 0;
    HOMEPORT_CHECK(store_->write("test.raw", [&](WriteTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(revision, tx.put(table, row, expect));
      return {};
    }));
    return revision;
  }
  Result<void> erase_raw(Table table, const std::string& key, Expect expect) {
    return store_->write("test.erase", [&](WriteTransaction& tx) { return tx.erase(table, key, expect); });
  }
  std::vector<std::string> keys(Table table, const ListQuery& query) {
    std::vector<std::string> out;
    EXPECT_OK(store_->read([&](ReadTransaction& tx) -> Result<void> {
      out.clear();
      HOMEPORT_TRY(const auto rows, tx.list(table, query));
      for (const auto& row : rows) out.push_back(row.key);
      return {};
    }));
    return out;
  }
  std::uint64_t count(Table table, std::string_view column, std::string_view value) {
    std::uint64_t n = 0;
    EXPECT_OK(store_->read([&](ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(n, tx.count(table, column, value));
      return {};
    }));
    return n;
  }
  std::vector<Change> changes(std::uint64_t after = 0, std::size_t limit = 1000) {
    std::vector<Change> out;
    EXPECT_OK(store_->read([&](ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(out, tx.changes(after, limit));
      return {};
    }));
    return out;
  }
  std::vector<AuditRow> audit(std::uint64_t after, std::size_t limit, std::string_view subject) {
    std::vector<AuditRow> out;
    EXPECT_OK(store_->read([&](ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(out, tx.audit(after, limit, subject));
      return {};
    }));
    return out;
  }

  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
};

using Strings = std::vector<std::string>;

}  // namespace homeport::store::testing
