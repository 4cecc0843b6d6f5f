// Directories of a pool: the array's file system, its quotas, and one limit for each person.
#include <array>
#include <thread>

#include "tests/unit/drivers/flashblade/array_driver_fixture.h"

namespace homeport::drivers {
namespace {

class PoolDriverTest : public ArrayDriverTest {
 protected:
  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    serve({.minor = 12}, {{"pools", {{{"name", "shared"}, {"layout", "directory"}, {"file_system", "pool1"}}}}});
  }
  [[nodiscard]] static CreateSpec in_pool(std::uint64_t number, std::uint32_t uid, SpaceKind kind = SpaceKind::home) {
    auto out = spec(number);
    out.layout = Layout::directory;
    out.pool = "shared";
    out.key = SpaceKey::from_random(kind, number);
    out.name = "hp-" + out.key.str();
    out.owner.uid = Uid{uid};
    out.marker.key = out.key;
    return out;
  }
  [[nodiscard]] std::optional<std::uint64_t> quota_of(const std::string& who) const {
    return array_->quota("pool1/" + who);
  }
};

TEST_F(PoolDriverTest, PoolIsMadeWithItsFirstSpaceAndIsNeverOpenToTheWorld) {
  const auto made = driver_->create(op(), in_pool(1, 4001));
  ASSERT_OK(made);
  EXPECT_EQ(made->path, "/array/" + name_ + "/pool1/homes/" + made->ref.name);
  EXPECT_EQ((*array_->look("pool1"))["nfs"]["rules"], std::string(kOurs) + " 10.20.0.0/16(rw,root_squash)");
  EXPECT_EQ(quota_of("u4001"), (1_GiB).count());
  EXPECT_EQ(made->quota, 1_GiB);
  array_->change("pool1", {{"nfs", {{"rules", "*(rw,no_root_squash)"}}}});
  const auto refused = driver_->create(op(), in_pool(2, 4002));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("lets everybody in"));
  array_->forget("pool1");
  auto later = in_pool(3, 4003);
  later.pool_in_use = true;
  EXPECT_ERRC(driver_->create(op(), later), Errc::unavailable);
}

TEST_F(PoolDriverTest, OneSpaceOfAPersonBearsTheLimitAndTrashCounts) {
  const auto first = driver_->create(op(), in_pool(1, 4001));
  ASSERT_OK(first);
  ASSERT_OK(driver_->create(op(), in_pool(1, 4001))) << "the same one again";
  const auto second = driver_->create(op(), in_pool(2, 4001));
  ASSERT_ERRC(second, Errc::failed_precondition);
  EXPECT_THAT(second.error().message, HasSubstr(first->ref.key.str()));
  EXPECT_THAT(second.error().hint, HasSubstr("layout filesystem"));
  auto without = in_pool(3, 4001);
  without.quota.reset();
  ASSERT_OK(driver_->create(op(), without));
  ASSERT_OK(driver_->retire(op(), first->ref));
  EXPECT_ERRC(driver_->create(op(), in_pool(2, 4001)), Errc::failed_precondition) << "trash counts";
  ASSERT_OK(driver_->purge(op(), first->ref, std::nullopt));
  EXPECT_FALSE(quota_of("u4001"));
  ASSERT_OK(driver_->create(op(), in_pool(2, 4001)));
  EXPECT_EQ(quota_of("u4001"), (1_GiB).count());
}

TEST_F(PoolDriverTest, TwoSpacesOfAPersonAtOnceAreToldApart) {
  ASSERT_OK(driver_->create(op(), in_pool(1, 4000)));  // the pool stands
  for (std::uint64_t round = 0; round < 3; ++round) {
    const auto uid = static_cast<std::uint32_t>(4100 + round);
    std::array<std::optional<Result<Object>>, 2> made;
    {
      std::array<std::jthread, 2> both;
      for (std::size_t i = 0; i < both.size(); ++i) {
        both[i] = std::jthread([&, i] { made[i].emplace(driver_->create(op(), in_pool(10 + round * 2 + i, uid))); });
      }
    }
    const auto& lost = made[0]->has_value() ? *made[1] : *made[0];
    EXPECT_NE(made[0]->has_value(), made[1]->has_value());
    ASSERT_FALSE(lost.has_value());
    // Refused for good once the other one stands; before that it is told to wait.
    const bool waits = lost.error().code == Errc::unavailable;
    EXPECT_TRUE(waits || lost.error().code == Errc::failed_precondition) << lost.error().to_string();
    EXPECT_THAT(lost.error().message, HasSubstr(waits ? "is being made" : "has its limit in pool shared for space h-"));
    EXPECT_EQ(quota_of("u" + std::to_string(uid)), (1_GiB).count());
  }
  std::vector<std::string> left;
  for (const auto& file : fs::directory_iterator(disk() / "pool1" / ".homeport" / "quotas")) {
    left.push_back(file.path().filename());
  }
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("u4000", "u4100", "u4101", "u4102"));
}

TEST_F(PoolDriverTest, ClaimThatBrokeOffInTheMiddleIsGoneOnWith) {
  ASSERT_OK(driver_->create(op(), in_pool(1, 4000)));
  const auto wanted = in_pool(2, 4001);
  const auto quotas = disk() / "pool1" / ".homeport" / "quotas";
  std::ofstream(quotas / (wanted.key.str() + ".new")) << "h-";
  std::ofstream(quotas / "u4001") << "";  // of an older Homeport
  ASSERT_OK(driver_->create(op(), wanted));
  EXPECT_EQ(quota_of("u4001"), (1_GiB).count());
  EXPECT_FALSE(fs::exists(quotas / (wanted.key.str() + ".new")));
}

TEST_F(PoolDriverTest, GroupShareIsLimitedByItsGroupAndLimitsFollowTheOwner) {
  const auto share = driver_->create(op(), in_pool(1, 4001, SpaceKind::group));
  ASSERT_OK(share);
  EXPECT_EQ(quota_of("g4343"), (1_GiB).count());
  EXPECT_FALSE(quota_of("u4001"));
  const auto home = driver_->create(op(), in_pool(2, 4001));
  ASSERT_OK(home);
  const auto given = driver_->update(op(), home->ref, {.owner = Owner{Uid{4009}, Gid{4343}}});
  ASSERT_OK(given);
  EXPECT_EQ(quota_of("u4009"), (1_GiB).count());
  EXPECT_FALSE(quota_of("u4001"));
  const auto grown = driver_->update(op(), home->ref, {.quota = 3_GiB});
  ASSERT_OK(grown);
  EXPECT_EQ(quota_of("u4009"), (3_GiB).count());
  const auto lifted = driver_->update(op(), home->ref, {.quota = std::optional<Bytes>{}});
  ASSERT_OK(lifted);
  EXPECT_FALSE(quota_of("u4009"));
}

TEST_F(PoolDriverTest, SnapshotsAndRulesOfADirectoryAreSaidToBeThePools) {
  const auto made = driver_->create(op(), in_pool(1, 4001));
  ASSERT_OK(made);
  EXPECT_ERRC(find<Snapshots>(*driver_)->take_snapshot(op(), made->ref, "hp-s"), Errc::unsupported);
  EXPECT_ERRC(driver_->set_access(op(), made->ref, {}), Errc::unsupported);
  EXPECT_ERRC(find<ArrayRestore>(*driver_)->overwrite_from_snapshot(op(), made->ref, {.id = "1", .name = "s"}),
              Errc::unsupported);
}

}  // namespace
}  // namespace homeport::drivers
