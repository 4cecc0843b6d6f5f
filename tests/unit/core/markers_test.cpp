// The markers of homes follow their owners' names, whatever happens between a rename and its marker.
#include <gmock/gmock.h>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using drivers::DriverMethod;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Error kDown{.code = Errc::unavailable, .message = "the storage is away"};

class MarkersTest : public CoreTest {
 protected:
  MarkersTest() { apply(standard()); }
  void rename(const std::string& from, const std::string& to, bool free_old_name = false) {
    EXPECT_OK(
        hp().renames().rename(caller(), "default", from, {.to = *UserName::parse(to), .free_old_name = free_old_name}));
  }
  void tick() {
    EXPECT_OK(blocking<void>([&](auto done) { hp().markers().tick([done] { done(Result<void>{}); }); }));
  }
  // The service's own loop may have begun before us.
  [[nodiscard]] bool nothing_left() {
    for (int i = 0; i < 1000; ++i) {
      tick();
      if (hp().catalog().people_to_mark().empty()) return true;
      (void)clock_->sleep_for(std::chrono::milliseconds(5), {});
    }
    return false;
  }
  void storage_is_back() {
    const auto backend = hp().backends().get("lab");
    ASSERT_OK(backend);
    (*backend)->note_success(clock_->now());
  }
  // As it stands on the backend, live or in the trash.
  [[nodiscard]] drivers::Marker marker(const store::SpaceRecord& home) {
    const OpContext op{.request_id = "test", .deadline = clock_->mono() + std::chrono::seconds(5)};
    const auto found = factory_.memory("lab")->find(op, {.pool = home.pool, .name = home.backend_name});
    EXPECT_OK(found);
    if (found && *found && (*found)->marker) return *(*found)->marker;
    ADD_FAILURE() << "no marker of " << home.key;
    return {.key = *SpaceKey::parse(home.key), .id = ""};
  }
  [[nodiscard]] std::size_t updates() const { return factory_.plan->forwarded(DriverMethod::update); }
};

TEST_F(MarkersTest, ARenameReachesTheMarkersOfAllHomesInTheTrashToo) {
  const auto home = ensure("alice", 1001);
  const auto lab = ensure("alice", 1001, [](core::HomeRequest& r) { r.server = *ServerName::parse("lab"); });
  ASSERT_OK(lab);
  ASSERT_OK(settled(hp().homes().retire(caller(), lab->key)));
  EXPECT_THAT(marker(*home).aliases, ElementsAre("alice"));
  rename("alice", "zoe");
  ASSERT_TRUE(nothing_left());
  EXPECT_THAT(marker(*home).aliases, ElementsAre("zoe", "alice"));
  EXPECT_THAT(marker(*lab).aliases, ElementsAre("zoe", "alice"));
  rename("alice", "zoe", true);
  ASSERT_TRUE(nothing_left());
  EXPECT_THAT(marker(*home).aliases, ElementsAre("zoe"));
  const auto written = updates();
  tick();
  EXPECT_EQ(updates(), written) << "what is written is not written again";
}

TEST_F(MarkersTest, AMergeReachesThemWithTheNewOwner) {
  apply(R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}]}],
            "classes":[{"name":"std","backend":"lab","identity":{"mode":"squash","uid":5000,"gid":5000,"accept_one_uid":true}}],
            "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  const auto kept = ensure("alice", std::nullopt);
  const auto other = ensure("bob", std::nullopt);
  ASSERT_OK(other);
  ASSERT_OK(hp().renames().merge(caller(), "default", "bob", "alice", core::Renames::OtherHome::beside));
  ASSERT_TRUE(nothing_left());
  EXPECT_EQ(marker(*other).owner, kept->owner);
  EXPECT_THAT(marker(*other).aliases, ElementsAre("alice", "bob"));
  EXPECT_THAT(marker(*kept).aliases, ElementsAre("alice", "bob"));
}

TEST_F(MarkersTest, ARenameWaitsForNoStorageAndItsMarkersForTheNextChance) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  factory_.plan->add(DriverMethod::update, {.error = kDown}, 100);
  rename("alice", "zoe");
  tick();
  EXPECT_THAT(marker(*home).aliases, ElementsAre("alice"));
  EXPECT_EQ(hp().catalog().people_to_mark().size(), 1U);
  const auto left = factory_.plan->left();
  EXPECT_LT(left, 100U);
  tick();
  EXPECT_EQ(factory_.plan->left(), left) << "storage that is away is not asked again and again";
  restart();  // what is due is in the store; the new service may have looked by itself already
  EXPECT_EQ(hp().catalog().people_to_mark().size(), 1U);
  while (factory_.plan->next(DriverMethod::update)) {
  }
  storage_is_back();
  ASSERT_TRUE(nothing_left());
  EXPECT_THAT(marker(*home).aliases, ElementsAre("zoe", "alice"));
}

TEST_F(MarkersTest, ARenameWhileTheMarkerIsWrittenIsNotLost) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  rename("alice", "zoe");
  // The first call takes its time; the second rename comes in the middle of it.
  factory_.plan->add(DriverMethod::update, {.latency = std::chrono::milliseconds(300)});
  auto first = std::async(std::launch::async, [this] { tick(); });
  while (factory_.plan->left() > 0) (void)clock_->sleep_for(std::chrono::milliseconds(1), {});
  rename("zoe", "zora");
  first.get();
  ASSERT_TRUE(nothing_left());
  EXPECT_THAT(marker(*home).aliases, ElementsAre("zora", "alice", "zoe"));
}

TEST_F(MarkersTest, AHomeUnderWorkIsLeftAloneUntilThatIsOver) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  factory_.plan->add(DriverMethod::retire, {.error = Error{.code = Errc::internal, .message = "planned"}});
  const auto retiring = hp().homes().retire(caller(), home->key);
  ASSERT_OK(retiring);
  EXPECT_EQ(wait(*retiring->operation)->state, store::OperationState::parked);
  rename("alice", "zoe");
  const auto before = updates();
  tick();
  EXPECT_EQ(updates(), before);
  EXPECT_EQ(hp().catalog().people_to_mark().size(), 1U);
  ASSERT_OK(hp().operations().retry(caller(), *retiring->operation));
  ASSERT_OK(wait(*retiring->operation));
  ASSERT_TRUE(nothing_left());
  EXPECT_THAT(marker(*home).aliases, ElementsAre("zoe", "alice"));
}

TEST_F(MarkersTest, WhatIsRefusedIsSaidAndTriedAgainLater) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  factory_.plan->add(DriverMethod::update,
                     {.error = Error{.code = Errc::conflict, .message = "its id is another one"}});
  rename("alice", "zoe");
  tick();
  const auto said = hp().markers().findings();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_THAT(said.front().what, HasSubstr("its id is another one"));
  const auto asked = updates();
  tick();
  EXPECT_EQ(updates(), asked) << "not at once";
  EXPECT_EQ(hp().catalog().people_to_mark().size(), 1U);
  restart();
  ASSERT_TRUE(nothing_left());
  EXPECT_THAT(hp().markers().findings(), IsEmpty());
}

TEST_F(MarkersTest, WithoutAHomeThereIsNothingToWrite) {
  ASSERT_OK(ensure("alice", 1001));
  const auto key = hp().catalog().user_by_name("default", "alice")->key;
  const auto home = hp().catalog().home("default", key);
  ASSERT_OK(settled(hp().homes().retire(caller(), home->key)));
  ASSERT_OK(settled(hp().homes().purge(caller(), home->key, "alice")));
  rename("alice", "zoe");
  tick();
  EXPECT_THAT(hp().catalog().people_to_mark(), IsEmpty());
}

}  // namespace
}  // namespace homeport::testing
