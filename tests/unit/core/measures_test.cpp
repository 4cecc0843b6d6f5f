// What imported homes use, where only a walk tells it: counted behind the import's back, whatever happens meanwhile.
#include "provisioner/core/measures.h"

#include <gmock/gmock.h>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using store::SpaceRecord;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

class MeasuresTest : public CoreTest {
 protected:
  static std::string document(const std::string& members = "") {
    return R"({"backends":[{"name":"lab","kind":"memory")" + members +
           R"(,"pools":[{"name":"homes"}],"exports":[{"path":"/old","files":[
                {"path":"home/alice","directory":true,"uid":3101,"gid":3101},
                {"path":"home/alice/notes.txt","content":"twelve bytes"},
                {"path":"home/bob","directory":true,"uid":3102,"gid":3102}]}]}],
             "classes":[{"name":"std","backend":"lab","default_quota":"10GiB"}],
             "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})";
  }
  SpaceRecord import(const std::string& user, std::uint32_t uid) {
    const auto home = ensure(user, uid, [&](core::HomeRequest& r) {
      r.existing = core::HomeRequest::Existing{.backend = *Slug::parse("lab"),
                                               .path = *AbsolutePath::parse("/old/home/" + user)};
    });
    EXPECT_OK(home);
    return *home;
  }
  // As an import leaves a home on a backend that does not tell what it uses: the memory backend always does.
  void forget_use(const std::string& key, std::uint64_t wanted = 10 * kGiB, const std::string& position = "") {
    EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, key));
      space->usage.reset();
      space->quota_bytes.reset();
      space->quota_wanted = wanted;
      space->measure = store::MeasureRecord{.since = clock_->now(), .position = position};
      return store::put(tx, *space);
    }));
  }
  // The service's own loop may have begun before us.
  SpaceRecord counted(const std::string& key) {
    for (int i = 0; i < 2000; ++i) {
      hp().measures().tick();
      const auto space = hp().catalog().space(key);
      if (!space->measure || !space->measure->why.empty()) return *space;
      (void)clock_->sleep_for(std::chrono::milliseconds(5), {});
    }
    ADD_FAILURE() << "not counted";
    return *hp().catalog().space(key);
  }
};

TEST_F(MeasuresTest, TheLimitThatWaitedIsSetByWhatIsCounted) {
  apply(document());
  const auto home = import("alice", 3101);
  forget_use(home.key);
  const auto space = counted(home.key);
  ASSERT_TRUE(space.usage.has_value());
  EXPECT_EQ(space.usage->basis, "measured");
  EXPECT_EQ(space.usage->files, 1U);
  EXPECT_GE(space.usage->bytes, 12U);
  EXPECT_EQ(space.quota_bytes, 10 * kGiB);
  EXPECT_FALSE(space.quota_wanted.has_value());
  EXPECT_FALSE(space.measure.has_value());
}

TEST_F(MeasuresTest, ALimitBelowTheUseIsRaisedAboveIt) {
  apply(document());
  const auto home = import("alice", 3101);
  forget_use(home.key, 1);
  const auto space = counted(home.key);
  EXPECT_EQ(space.quota_bytes, kGiB) << "20 % above, in whole GiB";
  EXPECT_THAT(space.quota_reason, HasSubstr("20 % above its use"));
}

TEST_F(MeasuresTest, APlaceThatCannotBeReadBeginsAgain) {
  apply(document());
  const auto home = import("alice", 3101);
  forget_use(home.key, 10 * kGiB, "damaged");
  EXPECT_EQ(counted(home.key).usage->files, 1U);
}

TEST_F(MeasuresTest, WhatIsGoneIsNoEmptyHomeAndStaysWithoutALimit) {
  apply(document());
  const auto home = import("alice", 3101);
  forget_use(home.key);
  EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, home.key));
    space->backend_id = "another";
    return store::put(tx, *space);
  }));
  const auto space = counted(home.key);
  EXPECT_FALSE(space.usage.has_value());
  EXPECT_FALSE(space.quota_bytes.has_value());
  ASSERT_TRUE(space.measure.has_value());
  EXPECT_THAT(space.quota_reason, HasSubstr("could not be counted"));
  ASSERT_EQ(hp().measures().findings().size(), 1U);
  EXPECT_THAT(hp().measures().findings()[0].what, HasSubstr("the home of alice"));
  EXPECT_THAT(hp().measures().findings()[0].hint, HasSubstr("homeport home resize alice"));
}

TEST_F(MeasuresTest, ABackendThatIsAwayIsWaitedFor) {
  apply(document());
  const auto home = import("alice", 3101);
  (*hp().backends().get("lab"))->note_lost(Error{.code = Errc::unavailable, .message = "away"}, true);
  forget_use(home.key);
  hp().measures().tick();
  EXPECT_FALSE(hp().catalog().space(home.key)->usage.has_value());
  (*hp().backends().get("lab"))->note_probe({.management_ok = true, .data_ok = true}, clock_->now());
  EXPECT_TRUE(counted(home.key).usage.has_value());
}

TEST_F(MeasuresTest, ARestartGoesOn) {
  apply(document());
  const auto home = import("alice", 3101);
  provisioner_->stop();
  forget_use(home.key);
  restart();
  EXPECT_TRUE(counted(home.key).usage.has_value());
}

TEST_F(MeasuresTest, ARateOfZeroMeansNever) {
  apply(document(R"(,"measure_rate":0)"));
  const auto home = import("alice", 3101);
  const auto refused = hp().measures().ask(caller(), home.key);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().hint, HasSubstr("measure_rate"));
  EXPECT_FALSE(hp().catalog().space(home.key)->measure.has_value());
}

TEST_F(MeasuresTest, AskingCountsAgain) {
  apply(document());
  const auto home = import("bob", 3102);
  EXPECT_ERRC(hp().measures().ask(caller(), "h-0000000000000000"), Errc::not_found);
  ASSERT_OK(hp().measures().ask(caller(), home.key));
  ASSERT_OK(hp().measures().ask(caller(), home.key)) << "twice is once";
  const auto space = counted(home.key);
  EXPECT_EQ(space.usage->basis, "measured");
  EXPECT_EQ(space.quota_bytes, home.quota_bytes) << "a limit that stands is left as it is";
  ASSERT_OK(settled(hp().homes().release(caller(), home.key)));
  EXPECT_ERRC(hp().measures().ask(caller(), home.key), Errc::failed_precondition);
  EXPECT_THAT(hp().catalog().homes_to_measure(), IsEmpty());
}

}  // namespace
}  // namespace homeport::testing
