#include <atomic>
#include <thread>

#include "provisioner/core/space_work.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using drivers::DriverMethod;
using store::SpaceState;

class HomesTest : public CoreTest {
 protected:
  HomesTest() { apply(standard()); }
};

TEST_F(HomesTest, EnsureMakesOneHomeAndTheSameQuestionGivesIt) {
  const auto first = ensure("alice", 1001);
  ASSERT_OK(first);
  EXPECT_EQ(first->state, SpaceState::ready);
  EXPECT_EQ(first->quota_bytes, Bytes::parse("10GiB")->count());
  EXPECT_EQ(first->uid, 1001U);
  EXPECT_FALSE(first->backend_id.empty());
  EXPECT_FALSE(first->source.empty());
  const auto again = ensure("alice", 1001);
  ASSERT_OK(again);
  EXPECT_EQ(again->key, first->key);
  EXPECT_EQ(factory_.plan->forwarded(DriverMethod::create), 1U);
}

TEST_F(HomesTest, ManyAtOnceForOnePersonMakeOneHome) {
  std::vector<std::thread> threads;
  std::vector<std::string> keys(12);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    threads.emplace_back([this, i, &keys] {
      const auto made = ensure("alice", 1001);
      if (made) keys[i] = made->key;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& key : keys) EXPECT_EQ(key, keys[0]);
  EXPECT_FALSE(keys[0].empty());
  EXPECT_EQ(hp().catalog().spaces().size(), 1U);
}

// Asked by many at once, a uid that nobody has goes to one person.
TEST_F(HomesTest, OneUidMakesOnePersonAlsoInARace) {
  for (std::uint32_t round = 0; round < 5; ++round) {
    std::atomic<int> made = 0;
    std::atomic<int> refused = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
          const auto home = ensure("person-" + std::to_string(round) + "-" + std::to_string(i), 2000 + round);
          if (home) {
            ++made;
          } else if (home.error().code == Errc::already_exists && home.error().pointer == "/uid") {
            ++refused;
          }
        });
      }
    }
    EXPECT_EQ(made, 1);
    EXPECT_EQ(refused, 7);
  }
}

TEST_F(HomesTest, AUidIsPinnedAtFirstSight) {
  ASSERT_OK(ensure("alice", 1001));
  EXPECT_ERRC(ensure("alice", 1002), Errc::forbidden);
  EXPECT_ERRC(ensure("bob", 1001), Errc::already_exists);  // alice's
  ASSERT_OK(hp().homes().set_uid(caller(), "default", "alice", 1009, 1009));
  EXPECT_OK(ensure("alice", 1009));
  EXPECT_OK(ensure("bob", 1001));
}

TEST_F(HomesTest, APersonIsFoundByKeyAsByName) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  const auto key = home->owner;
  ASSERT_OK(hp().homes().set_uid(caller(), "default", key, 1009, 1010));
  const auto alice = hp().catalog().user_by_name("default", "alice");
  EXPECT_EQ(alice->uid, 1009U);
  EXPECT_EQ(alice->gid, 1010U);
  // A key says whose it is, whatever realm is meant; two people of it still share no uid.
  ASSERT_OK(hp().homes().set_uid(caller(), "elsewhere", key, 1011, 1011));
  EXPECT_EQ(hp().homes().get("elsewhere", key, "")->key, home->key);
  ASSERT_OK(ensure("bob", 1002));
  EXPECT_ERRC(hp().homes().set_uid(caller(), "elsewhere", key, 1002, 1002), Errc::already_exists);
  const auto nobody = hp().homes().set_uid(caller(), "default", "u-0123456789abcdef", 1003, 1003);
  ASSERT_ERRC(nobody, Errc::not_found);
  EXPECT_FALSE(nobody.error().hint.empty());
  ASSERT_OK(hp().renames().merge(caller(), "default", "bob", "alice", core::Renames::OtherHome::retire));
  const auto merged = core::merged_into(hp().catalog(), key);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_ERRC(hp().homes().set_uid(caller(), "default", merged.front(), 1003, 1003), Errc::failed_precondition);
}

TEST_F(HomesTest, RootAndNobodyOwnNothing) {
  EXPECT_ERRC(ensure("alice", 0), Errc::invalid_argument);
  EXPECT_ERRC(ensure("alice", 65534), Errc::invalid_argument);
  EXPECT_ERRC(ensure("alice", 4294967295U), Errc::invalid_argument);
  EXPECT_ERRC(ensure("alice", std::nullopt), Errc::invalid_argument);
  EXPECT_TRUE(hp().catalog().users().empty());
}

TEST_F(HomesTest, ANameThatLooksLikeAnotherNeedsAWord) {
  ASSERT_OK(ensure("alice", 1001));
  EXPECT_ERRC(ensure("Alice", 1002), Errc::already_exists);
  EXPECT_OK(ensure("Alice", 1002, [](core::HomeRequest& r) { r.allow_similar = true; }));
}

TEST_F(HomesTest, AnotherClassOrQuotaThanItHasIsRefused) {
  ASSERT_OK(ensure("alice", 1001));
  EXPECT_ERRC(ensure("alice", 1001, [](auto& r) { r.klass = *Slug::parse("big"); }), Errc::already_exists);
  EXPECT_ERRC(ensure("alice", 1001, [](auto& r) { r.quota = *Bytes::parse("11GiB"); }), Errc::already_exists);
  EXPECT_ERRC(ensure("bob", 1002, [](auto& r) { r.quota = *Bytes::parse("51GiB"); }), Errc::invalid_argument);
  EXPECT_ERRC(ensure("bob", 1002, [](auto& r) { r.klass = *Slug::parse("none"); }), Errc::not_found);
}

TEST_F(HomesTest, WithoutARuleNobodyGetsAHome) {
  apply(R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}]}],
            "classes":[{"name":"std","backend":"lab"},{"name":"big","backend":"lab"}],
            "rules":[{"name":"staff","match":{"groups":["staff"]},"class":"big"}]})");
  EXPECT_ERRC(ensure("alice", 1001), Errc::failed_precondition);
  const auto made = ensure("alice", 1001, [](auto& r) { r.groups = {"staff"}; });
  ASSERT_OK(made);
  EXPECT_EQ(made->klass, "big");
}

TEST_F(HomesTest, TheLifeOfAHome) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  EXPECT_ERRC(settled(hp().homes().purge(caller(), made->key, "alice")), Errc::failed_precondition);
  const auto retired = settled(hp().homes().retire(caller(), made->key));
  ASSERT_OK(retired);
  EXPECT_EQ(retired->state, SpaceState::retired);
  EXPECT_TRUE(retired->purge_after.has_value());
  EXPECT_OK(settled(hp().homes().retire(caller(), made->key)));   // again: nothing more to do
  EXPECT_ERRC(ensure("alice", 1001), Errc::failed_precondition);  // never an empty home beside the old one
  const auto back = settled(hp().homes().undelete(caller(), made->key));
  ASSERT_OK(back);
  EXPECT_EQ(back->state, SpaceState::ready);
  EXPECT_FALSE(back->retired_at.has_value());
  ASSERT_OK(settled(hp().homes().retire(caller(), made->key)));
  EXPECT_ERRC(settled(hp().homes().purge(caller(), made->key, "bob")), Errc::invalid_argument);
  const auto purged = settled(hp().homes().purge(caller(), made->key, "alice"));
  ASSERT_OK(purged);
  EXPECT_EQ(purged->state, SpaceState::purged);
  const auto fresh = ensure("alice", 1001);
  ASSERT_OK(fresh);
  EXPECT_NE(fresh->key, made->key);
}

// Repeated requests for one change, in the middle of it or just after, are answered as the first one was.
TEST_F(HomesTest, TheSameChangeAskedByManyIsDoneOnce) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  const auto ask_from_many = [&](const std::function<Result<core::SpaceOutcome>()>& ask, SpaceState end) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int again = 0; again < 5; ++again) {
          const auto space = settled(ask());
          EXPECT_OK(space);
          if (space) {
            EXPECT_EQ(space->state, end);
          }
        }
      });
    }
  };
  for (int round = 0; round < 5; ++round) {
    ask_from_many([&] { return hp().homes().retire(caller(), made->key); }, SpaceState::retired);
    ask_from_many([&] { return hp().homes().undelete(caller(), made->key); }, SpaceState::ready);
  }
  ask_from_many([&] { return hp().homes().retire(caller(), made->key); }, SpaceState::retired);
  ask_from_many([&] { return hp().homes().purge(caller(), made->key, made->key); }, SpaceState::purged);
  EXPECT_EQ(factory_.plan->forwarded(DriverMethod::purge), 2U);  // looked at, then done
}

// Whoever comes second finds the state the first one left: a change never brings back a space that was taken away.
TEST_F(HomesTest, ARaceOfDifferentChangesEndsInOneOfTheirStates) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  for (int round = 0; round < 20; ++round) {
    {
      std::jthread resizing([&] {
        const auto quota = Bytes{(11U + static_cast<unsigned>(round)) << 30U};
        (void)settled(hp().homes().resize(caller(), made->key, {.quota = quota}));
      });
      Result<store::SpaceRecord> retired = settled(hp().homes().retire(caller(), made->key));
      while (!retired) retired = settled(hp().homes().retire(caller(), made->key));
    }
    ASSERT_EQ(hp().catalog().space(made->key)->state, SpaceState::retired);
    ASSERT_OK(settled(hp().homes().undelete(caller(), made->key)));
  }
}

TEST_F(HomesTest, ResizeIsHeldToWhatIsUsed) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  const auto resize = [&](const std::string& size, bool force = false) {
    return settled(hp().homes().resize(caller(), made->key, {.quota = *Bytes::parse(size), .force = force}));
  };
  const auto bigger = resize("20GiB");
  ASSERT_OK(bigger);
  EXPECT_EQ(bigger->quota_bytes, Bytes::parse("20GiB")->count());
  EXPECT_ERRC(resize("60GiB"), Errc::invalid_argument);
  EXPECT_OK(resize("60GiB", true));
  EXPECT_ERRC(resize("0"), Errc::invalid_argument);
  EXPECT_ERRC(
      settled(hp().homes().resize(caller(), made->key, {.quota = *Bytes::parse("5GiB"), .expected_revision = 1})),
      Errc::conflict);
}

TEST_F(HomesTest, AMountedHomeIsNotRetired) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  const auto hub = caller(policies::Scope::spawner, "main");
  const auto spec = issue(hub, login("alice"));
  ASSERT_OK(spec);
  EXPECT_ERRC(settled(hp().homes().retire(caller(), made->key)), Errc::failed_precondition);
  ASSERT_OK(hp().logins().release(hub, spec->spec_id));
  EXPECT_OK(settled(hp().homes().retire(caller(), made->key)));
}

TEST_F(HomesTest, ABackendThatIsObservedDrainedOrPausedTakesNoHome) {
  ASSERT_OK(hp().administration().set_drained(caller(), "lab", true));
  EXPECT_ERRC(ensure("alice", 1001), Errc::failed_precondition);
  ASSERT_OK(hp().administration().set_drained(caller(), "lab", false));
  ASSERT_OK(hp().administration().pause(caller(), "lab", "disk is being changed"));
  const auto paused = ensure("alice", 1001);
  ASSERT_ERRC(paused, Errc::failed_precondition);
  EXPECT_NE(paused.error().message.find("disk is being changed"), std::string::npos);
  ASSERT_OK(hp().administration().resume(caller(), "lab"));
  EXPECT_OK(ensure("alice", 1001));
}

TEST_F(HomesTest, ObserveChangesNothing) {
  apply(R"({"backends":[{"name":"lab","kind":"memory","mode":"observe","pools":[{"name":"homes"}]}],
            "classes":[{"name":"std","backend":"lab"},{"name":"big","backend":"lab"}],
            "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  EXPECT_ERRC(ensure("alice", 1001), Errc::failed_precondition);
  EXPECT_EQ(factory_.plan->forwarded(DriverMethod::create), 0U);
}

TEST_F(HomesTest, DailyCapsHold) {
  apply(R"({"backends":[{"name":"lab","kind":"memory","caps":{"objects":2,"bytes":"15GiB"},"pools":[{"name":"homes"}]}],
            "classes":[{"name":"std","backend":"lab"},{"name":"big","backend":"lab","default_quota":"10GiB"}],
            "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  EXPECT_OK(ensure("a", 1001, [](auto& r) { r.klass = *Slug::parse("big"); }));
  EXPECT_ERRC(ensure("b", 1002, [](auto& r) { r.klass = *Slug::parse("big"); }), Errc::out_of_capacity);
  EXPECT_OK(ensure("b", 1002));
  EXPECT_ERRC(ensure("c", 1003), Errc::out_of_capacity);
  const auto used = hp().administration().used_today("lab");
  ASSERT_OK(used);
  EXPECT_EQ(used->objects, 2U);
}

TEST_F(HomesTest, ADryRunShowsTheCallsAndDoesNothing) {
  const auto preview = blocking<core::Preview>([&](auto done) {
    hp().homes().preview_ensure(
        caller(), {.user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001}, done);
  });
  ASSERT_OK(preview);
  EXPECT_FALSE(preview->calls.empty());
  EXPECT_TRUE(hp().catalog().spaces(true).empty());
  EXPECT_TRUE(hp().catalog().users().empty());
}

}  // namespace
}  // namespace homeport::testing
