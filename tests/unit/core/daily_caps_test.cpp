#include <gtest/gtest.h>

#include "provisioner/core/space_work.h"
#include "provisioner/store/open.h"
#include "tests/support/result_matchers.h"

namespace homeport::testing {
namespace {

class DailyCapsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(store_->acquire_lease("one", std::chrono::minutes(10))); }
  [[nodiscard]] Result<void> count(const std::string& backend, const std::string& what, const std::string& day,
                                   std::uint64_t amount = 1) {
    return store_->write("count", [&](store::WriteTransaction& tx) {
      const core::BackendSpec spec{.name = *Slug::parse(backend), .kind = "memory"};
      return core::count_against_cap(tx, spec, what, amount, 2, *parse_time(day + "T12:00:00Z"));
    });
  }
  [[nodiscard]] std::vector<std::string> counters() const {
    std::vector<std::string> keys;
    const auto read = store_->read([&](store::ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto rows, tx.list(store::Table::counters, {}));
      for (const auto& row : rows) keys.push_back(row.key);
      return {};
    });
    EXPECT_OK(read);
    return keys;
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<store::Store> store_ = store::make_memory_store(*clock_);
};

TEST_F(DailyCapsTest, ADayBeginsAnewAndTheOneBeforeIsForgotten) {
  ASSERT_OK(count("lab", "objects", "2026-11-20", 2));
  EXPECT_ERRC(count("lab", "objects", "2026-11-20"), Errc::out_of_capacity);
  ASSERT_OK(count("lab", "objects", "2026-11-21", 2));
  EXPECT_ERRC(count("lab", "objects", "2026-11-21"), Errc::out_of_capacity);
  EXPECT_EQ(counters(), std::vector<std::string>{"lab/2026-11-21/objects"});
}

TEST_F(DailyCapsTest, NothingElseIsForgotten) {
  for (const auto* key : {"lab/assigned", "lab/identity/assigned", "la/2026-11-20/objects", "labs/2026-11-20/object"}) {
    ASSERT_OK(store_->write("other", [&](store::WriteTransaction& tx) {
      store::CounterRecord other{.name = key, .value = 7};
      return store::put(tx, other);
    }));
  }
  ASSERT_OK(count("lab", "bytes", "2026-11-20"));
  ASSERT_OK(count("lab", "objects", "2026-11-21"));
  EXPECT_EQ(counters().size(), 6U);
}

}  // namespace
}  // namespace homeport::testing
