// A person with a hub's token: what is theirs, and nothing of anybody else's.
#include <gmock/gmock.h>

#include "tests/unit/api/api_fixture.h"

namespace homeport::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAlice = "a11ce000000000000000000000000001";
constexpr const char* kBob = "b0b00000000000000000000000000002";
constexpr const char* kZoe = "20e00000000000000000000000000003";

class SelfTest : public ApiTest {
 protected:
  SelfTest() {
    hub_->give(kAlice, {.name = "alice", .groups = {"physics"}});
    hub_->give(kBob, {.name = "bob"});
    hub_->give(kZoe, {.name = "zoe"});
    ask("POST", "/v1/apply", standard());
    alice_ = ask("PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001})", 201);
    bob_ = ask("PUT", "/v1/homes/bob", R"({"uid":1002,"gid":1002})", 201);
    ask("PUT", "/v1/datasets/sets", R"({"backend":"lab","path":"/data/sets"})", 201);
    ask("POST", "/v1/datasets/sets/grants", R"({"subject_kind":"group","subject":"physics"})");
  }
  static std::string key(const json& home) { return home["key"].get<std::string>(); }
  static std::string owner(const json& home) { return home["owner"]["user_key"].get<std::string>(); }
  std::string operation_of(const json& home) {
    return ask("GET", "/v1/operations?space=" + key(home))["items"].at(0)["id"].get<std::string>();
  }
  json alice_;
  json bob_;
};

TEST_F(SelfTest, MeSaysWhoAndWhatIsMine) {
  const auto me = ask("GET", "/v1/me", {}, 200, kAlice);
  EXPECT_EQ(me["credential"]["scope"], "user:self");
  EXPECT_EQ(me["credential"]["hub"], "main");
  EXPECT_EQ(me["user"]["name"], "alice");
  EXPECT_EQ(me["user"]["user_key"], owner(alice_));
  EXPECT_EQ(me["user"]["groups"], json::array({"physics"}));
  EXPECT_EQ(me["user"]["uid"], 1001);
  ASSERT_EQ(me["homes"].size(), 1U);
  EXPECT_EQ(me["homes"][0]["key"], alice_["key"]);
  const auto admin = ask("GET", "/v1/me");
  EXPECT_EQ(admin["user"], nullptr);
  EXPECT_EQ(admin["homes"], json::array());
  EXPECT_EQ(admin["credential"]["scope"], "admin");
}

TEST_F(SelfTest, TheListsHoldWhatIsMine) {
  const auto homes = ask("GET", "/v1/homes", {}, 200, kAlice)["items"];
  ASSERT_EQ(homes.size(), 1U);
  EXPECT_EQ(homes[0]["key"], alice_["key"]);
  EXPECT_EQ(ask("GET", "/v1/homes?user=bob", {}, 200, kAlice)["items"].size(), 0U);
  EXPECT_EQ(ask("GET", "/v1/homes?user=" + owner(bob_), {}, 200, kAlice)["items"].size(), 0U);
  EXPECT_EQ(ask("GET", "/v1/homes?user=nobody", {}, 200, kAlice)["items"].size(), 0U);
  const auto operations = ask("GET", "/v1/operations", {}, 200, kAlice)["items"];
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0]["space"], alice_["key"]);
  EXPECT_EQ(ask("GET", "/v1/operations?space=" + key(bob_), {}, 200, kAlice)["items"].size(), 0U);
  EXPECT_EQ(ask("GET", "/v1/operations/" + operation_of(alice_), {}, 200, kAlice)["id"], operation_of(alice_));
}

TEST_F(SelfTest, TheNewestOfMyOperationsComeFirstAndPageOn) {
  ask("PATCH", "/v1/homes/alice", R"({"quota":"11GiB"})");
  ask("PATCH", "/v1/homes/alice", R"({"quota":"12GiB"})");
  std::vector<std::string> all;
  const auto mine = ask("GET", "/v1/operations", {}, 200, kAlice);
  for (const auto& operation : mine["items"]) all.push_back(operation["id"]);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0] > all[1] && all[1] > all[2]);
  const auto first = ask("GET", "/v1/operations?limit=2", {}, 200, kAlice);
  const auto rest = ask("GET", "/v1/operations?limit=2&cursor=" + first["next"].get<std::string>(), {}, 200, kAlice);
  ASSERT_EQ(rest["items"].size(), 1U);
  EXPECT_EQ(rest["items"][0]["id"], all[2]);
}

TEST_F(SelfTest, MyHomeByEveryNameItHas) {
  for (const std::string& name : {std::string("alice"), key(alice_)}) {
    EXPECT_EQ(ask("GET", "/v1/homes/" + name, {}, 200, kAlice)["key"], alice_["key"]) << name;
  }
  EXPECT_EQ(ask("GET", "/v1/users/alice", {}, 200, kAlice)["uid"], 1001);
}

// Whether somebody else is there, has a home, an operation or a spec cannot be told from the answer.
TEST_F(SelfTest, NothingOfSomebodyElseNotEvenWhetherItExists) {
  const auto bobs_spec =
      ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob"})", 200, "spawner")["spec_id"].get<std::string>();
  struct Row {
    const char* pattern;  // with one {} for the name of the thing
    std::string theirs;
    std::string nobodys;
    unsigned status;
  };
  const std::string no_key = "0000000000000000";
  const Row rows[] = {
      {"/v1/homes/{}", "bob", "nobody", 403},
      {"/v1/homes/{}", owner(bob_), "u-" + no_key, 403},
      {"/v1/homes/{}", key(bob_), "h-" + no_key, 403},
      {"/v1/users/{}", "bob", "nobody", 403},
      {"/v1/operations/{}", operation_of(bob_), "op-" + no_key, 404},
      {"/v1/mountspecs/{}", bobs_spec, "ms-" + no_key, 404},
      {"/v1/spaces/{}", key(bob_), "h-" + no_key, 403},
      {"/v1/datasets/{}", "sets", "none", 403},
      {"/v1/backends/{}", "lab", "none", 403},
  };
  for (const auto& row : rows) {
    const std::string pattern = row.pattern;
    const auto target = [&](const std::string& name) { return pattern.substr(0, pattern.find("{}")) + name; };
    auto theirs = ask("GET", target(row.theirs), {}, row.status, kAlice);
    auto nobodys = ask("GET", target(row.nobodys), {}, row.status, kAlice);
    std::string detail = theirs["detail"];
    if (const auto at = detail.find(row.theirs); at != std::string::npos)
      detail.replace(at, row.theirs.size(), row.nobodys);
    EXPECT_EQ(detail, nobodys["detail"].get<std::string>()) << target(row.theirs);
    EXPECT_EQ(theirs["hint"], nobodys["hint"]) << target(row.theirs);
  }
}

TEST_F(SelfTest, NothingElseIsOpenToAPerson) {
  struct Row {
    const char* method;
    std::string target;
    std::string body;
  };
  const std::string spec =
      ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"alice"})", 200, "spawner")["spec_id"].get<std::string>();
  const Row rows[] = {{"PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001,"quota":"49GiB"})"},
                      {"PATCH", "/v1/homes/alice", R"({"quota":"49GiB"})"},
                      {"POST", "/v1/homes/alice/retire", ""},
                      {"POST", "/v1/homes/alice/release", ""},
                      {"POST", "/v1/homes/alice/rights", R"({"destroy":true})"},
                      {"POST", "/v1/homes:ensure", R"({"items":[]})"},
                      {"POST", "/v1/mountspecs/" + spec + "/release", ""},
                      {"POST", "/v1/operations/" + operation_of(alice_) + "/cancel", ""},
                      {"POST", "/v1/users/alice/uid", R"({"uid":1,"gid":1})"},
                      {"POST", "/v1/hubs/main/reconcile", ""},
                      {"POST", "/v1/tokens", R"({"scope":"admin"})"},
                      {"GET", "/v1/users", ""},
                      {"GET", "/v1/spaces", ""},
                      {"GET", "/v1/datasets", ""},
                      {"GET", "/v1/backends", ""},
                      {"GET", "/v1/classes", ""},
                      {"GET", "/v1/rules", ""},
                      {"GET", "/v1/hubs", ""},
                      {"GET", "/v1/tokens", ""},
                      {"GET", "/v1/audit", ""},
                      {"GET", "/v1/doctor", ""},
                      {"GET", "/v1/events", ""},
                      {"GET", "/metrics", ""}};
  for (const auto& row : rows) {
    const auto answer = send(row.method, row.target, row.body, kAlice);
    EXPECT_EQ(answer.status, 403U) << row.method << " " << row.target << " " << answer.text();
  }
}

TEST_F(SelfTest, MySpecHasTheGroupsTheHubSaysAndNoOthers) {
  const auto spec = ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"alice"})", 200, kAlice);
  EXPECT_EQ(spec["mounts"].size(), 2U) << "the home, and the dataset of the group";
  EXPECT_EQ(ask("GET", "/v1/mountspecs/" + spec["spec_id"].get<std::string>(), {}, 200, kAlice)["spec_id"],
            spec["spec_id"]);
  EXPECT_EQ(ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob"})", 200, kBob)["mounts"].size(), 1U);
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob","groups":["physics"]})", 403, kBob);
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob","identity":{"uid":1002}})", 403, kBob);
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"alice"})", 403, kBob);
  ask("POST", "/v1/mountspecs", R"({"hub":"other","user":"bob"})", 403, kBob);
  const auto sessions = [&] {
    EXPECT_OK(hp().logins().flush());
    std::size_t count = 0;
    EXPECT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto rows, tx.list(store::Table::sessions, {}));
      count = rows.size();
      return {};
    }));
    return count;
  };
  EXPECT_EQ(sessions(), 0U) << "who looks starts no session";
}

TEST_F(SelfTest, WithoutAHomeNothingIsMadeByAsking) {
  const auto me = ask("GET", "/v1/me", {}, 200, kZoe);
  EXPECT_EQ(me["user"]["name"], "zoe");
  EXPECT_EQ(me["user"]["user_key"], nullptr);
  for (const char* target : {"/v1/homes", "/v1/homes/zoe", "/v1/homes/bob", "/v1/users/zoe", "/v1/operations"}) {
    EXPECT_THAT(ask("GET", target, {}, 404, kZoe)["detail"].get<std::string>(), HasSubstr("no home for 'zoe'"));
  }
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"zoe"})", 404, kZoe);
  ask("POST", "/v1/homes/bob/retire", {}, 200);
  ask("POST", "/v1/homes/bob/purge", R"({"confirm":"bob"})", 200);
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob"})", 404, kBob);
  EXPECT_EQ(hp().catalog().user_by_name("default", "zoe"), nullptr);
  EXPECT_EQ(ask("GET", "/v1/homes?user=bob")["items"].size(), 0U);
}

TEST_F(SelfTest, AnAdminsNoteIsNotShown) {
  EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, key(alice_)));
    space->note = "suspected of mining";
    return store::put(tx, *space);
  }));
  EXPECT_THAT(ask("GET", "/v1/homes/alice").dump(), HasSubstr("mining"));
  for (const char* target : {"/v1/homes/alice", "/v1/homes", "/v1/me"}) {
    EXPECT_THAT(ask("GET", target, {}, 200, kAlice).dump(), Not(HasSubstr("mining"))) << target;
  }
}

TEST_F(SelfTest, TheHubIsAskedOnceAndOffTheRequestsThread) {
  ask("GET", "/v1/me", {}, 200, kAlice);
  ask("GET", "/v1/homes", {}, 200, kAlice);
  ask("GET", "/v1/me", {}, 200, kAlice, {{"Homeport-Hub", "main"}});
  EXPECT_EQ(hub_->questions(), 1U);
  hub_->hold();
  Request request = make_request(Method::get, "/v1/me", {{"Authorization", std::string("Bearer ") + kBob}});
  const auto match = router_->match(request.method, request.target, request.params);
  request.route = match.route->id;
  EXPECT_FALSE(api().answer_inline(request).has_value()) << "nothing waits for a hub on the thread of the socket";
  EXPECT_EQ(hub_->questions(), 1U);
  hub_->let_go();
}

TEST_F(SelfTest, RefusedAwayAndUnknownAreToldApart) {
  EXPECT_THAT(ask("GET", "/v1/me", {}, 401, "0000000000000000000000000000dead")["detail"].get<std::string>(),
              HasSubstr("does not know the token"));
  ask("GET", "/v1/me", {}, 401, "not a token");
  EXPECT_THAT(ask("GET", "/v1/me", {}, 401, kAlice, {{"Homeport-Hub", "elsewhere"}})["detail"].get<std::string>(),
              HasSubstr("no hub is called 'elsewhere'"));
  hub_->fail_with(Error{.code = Errc::unavailable, .message = "connection refused"});
  const auto away = send("GET", "/v1/me", {}, kBob);
  EXPECT_EQ(away.status, 503U);
  EXPECT_NE(header(away, "Retry-After"), "");
  EXPECT_THAT(std::string(away.text()), HasSubstr("cannot be asked whose token this is"));
  ask("GET", "/v1/homes", {}, 200, "admin");
}

TEST_F(SelfTest, RefusalsAreAuditedByKeyAndNeverWithTheToken) {
  ask("GET", "/v1/homes/bob", {}, 403, kAlice);
  workers_->drain(std::chrono::seconds(5));
  const auto rows = hp().administration().audit(0, 1000, "/v1/homes/{user}");
  ASSERT_OK(rows);
  ASSERT_FALSE(rows->empty());
  EXPECT_EQ(rows->back().entry.principal, "self:" + owner(alice_));
  const auto all = hp().administration().audit(0, 1000, "");
  ASSERT_OK(all);
  for (const auto& row : *all) EXPECT_THAT(row.entry.principal + row.entry.detail, Not(HasSubstr(kAlice)));
}

TEST_F(SelfTest, AnAccountThatWasMadeAgainOpensNothingUntilAnAdminSaysWhoItIs) {
  const auto spec = [](const std::string& created) {
    return R"({"hub":"main","user":"bob","account_created":")" + created + "\"}";
  };
  ask("POST", "/v1/mountspecs", spec("2026-03-01T08:00:00Z"), 200, "spawner");
  EXPECT_OK(hp().logins().flush());
  const auto refused = ask("POST", "/v1/mountspecs", spec("2026-11-18T08:00:00.5Z"), 403, "spawner");
  EXPECT_THAT(refused["detail"].get<std::string>(),
              HasSubstr("the account bob was deleted in hub main and made again"));
  EXPECT_EQ(ask("GET", "/v1/users/bob")["recreated"]["created"], "2026-11-18T08:00:00.500Z");
  const auto homes = ask("GET", "/v1/homes", {}, 403, kBob);
  EXPECT_THAT(homes["hint"].get<std::string>(), HasSubstr("homeport user keep 'bob'"));
  ask("GET", "/v1/homes/bob", {}, 403, kBob);
  EXPECT_EQ(ask("GET", "/v1/me", {}, 200, kBob)["homes"], json::array());
  EXPECT_EQ(ask("GET", "/v1/homes", {}, 200, kAlice)["items"].size(), 1U);
  EXPECT_THAT(ask("GET", "/v1/doctor").dump(), HasSubstr("account bob was deleted in hub main"));
  ask("POST", "/v1/users/bob/keep", {}, 403, "auditor");
  ask("POST", "/v1/users/nobody/keep", {}, 404);
  EXPECT_EQ(ask("POST", "/v1/users/bob/keep")["recreated"], nullptr);
  ask("POST", "/v1/mountspecs", spec("2026-11-18T08:00:00.5Z"), 200, "spawner");
  EXPECT_EQ(ask("GET", "/v1/homes", {}, 200, kBob)["items"].size(), 1U);
  // What people say of their own account proves nothing.
  ask("POST", "/v1/mountspecs", spec("2026-03-01T08:00:00Z"), 403, kBob);
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob","account_created":"yesterday"})", 400, "spawner");
}

TEST_F(SelfTest, HubsAreListedAndReconciledByHand) {
  ASSERT_EQ(ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob"})", 200, "spawner")["state"], "ready");
  EXPECT_EQ(ask("GET", "/v1/hubs")["items"][0]["last_look"], nullptr);
  hub_->set_users({"alice"});
  EXPECT_OK(hp().logins().flush());
  // A login in the same millisecond as the look would count as seen.
  const auto login = clock_->now();
  while (clock_->now() <= login) {
  }
  const auto dry = ask("POST", "/v1/hubs/main/reconcile?dry_run=true", {}, 200, "operator");
  EXPECT_EQ(dry["missing"][0]["names"], json::array({"bob"}));
  ask("POST", "/v1/hubs/main/reconcile", {}, 200, "operator");
  const auto look = ask("POST", "/v1/hubs/main/reconcile", {}, 200, "operator");
  EXPECT_EQ(look["gone"][0]["names"], json::array({"bob"}));
  EXPECT_NE(ask("GET", "/v1/homes/bob")["dormant_since"], nullptr);
  EXPECT_EQ(ask("GET", "/v1/homes/alice")["dormant_since"], nullptr);
  EXPECT_NE(ask("GET", "/v1/users/bob")["dormant_since"], nullptr);
  EXPECT_EQ(ask("GET", "/v1/homes?dormant=true")["items"].size(), 1U);
  EXPECT_EQ(ask("GET", "/v1/hubs")["items"][0]["last_look"]["outcome"], "done");
  hub_->set_users({});
  EXPECT_EQ(ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"alice"})", 200, "spawner")["state"], "ready");
  ask("POST", "/v1/hubs/main/reconcile", {}, 403, "auditor");
  ask("POST", "/v1/hubs/nowhere/reconcile", {}, 404);
  hub_->fail_with(Error{.code = Errc::unavailable, .message = "connection refused"});
  EXPECT_EQ(ask("POST", "/v1/hubs/main/reconcile")["outcome"], "failed");
  EXPECT_THAT(ask("GET", "/v1/doctor").dump(), HasSubstr("users of hub main cannot be listed"));
}

}  // namespace
}  // namespace homeport::testing
