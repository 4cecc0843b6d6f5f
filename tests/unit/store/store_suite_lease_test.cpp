// The same suite: lease, audit, trim, backup.
#include "tests/unit/store/store_suite.h"

namespace homeport::store::testing {
namespace {

// --- Lease -----------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, nothingIsWrittenWithoutTheLease) {
  EXPECT_ERRC(put_counter(*store_, "k", 1), Errc::failed_precondition);
  EXPECT_ERRC(store_->trim(0, clock_.now()), Errc::failed_precondition);
  EXPECT_EQ(store_->lease_left(), 0ms);
  auto row = store_->lease();
  ASSERT_OK(row);
  EXPECT_FALSE(*row);
  lead();
  EXPECT_OK(put_counter(*store_, "k", 1));
  ASSERT_OK(store_->release_lease());
  EXPECT_ERRC(put_counter(*store_, "k", 2), Errc::failed_precondition);
  EXPECT_EQ(store_->lease_left(), 0ms);
  EXPECT_EQ(counter_in(*store_, "k")->value, 1U);
}

TEST_P(StoreTest, theLeaseIsRenewedAndItsEpochGrowsWhenTakenAnew) {
  EXPECT_ERRC(store_->acquire_lease("", 1s), Errc::invalid_argument);
  EXPECT_ERRC(store_->acquire_lease("one", 0s), Errc::invalid_argument);
  lead();
  EXPECT_EQ(store_->lease_left(), kLeaseLength);
  clock_.advance(10s);
  EXPECT_EQ(store_->lease_left(), 20s);
  lead();
  EXPECT_EQ(store_->lease_left(), kLeaseLength);
  auto row = *store_->lease();
  ASSERT_TRUE(row);
  EXPECT_EQ(row->holder, "one");
  EXPECT_EQ(row->epoch, 1U);
  EXPECT_EQ(row->expires, clock_.now() + kLeaseLength);
  clock_.advance(1h);
  EXPECT_EQ(store_->lease_left(), 0ms);
  ASSERT_OK(store_->release_lease());
  EXPECT_EQ((*store_->lease())->holder, "");
  lead();
  EXPECT_EQ((*store_->lease())->epoch, 2U);
}

TEST_P(StoreTest, leaseLeftCountsByTheMonotonicClock) {
  lead();
  clock_.set_wall(clock_.now() - 24h);
  EXPECT_EQ(store_->lease_left(), kLeaseLength);
}

// --- Audit -----------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, auditRowsAreChainedAndFound) {
  lead();
  for (int i = 0; i < 5; ++i) {
    clock_.advance(1s);
    ASSERT_OK(store_->write("test.audit", [&](WriteTransaction& tx) {
      return tx.append_audit({.at = i == 0 ? WallTime(5ms) : WallTime{},
                              .principal = "t-1",
                              .action = "home.ensure",
                              .subject = i % 2 == 0 ? "h-even" : "h-odd",
                              .outcome = "ok",
                              .detail = "{\"n\":" + std::to_string(i) + "}",
                              .operation = "op-1"});
    }));
  }
  const auto all = audit(0, 100, {});
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all.front().seq, 1U);
  EXPECT_EQ(all.front().entry.at, WallTime(5ms));
  EXPECT_EQ(all.back().entry.at, clock_.now()) << "stamped by the store";
  EXPECT_EQ(all.back().entry.detail, "{\"n\":4}");
  EXPECT_EQ(all.back().hash.size(), 64U);
  EXPECT_EQ(audit(0, 100, "h-odd").size(), 2U);
  EXPECT_EQ(audit(2, 2, {}).front().seq, 3U);
  EXPECT_EQ(audit(2, 2, {}).size(), 2U);
  const auto check = store_->verify_audit();
  ASSERT_OK(check);
  EXPECT_EQ(check->rows, 5U);
  EXPECT_FALSE(check->first_bad) << check->detail;
}

// --- Trim and backup -------------------------------------------------------------------------------------------------

TEST_P(StoreTest, trimDropsOldChangesAndAnswersOnly) {
  lead();
  for (int i = 0; i < 10; ++i) ASSERT_OK(put_counter(*store_, "k", 1));
  const WallTime cut = clock_.now() + 1h;
  for (int i = 0; i < 1203; ++i) {
    const WallTime at = i < 3 ? cut : cut - 1ms;
    const AnswerRecord answer{
        .principal = "p", .idempotency_key = std::to_string(i), .request_hash = "x", .created_at = at};
    ASSERT_OK(put_raw(Table::answers, to_row(answer), Expect::none()));
  }
  const auto last = changes(0, 100000).back().seq;
  ASSERT_OK(store_->trim(7, cut));
  EXPECT_EQ(keys(Table::answers, {}), (Strings{"p/0", "p/1", "p/2"}));
  const auto left = changes();
  ASSERT_EQ(left.size(), 7U);
  EXPECT_EQ(left.back().revision, 0U) << "the answers' removal is in the feed";
  EXPECT_GT(left.back().seq, last);
  ASSERT_OK(store_->trim(0, WallTime{}));
  EXPECT_TRUE(changes().empty());
  ASSERT_OK(put_counter(*store_, "k", 2));
  EXPECT_GT(changes().front().seq, left.back().seq) << "numbers go on after a trim";
  EXPECT_TRUE(counter_in(*store_, "k"));
}

TEST_P(StoreTest, backupIsACopyOrRefused) {
  const auto backup = store_->backup_to(dir_.file("copy.db"));
  if (GetParam().in_file) {
    EXPECT_OK(backup);
  } else {
    EXPECT_ERRC(backup, Errc::unsupported);
  }
}

}  // namespace
}  // namespace homeport::store::testing
