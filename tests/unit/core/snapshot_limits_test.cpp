// What a backend bears is known before it says no; what cannot be limited is not said to be.
#include <gmock/gmock.h>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using drivers::Layout;
using ::testing::AllOf;
using ::testing::HasSubstr;

class SnapshotLimitsTest : public CoreTest {
 protected:
  void bears(std::uint32_t of_each, std::uint64_t in_all) {
    *factory_.adjust = [=](drivers::DriverInfo& info) {
      for (auto& [layout, can] : info.layouts) {
        can.max_snapshots = in_all;
        if (layout == Layout::filesystem) can.max_snapshots_per_object = of_each;
      }
    };
  }
  static std::string document(const std::string& snapshots, const std::string& more = "") {
    return R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"own","layout":"filesystem"},
                {"name":"shared"}]}],
               "classes":[{"name":"std","backend":"lab","pool":"own","layout":"filesystem","snapshots":)" +
           snapshots + "}" + more + R"(],"rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})";
  }
  std::string doctor() {
    std::string out;
    for (const auto& finding : hp().doctor()) out += finding.level + ": " + finding.what + "\n";
    return out;
  }
};

constexpr const char* kUsual = R"({"hourly":24,"daily":14,"weekly":8})";

TEST_F(SnapshotLimitsTest, TheLastHomeThatFitsIsMadeAndTheNextIsRefusedWithTheNumbers) {
  bears(512, 100);  // two homes of 46
  apply(document(kUsual));
  ASSERT_OK(ensure("alice", 1001));
  EXPECT_THAT(doctor(), Not(HasSubstr("snapshots")));
  ASSERT_OK(ensure("bob", 1002));
  EXPECT_THAT(doctor(), HasSubstr("warning: the classes on backend lab keep up to 92 snapshots (2 homes with file "
                                  "systems of their own); it bears 100"));
  const auto refused = ensure("carol", 1003);
  ASSERT_ERRC(refused, Errc::out_of_capacity);
  EXPECT_EQ(refused.error().message,
            "class std keeps 46 snapshots of each home (24 hourly, 14 daily, 8 weekly); backend lab bears 100 in all, "
            "and what stands there may come to 92 (2 homes with file systems of their own)");
  EXPECT_THAT(refused.error().hint, HasSubstr("layout directory"));
  EXPECT_OK(ensure("alice", 1001)) << "who has a home keeps it";
}

TEST_F(SnapshotLimitsTest, APreviewSaysTheSame) {
  bears(512, 45);
  apply(document(kUsual));
  const core::HomeRequest request{
      .user = UserName::parse("alice").value(), .server = ServerName::parse("").value(), .uid = 1001, .gid = 1001};
  const auto preview =
      blocking<core::Preview>([&](auto done) { hp().homes().preview_ensure(caller(), request, std::move(done)); });
  EXPECT_ERRC(preview, Errc::out_of_capacity);
}

TEST_F(SnapshotLimitsTest, OneSpacesLimitStopsTheClassWherever) {
  bears(40, 50'000);
  apply(document(kUsual));
  const auto refused = ensure("alice", 1001);
  ASSERT_ERRC(refused, Errc::out_of_capacity);
  EXPECT_THAT(refused.error().message, HasSubstr("a file system on backend lab bears 40"));
  EXPECT_THAT(doctor(), HasSubstr("error: no home is made: class std keeps 46 snapshots"));
}

TEST_F(SnapshotLimitsTest, ADocumentThatCannotWorkIsRefusedWhole) {
  factory_.max_snapshots = 512;
  const auto refused = try_apply(document(R"({"hourly":500,"daily":13})"));
  ASSERT_ERRC(refused, Errc::invalid_argument);
  EXPECT_THAT(
      refused.error().message,
      HasSubstr("/classes: class std keeps 513 snapshots of each home (500 hourly, 13 daily), and a file system "
                "on backend lab bears 512"));
  EXPECT_OK(try_apply(document(R"({"hourly":500,"daily":12})")));
}

TEST_F(SnapshotLimitsTest, APoolHasOneSetForAllItsHomes) {
  bears(512, 60);
  apply(document(kUsual, R"(,{"name":"shared","backend":"lab","pool":"shared","snapshots":{"daily":14}})"));
  const auto shared = [](core::HomeRequest& request) { request.klass = Slug::parse("shared").value(); };
  for (std::uint32_t uid = 2001; uid < 2006; ++uid) ASSERT_OK(ensure("user" + std::to_string(uid), uid, shared));
  ASSERT_OK(ensure("alice", 1001)) << "46 and 14 are 60";
  EXPECT_ERRC(ensure("bob", 1002), Errc::out_of_capacity);
  EXPECT_OK(ensure("carol", 1003, shared)) << "directories are the way out";
}

TEST_F(SnapshotLimitsTest, AScheduleIsReadStrictly) {
  for (const auto* bad :
       {R"({})", R"({"hourly":0})", R"({"hourly":-1})", R"({"yearly":3})", R"({"daily":10001})", R"("daily")"}) {
    EXPECT_ERRC(try_apply(document(bad)), Errc::invalid_argument) << bad;
  }
}

TEST_F(SnapshotLimitsTest, WhereOwnersAreCountedASquashedClassIsMeasured) {
  *factory_.adjust = [](drivers::DriverInfo& info) {
    for (auto& [layout, can] : info.layouts) can.quota_by_owner = true;
  };
  apply(R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}]}],
      "classes":[{"name":"own","backend":"lab","default_quota":"1GiB"},
                 {"name":"one","backend":"lab","default_quota":"1GiB",
                  "identity":{"mode":"squash","accept_one_uid":true}}],
      "rules":[{"name":"all","match":{"everyone":true},"class":"own"}]})");
  const auto one = [](core::HomeRequest& request) { request.klass = Slug::parse("one").value(); };
  const auto alice = ensure("alice", 1001, one);
  const auto bob = ensure("bob", 1002, one);
  const auto carol = ensure("carol", 1003);
  ASSERT_OK(alice);
  ASSERT_OK(bob);
  ASSERT_OK(carol);
  EXPECT_EQ(alice->quota_class, "measured");
  EXPECT_EQ(bob->quota_class, "measured");
  EXPECT_EQ(carol->quota_class, "hard");
  EXPECT_EQ(alice->quota_bytes, std::uint64_t{1} << 30U) << "the limit is recorded all the same";
  const auto limit_of = [&](const store::SpaceRecord& space) {
    const auto found =
        factory_.memory("lab")->find({.request_id = "t", .deadline = clock_->mono() + std::chrono::seconds(5)},
                                     {.pool = "homes", .name = space.backend_name});
    return found && *found ? (*found)->quota : std::nullopt;
  };
  EXPECT_FALSE(limit_of(*alice).has_value());
  EXPECT_TRUE(limit_of(*carol).has_value());
}

}  // namespace
}  // namespace homeport::testing
