// Volumes and claims as the core wants them, in a cluster that keeps what it is given and has the troubles a test
// plans. The real protocol is in tests/e2e/test_kubernetes.py.
#include <gmock/gmock.h>

#include <functional>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using namespace std::chrono_literals;
using core::ClusterPair;
using core::ClusterVolume;
using ::testing::HasSubstr;

class FakeCluster final : public core::Cluster {
 public:
  struct Standing {
    bool volume = false;
    bool claim = false;
  };
  struct State {
    std::map<ClusterPair, Standing> pairs{};
    std::vector<std::string> made{};  // "volume nb-…", "claim nb-…", in order
    std::set<std::string> used{};     // claims that a pod mounts
    std::optional<Error> trouble{};
    std::vector<std::size_t> pages{};                 // how many pairs each collect() was given
    std::map<std::string, Error> stuck{};             // claims that cannot be looked at
    std::size_t most_per_call = 1'000'000;            // then the time is up
    std::function<void(const ClusterPair&)> going{};  // once, while collect() deletes its first pair
  };
  Guarded<State> state;

  [[nodiscard]] const std::vector<std::string>& namespaces() const override { return namespaces_; }
  Result<std::string> ensure_volume(const OpContext&, const ClusterVolume& wanted) override {
    return state.with([&](State& s) -> Result<std::string> {
      if (s.trouble) return *s.trouble;
      if (!std::exchange(s.pairs[wanted.pair].volume, true)) s.made.push_back("volume " + wanted.pair.claim);
      return std::string("volume");
    });
  }
  Result<std::string> ensure_claim(const OpContext&, const ClusterVolume& wanted) override {
    return state.with([&](State& s) -> Result<std::string> {
      if (s.trouble) return *s.trouble;
      if (!std::exchange(s.pairs[wanted.pair].claim, true)) s.made.push_back("claim " + wanted.pair.claim);
      return std::string("claim");
    });
  }
  Result<std::vector<core::StandingPair>> standing(const OpContext&) override {
    return state.with([&](State& s) -> Result<std::vector<core::StandingPair>> {
      if (s.trouble && is_transient(s.trouble->code)) return *s.trouble;  // an object in the way hinders no list
      std::vector<core::StandingPair> out;
      for (const auto& [pair, there] : s.pairs)
        out.push_back({.pair = pair, .volume = there.volume, .claim = there.claim});
      return out;
    });
  }
  Result<void> collect(const OpContext&, const std::vector<ClusterPair>& pairs,
                       std::vector<core::CollectedPair>& done) override {
    auto going = state.with([&](State& s) {
      s.pages.push_back(pairs.size());
      return std::exchange(s.going, nullptr);
    });
    if (going) going(pairs.front());
    return state.with([&](State& s) -> Result<void> {
      if (s.trouble) return *s.trouble;
      for (const auto& pair : pairs) {
        if (done.size() >= s.most_per_call) return Error{.code = Errc::timed_out, .message = "the time is up"};
        if (const auto stuck = s.stuck.find(pair.claim); stuck != s.stuck.end()) return stuck->second;
        const bool used = s.used.contains(pair.claim);
        if (!used) s.pairs.erase(pair);
        done.push_back({.pair = pair, .kept = used ? "a pod uses it" : ""});
      }
      return {};
    });
  }
  [[nodiscard]] std::size_t count() {
    return state.with([](const State& s) { return s.pairs.size(); });
  }
  void be(std::optional<Error> trouble) {
    state.with([&](State& s) { s.trouble = std::move(trouble); });
  }

 private:
  const std::vector<std::string> namespaces_{"jhub"};
};

const Error kDown{.code = Errc::unavailable, .message = "the API server is away"};

class ClusterVolumes : public CoreTest {
 protected:
  ~ClusterVolumes() override { provisioner_->stop(); }  // before the cluster that its threads ask is gone
  void begin(bool with_cluster = true) {
    apply(standard());
    cluster_ = with_cluster ? &cluster : nullptr;
    restart();
  }
  // Whether the home's claims may be mounted, as a hub is told.
  [[nodiscard]] Result<void> mountable(const std::string& user, const std::string& ns = "jhub",
                                       std::chrono::milliseconds time = 10s) {
    const auto answer = issue(caller(policies::Scope::spawner, "main"), login(user));
    HOMEPORT_CHECK(answer);
    HOMEPORT_TRY(const auto found, hp().logins().reissue(answer->spec_id));
    return blocking<void>([&](auto done) {
      hp().cluster_volumes().when_mountable(found.spec, found.spaces, ns, clock_->mono() + time, std::move(done));
    });
  }
  template <class Condition>
  [[nodiscard]] static bool eventually(Condition condition) {
    for (int i = 0; i < 4000; ++i) {
      if (condition()) return true;
      std::promise<void>().get_future().wait_for(5ms);
    }
    return false;
  }
  FakeCluster cluster;
};

TEST_F(ClusterVolumes, ANewHomeHasVolumeAndClaimInThisOrder) {
  begin();
  const auto home = ensure("alice", 2001);
  ASSERT_OK(home);
  const auto made = cluster.state.with([](const auto& s) { return s.made; });
  ASSERT_EQ(made.size(), 2U);
  EXPECT_THAT(made[0], HasSubstr("volume nb-home-"));
  EXPECT_THAT(made[1], HasSubstr("claim nb-home-"));
  ASSERT_TRUE(home->claims);
  EXPECT_EQ(*home->claims, std::vector<std::string>{"jhub/" + made[1].substr(6)});
  EXPECT_OK(mountable("alice"));
}

TEST_F(ClusterVolumes, WithoutAClusterNoStepIsAddedAndNoNamespaceServed) {
  begin(false);
  const auto home = ensure("alice", 2001);
  ASSERT_OK(home);
  EXPECT_FALSE(home->claims);
  const auto operations = hp().operations().list({.space = home->key});
  ASSERT_OK(operations);
  EXPECT_EQ(operations->front().steps.size(), 1U);
  EXPECT_ERRC(mountable("alice"), Errc::failed_precondition);
}

TEST_F(ClusterVolumes, HomesThatWereReadyBeforeGetTheirs) {
  begin(false);
  ASSERT_OK(ensure("alice", 2001));
  cluster_ = &cluster;
  restart();
  EXPECT_OK(mountable("alice"));
  EXPECT_ERRC(mountable("alice", "elsewhere"), Errc::invalid_argument);
}

TEST_F(ClusterVolumes, AClusterThatIsAwayHoldsUpNewHomesOnly) {
  begin();
  ASSERT_OK(ensure("alice", 2001));
  cluster.be(kDown);
  auto bob = UserName::parse("bob");
  auto server = ServerName::parse("");
  const auto waiting =
      hp().homes().ensure(caller(), {.user = std::move(*bob), .server = std::move(*server), .uid = 2002, .gid = 2002});
  ASSERT_OK(waiting);
  ASSERT_TRUE(waiting->operation);
  ASSERT_TRUE(eventually([&] {
    const auto op = hp().operations().get(*waiting->operation);
    return op && op->state == store::OperationState::waiting && op->failure->message.find("away") != std::string::npos;
  }));
  EXPECT_OK(mountable("alice"));
  const auto alice = hp().homes().get("default", "alice", "");
  ASSERT_OK(alice);
  EXPECT_OK(settled(hp().homes().resize(caller(), alice->key, {.quota = Bytes{std::uint64_t{20} << 30U}})));
  cluster.be(std::nullopt);
  ASSERT_OK(hp().operations().retry(caller(), *waiting->operation));
  EXPECT_OK(settled(Result<core::SpaceOutcome>(*waiting)));
  EXPECT_OK(mountable("bob"));
}

TEST_F(ClusterVolumes, WhoWaitsForAClaimIsToldWhyItIsNotThere) {
  begin(false);
  ASSERT_OK(ensure("alice", 2001));
  cluster.be(kDown);
  cluster_ = &cluster;
  restart();
  const auto down = mountable("alice");
  ASSERT_ERRC(down, Errc::unavailable);
  EXPECT_THAT(down.error().message, HasSubstr("away"));
  EXPECT_TRUE(down.error().retry_after);
  EXPECT_THAT(hp().doctor().front().what, HasSubstr("away"));
  cluster.be(Error{.code = Errc::failed_precondition, .message = "something is in the way"});
  ASSERT_TRUE(eventually([&] {
    const auto refused = mountable("alice");
    return !refused && refused.error().code == Errc::failed_precondition;
  }));
  cluster.be(std::nullopt);
  EXPECT_TRUE(eventually([&] { return mountable("alice").has_value(); }));
}

TEST_F(ClusterVolumes, WhatIsRetiredIsStruckOffBeforeItIsDeleted) {
  begin();
  const auto home = ensure("alice", 2001);
  ASSERT_OK(home);
  const auto claim = home->claims->front().substr(5);
  cluster.state.with([&](auto& s) { s.used.insert(claim); });
  ASSERT_OK(settled(hp().homes().retire(caller(), home->key, true)));
  ASSERT_TRUE(eventually([&] { return !hp().cluster_volumes().findings().empty(); }));
  EXPECT_THAT(hp().cluster_volumes().findings().front().what, HasSubstr("a pod uses it"));
  EXPECT_TRUE(hp().catalog().space(home->key)->claims->empty());
  EXPECT_EQ(cluster.count(), 1U);
  cluster.state.with([](auto& s) { s.used.clear(); });
  EXPECT_TRUE(eventually([&] { return cluster.count() == 0; }));
  // Back again, it has them before it is ready.
  const auto back = settled(hp().homes().undelete(caller(), home->key));
  ASSERT_OK(back);
  EXPECT_EQ(back->claims->size(), 1U);
  EXPECT_EQ(cluster.count(), 1U);
}

TEST_F(ClusterVolumes, ObjectsOfSpacesThatNobodyKnowsStay) {
  cluster.state.with([](auto& s) {
    s.pairs[ClusterPair{.ns = "jhub", .claim = "nb-home-x", .space = "h-0123456789abcdef"}] = {.volume = true,
                                                                                               .claim = true};
  });
  begin();
  const auto home = ensure("alice", 2001);
  ASSERT_OK(home);
  ASSERT_OK(settled(hp().homes().retire(caller(), home->key, true)));
  EXPECT_TRUE(eventually([&] { return cluster.count() == 1; }));
  restart();
  ASSERT_OK(ensure("bob", 2002));
  EXPECT_OK(mountable("bob"));
  EXPECT_EQ(cluster.count(), 2U);
}

TEST_F(ClusterVolumes, AHomeThatAMergePutBesideAnotherHasAClaimAsItIsMountedThere) {
  begin();
  apply(R"({"backends":[{"name":"own","kind":"memory","pools":[{"name":"homes","layout":"filesystem"}]}],
            "classes":[{"name":"std","backend":"own","layout":"filesystem",
                        "identity":{"mode":"squash","uid":5000,"gid":5000}}],
            "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  ASSERT_OK(ensure("alice", std::nullopt));
  ASSERT_OK(ensure("asmith", std::nullopt));
  ASSERT_OK(hp().renames().merge(caller(), "default", "asmith", "alice", core::Renames::OtherHome::beside));
  EXPECT_OK(mountable("asmith"));
  EXPECT_TRUE(eventually([&] { return cluster.count() == 2; }));  // what mounted it as a home of its own is gone
}

TEST_F(ClusterVolumes, WhatSomebodyDeletedIsMadeAgain) {
  begin();
  ASSERT_OK(ensure("alice", 2001));
  cluster.state.with([](auto& s) { s.pairs.begin()->second.claim = false; });
  restart();  // which compares
  EXPECT_TRUE(
      eventually([&] { return cluster.state.with([](const auto& s) { return s.pairs.begin()->second.claim; }); }));
  EXPECT_OK(mountable("alice"));
}

TEST_F(ClusterVolumes, AnUndeleteWhileItsPairIsDeletedWaitsForTheEndAndThenMakesItAnew) {
  begin();
  const auto home = ensure("alice", 2001);
  ASSERT_OK(home);
  std::promise<std::string> undeleting;
  cluster.state.with([&](auto& s) {
    s.going = [&](const ClusterPair&) {
      const auto outcome = hp().homes().undelete(caller(), home->key);
      EXPECT_OK(outcome);
      if (!outcome) return undeleting.set_value("");
      // It ends, or finds that it has to wait; the deletion then goes on.
      EXPECT_TRUE(eventually([&] {
        const auto op = hp().operations().get(*outcome->operation);
        return op && (op->state == store::OperationState::succeeded || op->state == store::OperationState::waiting);
      }));
      undeleting.set_value(*outcome->operation);
    };
  });
  ASSERT_OK(settled(hp().homes().retire(caller(), home->key, true)));
  auto asked = undeleting.get_future();
  ASSERT_EQ(asked.wait_for(20s), std::future_status::ready);
  const auto op = wait(asked.get());
  ASSERT_OK(op);
  EXPECT_EQ(op->state, store::OperationState::succeeded);
  const auto back = hp().catalog().space(home->key);
  ASSERT_EQ(back->claims->size(), 1U);
  EXPECT_EQ(cluster.count(), 1U) << "what its record says stands in the cluster";
  EXPECT_OK(mountable("alice"));
}

// Homes in the trash whose pairs stand: what a big clean-up leaves. Keys in order: claim-000, claim-001, …
class ManyPairs : public ClusterVolumes {
 protected:
  void plant(std::size_t count) {
    apply(standard());
    ASSERT_OK(store_->write("plant", [&](store::WriteTransaction& tx) -> Result<void> {
      for (std::size_t i = 0; i < count; ++i) {
        store::SpaceRecord space{.key = SpaceKey::from_random(SpaceKind::home, i + 1).str(),
                                 .state = store::SpaceState::retired,
                                 .realm = "default",
                                 .owner = UserKey::from_random(i + 1).str(),
                                 .backend = "lab",
                                 .layout = "directory",
                                 .pool = "homes",
                                 .backend_name = "hp-" + std::to_string(i)};
        space.klass = "std";
        space.claims = std::vector<std::string>{"jhub/" + claim(i)};
        HOMEPORT_CHECK(store::put(tx, space));
      }
      return {};
    }));
    cluster.state.with([&](auto& s) {
      for (std::size_t i = 0; i < count; ++i) {
        s.pairs[{.ns = "jhub", .claim = claim(i), .space = SpaceKey::from_random(SpaceKind::home, i + 1).str()}] = {
            .volume = true, .claim = true};
      }
    });
    cluster_ = &cluster;
    restart();
  }
  static std::string claim(std::size_t i) {
    const auto digits = std::to_string(i);
    return "claim-" + std::string(3 - digits.size(), '0') + digits;
  }
  std::vector<std::size_t> pages() {
    return cluster.state.with([](const auto& s) { return s.pages; });
  }
};

TEST_F(ManyPairs, AreDeletedPageByPageEachOnce) {
  plant(250);
  ASSERT_TRUE(eventually([&] { return cluster.count() == 0; }));
  EXPECT_THAT(pages(), ::testing::ElementsAre(100U, 100U, 50U));
}

TEST_F(ManyPairs, WhatWasDoneBeforeTheTimeWasUpStaysDone) {
  cluster.state.with([](auto& s) { s.most_per_call = 60; });
  plant(150);
  ASSERT_TRUE(eventually([&] { return cluster.count() == 0; }));
  // Each page begins behind the one that the time was up for; the next pass takes these two.
  EXPECT_THAT(pages(), ::testing::ElementsAre(100U, 89U, 28U, 2U));
}

TEST_F(ManyPairs, OneThatCannotBeLookedAtHoldsUpNoOther) {
  cluster.state.with([](auto& s) {
    s.stuck.emplace(claim(3), Error{.code = Errc::failed_precondition, .message = "it is a riddle"});
  });
  plant(20);
  EXPECT_TRUE(eventually([&] { return cluster.count() == 1; }));
  ASSERT_TRUE(eventually([&] { return !hp().cluster_volumes().findings().empty(); }));
  EXPECT_THAT(hp().cluster_volumes().findings().front().what, HasSubstr("it is a riddle"));
}

}  // namespace
}  // namespace homeport::testing
