// Every kind of SQLite failure, and what becomes of it.
#include "provisioner/store/sqlite_guard.h"

#include "tests/unit/store/store_fixture.h"

namespace homeport::store::testing {
namespace {

struct GuardCase {
  std::string name;
  int code;
  Errc errc;
  bool hint;
  friend void PrintTo(const GuardCase& c, std::ostream* out) { *out << c.name; }
};
class SqliteGuardTest : public ::testing::TestWithParam<GuardCase> {};

TEST_P(SqliteGuardTest, translates) {
  const auto result =
      sqlite_guard("write spaces", []() -> Result<void> { throw SQLite::Exception("its own words", GetParam().code); });
  ASSERT_ERRC(result, GetParam().errc);
  EXPECT_EQ(result.error().hint.empty(), !GetParam().hint);
  EXPECT_TRUE(result.error().message.starts_with("write spaces: ")) << result.error().message;
  ASSERT_TRUE(result.error().upstream);
  EXPECT_EQ(result.error().upstream->system, "sqlite");
  EXPECT_EQ(result.error().upstream->status, GetParam().code);
  EXPECT_EQ(result.error().upstream->detail, "its own words");
  EXPECT_EQ(result.error().retry_after.has_value(), GetParam().code == SQLITE_BUSY || GetParam().code == SQLITE_LOCKED);
  EXPECT_EQ(is_io_failure(result.error()), GetParam().name.starts_with("io"));
}
INSTANTIATE_TEST_SUITE_P(Table, SqliteGuardTest,
                         ::testing::Values(GuardCase{"full", SQLITE_FULL, Errc::unavailable, true},
                                           GuardCase{"io", SQLITE_IOERR, Errc::unavailable, true},
                                           GuardCase{"ioSync", SQLITE_IOERR_FSYNC, Errc::unavailable, true},
                                           GuardCase{"ioWrite", SQLITE_IOERR_WRITE, Errc::unavailable, true},
                                           GuardCase{"busy", SQLITE_BUSY, Errc::unavailable, true},
                                           GuardCase{"locked", SQLITE_LOCKED, Errc::unavailable, true},
                                           GuardCase{"cannotOpen", SQLITE_CANTOPEN, Errc::unavailable, true},
                                           GuardCase{"readOnly", SQLITE_READONLY, Errc::unavailable, true},
                                           GuardCase{"corrupt", SQLITE_CORRUPT, Errc::failed_precondition, true},
                                           GuardCase{"notADatabase", SQLITE_NOTADB, Errc::failed_precondition, true},
                                           GuardCase{"unique", SQLITE_CONSTRAINT_UNIQUE, Errc::already_exists, false},
                                           GuardCase{"primaryKey", SQLITE_CONSTRAINT_PRIMARYKEY, Errc::already_exists,
                                                     false},
                                           GuardCase{"notNull", SQLITE_CONSTRAINT_NOTNULL, Errc::internal, false},
                                           GuardCase{"other", SQLITE_MISUSE, Errc::internal, false}),
                         [](const auto& c) { return c.param.name; });

}  // namespace
}  // namespace homeport::store::testing
