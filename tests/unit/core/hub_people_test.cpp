// Who goes dormant and who does not, by the test's clock.
#include "provisioner/core/hub_people.h"

#include <gmock/gmock.h>

#include <future>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_hub.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::core {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = HubLook::Outcome;

const WallTime kMade = *parse_time("2026-03-01T08:00:00Z");

class HubPeopleTest : public ::testing::Test {
 protected:
  HubPeopleTest() {
    EXPECT_OK(store_->acquire_lease("test", 1000h));
    store_->set_listener([this](std::span<const store::Change> changes) { catalog_.on_changes(changes); });
    EXPECT_OK(catalog_.load());
    make();
  }
  void make() {
    people_.reset();
    std::vector<HubEntry> entries;
    for (const auto& [name, hub] : {std::pair{"main", main_}, {"gpu", gpu_}}) {
      HubSettings settings{.name = name, .realm = "default", .address = "http://hub", .lists_users = true};
      settings.most_gone_percent = 50;
      entries.push_back({.settings = settings, .hub = hub});
    }
    entries.push_back({.settings = {.name = "tokenless", .realm = "default", .address = "http://hub"}, .hub = gpu_});
    people_ = std::make_unique<HubPeople>(parts_, entries);
  }
  // A person with a home, who logged in at these hubs some time ago.
  std::string person(const std::string& name, const std::vector<std::string>& hubs,
                     const std::string& realm = "default") {
    const auto key = UserKey::from_random(ids_->random64()).str();
    const auto now = clock_.now();
    EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
      store::UserRecord user{.key = key, .realm = realm};
      HOMEPORT_CHECK(store::put(tx, user));
      store::AliasRecord alias{.realm = realm, .name = name, .user = key};
      HOMEPORT_CHECK(store::put(tx, alias));
      for (const auto& hub : hubs) {
        store::SessionRecord session{.hub = hub,
                                     .user = key,
                                     .server = "",
                                     .spec_id = "ms-" + key + hub,
                                     .digest = "d",
                                     .request = nlohmann::json::object()};
        session.renewed_at = now;
        HOMEPORT_CHECK(store::put(tx, session, store::Expect::any()));
      }
      return {};
    }));
    clock_.advance(1s);
    return key;
  }
  Result<HubLook> look(HubPeople::Request request = {.hub = "main"}) {
    auto promise = std::make_shared<std::promise<Result<HubLook>>>();
    auto answer = promise->get_future();
    const Caller caller{
        .principal = {.id = "t-1", .scope = policies::Scope::operator_}, .request_id = "r", .deadline = {}};
    people_->reconcile(caller, request, [promise](Result<HubLook> done) { promise->set_value(std::move(done)); });
    if (answer.wait_for(20s) != std::future_status::ready)
      return Error{.code = Errc::timed_out, .message = "the test waited 20 s"};
    clock_.advance(1s);
    return answer.get();
  }
  [[nodiscard]] bool dormant(const std::string& key) const { return catalog_.user(key)->dormant_since.has_value(); }
  [[nodiscard]] std::vector<std::string> audited(const std::string& subject) const {
    std::vector<std::string> out;
    EXPECT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto rows, tx.audit(0, 100, subject));
      for (const auto& row : rows)
        out.push_back(row.entry.principal + " " + row.entry.action + " " + row.entry.outcome);
      return {};
    }));
    return out;
  }

  testing::FakeClock clock_;
  std::unique_ptr<IdSource> ids_ = make_seeded_ids(5);
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  std::unique_ptr<store::Store> store_ = store::make_memory_store(clock_);
  testing::FaultyFactory factory_{clock_};
  Catalog catalog_{*store_, factory_};
  Backends backends_{catalog_, factory_, clock_};
  People people_asked_{*store_, catalog_, clock_, {}};
  Operations operations_{*store_, catalog_, backends_, clock_, *ids_, *metrics_};
  Homes::Parts parts_{.store = *store_,
                      .catalog = catalog_,
                      .backends = backends_,
                      .operations = operations_,
                      .people = people_asked_,
                      .clock = clock_,
                      .ids = *ids_};
  std::shared_ptr<testing::FakeHub> main_ = std::make_shared<testing::FakeHub>();
  std::shared_ptr<testing::FakeHub> gpu_ = std::make_shared<testing::FakeHub>();
  std::unique_ptr<HubPeople> people_;
};

TEST_F(HubPeopleTest, WhoIsMissingTwiceGoesDormantAndWakesWhenBack) {
  const auto alice = person("alice", {"main"});
  const auto bob = person("bob", {"main"});
  main_->set_accounts({{"alice", kMade}, {"bob", kMade}, {"never-logged-in", kMade}});
  auto seen = look();
  ASSERT_OK(seen);
  EXPECT_EQ(seen->outcome, Outcome::done);
  EXPECT_EQ(seen->listed, 3U);
  EXPECT_EQ(seen->known, 2U);
  EXPECT_THAT(seen->missing, IsEmpty());
  main_->set_users({"alice", "never-logged-in"});
  seen = look();
  ASSERT_OK(seen);
  ASSERT_EQ(seen->missing.size(), 1U);
  EXPECT_EQ(seen->missing[0].user, bob);
  EXPECT_EQ(seen->missing[0].looks, 1U);
  EXPECT_FALSE(dormant(bob)) << "once is not twice";
  const auto at = clock_.now();
  seen = look();
  ASSERT_OK(seen);
  EXPECT_THAT(seen->gone, ElementsAre(bob));
  EXPECT_TRUE(dormant(bob));
  EXPECT_EQ(*catalog_.user(bob)->dormant_since, at);
  EXPECT_FALSE(dormant(alice));
  EXPECT_THAT(audited(bob), ElementsAre("t-1 user.dormant ok"));
  seen = look();
  EXPECT_THAT(seen->gone, IsEmpty());
  EXPECT_EQ(seen->known, 1U) << "who is dormant counts no more";
  main_->set_accounts({{"alice", kMade}, {"bob", kMade}});
  seen = look();
  ASSERT_OK(seen);
  EXPECT_THAT(seen->back, ElementsAre(bob)) << "the same account";
  EXPECT_THAT(seen->recreated, IsEmpty());
  EXPECT_FALSE(dormant(bob));
  EXPECT_THAT(audited(bob), ElementsAre("t-1 user.dormant ok", "t-1 user.wake ok"));
}

TEST_F(HubPeopleTest, AnAccountThatWasMadeAgainIsHeldAndSaid) {
  const auto bob = person("bob", {"main"});
  const auto carol = person("carol", {"main"});
  main_->set_accounts({{"bob", kMade}, {"carol", kMade}});
  ASSERT_OK(look());
  // Between two looks, so nobody ever was missing.
  main_->set_accounts({{"bob", kMade + 24h}, {"carol", kMade + 900ms}});
  const auto dry = look({.hub = "main", .dry_run = true});
  EXPECT_THAT(dry->recreated, ElementsAre(bob));
  EXPECT_FALSE(catalog_.user(bob)->recreated.has_value());
  const auto seen = look();
  ASSERT_OK(seen);
  EXPECT_THAT(seen->recreated, ElementsAre(bob));
  ASSERT_TRUE(catalog_.user(bob)->recreated.has_value());
  EXPECT_EQ(catalog_.user(bob)->recreated->created, kMade + 24h);
  EXPECT_FALSE(catalog_.user(carol)->recreated.has_value()) << "the same time, rounded otherwise";
  EXPECT_THAT(audited(bob), ElementsAre("t-1 user.recreated held"));
  ASSERT_OK(look());
  EXPECT_THAT(audited(bob), ElementsAre("t-1 user.recreated held")) << "once";
  ASSERT_EQ(people_->findings().size(), 1U);
  EXPECT_THAT(people_->findings()[0].what, HasSubstr("the account bob was deleted in hub main and made again"));
  EXPECT_THAT(people_->findings()[0].hint, HasSubstr("homeport user keep 'bob'"));
}

TEST_F(HubPeopleTest, WhoHadLeftAndIsBackIsHeldWhereTheListSaysNoTimes) {
  const auto bob = person("bob", {"main"});
  main_->set_users({"somebody"});
  for (int i = 0; i < 2; ++i) ASSERT_OK(look());
  ASSERT_TRUE(dormant(bob));
  main_->set_users({"somebody", "bob"});
  const auto seen = look();
  EXPECT_THAT(seen->back, IsEmpty());
  EXPECT_THAT(seen->recreated, ElementsAre(bob));
  EXPECT_TRUE(dormant(bob)) << "a login or an admin ends it";
  EXPECT_TRUE(catalog_.user(bob)->recreated.has_value());
}

TEST_F(HubPeopleTest, AHubWhoseNamesAreNeverGivenAwayIsTrusted) {
  parts_.trusted_hubs.insert("main");
  make();
  const auto bob = person("bob", {"main"});
  main_->set_users({"somebody"});
  for (int i = 0; i < 2; ++i) ASSERT_OK(look());
  main_->set_accounts({{"somebody", kMade}, {"bob", kMade + 24h}});
  const auto seen = look();
  EXPECT_THAT(seen->back, ElementsAre(bob));
  EXPECT_THAT(seen->recreated, IsEmpty());
  EXPECT_FALSE(dormant(bob));
}

TEST_F(HubPeopleTest, MissingHasToBeInARow) {
  const auto bob = person("bob", {"main"});
  for (int i = 0; i < 3; ++i) {
    main_->set_users({"somebody"});
    ASSERT_OK(look());
    main_->set_users({"somebody", "bob"});
    ASSERT_OK(look());
  }
  EXPECT_FALSE(dormant(bob));
}

TEST_F(HubPeopleTest, NobodyGoesByAListThatCannotBeRead) {
  const auto bob = person("bob", {"main"});
  main_->set_users({"somebody"});
  ASSERT_OK(look());
  main_->fail_with(Error{.code = Errc::unavailable, .message = "connection refused"});
  for (int i = 0; i < 3; ++i) {
    const auto seen = look();
    ASSERT_OK(seen);
    EXPECT_EQ(seen->outcome, Outcome::failed);
    EXPECT_THAT(seen->text, HasSubstr("connection refused"));
  }
  EXPECT_FALSE(dormant(bob));
  ASSERT_EQ(people_->findings().size(), 1U);
  EXPECT_THAT(people_->findings()[0].what, HasSubstr("cannot be listed"));
  main_->fail_with(std::nullopt);
  ASSERT_OK(look());
  EXPECT_TRUE(dormant(bob)) << "the looks that failed are no looks: this is the second in a row";
  EXPECT_THAT(people_->findings(), IsEmpty());
}

TEST_F(HubPeopleTest, NobodyGoesByAnEmptyListWhateverIsSaid) {
  const auto bob = person("bob", {"main"});
  main_->set_users({});
  for (int i = 0; i < 3; ++i) {
    const auto seen = look({.hub = "main", .force = true});
    ASSERT_OK(seen);
    EXPECT_EQ(seen->outcome, Outcome::held);
  }
  EXPECT_FALSE(dormant(bob));
  EXPECT_THAT(people_->findings().at(0).hint, ::testing::Not(HasSubstr("--force")));
  main_->set_users({"somebody"});
  ASSERT_OK(look());
  EXPECT_FALSE(dormant(bob)) << "empty lists are no looks: this is the first";
  ASSERT_OK(look());
  EXPECT_TRUE(dormant(bob));
}

TEST_F(HubPeopleTest, WhenManyVanishAtOnceItIsHeldAndSaid) {
  std::vector<std::string> keys;
  for (const char* name : {"ann", "ben", "cid", "dan"}) keys.push_back(person(name, {"main"}));
  main_->set_users({"ann"});
  for (int i = 0; i < 3; ++i) {
    const auto seen = look();
    ASSERT_OK(seen);
    EXPECT_EQ(seen->outcome, Outcome::held);
    EXPECT_THAT(seen->text, HasSubstr("3 of 4 people"));
    EXPECT_THAT(seen->gone, IsEmpty());
  }
  for (const auto& key : keys) EXPECT_FALSE(dormant(key));
  EXPECT_THAT(people_->findings().at(0).what, HasSubstr("3 of 4"));
  EXPECT_THAT(audited("main"), ::testing::Contains("t-1 hub.reconcile held"));
  const auto dry = look({.hub = "main", .dry_run = true, .force = true});
  ASSERT_OK(dry);
  EXPECT_EQ(dry->gone.size(), 3U);
  EXPECT_FALSE(dormant(keys[1])) << "a dry run marks nobody";
  const auto forced = look({.hub = "main", .force = true});
  ASSERT_OK(forced);
  EXPECT_EQ(forced->gone.size(), 3U);
  EXPECT_FALSE(dormant(keys[0]));
  EXPECT_TRUE(dormant(keys[1]) && dormant(keys[2]) && dormant(keys[3]));
}

TEST_F(HubPeopleTest, ADryRunCountsNothing) {
  const auto bob = person("bob", {"main"});
  main_->set_users({"somebody"});
  for (int i = 0; i < 3; ++i) {
    const auto seen = look({.hub = "main", .dry_run = true});
    ASSERT_OK(seen);
    EXPECT_EQ(seen->missing.at(0).looks, 1U);
    EXPECT_TRUE(seen->dry_run);
  }
  EXPECT_FALSE(people_->hubs()[0].last.has_value());
  ASSERT_OK(look());
  EXPECT_FALSE(dormant(bob));
}

TEST_F(HubPeopleTest, WhoCameFromElsewhereIsNotThisHubsToMiss) {
  const auto imported = person("imported", {});
  const auto other = person("other", {"gpu"});
  const auto abroad = person("abroad", {"main"}, "second");
  main_->set_users({"somebody"});
  for (int i = 0; i < 3; ++i) ASSERT_OK(look());
  EXPECT_FALSE(dormant(imported));
  EXPECT_FALSE(dormant(other));
  EXPECT_FALSE(dormant(abroad)) << "another realm's people are other people";
}

TEST_F(HubPeopleTest, WhoIsKnownThroughTwoHubsHasToBeGoneFromBoth) {
  const auto both = person("both", {"main", "gpu"});
  const auto somewhere = person("somewhere", {"main", "not-configured"});
  main_->set_users({"somebody", "x", "y"});
  gpu_->set_users({"both"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(look({.hub = "main", .force = true}));
    ASSERT_OK(look({.hub = "gpu"}));
  }
  EXPECT_FALSE(dormant(both));
  EXPECT_FALSE(dormant(somewhere));
  gpu_->set_users({"somebody"});
  ASSERT_OK(look({.hub = "gpu"}));
  EXPECT_FALSE(dormant(both)) << "missing once there";
  ASSERT_OK(look({.hub = "gpu"}));
  EXPECT_TRUE(dormant(both));
  EXPECT_FALSE(dormant(somewhere)) << "nobody lists that hub, so nothing is known";
}

TEST_F(HubPeopleTest, AListThatIsHeldSaysNothingAboutPeopleOfTwoHubs) {
  const auto both = person("both", {"main", "gpu"});
  for (const auto* name : {"a", "b", "c"}) person(name, {"gpu"});
  for (const auto* name : {"d", "e"}) person(name, {"main"});
  main_->set_users({"d", "e"});
  gpu_->set_users({"somebody"});  // a list of nearly nobody: not to be believed
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(look({.hub = "gpu"})->outcome, HubLook::Outcome::held);
    EXPECT_EQ(look({.hub = "main"})->outcome, HubLook::Outcome::done);
  }
  EXPECT_FALSE(dormant(both)) << "gpu's list was held";
  gpu_->fail_with(Error{.code = Errc::unavailable, .message = "away"});
  EXPECT_EQ(look({.hub = "gpu"})->outcome, HubLook::Outcome::failed);
  ASSERT_OK(look({.hub = "main"}));
  EXPECT_FALSE(dormant(both)) << "gpu's list could not be read";
  gpu_->fail_with(std::nullopt);
  gpu_->set_users({"a", "b", "c"});
  ASSERT_OK(look({.hub = "gpu", .dry_run = true}));
  ASSERT_OK(look({.hub = "main"}));
  EXPECT_FALSE(dormant(both)) << "a dry run accepts nothing";
  EXPECT_EQ(look({.hub = "gpu"})->outcome, HubLook::Outcome::done);
  EXPECT_TRUE(dormant(both));
}

TEST_F(HubPeopleTest, ALoginDuringTheLookIsSeen) {
  const auto bob = person("bob", {"main"});
  main_->set_users({"somebody"});
  ASSERT_OK(look());
  parts_.flush_sessions = [&] {
    return store_->write("login", [&](store::WriteTransaction& tx) -> Result<void> {
      store::SessionRecord session{.hub = "main",
                                   .user = bob,
                                   .server = "",
                                   .spec_id = "ms-new",
                                   .digest = "d",
                                   .request = nlohmann::json::object()};
      session.renewed_at = clock_.now();
      return store::put(tx, session, store::Expect::any());
    });
  };
  make();
  ASSERT_OK(look());
  ASSERT_OK(look());
  EXPECT_FALSE(dormant(bob));
}

TEST_F(HubPeopleTest, ANewNameOfTheSamePersonCounts) {
  const auto bob = person("bob", {"main"});
  EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    store::AliasRecord alias{.realm = "default", .name = "robert", .user = bob};
    return store::put(tx, alias);
  }));
  main_->set_users({"robert"});
  for (int i = 0; i < 3; ++i) ASSERT_OK(look());
  EXPECT_FALSE(dormant(bob));
}

TEST_F(HubPeopleTest, WhoWasMergedCountsAsThePersonTheyAreNow) {
  const auto bob = person("bob", {"main"});
  const auto old = person("bobby", {"main"});
  EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, old));
    user->merged_into = bob;
    return store::put(tx, *user);
  }));
  main_->set_users({"bob"});
  auto seen = look();
  ASSERT_OK(seen);
  EXPECT_EQ(seen->known, 1U);
  EXPECT_THAT(seen->missing, IsEmpty());
  ASSERT_OK(look());
  EXPECT_FALSE(dormant(old));
  EXPECT_FALSE(dormant(bob));
}

TEST_F(HubPeopleTest, TheTimerLooksAMinuteAfterTheStartAndThenNowAndAgain) {
  main_->set_users({"somebody"});
  gpu_->set_users({"somebody"});
  people_->tick();
  EXPECT_FALSE(people_->hubs()[0].last.has_value());
  clock_.advance(60s);
  people_->tick();
  people_->stop();  // waits for what is at work
  EXPECT_EQ(main_->lists(), 1U);
  EXPECT_EQ(people_->hubs()[0].last->outcome, Outcome::done);
  EXPECT_FALSE(people_->hubs()[2].last.has_value()) << "without a token there is no list";
  make();
  clock_.advance(60s);
  people_->tick();
  clock_.advance(5h);
  people_->tick();
  people_->stop();
  EXPECT_EQ(main_->lists(), 2U) << "not before six hours";
}

TEST_F(HubPeopleTest, WhatCannotBeLookedAtIsSaid) {
  EXPECT_ERRC(look({.hub = "nowhere"}), Errc::not_found);
  const auto refused = look({.hub = "tokenless"});
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().hint, HasSubstr("list:users"));
}

class WakeTest : public testing::CoreTest {};

TEST_F(WakeTest, ALoginWakes) {
  apply(standard());
  ASSERT_OK(ensure("alice", 1001));
  const auto key = hp().catalog().user_by_name("default", "alice")->key;
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, key));
    user->dormant_since = clock_->now();
    return store::put(tx, *user);
  }));
  ASSERT_TRUE(hp().catalog().user(key)->dormant_since.has_value());
  ASSERT_OK(issue(caller(policies::Scope::admin), login("alice")));
  ASSERT_OK(hp().logins().flush());
  EXPECT_TRUE(hp().catalog().user(key)->dormant_since.has_value()) << "an admin who looks is no login";
  auto by_the_hub = login("alice");
  by_the_hub.uid = by_the_hub.gid = 1001;  // which vouches for her
  const auto answer = issue(caller(policies::Scope::spawner, "main"), by_the_hub);
  ASSERT_OK(answer);
  EXPECT_EQ(answer->status, 200);
  ASSERT_OK(hp().logins().flush());
  EXPECT_FALSE(hp().catalog().user(key)->dormant_since.has_value());
  // Again within a minute, with the same answer: still a login.
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, key));
    user->dormant_since = clock_->now();
    return store::put(tx, *user);
  }));
  ASSERT_OK(issue(caller(policies::Scope::spawner, "main"), by_the_hub));
  ASSERT_OK(hp().logins().flush());
  EXPECT_FALSE(hp().catalog().user(key)->dormant_since.has_value());
  std::vector<std::string> actions;
  const auto rows = hp().administration().audit(0, 100, key);
  ASSERT_OK(rows);
  for (const auto& row : *rows) actions.push_back(row.entry.action + " " + row.entry.detail);
  EXPECT_THAT(actions, ::testing::Contains("user.wake {\"seen\":\"login\"}"));
}

}  // namespace
}  // namespace homeport::core
