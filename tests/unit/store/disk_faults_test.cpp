// Full and failing disks. A file layer of SQLite between the store and the kernel answers as the test wishes; one test
// fills a real small filesystem.
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace homeport::store::testing {
namespace {

// The default file layer with sync and write replaced. One per process, silent until told.
class FaultyDisk {
 public:
  static FaultyDisk& instance() {
    static FaultyDisk disk;
    return disk;
  }
  std::atomic<int> sync_answer{SQLITE_OK};
  std::atomic<int> database_sync_answer{SQLITE_OK};  // of the main file alone
  std::atomic<int> write_answer{SQLITE_OK};
  std::atomic<int> syncs{0};
  void heal() {
    sync_answer = SQLITE_OK;
    database_sync_answer = SQLITE_OK;
    write_answer = SQLITE_OK;
  }

 private:
  FaultyDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    layer_ = *real_;
    layer_.zName = "faulty";
    layer_.pNext = nullptr;
    layer_.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
      const int rc = real_->xOpen(real_, name, file, flags, out);
      if (rc != SQLITE_OK || file->pMethods == nullptr) return rc;
      if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
        instance().replace<&FaultyDisk::database_>(file);
      } else {
        instance().replace<&FaultyDisk::beside_>(file);
      }
      return rc;
    };
    sqlite3_vfs_register(&layer_, 1);
  }

  // What the real layer does with a file: it has one table for the database and one for the files beside it.
  struct Table {
    const sqlite3_io_methods* real = nullptr;
    sqlite3_io_methods changed{};
  };
  template <Table FaultyDisk::*kTable>
  static int sync(sqlite3_file* file, int flags) {
    FaultyDisk& disk = instance();
    ++disk.syncs;
    int answer = disk.sync_answer;
    if (answer == SQLITE_OK && kTable == &FaultyDisk::database_) answer = disk.database_sync_answer;
    return answer == SQLITE_OK ? (disk.*kTable).real->xSync(file, flags) : answer;
  }
  template <Table FaultyDisk::*kTable>
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
    const int answer = instance().write_answer;
    return answer == SQLITE_OK ? (instance().*kTable).real->xWrite(file, data, size, at) : answer;
  }
  template <Table FaultyDisk::*kTable>
  void replace(sqlite3_file* file) {
    Table& table = this->*kTable;
    const std::lock_guard lock(mutex_);
    if (table.real == nullptr) {
      table.real = file->pMethods;
      table.changed = *file->pMethods;
      table.changed.xSync = sync<kTable>;
      table.changed.xWrite = write<kTable>;
    }
    if (file->pMethods == table.real) file->pMethods = &table.changed;
  }

  std::mutex mutex_;
  Table database_;
  Table beside_;
  static sqlite3_vfs* real_;
  sqlite3_vfs layer_{};
};
sqlite3_vfs* FaultyDisk::real_ = nullptr;

class DiskFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FaultyDisk::instance().heal();
    open();
  }
  void TearDown() override { FaultyDisk::instance().heal(); }
  void open() {
    store_.reset();
    auto opened = open_sqlite_store(dir_.path(), clock_);
    ASSERT_OK(opened);
    store_ = std::move(opened).value();
    clock_.advance(kLeaseLength);
    ASSERT_TRUE(*store_->acquire_lease("one", kLeaseLength));
  }

  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_F(DiskFaultsTest, aFullDiskRefusesWritesServesReadsAndRecoversByItself) {
  ASSERT_OK(put_counter(*store_, "k", 1));
  FaultyDisk::instance().write_answer = SQLITE_FULL;
  for (int i = 0; i < 3; ++i) {
    const auto refused = put_counter(*store_, "k", 2);
    ASSERT_ERRC(refused, Errc::unavailable);
    EXPECT_NE(refused.error().sentence().find("full"), std::string::npos) << refused.error().to_string();
    EXPECT_FALSE(refused.error().hint.empty());
    EXPECT_FALSE(refused.error().maybe_applied);
    EXPECT_EQ(counter_in(*store_, "k")->value, 1U);
  }
  FaultyDisk::instance().heal();
  EXPECT_OK(put_counter(*store_, "k", 2));
  EXPECT_EQ(counter_in(*store_, "k")->value, 2U);
  const auto revision = counter_in(*store_, "k")->revision;
  open();
  EXPECT_EQ(counter_in(*store_, "k")->revision, revision);
}

TEST_F(DiskFaultsTest, aFailedSyncStopsTheWriterForGood) {
  ASSERT_OK(put_counter(*store_, "k", 1));
  int heard = 0;
  store_->set_listener([&](std::span<const Change>) { ++heard; });
  FaultyDisk::instance().sync_answer = SQLITE_IOERR_FSYNC;
  const auto failed = put_counter(*store_, "k", 2);
  ASSERT_ERRC(failed, Errc::unavailable);
  EXPECT_TRUE(failed.error().maybe_applied);
  FaultyDisk::instance().heal();
  const int syncs = FaultyDisk::instance().syncs;
  const auto refused = put_counter(*store_, "k", 3);
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_NE(refused.error().sentence().find("does not write any more"), std::string::npos)
      << refused.error().to_string();
  EXPECT_FALSE(refused.error().maybe_applied);
  EXPECT_ERRC(store_->acquire_lease("one", kLeaseLength), Errc::unavailable);
  EXPECT_EQ(FaultyDisk::instance().syncs, syncs) << "the sync is not tried again";
  EXPECT_EQ(heard, 0);
  EXPECT_EQ(counter_in(*store_, "k")->value, 1U) << "reads go on";
  open();
  const auto value = counter_in(*store_, "k")->value;
  EXPECT_TRUE(value == 1 || value == 2) << "either way, but whole";
  EXPECT_OK(put_counter(*store_, "k", 4));
}

TEST_F(DiskFaultsTest, aFailedSyncFailsEveryWriteOfTheCommit) {
  FaultyDisk::instance().sync_answer = SQLITE_IOERR_FSYNC;
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        const auto result = put_counter(*store_, std::to_string(t), 1);
        if (!result && result.error().code == Errc::unavailable) ++failed;
      });
    }
  }
  EXPECT_EQ(failed, 8);
  FaultyDisk::instance().heal();
}

TEST_F(DiskFaultsTest, oneSyncServesManyWrites) {
  const int before = FaultyDisk::instance().syncs;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 63; ++i) EXPECT_OK(put_counter(*store_, std::to_string(t) + "-" + std::to_string(i), 1));
      });
    }
  }
  EXPECT_LT(FaultyDisk::instance().syncs - before, 700) << "for 1008 writes";
}

TEST_F(DiskFaultsTest, aFailedCheckpointStopsTheWriterToo) {
  char letter = 'a';  // pages that stay the same are not written again
  const auto put_big = [&] {
    letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1);
    return put_one(
        *store_,
        AnswerRecord{
            .principal = "p", .idempotency_key = "k", .request_hash = "x", .body = std::string(900'000, letter)});
  };
  FaultyDisk::instance().database_sync_answer = SQLITE_IOERR_FSYNC;  // commits sync the log beside the file only
  Result<void> result;
  int written = 0;
  while (written < 50 && (result = put_big())) ++written;
  ASSERT_ERRC(result, Errc::unavailable);
  EXPECT_GT(written, 3) << "what was committed before stays committed";
  EXPECT_NE(result.error().sentence().find("does not write any more"), std::string::npos) << result.error().to_string();
  FaultyDisk::instance().heal();
  EXPECT_ERRC(put_big(), Errc::unavailable);
  open();
  EXPECT_OK(put_big());
}

TEST(RealDiskTest, aFullFilesystemIsSurvived) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a small filesystem";
  FaultyDisk::instance().heal();
  TempDir dir;
  if (::mount("none", dir.path().c_str(), "tmpfs", 0, "size=2m,mode=700") != 0) GTEST_SKIP() << "may not mount here";
  struct Unmount {
    std::string path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  };
  const Unmount unmount{dir.path()};
  FakeClock clock;
  auto opened = open_sqlite_store(dir.path(), clock);
  ASSERT_OK(opened);
  auto& store = **opened;
  ASSERT_OK(store.acquire_lease("one", kLeaseLength));
  ASSERT_OK(put_counter(store, "k", 1));
  { std::ofstream(dir.file("ballast")) << std::string(4 << 20, 'x'); }
  Result<void> refused;
  int written = 0;
  const auto put_answer = [&] {
    return put_one(store, AnswerRecord{.principal = "p",
                                       .idempotency_key = std::to_string(written),
                                       .request_hash = "x",
                                       .body = std::string(50'000, 'x')});
  };
  while (written < 1000 && (refused = put_answer())) ++written;
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_NE(refused.error().sentence().find("full"), std::string::npos) << refused.error().to_string();
  EXPECT_EQ(counter_in(store, "k")->value, 1U);
  EXPECT_ERRC(store.backup_to(dir.file("copy.db")), Errc::unavailable);
  EXPECT_TRUE(dir.names("copy.db").empty());
  std::filesystem::remove(dir.file("ballast"));
  EXPECT_OK(put_answer());
  EXPECT_OK(put_counter(store, "k", 2));
}

}  // namespace
}  // namespace homeport::store::testing
