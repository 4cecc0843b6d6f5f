// One suite over every store: rows, transactions, the change feed.
#include "tests/unit/store/store_suite.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <thread>

namespace homeport::store::testing {
namespace {

TEST_P(StoreTest, anEmptyStoreAnswersEmpty) {
  EXPECT_FALSE(counter_in(*store_, "nothing"));
  for (const auto& def : table_defs()) EXPECT_EQ(keys(def.table, {}), Strings{}) << def.name;
  EXPECT_EQ(count(Table::spaces, {}, {}), 0U);
  EXPECT_TRUE(changes().empty());
  const auto check = store_->verify_audit();
  ASSERT_OK(check);
  EXPECT_EQ(check->rows, 0U);
  EXPECT_FALSE(check->first_bad);
}

// --- Expectations and revisions --------------------------------------------------------------------------------------

TEST_P(StoreTest, expectationsDecideAPut) {
  lead();
  const Row row{.key = "k", .doc = "{}"};
  EXPECT_ERRC(put_raw(Table::counters, row, Expect::at(1)), Errc::conflict);
  const auto first = put_raw(Table::counters, row, Expect::none());
  ASSERT_OK(first);
  EXPECT_GT(*first, 0U);
  EXPECT_ERRC(put_raw(Table::counters, row, Expect::none()), Errc::conflict);
  EXPECT_ERRC(put_raw(Table::counters, row, Expect::at(*first + 1)), Errc::conflict);
  const auto second = put_raw(Table::counters, row, Expect::at(*first));
  ASSERT_OK(second);
  EXPECT_GT(*second, *first);
  EXPECT_ERRC(put_raw(Table::counters, row, Expect::at(*first)), Errc::conflict);
  const auto third = put_raw(Table::counters, row, Expect::any());
  ASSERT_OK(third);
  EXPECT_GT(*third, *second);
}

TEST_P(StoreTest, expectationsDecideAnErase) {
  lead();
  EXPECT_OK(erase_raw(Table::counters, "k", Expect::any()));
  EXPECT_OK(erase_raw(Table::counters, "k", Expect::none()));
  EXPECT_ERRC(erase_raw(Table::counters, "k", Expect::at(1)), Errc::conflict);
  EXPECT_TRUE(changes().empty()) << "what was not there was not erased";
  const auto revision = put_raw(Table::counters, {.key = "k", .doc = "{}"}, Expect::none());
  ASSERT_OK(revision);
  EXPECT_ERRC(erase_raw(Table::counters, "k", Expect::none()), Errc::conflict);
  EXPECT_ERRC(erase_raw(Table::counters, "k", Expect::at(*revision + 1)), Errc::conflict);
  EXPECT_OK(erase_raw(Table::counters, "k", Expect::at(*revision)));
  EXPECT_EQ(keys(Table::counters, {}), Strings{});
}

TEST_P(StoreTest, aRevisionNeverComesBackAfterErase) {
  lead();
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    const auto revision = put_raw(Table::counters, {.key = "k", .doc = "{}"}, Expect::none());
    ASSERT_OK(revision);
    EXPECT_GT(*revision, last);
    last = *revision;
    ASSERT_OK(erase_raw(Table::counters, "k", Expect::at(last)));
    ASSERT_OK(store_->trim(0, WallTime{}));
  }
}

TEST_P(StoreTest, aRevisionOfARolledBackPutIsNotGivenAgain) {
  lead();
  std::uint64_t seen = 0;
  EXPECT_ERRC(store_->write("test.undone",
                            [&](WriteTransaction& tx) -> Result<void> {
                              HOMEPORT_TRY(seen, tx.put(Table::counters, {.key = "k", .doc = "{}"}, Expect::none()));
                              return Error{.code = Errc::cancelled, .message = "no"};
                            }),
              Errc::cancelled);
  const auto revision = put_raw(Table::counters, {.key = "k", .doc = "{}"}, Expect::none());
  ASSERT_OK(revision);
  EXPECT_GT(*revision, seen);
}

TEST_P(StoreTest, badRowsAreRefused) {
  lead();
  EXPECT_ERRC(put_raw(Table::counters, {.key = "", .doc = "{}"}, Expect::any()), Errc::invalid_argument);
  EXPECT_ERRC(put_raw(Table::counters, {.key = "k", .index = {"x"}, .doc = "{}"}, Expect::any()),
              Errc::invalid_argument);
  EXPECT_ERRC(store_->read([](ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY([[maybe_unused]] const auto rows, tx.list(Table::spaces, {.column = "1; DROP TABLE spaces"}));
    return {};
  }),
              Errc::invalid_argument);
}

// --- Lists -----------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, listsByColumnPageAndOrder) {
  lead();
  for (const char* key : {"c", "a", "B", "ä", "b"}) {
    ASSERT_OK(put_raw(Table::grants, {.key = key, .index = {"s-1"}, .doc = "{}"}, Expect::none()));
  }
  ASSERT_OK(put_raw(Table::grants, {.key = "bb", .index = {"s-2"}, .doc = "{}"}, Expect::none()));
  EXPECT_EQ(keys(Table::grants, {}), (Strings{"B", "a", "b", "bb", "c", "ä"})) << "by bytes";
  EXPECT_EQ(keys(Table::grants, {.column = "space", .value = "s-1"}), (Strings{"B", "a", "b", "c", "ä"}));
  EXPECT_EQ(keys(Table::grants, {.column = "space", .value = "s-1", .after = "a", .limit = 2}), (Strings{"b", "c"}));
  EXPECT_EQ(keys(Table::grants, {.after = "b", .limit = 1}), (Strings{"bb"}));
  EXPECT_EQ(keys(Table::grants, {.limit = 0}), Strings{});
  EXPECT_EQ(count(Table::grants, "space", "s-1"), 5U);
  EXPECT_EQ(count(Table::grants, "space", "s-3"), 0U);
  EXPECT_EQ(count(Table::grants, {}, {}), 6U);
}

TEST_P(StoreTest, aPutMovesTheRowInItsIndexes) {
  lead();
  ASSERT_OK(put_raw(Table::grants, {.key = "g", .index = {"s-1"}, .doc = "{}"}, Expect::none()));
  ASSERT_OK(put_raw(Table::grants, {.key = "g", .index = {"s-2"}, .doc = "{}"}, Expect::any()));
  EXPECT_EQ(keys(Table::grants, {.column = "space", .value = "s-1"}), Strings{});
  EXPECT_EQ(keys(Table::grants, {.column = "space", .value = "s-2"}), Strings{"g"});
}

TEST_P(StoreTest, hostileTextIsKeptByteForByte) {
  lead();
  const std::string nul("a\0b", 3);
  for (const std::string& text : {std::string("'; DROP TABLE grants; --"), nul, std::string("\xff\xfe"),
                                  std::string(5000, 'x'), std::string("\n\t\x1b[31m"), std::string("☃ %s {}")}) {
    ASSERT_OK(put_raw(Table::grants, {.key = text, .index = {text}, .doc = text}, Expect::none()));
    EXPECT_EQ(keys(Table::grants, {.column = "space", .value = text}), Strings{text});
    ASSERT_OK(store_->read([&](ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto row, tx.get(Table::grants, text));
      EXPECT_TRUE(row && row->doc == text && row->key == text && row->index[0] == text);
      return {};
    }));
  }
}

// --- Unique columns --------------------------------------------------------------------------------------------------

TEST_P(StoreTest, oneOpenOperationPerSpace) {
  lead();
  ASSERT_OK(put_one(*store_, operation("op-1", "h-1", OperationState::running)));
  for (const auto state : {OperationState::running, OperationState::waiting, OperationState::parked}) {
    const auto second = put_one(*store_, operation("op-2", "h-1", state));
    ASSERT_ERRC(second, Errc::already_exists);
    EXPECT_NE(second.error().message.find("op-1"), std::string::npos) << second.error().message;
  }
  EXPECT_OK(put_one(*store_, operation("op-2", "h-2", OperationState::running)));
  EXPECT_OK(put_one(*store_, operation("op-3", "h-1", OperationState::succeeded)));
  EXPECT_OK(put_one(*store_, operation("op-1", "h-1", OperationState::parked))) << "its own value is no obstacle";
  EXPECT_OK(put_one(*store_, operation("op-1", "h-1", OperationState::failed)));
  EXPECT_OK(put_one(*store_, operation("op-4", "h-1", OperationState::waiting)));
  EXPECT_EQ(keys(Table::operations, {.column = "space", .value = "h-1"}), (Strings{"op-1", "op-3", "op-4"}));
  EXPECT_EQ(keys(Table::operations, {.column = "space_open", .value = "h-1"}), Strings{"op-4"});
  EXPECT_EQ(keys(Table::operations, {.column = "space_open", .value = ""}), (Strings{"op-1", "op-3"}));
  EXPECT_EQ(keys(Table::operations, {.column = "open", .value = "1"}), (Strings{"op-2", "op-4"}));
  EXPECT_EQ(keys(Table::operations, {.column = "state", .value = "waiting"}), Strings{"op-4"});
  EXPECT_EQ(count(Table::operations, "backend", "filer"), 4U);
}

TEST_P(StoreTest, aNameIsFreeAgainWhenItsSpaceIsGone) {
  lead();
  auto first = home("h-1", "u-1");
  ASSERT_OK(put_one(*store_, first));
  EXPECT_ERRC(put_one(*store_, home("h-2", "u-1")), Errc::already_exists);
  first.state = SpaceState::retired;
  ASSERT_OK(put_one(*store_, first));
  EXPECT_ERRC(put_one(*store_, home("h-2", "u-1")), Errc::already_exists) << "a retired home may come back";
  first.state = SpaceState::purged;
  ASSERT_OK(put_one(*store_, first));
  EXPECT_OK(put_one(*store_, home("h-2", "u-1")));
}

TEST_P(StoreTest, namesThatLookAlikeAreRefusedUnlessAllowed) {
  lead();
  ASSERT_OK(put_one(*store_, AliasRecord{.realm = "r", .name = "alice", .user = "u-1"}));
  EXPECT_ERRC(put_one(*store_, AliasRecord{.realm = "r", .name = "Alice", .user = "u-2"}), Errc::already_exists);
  EXPECT_OK(put_one(*store_, AliasRecord{.realm = "other", .name = "Alice", .user = "u-2"}));
  EXPECT_OK(put_one(*store_, AliasRecord{.realm = "r", .name = "ALICE", .user = "u-3", .similar_allowed = true}));
  EXPECT_OK(put_one(*store_, AliasRecord{.realm = "r", .name = "aLICE", .user = "u-4", .similar_allowed = true}));
}

TEST_P(StoreTest, aRefusedRowDoesNotSpoilItsTransaction) {
  lead();
  ASSERT_OK(put_one(*store_, TokenRecord{.id = "t-1", .scope = "admin", .hash = "aa"}));
  ASSERT_OK(store_->write("test.tolerant", [&](WriteTransaction& tx) -> Result<void> {
    TokenRecord same{.id = "t-2", .scope = "admin", .hash = "aa"};
    EXPECT_ERRC(put(tx, same, Expect::any()), Errc::already_exists);
    same.hash = "bb";
    return put(tx, same, Expect::none());
  }));
  EXPECT_EQ(keys(Table::tokens, {.column = "hash", .value = "bb"}), Strings{"t-2"});
}

// --- All or nothing --------------------------------------------------------------------------------------------------

TEST_P(StoreTest, aFailingFunctionLeavesNothing) {
  lead();
  ASSERT_OK(put_counter(*store_, "old", 1));
  const auto before = changes().size();
  const auto failed = store_->write("test.fail", [&](WriteTransaction& tx) -> Result<void> {
    auto fresh = counter("new", 1);
    HOMEPORT_CHECK(put(tx, fresh, Expect::none()));
    auto old = counter("old", 2);
    HOMEPORT_CHECK(put(tx, old, Expect::any()));
    HOMEPORT_CHECK(tx.append_audit({.principal = "p", .action = "a", .subject = "s", .outcome = "ok"}));
    HOMEPORT_TRY(const auto seen, get<CounterRecord>(tx, "old"));
    EXPECT_EQ(seen->value, 2U) << "a function sees what it wrote";
    return Error{.code = Errc::over_quota, .message = "no"};
  });
  ASSERT_ERRC(failed, Errc::over_quota);
  EXPECT_EQ(failed.error().message, "no") << "the error is the function's own";
  EXPECT_FALSE(counter_in(*store_, "new"));
  EXPECT_EQ(counter_in(*store_, "old")->value, 1U);
  EXPECT_EQ(changes().size(), before);
  EXPECT_TRUE(audit(0, 10, {}).empty());
}

TEST_P(StoreTest, aFailingFunctionAmongOthersFailsAlone) {
  lead();
  constexpr int kThreads = 8;
  constexpr int kRounds = 25;
  std::atomic<int> wrong{0};
  std::mutex seen_mutex;
  std::vector<std::string> seen;
  store_->set_listener([&](std::span<const Change> made) {
    const std::lock_guard lock(seen_mutex);
    for (const auto& change : made) seen.push_back(change.key);
  });
  {
    std::barrier start(kThreads);
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        start.arrive_and_wait();
        for (int i = 0; i < kRounds; ++i) {
          const bool fails = (t + i) % 3 == 0;
          const auto key = std::to_string(t) + "-" + std::to_string(i);
          const auto result = store_->write("test.mixed", [&](WriteTransaction& tx) -> Result<void> {
            auto record = counter(key, 1);
            HOMEPORT_CHECK(put(tx, record, Expect::none()));
            if (fails) return Error{.code = Errc::over_quota, .message = "no"};
            return {};
          });
          const bool as_wanted = fails ? !result && result.error().code == Errc::over_quota : result.has_value();
          if (!as_wanted || counter_in(*store_, key).has_value() == fails) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  const auto kept = keys(Table::counters, {});
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, kept) << "the listener heard of exactly what was kept";
}

TEST_P(StoreTest, aFunctionThatThrowsFailsAlone) {
  lead();
  EXPECT_ERRC(store_->write("test.throw",
                            [](WriteTransaction& tx) -> Result<void> {
                              auto record = counter("k", 1);
                              HOMEPORT_CHECK(put(tx, record, Expect::any()));
                              throw std::runtime_error("oh");
                            }),
              Errc::internal);
  EXPECT_FALSE(counter_in(*store_, "k"));
  EXPECT_OK(put_counter(*store_, "k", 1));
}

// --- Change feed and listener ----------------------------------------------------------------------------------------

TEST_P(StoreTest, theListenerSeesEachCommitInOrderBeforeTheWriteReturns) {
  lead();
  std::vector<Change> heard;  // only touched by the committing thread, and here after write() returned
  bool visible = true;
  store_->set_listener([&](std::span<const Change> made) {
    for (const auto& change : made) {
      heard.push_back(change);
      visible = visible && counter_in(*store_, change.key).has_value() == (change.revision != 0);
    }
  });
  for (std::uint64_t i = 1; i <= 5; ++i) {
    ASSERT_OK(put_counter(*store_, "k" + std::to_string(i), i));
    ASSERT_EQ(heard.size(), i);
  }
  ASSERT_OK(erase_raw(Table::counters, "k3", Expect::any()));
  ASSERT_EQ(heard.size(), 6U);
  EXPECT_EQ(heard.back().key, "k3");
  EXPECT_EQ(heard.back().revision, 0U);
  EXPECT_EQ(heard.back().table, Table::counters);
  EXPECT_EQ(heard.back().at, clock_.now());
  EXPECT_TRUE(visible);
  const auto fed = changes();
  ASSERT_EQ(fed.size(), heard.size());
  for (std::size_t i = 0; i < fed.size(); ++i) {
    EXPECT_EQ(fed[i].seq, heard[i].seq);
    EXPECT_EQ(fed[i].key, heard[i].key);
    EXPECT_EQ(fed[i].revision, heard[i].revision);
    EXPECT_TRUE(i == 0 || fed[i].seq > fed[i - 1].seq);
  }
  EXPECT_EQ(changes(fed[2].seq, 2).front().key, "k4");
  EXPECT_EQ(changes(fed[2].seq, 2).size(), 2U);
}

TEST_P(StoreTest, aThousandWritesFromSixteenThreadsAreOrdered) {
  lead();
  std::vector<std::uint64_t> seqs;
  std::set<std::string> heard;
  std::mutex heard_mutex;
  store_->set_listener([&](std::span<const Change> made) {
    const std::lock_guard lock(heard_mutex);
    for (const auto& change : made) {
      seqs.push_back(change.seq);
      heard.insert(change.key);
    }
  });
  std::atomic<int> failures{0};
  std::atomic<int> unheard{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 63; ++i) {
          const auto key = std::to_string(t) + "-" + std::to_string(i);
          if (!put_counter(*store_, key, 1)) ++failures;
          const std::lock_guard lock(heard_mutex);
          if (!heard.contains(key)) ++unheard;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(unheard, 0);
  EXPECT_EQ(seqs.size(), 16U * 63U);
  EXPECT_TRUE(std::is_sorted(seqs.begin(), seqs.end()));
  EXPECT_EQ(count(Table::counters, {}, {}), 16U * 63U);
}

TEST_P(StoreTest, concurrentIncrementsWithRevisionsLoseNothing) {
  lead();
  ASSERT_OK(put_counter(*store_, "n", 0));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int done = 0; done < 20;) {
          auto record = *counter_in(*store_, "n");
          ++record.value;
          const auto stored = store_->write("test.increment", [record](WriteTransaction& tx) -> Result<void> {
            auto copy = record;
            return put(tx, copy);
          });
          if (stored) ++done;
        }
      });
    }
  }
  EXPECT_EQ(counter_in(*store_, "n")->value, 80U);
}

TEST_P(StoreTest, aReadSeesOneView) {
  lead();
  ASSERT_OK(store_->write("test.pair", [](WriteTransaction& tx) -> Result<void> {
    for (const char* name : {"left", "right"}) {
      auto record = counter(name, 0);
      HOMEPORT_CHECK(put(tx, record, Expect::any()));
    }
    return {};
  }));
  std::atomic<bool> stop{false};
  std::jthread writer([&] {
    for (std::uint64_t i = 1; i <= 200; ++i) {
      (void)store_->write("test.pair", [&](WriteTransaction& tx) -> Result<void> {
        for (const char* name : {"left", "right"}) {
          auto record = counter(name, i);
          HOMEPORT_CHECK(put(tx, record, Expect::any()));
        }
        return {};
      });
    }
    stop = true;
  });
  int torn = 0;
  while (!stop) {
    ASSERT_OK(store_->read([&](ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto left, get<CounterRecord>(tx, "left"));
      HOMEPORT_TRY(const auto right, get<CounterRecord>(tx, "right"));
      if (left->value != right->value) ++torn;
      return {};
    }));
  }
  EXPECT_EQ(torn, 0);
}

TEST_P(StoreTest, aWriteFromInsideAWriteIsRefusedNotHung) {
  lead();
  EXPECT_OK(store_->write("test.outer", [&](WriteTransaction&) -> Result<void> {
    EXPECT_ERRC(put_counter(*store_, "inner", 1), Errc::internal);
    return {};
  }));
  Result<void> from_listener;
  store_->set_listener([&](std::span<const Change>) { from_listener = put_counter(*store_, "inner", 1); });
  EXPECT_OK(put_counter(*store_, "outer", 1));
  EXPECT_ERRC(from_listener, Errc::internal);
}

INSTANTIATE_TEST_SUITE_P(All, StoreTest, ::testing::Values(Kind{"memory", false}, Kind{"sqlite", true}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace homeport::store::testing
