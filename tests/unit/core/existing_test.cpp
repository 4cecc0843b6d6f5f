// Homes that stood before Homeport: taken over at the first login by a class's `existing`, and never shadowed by new
// ones.
#include <algorithm>
#include <thread>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using drivers::DriverMethod;
using store::SpaceState;

class ExistingTest : public CoreTest {
 protected:
  // One backend whose export /old holds the homes of alice (3101), bob (3102), a file, a link and a home in a home.
  static std::string document(const std::string& members, const std::string& mode = "manage",
                              const std::string& caps = "{}") {
    return R"({"backends":[{"name":"lab","kind":"memory","mode":")" + mode + R"(","caps":)" + caps +
           R"(,"pools":[{"name":"homes"}],"exports":[{"path":"/old","files":[
                {"path":"home/alice","directory":true,"uid":3101,"gid":3101},
                {"path":"home/bob","directory":true,"uid":3102,"gid":3102},
                {"path":"home/bob/inner","directory":true,"uid":3103,"gid":3103}]}]}],
             "classes":[{"name":"std","backend":"lab","default_quota":"10GiB")" +
           members + R"(}],"rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})";
  }
  core::Preview preview(const std::string& user, std::uint32_t uid) {
    core::HomeRequest request{.user = *UserName::parse(user), .server = *ServerName::parse(""), .uid = uid, .gid = uid};
    const auto made =
        blocking<core::Preview>([&](auto done) { hp().homes().preview_ensure(caller(), request, std::move(done)); });
    EXPECT_OK(made);
    return made ? *made : core::Preview{};
  }
  [[nodiscard]] std::size_t made() const { return factory_.plan->forwarded(DriverMethod::create); }
};

TEST_F(ExistingTest, TheFirstLoginTakesOverWhatStands) {
  apply(document(R"(,"existing":"/old/home/{user}")"));
  EXPECT_EQ(preview("alice", 3101).steps,
            std::vector<std::string>{"take over /old/home/alice on backend lab, class std"});
  const auto home = ensure("alice", 3101);
  ASSERT_OK(home);
  EXPECT_EQ(home->state, SpaceState::ready);
  EXPECT_TRUE(home->imported);
  EXPECT_EQ(home->path, "/old/home/alice");
  EXPECT_FALSE(home->rights.destroy);
  EXPECT_EQ(ensure("alice", 3101)->key, home->key);
  EXPECT_EQ(made(), 0U);
}

// A disk that is not mounted, a typing mistake: "nothing stands there" is not believed, and nobody gets an empty home.
TEST_F(ExistingTest, ABaseThatIsNotToBeSeenMakesNoHomes) {
  apply(document(R"(,"existing":"/old/hoem/{user}","create":true)"));
  core::HomeRequest request{
      .user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 3101, .gid = 3101};
  const auto outcome = hp().homes().ensure(caller(), request);
  ASSERT_OK(outcome);
  ASSERT_TRUE(outcome->operation.has_value());
  const auto op = wait(*outcome->operation, std::chrono::seconds(2));
  ASSERT_OK(op);
  EXPECT_EQ(op->state, store::OperationState::waiting);
  ASSERT_TRUE(op->failure.has_value());
  EXPECT_NE(op->failure->message.find("should stand in /old/hoem"), std::string::npos) << op->failure->message;
  EXPECT_EQ(made(), 0U);
}

TEST_F(ExistingTest, ANumberThatIsDrawnOwnsNoHomeThatStands) {
  identity_.order = {{core::IdentityPolicy::Origin::assigned}};
  identity_.assigned = {{.from = 200000, .to = 200010}};
  restart();
  apply(document(R"(,"existing":"/old/home/{user}")"));
  const auto refused =
      ensure("alice", std::nullopt, [](core::HomeRequest& r) { r.person = core::Person{.assign = true}; });
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_EQ(hp().catalog().user_by_name("default", "alice"), nullptr) << "nothing is pinned";
}

// A number that was never used binds nobody: what stands is looked for first.
TEST_F(ExistingTest, ANumberIsDrawnWhenItIsKnownThatNoHomeStands) {
  identity_.order = {{core::IdentityPolicy::Origin::assigned}};
  identity_.assigned = {{.from = 200000, .to = 200001, .gid = 300}};
  restart();
  apply(document(R"(,"existing":"/old/home/{user}","create":true)"));
  const auto assign = [](core::HomeRequest& r) { r.person = core::Person{.assign = true}; };
  for (int login = 0; login < 3; ++login) {
    const auto refused = ensure("alice", std::nullopt, assign);
    ASSERT_ERRC(refused, Errc::failed_precondition);
    EXPECT_NE(refused.error().message.find("belongs to uid 3101, and nobody names the uid of alice"), std::string::npos)
        << refused.error().message;
    EXPECT_NE(refused.error().hint.find("--uid 3101 --gid 3101"), std::string::npos);
    const auto alice = hp().catalog().user_by_name("default", "alice");
    ASSERT_NE(alice, nullptr);
    EXPECT_EQ(alice->uid, std::nullopt) << "nothing is pinned";
    EXPECT_TRUE(hp().catalog().spaces().empty());
  }
  // Three refusals cost no number of the two there are.
  for (const auto& [name, uid] : {std::pair{"yan", 200000U}, {"zoe", 200001U}}) {
    const auto made_now = ensure(name, std::nullopt, assign);
    ASSERT_OK(made_now);
    EXPECT_EQ(made_now->uid, uid);
    EXPECT_EQ(made_now->gid, 300U);
    const auto person = hp().catalog().user_by_name("default", name);
    EXPECT_EQ(person->uid, uid);
    EXPECT_EQ(person->identity_source, "assigned");
    EXPECT_EQ(ensure(name, std::nullopt, assign)->key, made_now->key);
  }
  const auto full = ensure("xeno", std::nullopt, assign);
  ASSERT_ERRC(full, Errc::out_of_capacity);
  const auto hers = ensure("alice", 3101);  // as the hint says
  ASSERT_OK(hers);
  EXPECT_EQ(hers->path, "/old/home/alice");
  EXPECT_EQ(hers->uid, 3101U);
}

TEST_F(ExistingTest, WithoutADirectoryTheClassDecides) {
  apply(document(R"(,"existing":"/old/home/{user}")"));
  const auto refused = ensure("zoe", 3109);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_EQ(refused.error().message, "there is no directory /old/home/zoe on lab, and class std makes no new homes");
  EXPECT_NE(refused.error().hint.find("create: true"), std::string::npos);
  EXPECT_TRUE(hp().catalog().spaces().empty()) << "nothing half done is left";
  apply(document(R"(,"existing":"/old/home/{user}","create":true)"));
  const auto shown = preview("zoe", 3109);
  EXPECT_EQ(shown.notes.back(), "there is no directory /old/home/zoe to take over");
  const auto home = ensure("zoe", 3109);
  ASSERT_OK(home);
  EXPECT_FALSE(home->imported);
  EXPECT_EQ(home->pool, "homes");
  const auto old = ensure("alice", 3101);
  ASSERT_OK(old);
  EXPECT_EQ(old->path, "/old/home/alice");
  EXPECT_EQ(made(), 2U) << "the preview's and zoe's";
}

TEST_F(ExistingTest, AnotherOwnerIsRefusedAndAfterTheFixTheNextLoginWorks) {
  for (const char* create : {"", R"(,"create":true)"}) {
    apply(document(R"(,"existing":"/old/home/{user}")" + std::string(create)));
    const auto refused = ensure("alice", 3999);
    ASSERT_ERRC(refused, Errc::failed_precondition);
    EXPECT_NE(refused.error().message.find("/old/home/alice belongs to uid 3101, not to uid 3999"), std::string::npos)
        << refused.error().message;
    EXPECT_TRUE(hp().catalog().spaces().empty()) << "no half home, and none beside the real one";
    EXPECT_ERRC(ensure("alice", 3999), Errc::failed_precondition);
  }
  ASSERT_OK(hp().homes().set_uid(caller(), "default", "alice", 3101, 3101));
  const auto home = ensure("alice", 3101);
  ASSERT_OK(home);
  EXPECT_TRUE(home->imported);
  EXPECT_EQ(made(), 0U);
}

TEST_F(ExistingTest, SomebodyElsesPlaceIsNobodysHome) {
  apply(document(R"(,"existing":"/old/home/{user}","create":true)"));
  ASSERT_OK(ensure("bob", 3102));
  auto inner = ensure("inner", 3103, [](core::HomeRequest& r) {
    r.existing = core::HomeRequest::Existing{.backend = *Slug::parse("lab"),
                                             .path = *AbsolutePath::parse("/old/home/bob/inner")};
  });
  EXPECT_ERRC(inner, Errc::already_exists);
  apply(document(R"(,"existing":"/old/home/bob/{user}","create":true)"));
  inner = ensure("inner", 3103);
  ASSERT_ERRC(inner, Errc::already_exists);
  EXPECT_NE(inner.error().message.find("overlaps the home of bob"), std::string::npos) << inner.error().message;
  apply(document(R"(,"existing":"/old/home/bob/{user}")"));
  EXPECT_ERRC(ensure("inner", 3103), Errc::already_exists);
  EXPECT_EQ(made(), 0U);
}

TEST_F(ExistingTest, ANameThatMakesNoPathIsRefusedNotShadowed) {
  apply(document(R"(,"existing":"/old/home/{hub}/{user}","create":true)"));
  const auto refused = ensure("alice", 3101);  // no hub is given
  ASSERT_ERRC(refused, Errc::invalid_argument);
  EXPECT_NE(refused.error().sentence().find("needs a hub"), std::string::npos) << refused.error().sentence();
  EXPECT_EQ(made(), 0U);
}

TEST_F(ExistingTest, AnObservedBackendIsTakenOverFromAndMadeNothingOn) {
  apply(document(R"(,"existing":"/old/home/{user}","create":true)", "observe"));
  EXPECT_OK(ensure("alice", 3101));
  const auto refused = ensure("zoe", 3109);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_NE(refused.error().message.find("mode observe"), std::string::npos) << refused.error().message;
}

TEST_F(ExistingTest, OnlyWhatIsMadeCountsAgainstTheCaps) {
  apply(document(R"(,"existing":"/old/home/{user}","create":true)", "manage", R"({"objects":1})"));
  EXPECT_OK(ensure("alice", 3101));
  EXPECT_OK(ensure("bob", 3102));
  EXPECT_OK(ensure("zoe", 3109));
  const auto refused = ensure("yan", 3110);
  EXPECT_ERRC(refused, Errc::out_of_capacity);
  EXPECT_EQ(made(), 1U);
}

TEST_F(ExistingTest, AClassThatMakesNoneSaysSo) {
  apply(document(R"(,"create":false)"));
  const auto refused = ensure("alice", 3101);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_EQ(refused.error().message, "class std makes no new homes");
}

// Killed between the look and what follows from it: the same end, one home.
TEST_F(ExistingTest, AFailureInTheMiddleEndsInOneHome) {
  apply(document(R"(,"existing":"/old/home/{user}","create":true)"));
  factory_.plan->lose_reply(DriverMethod::create);
  const auto home = ensure("zoe", 3109);
  ASSERT_OK(home);
  EXPECT_EQ(hp().catalog().spaces().size(), 1U);
  EXPECT_FALSE(home->imported);
}

class GuardTest : public ExistingTest {
 protected:
  void plant(const std::string& name) { factory_.memory("lab")->plant("homes", name, "", Owner{Uid{3301}, Gid{3301}}); }
};

TEST_F(GuardTest, NoEmptyHomeIsMadeBesideDirectoriesNobodyKnows) {
  apply(document(""));
  for (const char* name : {"carl", "dora", "emil", "fritz"}) plant(name);
  const auto refused = ensure("alice", 1001);
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_NE(refused.error().message.find("(/homes/carl, /homes/dora, /homes/emil and more)"), std::string::npos)
      << refused.error().message;
  for (const char* way :
       {"homeport home import --backend lab --base /homes", "`existing: /homes/{user}`", "`create: true`"})
    EXPECT_NE(refused.error().hint.find(way), std::string::npos) << refused.error().hint;
  EXPECT_TRUE(hp().catalog().spaces().empty());
  // Asked again at once it is answered from memory, without an intent.
  const auto failed = hp().catalog().spaces(true).size();
  EXPECT_ERRC(ensure("alice", 1001), Errc::failed_precondition);
  EXPECT_EQ(hp().catalog().spaces(true).size(), failed);
  apply(document(R"(,"create":true)"));
  EXPECT_OK(ensure("alice", 1001));
}

TEST_F(GuardTest, ThePreviewSaysTheSame) {
  apply(document(""));
  plant("carl");
  core::HomeRequest request{
      .user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001, .gid = 1001};
  const auto shown =
      blocking<core::Preview>([&](auto done) { hp().homes().preview_ensure(caller(), request, std::move(done)); });
  EXPECT_ERRC(shown, Errc::failed_precondition);
}

TEST_F(GuardTest, WhatIsNobodysHomeDoesNotCount) {
  apply(document(""));
  for (const char* name : {".snapshot", "lost+found", "@eaDir", "#recycle", "hp-h-00000000000000aa"}) plant(name);
  EXPECT_OK(ensure("alice", 1001));
}

TEST_F(GuardTest, DirectoriesThatComeBeforeTheFirstHomeAreSeen) {
  apply(document(""));
  core::HomeRequest request{
      .user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001, .gid = 1001};
  ASSERT_OK(
      blocking<core::Preview>([&](auto done) { hp().homes().preview_ensure(caller(), request, std::move(done)); }));
  plant("carl");  // right after a look that found the place free
  EXPECT_ERRC(ensure("alice", 1001), Errc::failed_precondition);
}

TEST_F(GuardTest, AHomeThatIsHalfMadeIsGoneOnWith) {
  apply(document(""));
  factory_.plan->lose_reply(DriverMethod::create);
  const core::HomeRequest request{
      .user = *UserName::parse("alice"), .server = *ServerName::parse(""), .uid = 1001, .gid = 1001};
  auto begun = hp().homes().ensure(caller(), request);
  while (made() == 0) std::this_thread::yield();
  plant("carl");  // before the next try, half a second later
  const auto home = settled(std::move(begun));
  ASSERT_OK(home);
  EXPECT_EQ(hp().catalog().spaces().size(), 1U);
}

}  // namespace
}  // namespace homeport::testing
