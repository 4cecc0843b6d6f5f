#include <gmock/gmock.h>

#include "provisioner/base/doc_reader.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

class LoginsTest : public CoreTest {
 protected:
  LoginsTest() { apply(standard()); }
  core::Caller hub() const { return caller(policies::Scope::spawner, "main"); }
  Result<nlohmann::json> ask(const core::SpecRequest& request) {
    HOMEPORT_TRY(auto answer, issue(hub(), request));
    if (answer.operation) {
      HOMEPORT_TRY(const auto op, wait(*answer.operation));
      (void)op;
      HOMEPORT_TRY(answer, issue(hub(), request));
    }
    HOMEPORT_TRY(auto document, parse_json_document(answer.body(), "spec"));
    document.root["_status"] = answer.status;
    EXPECT_EQ(answer.degraded, document.root["state"] == "degraded");
    return std::move(document.root);
  }
  void import_data() {
    ASSERT_OK(settled(hp().datasets().import(
        caller(),
        {.name = *Slug::parse("sets"), .backend = *Slug::parse("lab"), .path = *AbsolutePath::parse("/data/sets")})));
  }
};

TEST_F(LoginsTest, AFirstLoginMakesTheHomeAndTheSameQuestionGetsTheSameAnswer) {
  auto first_request = login("alice");
  first_request.uid = 1001;
  first_request.gid = 1001;
  const auto first = ask(first_request);
  ASSERT_OK(first);
  EXPECT_EQ((*first)["state"], "ready");
  EXPECT_EQ((*first)["identity"]["uid"], 1001);
  ASSERT_EQ((*first)["mounts"].size(), 1U);
  EXPECT_EQ((*first)["mounts"][0]["target"], "/home/jovyan");
  EXPECT_EQ((*first)["mounts"][0]["access"], "rw");
  const auto again = ask(login("alice"));
  ASSERT_OK(again);
  EXPECT_EQ((*again)["digest"], (*first)["digest"]);
  EXPECT_EQ((*again)["spec_id"], (*first)["spec_id"]);
  ASSERT_OK(render::from_json([&] {
    auto document = *again;
    document.erase("_status");
    return document.dump();
  }()));
}

TEST_F(LoginsTest, ANamelessUidIsRefusedWithAHint) {
  const auto refused = ask(login("alice"));
  ASSERT_ERRC(refused, Errc::invalid_argument);
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST_F(LoginsTest, AnotherUidThanLastTimeIsRefusedAndAudited) {
  ASSERT_OK(ensure("alice", 1001));
  auto request = login("alice");
  request.uid = 1002;
  EXPECT_ERRC(ask(request), Errc::forbidden);
  ASSERT_OK(hp().logins().flush());
  const auto rows = hp().administration().audit(0, 1000, "");
  ASSERT_OK(rows);
  EXPECT_EQ(rows->back().entry.action, "spec.issue");
  EXPECT_EQ(rows->back().entry.outcome, "forbidden");
}

TEST_F(LoginsTest, DatasetsComeByGrantToUsersGroupsAndEveryone) {
  ASSERT_OK(ensure("alice", 1001));
  import_data();
  const auto mounts = [&](const core::SpecRequest& request) {
    const auto spec = ask(request);
    EXPECT_OK(spec);
    return (*spec)["mounts"].size();
  };
  EXPECT_EQ(mounts(login("alice", {"lab"})), 1U);
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "group", .name = "lab"}, "ro"));
  EXPECT_EQ(mounts(login("alice", {"lab"})), 2U);
  EXPECT_EQ(mounts(login("alice")), 1U);
  ASSERT_OK(hp().datasets().withdraw(caller(), "sets", {.kind = "group", .name = "lab"}));
  EXPECT_EQ(mounts(login("alice", {"lab"})), 1U);
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "user", .name = "alice"}, "ro"));
  EXPECT_EQ(mounts(login("alice")), 2U);
  EXPECT_ERRC(hp().datasets().grant(caller(), "sets", {.kind = "user", .name = "alice"}, "rw"),
              Errc::failed_precondition);
}

// A dataset named like the last part of the home's path, in the folder that holds the home.
TEST_F(LoginsTest, ADatasetInTheHomesPlaceIsLeftOut) {
  ASSERT_OK(ensure("alice", 1001));
  import_data();
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "everyone"}, "ro"));
  auto document = standard();
  const std::string klass = R"("name":"std",)";
  document.replace(document.find(klass), klass.size(), klass + R"("home_target":"/work/sets","dataset_root":"/work",)");
  apply(document);
  const auto spec = ask(login("alice"));
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["state"], "degraded");
  ASSERT_EQ((*spec)["mounts"].size(), 1U);
  EXPECT_EQ((*spec)["mounts"][0]["target"], "/work/sets");
  EXPECT_EQ((*spec)["notices"][0]["code"], "dataset-in-the-way");
}

TEST_F(LoginsTest, OnlyWhatIsDueCanBeWanted) {
  ASSERT_OK(ensure("alice", 1001));
  import_data();
  auto request = login("alice");
  request.wanted_datasets = {"sets"};
  EXPECT_ERRC(ask(request), Errc::forbidden);
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "everyone"}, "ro"));
  const auto spec = ask(request);
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["mounts"][1]["id"], "ds-sets");
  EXPECT_EQ((*spec)["mounts"][1]["access"], "ro");
  request.wanted_datasets.emplace();
  EXPECT_EQ((*ask(request))["mounts"].size(), 1U);
  request = login("alice");
  request.wanted_snapshot = "yesterday";
  EXPECT_ERRC(ask(request), Errc::unsupported);
  request = login("alice");
  request.purpose = "party";
  EXPECT_ERRC(ask(request), Errc::invalid_argument);
}

TEST_F(LoginsTest, ARetiredHomeIsNotMounted) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  ASSERT_OK(settled(hp().homes().retire(caller(), made->key)));
  EXPECT_ERRC(ask(login("alice")), Errc::forbidden);
}

// More datasets than a session takes lock nobody out.
TEST_F(LoginsTest, AHomeThatIsBeingCopiedIsWithheldUntilTheCopyIsOver) {
  const auto from = [](const char* where, const char* backend = "lab") {
    return [=](core::HomeRequest& request) {
      request.copying = core::HomeRequest::Copying{.from = where, .backend = *Slug::parse(backend)};
    };
  };
  EXPECT_ERRC(ensure("alice", 1001, from("old:/home/alice", "elsewhere")), Errc::failed_precondition);
  const auto made = ensure("alice", 1001, from("old:/home/alice"));
  ASSERT_OK(made);
  EXPECT_EQ(made->copying, "old:/home/alice");
  const auto blocked = ask(login("alice"));
  ASSERT_OK(blocked);
  EXPECT_EQ((*blocked)["state"], "blocked");
  EXPECT_EQ((*blocked)["_status"], 503);
  EXPECT_EQ((*blocked)["notices"][0]["code"], "home-copying");
  restart();
  const auto still = ask(login("alice"));
  ASSERT_OK(still);
  EXPECT_EQ((*still)["state"], "blocked");
  EXPECT_OK(ensure("alice", 1001, from("old:/home/alice"))) << "the same copy goes on";
  EXPECT_ERRC(ensure("alice", 1001, from("other:/home/alice")), Errc::already_exists);
  const auto done = hp().homes().finish_copy(caller(), made->key);
  ASSERT_OK(done);
  EXPECT_FALSE(done->copying);
  EXPECT_EQ(done->note, "copied from old:/home/alice");
  EXPECT_OK(hp().homes().finish_copy(caller(), made->key)) << "said twice is said once";
  const auto ready = ask(login("alice"));
  ASSERT_OK(ready);
  EXPECT_EQ((*ready)["state"], "ready");
  EXPECT_OK(ensure("alice", 1001, from("old:/home/alice"))) << "it is known to be finished";
  EXPECT_ERRC(ensure("alice", 1001, from("other:/home/alice")), Errc::already_exists);
  // What people may have worked in is never copied over.
  ASSERT_OK(ensure("bob", 1002));
  EXPECT_ERRC(ensure("bob", 1002, from("old:/home/bob")), Errc::already_exists);
}

TEST_F(LoginsTest, TooManyDatasetsAreCutOffByNameWithANotice) {
  ASSERT_OK(ensure("alice", 1001));
  import_data();
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto sets, hp().datasets().get("sets"));
    for (int i = 10; i < 80; ++i) {
      auto space = sets;
      space.key = "d-00000000000000" + std::to_string(i);
      space.name = "many-" + std::to_string(i);
      space.revision = 0;
      store::GrantRecord grant{.space = space.key, .subject_kind = "everyone"};
      HOMEPORT_CHECK(store::put(tx, space));
      HOMEPORT_CHECK(store::put(tx, grant));
    }
    return {};
  }));
  const auto spec = ask(login("alice"));
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["_status"], 200);
  EXPECT_EQ((*spec)["state"], "degraded");
  ASSERT_EQ((*spec)["mounts"].size(), 64U);
  EXPECT_EQ((*spec)["mounts"][1]["id"], "ds-many-10");
  EXPECT_EQ((*spec)["mounts"][63]["id"], "ds-many-72");
  ASSERT_EQ((*spec)["notices"].size(), 1U);
  EXPECT_EQ((*spec)["notices"][0]["code"], "too-many-datasets");
  EXPECT_THAT((*spec)["notices"][0]["text"].get<std::string>(), ::testing::HasSubstr("7 of"));
  auto request = login("alice");
  request.wanted_datasets = {"many-79"};  // what was asked for is not displaced by what was not
  const auto wanted = ask(request);
  ASSERT_OK(wanted);
  EXPECT_EQ((*wanted)["state"], "ready");
  EXPECT_EQ((*wanted)["mounts"][1]["id"], "ds-many-79");
}

TEST_F(LoginsTest, ADatasetWhoseRecordIsBrokenIsMissingAndTheHomeIsMounted) {
  ASSERT_OK(ensure("alice", 1001));
  import_data();
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "everyone"}, "ro"));
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto sets, hp().datasets().get("sets"));
    sets.source = R"({"nonsense":true})";
    return store::put(tx, sets, store::Expect::any());
  }));
  const auto spec = ask(login("alice"));
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["state"], "degraded");
  EXPECT_EQ((*spec)["mounts"].size(), 1U);
}

TEST_F(LoginsTest, APauseTextThatNoNoticeTakesIsRefused) {
  for (const std::string& text :
       {std::string("two\nlines"), std::string(301, 'x'), std::string("\xff"), std::string()}) {
    const auto refused = hp().administration().pause(caller(), "lab", text);
    ASSERT_ERRC(refused, Errc::invalid_argument) << text;
    EXPECT_EQ(refused.error().pointer, "/text");
  }
  EXPECT_FALSE(hp().catalog().backend("lab")->paused);
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  EXPECT_OK(hp().administration().pause(caller(), "lab", umlauts));
}

// As a Homeport that did not look at the text may have stored it.
TEST_F(LoginsTest, AStoredPauseTextThatNoNoticeTakesStillBlocks) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(store_->write("test", [](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto record, store::get<store::BackendRecord>(tx, "lab"));
    record->paused = true;
    record->pause_text = "two\nlines";
    return store::put(tx, *record);
  }));
  const auto spec = ask(login("alice"));
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["_status"], 503);
  EXPECT_EQ((*spec)["state"], "blocked");
}

TEST_F(LoginsTest, APausedBackendBlocksWithTheAdminsText) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(hp().administration().pause(caller(), "lab", "Disks are being changed until 14:00."));
  const auto spec = ask(login("alice"));
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["state"], "blocked");
  EXPECT_EQ((*spec)["_status"], 503);
  EXPECT_EQ((*spec)["notices"][0]["text"], "Disks are being changed until 14:00.");
  ASSERT_OK(hp().administration().resume(caller(), "lab"));
  EXPECT_EQ((*ask(login("alice")))["state"], "ready");
}

TEST_F(LoginsTest, AKnownHomeIsAnsweredWithoutABackendCall) {
  ASSERT_OK(ensure("alice", 1001));
  factory_.plan->add(drivers::DriverMethod::create, {.error = Error{.code = Errc::unavailable, .message = "down"}},
                     1000);
  factory_.plan->add(drivers::DriverMethod::find, {.error = Error{.code = Errc::unavailable, .message = "down"}}, 1000);
  const auto creates = factory_.plan->forwarded(drivers::DriverMethod::create);
  const auto known = hp().logins().try_issue(hub(), login("alice"));
  ASSERT_TRUE(known.has_value());
  ASSERT_OK(*known);
  EXPECT_EQ(factory_.plan->forwarded(drivers::DriverMethod::create), creates);
}

TEST_F(LoginsTest, ASpecCanBeReadAgainByItsIdAlsoAfterARestart) {
  ASSERT_OK(ensure("alice", 1001));
  const auto spec = issue(hub(), login("alice"));
  ASSERT_OK(spec);
  EXPECT_OK(hp().logins().reissue(spec->spec_id));
  EXPECT_ERRC(hp().logins().reissue("ms-unknown"), Errc::not_found);
  restart();
  const auto again = hp().logins().reissue(spec->spec_id);
  ASSERT_OK(again);
  EXPECT_EQ(render::digest(again->spec), spec->digest);
  ASSERT_OK(ensure("alice", 1001));
  import_data();
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "everyone"}, "ro"));
  EXPECT_ERRC(hp().logins().reissue(spec->spec_id), Errc::not_found);  // it has changed since
}

TEST_F(LoginsTest, WhatCannotBeRecordedNowIsRecordedLater) {
  ASSERT_OK(ensure("alice", 1001));
  ASSERT_OK(issue(hub(), login("alice")));
  EXPECT_ERRC(issue(hub(), login("nobody-known")), Errc::invalid_argument);
  ASSERT_OK(store_->release_lease());
  EXPECT_FALSE(hp().logins().flush());
  ASSERT_OK(store_->acquire_lease("test", std::chrono::minutes(10)));
  ASSERT_OK(hp().logins().flush());
  std::size_t sessions = 0;
  std::vector<store::AuditRow> audit;
  ASSERT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto all, store::list<store::SessionRecord>(tx, {}));
    sessions = all.size();
    HOMEPORT_TRY(audit, tx.audit(0, 1000, ""));
    return {};
  }));
  EXPECT_EQ(sessions, 1U);
  EXPECT_EQ(std::count_if(audit.begin(), audit.end(), [](const auto& row) { return row.entry.action == "spec.issue"; }),
            1);
}

// The same spec may be given out again right after its session ended: that is a new session, and it counts.
TEST_F(LoginsTest, AReleasedSpecIssuedAgainIsInUseAgain) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  const auto first = issue(hub(), login("alice"));
  ASSERT_OK(first);
  ASSERT_OK(hp().logins().flush());
  ASSERT_OK(hp().logins().release(hub(), first->spec_id));
  const auto second = issue(hub(), login("alice"));
  ASSERT_OK(second);
  EXPECT_EQ(second->spec_id, first->spec_id);
  EXPECT_ERRC(settled(hp().homes().retire(caller(), made->key)), Errc::failed_precondition);
}

TEST_F(LoginsTest, PeopleOfAnotherRealmAreOtherPeople) {
  const auto ours = ensure("alice", 1001);
  const auto theirs = ensure("alice", 1001, [](core::HomeRequest& r) { r.realm = "lab"; });
  ASSERT_OK(ours);
  ASSERT_OK(theirs);
  EXPECT_NE(ours->key, theirs->key);
  auto asked = login("alice");
  const auto here = issue(hub(), asked);
  asked.realm = "lab";
  const auto there = issue(hub(), asked);
  ASSERT_OK(here);
  ASSERT_OK(there);
  EXPECT_NE(here->digest, there->digest);
  EXPECT_THAT(there->body(), ::testing::HasSubstr(theirs->backend_name));
  const auto again = hp().logins().reissue(there->spec_id);
  ASSERT_OK(again);
  EXPECT_EQ(again->request.realm, "lab");
  auto other = hub();
  other.principal.realm = "default";
  EXPECT_ERRC(hp().logins().release(other, there->spec_id), Errc::forbidden);
}

// One damaged row is not taken for "nobody uses it".
TEST_F(LoginsTest, ADamagedSessionKeepsAHomeFromBeingRetired) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_CHECK(tx.put(store::Table::sessions,
                          {.key = "main/" + made->owner + "/", .index = {"ms-1", made->owner}, .doc = "{"},
                          store::Expect::none()));
    return {};
  }));
  EXPECT_ERRC(settled(hp().homes().retire(caller(), made->key)), Errc::failed_precondition);
  EXPECT_OK(settled(hp().homes().retire(caller(), made->key, true)));
}

TEST_F(LoginsTest, AnAdminWhoLooksStartsNoSession) {
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  ASSERT_OK(issue(caller(), login("alice")));
  ASSERT_OK(hp().logins().flush());
  EXPECT_OK(settled(hp().homes().retire(caller(), made->key)));
}

}  // namespace
}  // namespace homeport::testing
