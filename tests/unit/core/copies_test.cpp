// Homes that somebody's files are copied into: one run at a time, whatever happens to it.
#include "provisioner/core/space_work.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport {
namespace {

using namespace std::chrono_literals;

class CopiesTest : public testing::CoreTest {
 protected:
  void SetUp() override {
    start();
    apply(standard());
  }
  store::SpaceRecord copying(const std::string& user, std::uint32_t uid) {
    auto made = ensure(user, uid, [&](core::HomeRequest& request) {
      request.copying = core::HomeRequest::Copying{.from = "old:/home/" + user, .backend = *Slug::parse("lab")};
    });
    EXPECT_OK(made);
    return made.value();
  }
  Result<store::SpaceRecord> claim(const store::SpaceRecord& home, const std::string& run) {
    return hp().homes().claim_copy(caller(), home.key, {.run = run, .by = "host of " + run});
  }
};

TEST_F(CopiesTest, TwoRunsNeverHaveOneHome) {
  const auto home = copying("alice", 1001);
  EXPECT_ERRC(claim(home, ""), Errc::invalid_argument);
  const auto first = claim(home, "first");
  ASSERT_OK(first);
  ASSERT_TRUE(first->copy_claim);
  EXPECT_EQ(first->copy_claim->until - first->copy_claim->renewed, core::kCopyClaim);
  const auto second = claim(home, "second");
  ASSERT_ERRC(second, Errc::conflict);
  const auto since = format_time(first->copy_claim->since);
  for (const char* words : {"old:/home/alice", "host of first", since.c_str()})
    EXPECT_NE(second.error().message.find(words), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().hint.find("30 s"), std::string::npos) << second.error().hint;
  EXPECT_ERRC(hp().homes().finish_copy(caller(), home.key, {.run = "second"}), Errc::conflict);
  EXPECT_ERRC(hp().homes().finish_copy(caller(), home.key), Errc::conflict) << "nor does a hand end it";
  restart();
  EXPECT_ERRC(claim(home, "second"), Errc::conflict) << "a restart forgets nobody";
  const auto again = claim(home, "first");
  ASSERT_OK(again);
  EXPECT_EQ(again->copy_claim->since, first->copy_claim->since);
  ASSERT_OK(hp().homes().leave_copy(caller(), home.key, "second"));
  EXPECT_ERRC(claim(home, "second"), Errc::conflict) << "only the one that has it leaves it";
  ASSERT_OK(hp().homes().leave_copy(caller(), home.key, "first"));
  ASSERT_OK(claim(home, "second"));
  const auto done = hp().homes().finish_copy(caller(), home.key, {.run = "second"});
  ASSERT_OK(done);
  EXPECT_FALSE(done->copy_claim);
  const auto late = claim(home, "first");
  ASSERT_OK(late) << "it is over: the answer says so";
  EXPECT_FALSE(late->copying);
  EXPECT_FALSE(late->copy_claim);
}

TEST_F(CopiesTest, AClaimOfARunThatDiedEnds) {
  copy_claim_ = 0ms;
  restart();
  const auto home = copying("alice", 1001);
  ASSERT_OK(claim(home, "killed"));
  const auto next = claim(home, "next");
  ASSERT_OK(next);
  EXPECT_EQ(next->copy_claim->by, "host of next");
  ASSERT_OK(hp().homes().finish_copy(caller(), home.key)) << "nobody has it any more";
}

TEST_F(CopiesTest, OnlyAReadyHomeIsCopiedInto) {
  const auto home = copying("alice", 1001);
  ASSERT_OK(settled(hp().homes().retire(caller(), home.key)));
  EXPECT_ERRC(claim(home, "first"), Errc::failed_precondition);
  EXPECT_ERRC(hp().homes().claim_copy(caller(), "h-0000000000000000", {.run = "first"}), Errc::not_found);
}

// A host that has another name today is the same source, and one of the same name may be another.
TEST_F(CopiesTest, TheSourceIsKnownByItselfNotByItsName) {
  const auto from = [&](const char* where, const char* source) {
    return ensure("alice", 1001, [=](core::HomeRequest& request) {
      request.copying = core::HomeRequest::Copying{.from = where, .backend = *Slug::parse("lab"), .source = source};
    });
  };
  const auto home = from("nb1:/home/alice", "machine 1:/home/alice");
  ASSERT_OK(home);
  EXPECT_OK(from("nb1.example.org:/home/alice", "machine 1:/home/alice")) << "renamed";
  EXPECT_OK(from("nb1:/home/alice", "")) << "an older command";
  for (const bool finished : {false, true}) {
    if (finished) {
      ASSERT_OK(hp().homes().finish_copy(caller(), home->key));
    }
    const auto other = from("nb1:/home/alice", "machine 2:/home/alice");
    ASSERT_ERRC(other, Errc::already_exists);
    EXPECT_NE(other.error().message.find("machine 1:/home/alice"), std::string::npos) << other.error().message;
    EXPECT_NE(other.error().message.find("machine 2:/home/alice"), std::string::npos) << other.error().message;
  }
  EXPECT_OK(from("elsewhere:/home/alice", "machine 1:/home/alice")) << "finished, and known to be";
}

TEST_F(CopiesTest, ALimitIsNeverBelowWhatWasCopied) {
  const auto small = copying("alice", 1001);
  const auto large = copying("bob", 1002);
  const auto a = hp().homes().finish_copy(caller(), small.key, {.bytes = 1U << 30U, .files = 7});
  ASSERT_OK(a);
  EXPECT_EQ(a->quota_bytes, 10ULL << 30U);
  ASSERT_TRUE(a->usage);
  EXPECT_EQ(a->usage->bytes, 1ULL << 30U);
  EXPECT_EQ(a->usage->files, 7U);
  const auto b = hp().homes().finish_copy(caller(), large.key, {.bytes = 20ULL << 30U});
  ASSERT_OK(b);
  EXPECT_EQ(b->quota_bytes, 24ULL << 30U);
  EXPECT_EQ(b->quota_reason, "copied: 20 % above its use");
}

TEST(ImportedLimitTest, IsSetWhenTheUseIsKnownAndNeverBelowIt) {
  struct Row {
    std::uint64_t wanted;
    std::uint64_t used;
    std::uint64_t limit;
  };
  constexpr std::uint64_t kGiB = 1ULL << 30U;
  for (const auto& row :
       {Row{10 * kGiB, 1, 10 * kGiB}, Row{10 * kGiB, 20 * kGiB, 24 * kGiB}, Row{10 * kGiB, 9 * kGiB, 11 * kGiB}}) {
    store::SpaceRecord space{
        .key = "h-0000000000000001", .backend = "lab", .layout = "directory", .pool = {}, .backend_name = "/x"};
    space.klass = "std";
    space.quota_wanted = row.wanted;
    space.quota_reason = "imported: no limit before its use is known";
    space.usage = store::UsageRecord{.bytes = row.used, .basis = "exact"};
    core::settle_limit(space);
    EXPECT_EQ(space.quota_bytes, row.limit) << row.used;
    EXPECT_FALSE(space.quota_wanted);
    EXPECT_EQ(space.quota_reason, row.limit > row.wanted ? "imported: 20 % above its use" : "class std");
    space.usage->bytes = 100 * kGiB;
    core::settle_limit(space);
    EXPECT_EQ(space.quota_bytes, row.limit) << "settled once";
  }
}

}  // namespace
}  // namespace homeport
