// What only a store in a file can show: two of them on one file, an edited audit table, the schema.
#include <atomic>
#include <functional>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace homeport::store::testing {
namespace {

class SqliteStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open() {
    auto opened = open_sqlite_store(dir_.path(), clock_);
    EXPECT_OK(opened);
    return opened ? std::move(opened).value() : nullptr;
  }
  std::unique_ptr<Store> open_leading() {
    auto store = open();
    EXPECT_OK(store->acquire_lease("one", kLeaseLength));
    return store;
  }

  TempDir dir_;
  FakeClock clock_;
};

// --- Two stores on one file ------------------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, aSecondStoreWaitsTakesOverAndTheFirstWritesNoMore) {
  auto first = open_leading();
  auto second = open();
  ASSERT_OK(put_counter(*first, "k", 1));
  const auto early = second->acquire_lease("two", kLeaseLength);
  ASSERT_OK(early);
  EXPECT_FALSE(*early);
  EXPECT_EQ(second->lease_left(), 0ms);
  EXPECT_ERRC(put_counter(*second, "k", 2), Errc::failed_precondition);
  EXPECT_EQ(counter_in(*second, "k")->value, 1U) << "it reads meanwhile";

  clock_.advance(kLeaseLength);  // the first one hangs
  const auto late = second->acquire_lease("two", kLeaseLength);
  ASSERT_OK(late);
  EXPECT_TRUE(*late);
  EXPECT_EQ((*second->lease())->epoch, 2U);
  ASSERT_OK(put_counter(*second, "k", 2));

  const auto refused = put_counter(*first, "k", 3);  // and wakes up
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_NE(refused.error().message.find("'two'"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(refused.error().hint.empty());
  EXPECT_EQ(first->lease_left(), 0ms);
  EXPECT_EQ(counter_in(*first, "k")->value, 2U);
  const auto again = first->acquire_lease("one", kLeaseLength);
  ASSERT_OK(again);
  EXPECT_FALSE(*again);
}

TEST_F(SqliteStoreTest, aDeadHoldersLeaseIsTakenAtOnceWithANewEpoch) {
  auto first = open_leading();
  auto second = open();
  const auto got = second->acquire_lease("two", kLeaseLength, true);
  ASSERT_OK(got);
  EXPECT_TRUE(*got);
  EXPECT_EQ((*second->lease())->epoch, 2U);
  EXPECT_ERRC(put_counter(*first, "k", 1), Errc::failed_precondition);
}

TEST_F(SqliteStoreTest, theSameHolderNameIsNotTheSameHolder) {
  auto first = open_leading();
  auto second = open();
  const auto got = second->acquire_lease("one", kLeaseLength);
  ASSERT_OK(got);
  EXPECT_FALSE(*got);
}

TEST_F(SqliteStoreTest, aLeaseGivenBackIsFreeAtOnce) {
  auto first = open_leading();
  auto second = open();
  ASSERT_OK(first->release_lease());
  const auto got = second->acquire_lease("two", kLeaseLength);
  ASSERT_OK(got);
  EXPECT_TRUE(*got);
  ASSERT_OK(first->release_lease()) << "which is not theirs: nothing happens";
  EXPECT_OK(put_counter(*second, "k", 1));
}

TEST_F(SqliteStoreTest, anExpiredLeaseThatNobodyTookIsRenewedWithItsEpoch) {
  auto first = open_leading();
  clock_.advance(1h);
  EXPECT_OK(put_counter(*first, "k", 1));
  EXPECT_OK(first->acquire_lease("one", kLeaseLength));
  EXPECT_EQ((*first->lease())->epoch, 1U);
}

TEST_F(SqliteStoreTest, theLeaseOfADeadProcessIsFreeAtOnceAndTheEpochGrows) {
  open_leading().reset();  // as a crash leaves it: not given back
  auto second = open();
  EXPECT_EQ((*second->lease())->epoch, 1U);
  EXPECT_TRUE(*second->acquire_lease("two", kLeaseLength));
  EXPECT_EQ((*second->lease())->epoch, 2U);
}

TEST_F(SqliteStoreTest, theLeaseIsNotFreedWhileAnotherStoreIsOpen) {
  auto first = open_leading();
  auto standby = open();
  first.reset();
  auto third = open();  // the standby is alive, and might be the holder as far as this one can tell
  EXPECT_FALSE(*third->acquire_lease("three", kLeaseLength));
  clock_.advance(kLeaseLength);
  EXPECT_TRUE(*standby->acquire_lease("two", kLeaseLength));
}

TEST_F(SqliteStoreTest, everyQueuedWriteOfACommitFailsWithoutTheLease) {
  auto first = open_leading();
  auto second = open();
  clock_.advance(kLeaseLength);
  ASSERT_TRUE(*second->acquire_lease("two", kLeaseLength));
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        const auto result = put_counter(*first, std::to_string(t), 1);
        if (!result && result.error().code == Errc::failed_precondition) ++refused;
      });
    }
  }
  EXPECT_EQ(refused, 8);
  EXPECT_FALSE(counter_in(*second, "0"));
}

TEST_F(SqliteStoreTest, whatWasWrittenIsThereAfterReopening) {
  auto first = open_leading();
  ASSERT_OK(put_counter(*first, "k", 5));
  const auto revision = counter_in(*first, "k")->revision;
  ASSERT_OK(first->trim(0, WallTime{}));
  first.reset();
  auto again = open();
  clock_.advance(kLeaseLength);
  ASSERT_OK(again->acquire_lease("one", kLeaseLength));
  EXPECT_EQ(counter_in(*again, "k")->value, 5U);
  EXPECT_EQ(counter_in(*again, "k")->revision, revision);
  ASSERT_OK(put_counter(*again, "k", 6));
  EXPECT_GT(counter_in(*again, "k")->revision, revision);
}

// --- Group commit ----------------------------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, whatIsQueuedMeanwhileSharesOneCommit) {
  auto store = open_leading();
  constexpr int kWriters = 12;
  std::vector<std::size_t> sizes;
  store->set_listener([&](std::span<const Change> made) { sizes.push_back(made.size()); });
  std::atomic<int> called{0};
  std::vector<std::jthread> threads;
  ASSERT_OK(store->write("test.slow", [&](WriteTransaction&) -> Result<void> {
    // While this one runs, the others queue up behind it.
    for (int t = 0; t < kWriters; ++t) {
      threads.emplace_back([&, t] {
        ++called;
        EXPECT_OK(put_counter(*store, std::to_string(t), 1));
      });
    }
    while (called < kWriters) std::this_thread::yield();
    return {};
  }));
  threads.clear();
  std::size_t all = 0;
  for (const auto size : sizes) all += size;
  EXPECT_EQ(all, static_cast<std::size_t>(kWriters));
  EXPECT_LT(sizes.size(), static_cast<std::size_t>(kWriters)) << "one commit for several writes";
}

TEST_F(SqliteStoreTest, aWriterElsewhereIsWaitedFor) {
  auto store = open_leading();
  RawDatabase other(dir_.db());
  other.run("BEGIN IMMEDIATE");
  std::atomic<bool> called{false};
  Result<void> result;
  std::jthread writer([&] {
    called = true;
    result = put_counter(*store, "k", 1);
  });
  while (!called) std::this_thread::yield();
  other.run("ROLLBACK");
  writer.join();
  EXPECT_OK(result);
}

// --- Audit -----------------------------------------------------------------------------------------------------------

struct TamperCase {
  std::string name;
  std::string sql;
  std::optional<std::uint64_t> first_bad;
  std::string words;
  friend void PrintTo(const TamperCase& c, std::ostream* out) { *out << c.name; }
};
class TamperTest : public SqliteStoreTest, public ::testing::WithParamInterface<TamperCase> {};

TEST_P(TamperTest, isFoundAtTheRightRow) {
  auto store = open_leading();
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(store->write("test.audit", [&](WriteTransaction& tx) {
      return tx.append_audit({.principal = "p", .action = "a", .subject = "s", .outcome = "ok"});
    }));
  }
  RawDatabase(dir_.db()).run(GetParam().sql);
  const auto check = store->verify_audit();
  ASSERT_OK(check);
  EXPECT_EQ(check->first_bad, GetParam().first_bad) << check->detail;
  EXPECT_NE(check->detail.find(GetParam().words), std::string::npos) << check->detail;
}
INSTANTIATE_TEST_SUITE_P(
    Table, TamperTest,
    ::testing::Values(
        TamperCase{"untouched", "SELECT 1", std::nullopt, ""},
        TamperCase{"editedText", "UPDATE audit SET outcome = 'no' WHERE seq = 3", 3, "row 3 was changed"},
        TamperCase{"editedTime", "UPDATE audit SET at = at + 1 WHERE seq = 1", 1, "row 1 was changed"},
        TamperCase{"movedBetweenFields", "UPDATE audit SET principal = 'pa', action = '' WHERE seq = 2", 2, "row 2"},
        TamperCase{"deletedInside", "DELETE FROM audit WHERE seq = 3", 4, "missing"},
        TamperCase{"deletedFirst", "DELETE FROM audit WHERE seq = 1", 2, "missing"},
        TamperCase{"cutOff", "DELETE FROM audit WHERE seq > 3", 4, "ends at row 3"},
        TamperCase{"emptied", "DELETE FROM audit", 1, "ends at row 0"},
        TamperCase{"renumbered", "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3", 3,
                   "row 3 was changed"},
        TamperCase{"swapped",
                   "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 4; "
                   "UPDATE audit SET seq = 4 WHERE seq = 99",
                   2, "row 2 was changed"},
        TamperCase{"addedByHand",
                   "INSERT INTO audit SELECT 6, at, principal, action, subject, outcome, detail, operation, hash FROM "
                   "audit WHERE seq = 5",
                   6, "row 6"}),
    [](const auto& c) { return c.param.name; });

TEST_F(SqliteStoreTest, aCutOffTrailStaysFoundAfterNewRows) {
  auto store = open_leading();
  const auto append = [&] {
    return store->write("test.audit", [](WriteTransaction& tx) {
      return tx.append_audit({.principal = "p", .action = "a", .subject = "s", .outcome = "ok"});
    });
  };
  for (int i = 0; i < 4; ++i) ASSERT_OK(append());
  RawDatabase(dir_.db()).run("DELETE FROM audit WHERE seq > 2");
  ASSERT_OK(append());
  EXPECT_EQ((*store->verify_audit()).first_bad, 5U);
}

// --- Schema ----------------------------------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, theSchemaIsWhatTheTableDefinitionsSay) {
  const auto store = open();
  RawDatabase raw(dir_.db());
  for (const auto& def : table_defs()) {
    std::vector<std::string> wanted{"key", "revision"};
    for (const auto column : def.columns) {
      if (!column.empty()) wanted.emplace_back(column);
    }
    wanted.emplace_back("doc");
    const std::string table(def.name);
    EXPECT_EQ(raw.column("SELECT name FROM pragma_table_info('" + table + "')"), wanted);
    EXPECT_EQ(raw.column("SELECT strict FROM pragma_table_list('" + table + "')"), std::vector<std::string>{"1"})
        << table;
    for (std::size_t i = 0; i < def.columns.size(); ++i) {
      if (def.columns[i].empty()) continue;
      const std::string index = table + "_" + std::string(def.columns[i]);
      EXPECT_EQ(raw.column("SELECT \"unique\" || partial FROM pragma_index_list('" + table + "') WHERE name = '" +
                           index + "'"),
                std::vector<std::string>{def.unique[i] ? "11" : "00"})
          << index;
    }
  }
  EXPECT_EQ(raw.column("PRAGMA journal_mode"), std::vector<std::string>{"wal"});
}

TEST_F(SqliteStoreTest, listsByAColumnUseItsIndex) {
  const auto store = open();
  RawDatabase raw(dir_.db());
  for (const auto& def : table_defs()) {
    for (std::size_t i = 0; i < def.columns.size(); ++i) {
      if (def.columns[i].empty()) continue;
      const std::string column = "\"" + std::string(def.columns[i]) + "\"";
      const auto plan = raw.column("EXPLAIN QUERY PLAN SELECT doc FROM " + std::string(def.name) + " WHERE " + column +
                                   " = 'x'" + (def.unique[i] ? " AND " + column + " <> ''" : "") + " ORDER BY \"key\"");
      EXPECT_EQ(plan.size(), 1U) << def.name << " " << def.columns[i] << ": sorts by itself";
    }
  }
}

TEST_F(SqliteStoreTest, filesAreForTheirOwnerOnly) {
  const auto store = open_leading();
  ASSERT_OK(put_counter(*store, "k", 1));
  for (const auto& name : dir_.names("")) {
    const auto rights = std::filesystem::status(dir_.file(name)).permissions();
    EXPECT_EQ(rights & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
              std::filesystem::perms::none)
        << name;
  }
  EXPECT_FALSE(dir_.names("homeport.db-wal").empty());
}

TEST_F(SqliteStoreTest, tooWideRightsAreTakenBack) {
  open().reset();
  std::filesystem::permissions(dir_.db(), std::filesystem::perms(0644));
  const auto store = open();
  EXPECT_EQ(std::filesystem::status(dir_.db()).permissions(), std::filesystem::perms(0600));
}

TEST_F(SqliteStoreTest, theLogBesideTheFileStaysSmall) {
  const auto store = open_leading();
  for (int i = 0; i < 60; ++i) {
    ASSERT_OK(put_one(*store, AnswerRecord{.principal = "p",
                                           .idempotency_key = "k",
                                           .request_hash = "x",
                                           .body = std::string(400'000, static_cast<char>('a' + i % 26))}));
  }
  EXPECT_LT(std::filesystem::file_size(dir_.file("homeport.db-wal")), 8U << 20U) << "24 MB went through it";
}

}  // namespace
}  // namespace homeport::store::testing
