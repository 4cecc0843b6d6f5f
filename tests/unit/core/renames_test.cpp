// Names that change, people who are one, names that go to somebody new.
#include <gmock/gmock.h>

#include "provisioner/base/doc_reader.h"
#include "provisioner/core/owners.h"
#include "provisioner/core/space_work.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using core::Renames;
using store::SpaceState;

class RenamesTest : public CoreTest {
 protected:
  RenamesTest() { apply(standard()); }
  Result<store::UserRecord> rename(const std::string& from, const std::string& to, bool free_old_name = false,
                                   bool allow_similar = false) {
    return hp().renames().rename(
        caller(), "default", from,
        {.to = *UserName::parse(to), .free_old_name = free_old_name, .allow_similar = allow_similar});
  }
  Result<Renames::Merged> merge(const std::string& user, const std::string& into, Renames::OtherHome home) {
    auto merged = hp().renames().merge(caller(), "default", user, into, home);
    if (!merged) return merged;
    for (const auto& retiring : merged->retiring) {
      if (retiring.operation) {
        EXPECT_OK(wait(*retiring.operation));
      }
    }
    return merged;
  }
  Result<nlohmann::json> spec(const std::string& user) {
    HOMEPORT_TRY(const auto answer, issue(caller(policies::Scope::spawner, "main"), login(user)));
    HOMEPORT_TRY(auto document, parse_json_document(answer.body(), "spec"));
    return std::move(document.root);
  }
  auto at_server(const std::string& server) {
    return [server](core::HomeRequest& request) { request.server = *ServerName::parse(server); };
  }
  std::string key_of(const std::string& user) { return hp().catalog().user_by_name("default", user)->key; }
  std::string merged_into(const std::string& key) { return hp().catalog().user(key)->merged_into.value_or(""); }
  std::vector<std::string> names_of(const std::string& user) {
    const auto known = hp().catalog().user_by_name("default", user);
    return known ? hp().catalog().names_of(known->key) : std::vector<std::string>{};
  }
};

TEST_F(RenamesTest, BothNamesLeadToTheOneHome) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(home);
  ASSERT_OK(rename("alice", "zoe"));
  EXPECT_EQ(names_of("zoe"), (std::vector<std::string>{"zoe", "alice"}));  // the new name is shown first
  for (const auto* name : {"alice", "zoe"}) {
    const auto again = ensure(name, 1001);
    ASSERT_OK(again);
    EXPECT_EQ(again->key, home->key);
    EXPECT_OK(spec(name));
  }
  ASSERT_OK(rename("alice", "zoe"));  // again, as after a crash before the answer
  ASSERT_OK(rename("zoe", "alice"));  // and back
  EXPECT_EQ(names_of("alice"), (std::vector<std::string>{"alice", "zoe"}));
  restart();
  EXPECT_EQ(names_of("alice"), (std::vector<std::string>{"alice", "zoe"}));
}

TEST_F(RenamesTest, ANameThatIsFreedGoesToSomebodyNewWithAHomeOfTheirOwn) {
  const auto old = ensure("alice", 1001);
  ASSERT_OK(old);
  EXPECT_ERRC(rename("alice", "alice", true), Errc::invalid_argument);
  ASSERT_OK(rename("alice", "alice-2024", true));
  const auto fresh = ensure("alice", 1002);
  ASSERT_OK(fresh);
  EXPECT_NE(fresh->key, old->key);
  EXPECT_EQ(ensure("alice-2024", 1001)->key, old->key);
}

TEST_F(RenamesTest, NobodyIsRenamedToSomebodyElse) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(ensure("bob", 1002));
  EXPECT_ERRC(rename("alice", "bob"), Errc::already_exists);
  EXPECT_ERRC(rename("alice", "Bob"), Errc::already_exists);  // looks like bob
  EXPECT_OK(rename("alice", "Bob", false, true));
  EXPECT_ERRC(rename("nobody", "x"), Errc::not_found);
}

TEST_F(RenamesTest, AnotherSpellingOfTheOwnNameIsNoMistake) {
  const auto home = ensure("alice", 1001);
  ASSERT_OK(rename("alice", "Alice"));
  EXPECT_EQ(ensure("Alice", 1001)->key, home->key);
  EXPECT_ERRC(ensure("ALICE", 1003), Errc::already_exists);  // somebody who looks like her still needs a word
}

TEST_F(RenamesTest, AMergeLeadsBothNamesToTheSurvivorAndKeepsTheOthersData) {
  const auto kept = ensure("alice", 1001);
  const auto other = ensure("asmith", 1002);
  ASSERT_OK(other);
  ASSERT_OK(settled(hp().datasets().import(
      caller(),
      {.name = *Slug::parse("sets"), .backend = *Slug::parse("lab"), .path = *AbsolutePath::parse("/data/sets")})));
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "user", .name = "asmith"}, "ro"));
  const auto before = spec("alice");
  ASSERT_OK(before);
  EXPECT_EQ((*before)["mounts"].size(), 1U);
  ASSERT_OK(merge("asmith", "alice", Renames::OtherHome::retire));
  for (const auto* name : {"alice", "asmith"}) {
    const auto after = spec(name);
    ASSERT_OK(after);
    EXPECT_EQ((*after)["identity"]["uid"], 1001);
    EXPECT_EQ((*after)["mounts"].size(), 2U);  // with what the other one might see
  }
  const auto retired = hp().homes().resolve("default", other->key);
  EXPECT_EQ(retired->state, SpaceState::retired);
  // It goes by the names of who is left, so it can be found, and purged by a name that people know.
  EXPECT_EQ(core::owner_names(hp().catalog(), *retired).front(), "alice");
  EXPECT_EQ(core::present_owner(hp().catalog(), retired->owner), kept->owner);
  EXPECT_EQ(core::space_words(*retired, hp().catalog()), "the home of alice");
  EXPECT_ERRC(hp().homes().purge(caller(), other->key, "somebody"), Errc::invalid_argument);
  EXPECT_EQ(hp().homes().get("default", "asmith", "")->key, kept->key);
  EXPECT_ERRC(merge("asmith", "alice", Renames::OtherHome::retire), Errc::failed_precondition);  // one already
  EXPECT_OK(settled(hp().homes().undelete(caller(), other->key)));                               // nothing was lost
}

TEST_F(RenamesTest, WhoWasMergedAwayIsNotMergedAgain) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(ensure("asmith", 1002));
  ASSERT_OK(ensure("bob", 1003));
  const auto gone = hp().catalog().user_by_name("default", "asmith")->key;
  ASSERT_OK(merge("asmith", "alice", Renames::OtherHome::retire));
  // The other way round, by the key: a circle.
  EXPECT_ERRC(merge("alice", gone, Renames::OtherHome::retire), Errc::failed_precondition);
  EXPECT_ERRC(merge("bob", gone, Renames::OtherHome::retire), Errc::failed_precondition);
  EXPECT_EQ(hp().homes().get("default", "alice", "")->state, SpaceState::ready);
  EXPECT_EQ(hp().homes().get("default", "bob", "")->state, SpaceState::ready);
}

TEST_F(RenamesTest, WhoWasMergedBeforeIsCarriedAlongAndLeadsToTheSurvivorInOneStep) {
  for (std::uint32_t uid = 1001; const auto* name : {"alice", "bob", "carl", "dora"}) ASSERT_OK(ensure(name, uid++));
  const auto alice = key_of("alice");
  const auto bob = key_of("bob");
  const auto carl = key_of("carl");
  const auto dora = key_of("dora");
  ASSERT_OK(merge("dora", "carl", Renames::OtherHome::retire));
  ASSERT_OK(merge("carl", "bob", Renames::OtherHome::retire));
  ASSERT_OK(merge("bob", "alice", Renames::OtherHome::retire));
  for (const auto& key : {bob, carl, dora}) EXPECT_EQ(merged_into(key), alice);
  EXPECT_EQ(names_of("dora"), (std::vector<std::string>{"alice", "bob", "carl", "dora"}));
  restart();
  for (const auto& key : {bob, carl, dora}) EXPECT_EQ(merged_into(key), alice);
  EXPECT_ERRC(merge("alice", dora, Renames::OtherHome::retire), Errc::failed_precondition);  // a circle
  EXPECT_EQ(hp().homes().get("default", "dora", "")->owner, alice);
}

TEST_F(RenamesTest, EveryHomeOfTheOtherIsRetiredThoseOfNamedServersToo) {
  ASSERT_OK(ensure("alice", 1001));
  const auto home = ensure("bob", 1002);
  const auto lab = ensure("bob", 1002, at_server("lab"));
  ASSERT_OK(lab);
  ASSERT_NE(lab->key, home->key);
  const auto merged = merge("bob", "alice", Renames::OtherHome::retire);
  ASSERT_OK(merged);
  EXPECT_EQ(merged->retiring.size(), 2U);
  for (const auto& key : {home->key, lab->key})
    EXPECT_EQ(hp().homes().resolve("default", key)->state, SpaceState::retired);
}

TEST_F(RenamesTest, ARefusalForOneHomeLeavesAllAsTheyWere) {
  ASSERT_OK(ensure("alice", 1001));
  const auto home = ensure("bob", 1002);
  ASSERT_OK(settled(hp().homes().ensure(
      caller(), {.user = *UserName::parse("bob"), .server = *ServerName::parse("lab"), .uid = 1002, .gid = 1002})));
  const auto lab = hp().catalog().home("default", key_of("bob"), "lab");
  // The last home that is looked at is the one that is in use.
  store::SessionRecord session{.hub = "main",
                               .user = key_of("bob"),
                               .server = "lab",
                               .spec_id = "ms-1",
                               .digest = "",
                               .request = nlohmann::json::object()};
  session.spaces = {lab->key};
  session.issued_at = session.renewed_at = clock_->now();
  ASSERT_OK(store_->write("session", [&](store::WriteTransaction& tx) { return store::put(tx, session); }));
  EXPECT_ERRC(merge("bob", "alice", Renames::OtherHome::retire), Errc::failed_precondition);
  EXPECT_EQ(hp().homes().resolve("default", home->key)->state, SpaceState::ready);
  EXPECT_EQ(merged_into(key_of("bob")), "");
}

TEST_F(RenamesTest, AHomeOfAnotherUidIsNotPutBesideAndNothingChanges) {
  ASSERT_OK(ensure("alice", 1001));
  const auto other = ensure("asmith", 1002);
  EXPECT_ERRC(merge("asmith", "alice", Renames::OtherHome::beside), Errc::failed_precondition);
  EXPECT_EQ(hp().homes().get("default", "asmith", "")->key, other->key);
  EXPECT_EQ(other->state, SpaceState::ready);
}

TEST_F(RenamesTest, AHomeThatIsMountedIsNotMergedAway) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(ensure("asmith", 1002));
  ASSERT_OK(spec("asmith"));  // a session of a hub
  EXPECT_ERRC(merge("asmith", "alice", Renames::OtherHome::retire), Errc::failed_precondition);
  EXPECT_EQ(hp().catalog().user_by_name("default", "asmith")->merged_into, std::nullopt);
}

class SquashedRenamesTest : public RenamesTest {
 protected:
  SquashedRenamesTest() {
    apply(R"({"backends":[{"name":"own","kind":"memory","pools":[{"name":"homes","layout":"filesystem"}]}],
              "classes":[{"name":"std","backend":"own","layout":"filesystem",
                          "identity":{"mode":"squash","uid":5000,"gid":5000}}],
                  "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  }
};

TEST_F(SquashedRenamesTest, AHomeOfTheSameUidIsMountedBeside) {
  ASSERT_OK(ensure("alice", std::nullopt));
  const auto other = ensure("asmith", std::nullopt);
  ASSERT_OK(other);
  ASSERT_OK(merge("asmith", "alice", Renames::OtherHome::beside));
  const auto after = spec("asmith");
  ASSERT_OK(after);
  ASSERT_EQ((*after)["mounts"].size(), 2U);
  EXPECT_EQ((*after)["mounts"][1]["target"], "/merged/asmith");
  EXPECT_EQ((*after)["mounts"][1]["access"], "rw");
  EXPECT_EQ((*after)["mounts"][1]["kind"], "home");
}

TEST_F(SquashedRenamesTest, EveryHomeOfTheOtherIsMountedBesideAndGoesOnToTheNextSurvivor) {
  ASSERT_OK(ensure("alice", std::nullopt));
  ASSERT_OK(ensure("bob", std::nullopt));
  ASSERT_OK(ensure("bob", std::nullopt, at_server("lab")));
  ASSERT_OK(ensure("carl", std::nullopt));
  ASSERT_OK(merge("carl", "bob", Renames::OtherHome::beside));
  ASSERT_OK(merge("bob", "alice", Renames::OtherHome::beside));
  const auto targets = [&] {
    std::vector<std::string> out;
    const auto answer = spec("carl");
    if (!answer) return std::vector<std::string>{answer.error().to_string()};
    for (const auto& mount : (*answer)["mounts"]) out.push_back(mount["target"].get<std::string>());
    return out;
  };
  const auto all = std::vector<std::string>{"/home/jovyan", "/merged/bob", "/merged/bob+lab", "/merged/carl"};
  EXPECT_EQ(targets(), all);
  // A name that is given up later takes no home away.
  ASSERT_OK(
      hp().renames().rename(caller(), "default", "bob", {.to = *UserName::parse("alice"), .free_old_name = true}));
  EXPECT_EQ(targets(), all);
  restart();
  EXPECT_EQ(targets(), all);
}

TEST_F(SquashedRenamesTest, TwoPeopleOfOneNameAreBothMountedBeside) {
  ASSERT_OK(ensure("alice", std::nullopt));
  ASSERT_OK(ensure("bob", std::nullopt));
  ASSERT_OK(merge("bob", "alice", Renames::OtherHome::beside));
  ASSERT_OK(
      hp().renames().rename(caller(), "default", "bob", {.to = *UserName::parse("alice"), .free_old_name = true}));
  const auto second = ensure("bob", std::nullopt);
  ASSERT_OK(second);
  ASSERT_OK(merge("bob", "alice", Renames::OtherHome::beside));
  const auto after = spec("alice");
  ASSERT_OK(after);
  ASSERT_EQ((*after)["mounts"].size(), 3U);
  EXPECT_EQ((*after)["mounts"][2]["target"], "/merged/" + second->key);
}

TEST_F(SquashedRenamesTest, WhatIsInTheTrashComesBackBeside) {
  ASSERT_OK(ensure("alice", std::nullopt));
  ASSERT_OK(ensure("bob", std::nullopt));
  const auto lab = ensure("bob", std::nullopt, at_server("lab"));
  ASSERT_OK(settled(hp().homes().retire(caller(), lab->key)));
  ASSERT_OK(merge("bob", "alice", Renames::OtherHome::beside));
  EXPECT_EQ((*spec("alice"))["mounts"].size(), 2U);
  ASSERT_OK(settled(hp().homes().undelete(caller(), lab->key)));
  const auto after = spec("alice");
  ASSERT_EQ((*after)["mounts"].size(), 3U);
  EXPECT_EQ((*after)["mounts"][2]["target"], "/merged/bob+lab");
}

TEST_F(SquashedRenamesTest, AHomeThatTheOtherOnesServerStillMountsIsNotRetired) {
  ASSERT_OK(ensure("alice", std::nullopt));
  const auto home = ensure("bob", std::nullopt);
  ASSERT_OK(spec("bob"));  // a session of a hub
  ASSERT_OK(merge("bob", "alice", Renames::OtherHome::beside));
  EXPECT_ERRC(hp().homes().retire(caller(), home->key), Errc::failed_precondition);
}

}  // namespace
}  // namespace homeport::testing
