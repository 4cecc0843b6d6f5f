// Opening, refusing, migrating, backing up and restoring files.
#include <sys/mount.h>
#include <unistd.h>

#include <functional>

#include "provisioner/store/sqlite_open.h"
#include "tests/support/golden.h"
#include "tests/unit/store/store_fixture.h"

namespace homeport::store::testing {
namespace {

using homeport::testing::is_ok;
using homeport::testing::read_file;
using homeport::testing::source_path;

class StoreFilesTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open() { return open_sqlite_store(dir_.path(), clock_); }
  std::unique_ptr<Store> leading() {
    auto opened = open();
    EXPECT_OK(opened);
    if (!opened) return nullptr;
    auto store = std::move(opened).value();
    auto got = store->acquire_lease("one", kLeaseLength);
    EXPECT_TRUE(is_ok(got) && *got);
    return store;
  }
  // A store with some rows, closed.
  void fill(int rows) {
    const auto store = leading();
    ASSERT_OK(store->write("test.fill", [&](WriteTransaction& tx) -> Result<void> {
      for (int i = 0; i < rows; ++i) {
        auto record = counter(std::to_string(i), 1);
        HOMEPORT_CHECK(put(tx, record, Expect::any()));
      }
      return tx.append_audit({.principal = "p", .action = "a", .subject = "s", .outcome = "ok"});
    }));
    ASSERT_OK(store->release_lease());
  }
  static void overwrite(const std::string& file, std::streamoff at, const std::string& bytes) {
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(at);
    out << bytes;
  }
  // Refused with words and a hint, and the file is as it was.
  void expect_refused_untouched(Errc code) {
    const auto before = bytes_of(dir_.db());
    const auto opened = open();
    ASSERT_ERRC(opened, code);
    EXPECT_FALSE(opened.error().hint.empty()) << opened.error().to_string();
    EXPECT_EQ(bytes_of(dir_.db()), before);
  }

  TempDir dir_;
  FakeClock clock_;
};

// --- Damaged and foreign files ---------------------------------------------------------------------------------------

TEST_F(StoreFilesTest, aCorruptPageIsRefusedUntouched) {
  fill(400);
  overwrite(dir_.db(), 4096 * 3, std::string(4096, '\x5a'));
  expect_refused_untouched(Errc::failed_precondition);
}

TEST_F(StoreFilesTest, aCorruptHeaderIsRefusedUntouched) {
  fill(1);
  overwrite(dir_.db(), 0, "not a database at all");
  expect_refused_untouched(Errc::failed_precondition);
}

TEST_F(StoreFilesTest, aTruncatedFileIsRefusedUntouched) {
  fill(400);
  std::filesystem::resize_file(dir_.db(), std::filesystem::file_size(dir_.db()) / 2);
  expect_refused_untouched(Errc::failed_precondition);
}

TEST_F(StoreFilesTest, anEmptyFileIsNotTakenForANewStore) {
  fill(1);
  std::filesystem::resize_file(dir_.db(), 0);
  expect_refused_untouched(Errc::failed_precondition);
}

TEST_F(StoreFilesTest, aMissingFileWithItsLogIsNotTakenForANewStore) {
  const auto store = leading();
  ASSERT_OK(put_counter(*store, "k", 1));
  TempDir other;
  std::filesystem::copy(dir_.file("homeport.db-wal"), other.file("homeport.db-wal"));
  EXPECT_ERRC(open_sqlite_store(other.path(), clock_), Errc::failed_precondition);
}

TEST_F(StoreFilesTest, aDatabaseOfSomethingElseIsRefused) {
  RawDatabase(dir_.db()).run("CREATE TABLE cats (name TEXT)");
  expect_refused_untouched(Errc::failed_precondition);
}

TEST_F(StoreFilesTest, aCreationThatWasCutOffIsDoneAnew) {
  std::ofstream(dir_.file("homeport.db.new")) << "half";
  EXPECT_OK(open());
  EXPECT_FALSE(std::filesystem::exists(dir_.file("homeport.db.new")));
}

TEST_F(StoreFilesTest, aCommitThatIsOnlyInTheLogIsThereAfterACrash) {
  const auto store = leading();
  ASSERT_OK(put_counter(*store, "k", 7));
  TempDir crashed;  // the files as a crash leaves them: nothing was folded in
  for (const char* name : {"homeport.db", "homeport.db-wal"})
    std::filesystem::copy(dir_.file(name), crashed.file(name));
  auto reopened = open_sqlite_store(crashed.path(), clock_);
  ASSERT_OK(reopened);
  EXPECT_EQ(counter_in(**reopened, "k")->value, 7U);
}

// --- Directories and filesystems -------------------------------------------------------------------------------------

TEST_F(StoreFilesTest, aMissingDirectoryIsUnavailableAFileIsNoDirectory) {
  EXPECT_ERRC(open_sqlite_store(dir_.file("nowhere"), clock_), Errc::unavailable);
  std::ofstream(dir_.file("plain")) << "x";
  EXPECT_ERRC(open_sqlite_store(dir_.file("plain"), clock_), Errc::failed_precondition);
}

struct FilesystemCase {
  std::string name;
  std::uint64_t magic;
  FilesystemVerdict verdict;
  friend void PrintTo(const FilesystemCase& c, std::ostream* out) { *out << c.name; }
};
class FilesystemTest : public ::testing::TestWithParam<FilesystemCase> {};
TEST_P(FilesystemTest, isJudged) {
  EXPECT_EQ(filesystem_kind(GetParam().magic).verdict, GetParam().verdict);
}
INSTANTIATE_TEST_SUITE_P(Table, FilesystemTest,
                         ::testing::Values(FilesystemCase{"nfs", 0x6969, FilesystemVerdict::refused},
                                           FilesystemCase{"smb", 0x517B, FilesystemVerdict::refused},
                                           FilesystemCase{"cifs", 0xFF534D42, FilesystemVerdict::refused},
                                           FilesystemCase{"smb2", 0xFE534D42, FilesystemVerdict::refused},
                                           FilesystemCase{"ceph", 0x00C36400, FilesystemVerdict::refused},
                                           FilesystemCase{"lustre", 0x0BD00BD0, FilesystemVerdict::refused},
                                           FilesystemCase{"v9fs", 0x01021997, FilesystemVerdict::refused},
                                           FilesystemCase{"fuse", 0x65735546, FilesystemVerdict::unsure},
                                           FilesystemCase{"ext4", 0xEF53, FilesystemVerdict::local},
                                           FilesystemCase{"xfs", 0x58465342, FilesystemVerdict::local},
                                           FilesystemCase{"btrfs", 0x9123683E, FilesystemVerdict::local},
                                           FilesystemCase{"tmpfs", 0x01021994, FilesystemVerdict::local}),
                         [](const auto& c) { return c.param.name; });

TEST_F(StoreFilesTest, aReadOnlyFilesystemIsUnavailableWithAHint) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  if (::mount("none", dir_.path().c_str(), "tmpfs", MS_RDONLY, nullptr) != 0) GTEST_SKIP() << "may not mount here";
  const auto opened = open();
  ::umount2(dir_.path().c_str(), MNT_DETACH);
  ASSERT_ERRC(opened, Errc::unavailable);
  EXPECT_FALSE(opened.error().hint.empty());
}

// --- Migrations ------------------------------------------------------------------------------------------------------

const std::vector<Migration>& with_version_2() {
  static const std::vector<Migration> steps = [] {
    std::vector<Migration> all(migrations().begin(), migrations().end());
    all.push_back(
        {kSchemaVersion + 1, "CREATE TABLE extra (n INTEGER NOT NULL) STRICT; INSERT INTO extra VALUES (5);"});
    return all;
  }();
  return steps;
}

TEST_F(StoreFilesTest, theFirstReleasedSchemaOpens) {
  RawDatabase(dir_.db()).run(read_file(source_path("tests/unit/store/schema_v1.sql")));
  auto opened = open();
  ASSERT_OK(opened);
  auto& store = **opened;
  ASSERT_OK(store.read([](ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto spaces, list<SpaceRecord>(tx));
    EXPECT_EQ(spaces.size(), 1U);
    HOMEPORT_TRY(const auto operations, list<OperationRecord>(tx));
    EXPECT_EQ(operations.size(), 2U);
    HOMEPORT_TRY(const auto aliases, list<AliasRecord>(tx));
    EXPECT_EQ(aliases.size(), 1U);
    HOMEPORT_TRY(const auto snapshots, list<SnapshotRecord>(tx));
    EXPECT_EQ(snapshots.size(), 1U);
    return {};
  }));
  const auto check = store.verify_audit();
  ASSERT_OK(check);
  EXPECT_EQ(check->rows, 2U);
  EXPECT_FALSE(check->first_bad) << check->detail;
  EXPECT_EQ((*store.lease())->epoch, 3U);
  EXPECT_TRUE(*store.acquire_lease("one", kLeaseLength));
  EXPECT_EQ((*store.lease())->epoch, 4U);
  EXPECT_OK(put_counter(store, "k", 1));
  EXPECT_GT(counter_in(store, "k")->revision, 20U);
}

TEST_F(StoreFilesTest, aMigrationKeepsACopyOfWhatWas) {
  fill(3);
  {
    auto opened = open_sqlite_store(dir_.path(), clock_, with_version_2());
    ASSERT_OK(opened);
    EXPECT_EQ(counter_in(**opened, "0")->value, 1U);
  }
  EXPECT_EQ(RawDatabase(dir_.db()).column("SELECT n FROM extra"), std::vector<std::string>{"5"});
  RawDatabase before(dir_.file("homeport.db.before-v2"));
  EXPECT_EQ(before.column("SELECT value FROM meta WHERE name = 'schema_version'"), std::vector<std::string>{"1"});
  EXPECT_EQ(before.column("SELECT count(*) FROM counters"), std::vector<std::string>{"3"});
  EXPECT_OK(open_sqlite_store(dir_.path(), clock_, with_version_2())) << "and nothing more the second time";
  EXPECT_EQ(dir_.names("homeport.db.before-").size(), 1U);
}

TEST_F(StoreFilesTest, anOlderHomeportRefusesANewerSchemaAndSaysHowToGoBack) {
  fill(3);
  { ASSERT_OK(open_sqlite_store(dir_.path(), clock_, with_version_2())); }
  expect_refused_untouched(Errc::failed_precondition);
  const auto refused = open();
  EXPECT_NE(refused.error().message.find("schema 2"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().hint.find(dir_.file("homeport.db.before-v2")), std::string::npos) << refused.error().hint;
  EXPECT_NE(refused.error().hint.find("install Homeport"), std::string::npos) << refused.error().hint;
  ASSERT_OK(stage_restore(dir_.path(), dir_.file("homeport.db.before-v2"))) << "the way it names works";
  auto back = open();
  ASSERT_OK(back);
  EXPECT_EQ(counter_in(**back, "2")->value, 1U);
}

TEST_F(StoreFilesTest, aMigrationThatFailsChangesNothing) {
  fill(3);
  auto steps = with_version_2();
  steps.back().sql = "CREATE TABLE extra (n INTEGER); CREATE TABLE spaces (n INTEGER);";
  EXPECT_ERRC(open_sqlite_store(dir_.path(), clock_, steps), Errc::internal);
  EXPECT_TRUE(RawDatabase(dir_.db()).column("SELECT name FROM sqlite_schema WHERE name = 'extra'").empty());
  EXPECT_OK(open());
}

TEST_F(StoreFilesTest, noMigrationWhileAnotherHasItOpen) {
  fill(1);
  const auto other = open();
  ASSERT_OK(other);
  EXPECT_ERRC(open_sqlite_store(dir_.path(), clock_, with_version_2()), Errc::failed_precondition);
}

// --- Backup and restore ----------------------------------------------------------------------------------------------

TEST_F(StoreFilesTest, aBackupIsOneWholeFileAndNeverOverwrites) {
  const auto store = leading();
  ASSERT_OK(put_counter(*store, "k", 1));
  const auto file = dir_.file("copy.db");
  ASSERT_OK(store->backup_to(file));
  ASSERT_OK(put_counter(*store, "k", 2));
  EXPECT_EQ(RawDatabase(file).column("PRAGMA journal_mode"), std::vector<std::string>{"delete"});
  EXPECT_EQ(RawDatabase(file).column("PRAGMA integrity_check"), std::vector<std::string>{"ok"});
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  const auto before = bytes_of(file);
  EXPECT_ERRC(store->backup_to(file), Errc::already_exists);
  EXPECT_EQ(bytes_of(file), before);
  EXPECT_ERRC(store->backup_to(dir_.file("no/such/place.db")), Errc::unavailable);
  EXPECT_EQ(dir_.names("copy.db").size(), 1U) << "nothing is left beside it";
}

TEST_F(StoreFilesTest, aRestorePutsTheBackupInPlaceAndNoNumberComesBack) {
  const auto file = dir_.file("copy.db");
  std::uint64_t last_revision = 0;
  std::uint64_t last_seq = 0;
  {
    const auto store = leading();
    ASSERT_OK(put_counter(*store, "k", 1));
    ASSERT_OK(store->backup_to(file));
    ASSERT_OK(put_counter(*store, "k", 2));
    ASSERT_OK(put_counter(*store, "later", 1));
    ASSERT_OK(store->release_lease());
    ASSERT_OK(store->acquire_lease("one", kLeaseLength));  // epoch 2, which the backup does not know
    ASSERT_OK(put_counter(*store, "k", 3));
    last_revision = counter_in(*store, "k")->revision;
    ASSERT_OK(store->read([&](ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto changes, tx.changes(0, 1000));
      last_seq = changes.back().seq;
      return {};
    }));
    ASSERT_OK(stage_restore(dir_.path(), file)) << "while it runs";
    EXPECT_EQ(counter_in(*store, "k")->value, 3U) << "which changes nothing yet";
    EXPECT_ERRC(open(), Errc::failed_precondition) << "a second one must not pull the file away from the first";
  }
  const auto store = leading();  // at once: the lease of the replaced file went with it
  EXPECT_EQ(counter_in(*store, "k")->value, 1U);
  EXPECT_FALSE(counter_in(*store, "later"));
  EXPECT_EQ((*store->lease())->epoch, 3U);
  ASSERT_OK(put_counter(*store, "k", 9));
  EXPECT_GT(counter_in(*store, "k")->revision, last_revision);
  EXPECT_GT(counter_in(*store, "k")->revision, last_seq);
  const auto check = store->verify_audit();
  ASSERT_OK(check);
  EXPECT_FALSE(check->first_bad) << check->detail;
  EXPECT_EQ(check->rows, 1U) << "the restore itself";
  EXPECT_FALSE(std::filesystem::exists(dir_.file("restore-pending.db")));
  const auto kept = dir_.names("homeport.db.replaced-");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(RawDatabase(dir_.file(kept[0])).column("SELECT count(*) FROM counters"), std::vector<std::string>{"2"});
}

TEST_F(StoreFilesTest, aDamagedStoreIsRestoredWithALeapOfItsNumbers) {
  const auto file = dir_.file("copy.db");
  {
    fill(400);
    const auto store = leading();
    ASSERT_OK(store->backup_to(file));
    ASSERT_OK(store->release_lease());
  }
  overwrite(dir_.db(), 0, std::string(4096, 'x'));
  ASSERT_ERRC(open(), Errc::failed_precondition);
  ASSERT_OK(stage_restore(dir_.path(), file));
  const auto store = leading();
  EXPECT_TRUE(counter_in(*store, "399"));
  EXPECT_GT((*store->lease())->epoch, 1'000'000U);
  ASSERT_OK(put_counter(*store, "k", 1));
  EXPECT_GT(counter_in(*store, "k")->revision, 1ULL << 32U);
  EXPECT_EQ(dir_.names("homeport.db.replaced-").size(), 1U) << "the damaged one is kept";
}

TEST_F(StoreFilesTest, aRestoreIntoAnEmptyDirectory) {
  const auto file = dir_.file("copy.db");
  {
    const auto store = leading();
    ASSERT_OK(put_counter(*store, "k", 1));
    ASSERT_OK(store->backup_to(file));
  }
  TempDir fresh;
  ASSERT_OK(stage_restore(fresh.path(), file));
  auto opened = open_sqlite_store(fresh.path(), clock_);
  ASSERT_OK(opened);
  EXPECT_EQ(counter_in(**opened, "k")->value, 1U);
}

TEST_F(StoreFilesTest, aRestoreCutOffBetweenItsMovesIsFinishedByTheNextOpen) {
  fill(3);
  {
    const auto store = leading();
    ASSERT_OK(store->backup_to(dir_.file("copy.db")));
    ASSERT_OK(store->release_lease());
  }
  ASSERT_OK(stage_restore(dir_.path(), dir_.file("copy.db")));
  std::filesystem::rename(dir_.db(), dir_.file("homeport.db.replaced-x"));
  auto opened = open();
  ASSERT_OK(opened);
  EXPECT_TRUE(counter_in(**opened, "2"));
}

struct BadBackup {
  std::string name;
  std::function<void(const std::string&)> spoil;
  friend void PrintTo(const BadBackup& c, std::ostream* out) { *out << c.name; }
};
class BadBackupTest : public StoreFilesTest, public ::testing::WithParamInterface<BadBackup> {};
TEST_P(BadBackupTest, isNotStaged) {
  fill(400);
  const auto file = dir_.file("copy.db");
  {
    const auto store = leading();
    ASSERT_OK(store->backup_to(file));
  }
  GetParam().spoil(file);
  const auto before = bytes_of(file);
  const auto staged = stage_restore(dir_.path(), file);
  ASSERT_FALSE(staged);
  EXPECT_EQ(bytes_of(file), before) << "the backup is only read";
  EXPECT_TRUE(dir_.names("restore-").empty());
  EXPECT_OK(open());
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadBackupTest,
    ::testing::Values(BadBackup{"truncated", [](const std::string& f) { std::filesystem::resize_file(f, 20000); }},
                      BadBackup{"empty", [](const std::string& f) { std::filesystem::resize_file(f, 0); }},
                      BadBackup{"text", [](const std::string& f) { std::ofstream(f) << "hello"; }},
                      BadBackup{"missing", [](const std::string& f) { std::filesystem::remove(f); }},
                      BadBackup{"newerSchema",
                                [](const std::string& f) {
                                  RawDatabase(f).run("UPDATE meta SET value = '999' WHERE name = 'schema_version'");
                                }},
                      BadBackup{"auditEdited",
                                [](const std::string& f) { RawDatabase(f).run("UPDATE audit SET outcome = 'x'"); }},
                      BadBackup{"auditCutOff", [](const std::string& f) { RawDatabase(f).run("DELETE FROM audit"); }},
                      BadBackup{"somethingElse", [](const std::string& f) { RawDatabase(f).run("DROP TABLE meta"); }}),
    [](const auto& c) { return c.param.name; });

TEST_F(StoreFilesTest, theRunningFileIsNoBackup) {
  const auto store = leading();
  EXPECT_ERRC(stage_restore(dir_.path(), dir_.db()), Errc::invalid_argument);
}

TEST_F(StoreFilesTest, aStagedFileThatWasDamagedMeanwhileReplacesNothing) {
  fill(400);
  {
    const auto store = leading();
    ASSERT_OK(put_counter(*store, "k", 5));
    ASSERT_OK(store->backup_to(dir_.file("copy.db")));
    ASSERT_OK(store->release_lease());
  }
  ASSERT_OK(stage_restore(dir_.path(), dir_.file("copy.db")));
  std::filesystem::resize_file(dir_.file("restore-pending.db"), 20000);
  const auto refused = open();
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_NE(refused.error().hint.find("restore-pending.db"), std::string::npos) << refused.error().hint;
  std::filesystem::remove(dir_.file("restore-pending.db"));
  auto opened = open();
  ASSERT_OK(opened);
  EXPECT_EQ(counter_in(**opened, "k")->value, 5U);
}

}  // namespace
}  // namespace homeport::store::testing
