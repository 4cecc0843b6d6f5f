// Each endpoint's good answer and each refusal.
#include "tests/unit/api/api_fixture.h"

#include <gmock/gmock.h>

#include <ostream>

#include "api/params.h"

namespace homeport::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kSpec = R"({"hub":"main","user":"alice","groups":["physics"]})";

class HandlersTest : public ApiTest {
 protected:
  HandlersTest() {
    ask("POST", "/v1/apply", standard());
    ask("PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001})", 201);
    ask("PUT", "/v1/datasets/sets", R"({"backend":"lab","path":"/data/sets"})", 201);
  }
};

TEST_F(HandlersTest, AHomeFromFirstAskToPurge) {
  const auto made = send("PUT", "/v1/homes/bob", R"({"uid":1002,"gid":1002,"quota":"5GiB"})");
  ASSERT_EQ(made.status, 201U) << made.text();
  EXPECT_THAT(header(made, "Homeport-Operation"), HasSubstr("op-"));
  const auto home = json::parse(made.text());
  EXPECT_EQ(home["state"], "ready");
  EXPECT_EQ(home["label"], "home/bob");
  EXPECT_EQ(home["quota"]["limit_bytes"], 5ULL << 30U);
  EXPECT_EQ(home["mode"], "0700");
  EXPECT_EQ(home["owner"]["names"], json::array({"bob"}));

  const auto again = send("PUT", "/v1/homes/bob", R"({"uid":1002,"gid":1002,"quota":"5GiB"})");
  EXPECT_EQ(again.status, 200U) << again.text();
  EXPECT_EQ(json::parse(again.text())["key"], home["key"]);
  EXPECT_EQ(ask("GET", "/v1/homes/" + home["key"].get<std::string>())["key"], home["key"]);

  EXPECT_EQ(ask("PATCH", "/v1/homes/bob", R"({"quota":"8GiB"})")["quota"]["limit_bytes"], 8ULL << 30U);
  EXPECT_EQ(ask("POST", "/v1/homes/bob/retire")["state"], "retired");
  EXPECT_EQ(ask("POST", "/v1/homes/bob/undelete")["state"], "ready");
  EXPECT_EQ(ask("POST", "/v1/homes/bob/retire", "{}")["state"], "retired");
  ask("POST", "/v1/homes/bob/purge", R"({"confirm":"alice"})", 400);
  EXPECT_EQ(ask("POST", "/v1/homes/bob/purge?wait=20", R"({"confirm":"bob"})")["state"], "purged");
}

TEST_F(HandlersTest, DryRunsShowCallsAndChangeNothing) {
  const auto preview = ask("PUT", "/v1/homes/carol?dry_run=true", R"({"uid":1003,"gid":1003})");
  EXPECT_TRUE(preview["dry_run"].get<bool>());
  EXPECT_FALSE(preview["calls"].empty());
  EXPECT_TRUE(preview["result"].is_null());
  ask("GET", "/v1/homes/carol", {}, 404);
  for (const char* verb : {"retire", "undelete"}) {
    (void)send("POST", std::string("/v1/homes/alice/") + verb + "?dry_run=true");
  }
  const auto retire = ask("POST", "/v1/homes/alice/retire?dry_run=true");
  EXPECT_EQ(retire["result"]["state"], "ready");
  EXPECT_EQ(ask("GET", "/v1/homes/alice")["state"], "ready");
  const auto look = ask("PUT", "/v1/datasets/other?dry_run=true", R"({"backend":"lab","path":"/data"})");
  EXPECT_TRUE(look["preview"].contains("readable_by"));
  ask("GET", "/v1/datasets/other", {}, 404);
  EXPECT_EQ(ask("POST", "/v1/datasets/sets/release?dry_run=true")["result"]["state"], "ready");
}

TEST_F(HandlersTest, APersonGoesByNameOrKey) {
  const auto key = ask("GET", "/v1/users/alice")["user_key"].get<std::string>();
  EXPECT_EQ(ask("GET", "/v1/users/" + key)["names"], json::array({"alice"}));
  EXPECT_EQ(ask("POST", "/v1/users/" + key + "/uid", R"({"uid":1200,"gid":1201})")["uid"], 1200);
  EXPECT_EQ(ask("GET", "/v1/homes/" + key)["key"], ask("GET", "/v1/homes/alice")["key"]);
  EXPECT_EQ(ask("POST", "/v1/homes/" + key + "/retire")["state"], "retired");
  EXPECT_EQ(ask("POST", "/v1/homes/" + key + "/undelete")["state"], "ready");
  EXPECT_EQ(ask("POST", "/v1/users/" + key + "/rename", R"({"name":"zoe"})")["names"], json::array({"zoe", "alice"}));
  ask("PUT", "/v1/homes/bob", R"({"uid":1002,"gid":1002})", 201);
  ask("PUT", "/v1/homes/bob?server=lab", R"({"uid":1002,"gid":1002})", 201);
  const auto bob = ask("GET", "/v1/users/bob")["user_key"].get<std::string>();
  const auto merged = ask("POST", "/v1/users/" + bob + "/merge", R"({"into":")" + key + R"(","other_home":"retire"})");
  EXPECT_EQ(merged["user_key"], key);
  ASSERT_EQ(merged["operations"].size(), 2U);
  EXPECT_EQ(merged["operation"], merged["operations"][0]);
  for (const char* target : {"/v1/users/u-0123456789abcdef", "/v1/homes/u-0123456789abcdef"})
    ask("GET", target, {}, 404);
  ask("POST", "/v1/users/u-0123456789abcdef/uid", R"({"uid":1300,"gid":1300})", 404);
  ask("POST", "/v1/users/" + bob + "/uid", R"({"uid":1300,"gid":1300})", 422);  // stands for nobody any more
}

TEST_F(HandlersTest, IfMatchGuardsAChange) {
  const auto home = send("GET", "/v1/homes/alice");
  const std::string etag = header(home, "ETag");
  EXPECT_EQ(etag, api::revision_etag(json::parse(home.text())["revision"].get<std::uint64_t>()));
  const auto stale = send("PATCH", "/v1/homes/alice", R"({"quota":"12GiB"})", "admin", {{"If-Match", "\"999999\""}});
  EXPECT_EQ(stale.status, 412U) << stale.text();
  EXPECT_EQ(send("PATCH", "/v1/homes/alice", R"({"quota":"12GiB"})", "admin", {{"If-Match", etag}}).status, 200U);
  EXPECT_EQ(send("PATCH", "/v1/homes/alice", R"({"quota":"13GiB"})", "admin", {{"If-Match", "yes"}}).status, 400U);
}

TEST_F(HandlersTest, AnIdempotencyKeyDoesTheWorkOnce) {
  const Headers key{{"Idempotency-Key", "k-1"}};
  const std::string body = R"({"uid":1010,"gid":1010})";
  const auto first = send("PUT", "/v1/homes/dora", body, "admin", key);
  ASSERT_EQ(first.status, 201U) << first.text();
  EXPECT_EQ(header(first, "Idempotent-Replay"), "");
  const auto second = send("PUT", "/v1/homes/dora", body, "admin", key);
  EXPECT_EQ(second.status, 201U);
  EXPECT_EQ(header(second, "Idempotent-Replay"), "true");
  EXPECT_EQ(second.text(), first.text());
  const auto other = send("PUT", "/v1/homes/dora", R"({"uid":1011,"gid":1010})", "admin", key);
  EXPECT_EQ(other.status, 409U) << other.text();
  EXPECT_THAT(std::string(other.text()), HasSubstr("used for another request"));
  // Somebody else's key of the same name is another key.
  EXPECT_EQ(send("PUT", "/v1/homes/dora", body, "operator", key).status, 200U);
  EXPECT_EQ(send("PUT", "/v1/homes/dora", body, "admin", {{"Idempotency-Key", "a/b"}}).status, 400U);
}

TEST_F(HandlersTest, AnErrorIsNotKeptUnderItsKey) {
  const Headers key{{"Idempotency-Key", "k-2"}};
  EXPECT_EQ(send("PUT", "/v1/homes/eve", R"({"gid":5})", "admin", key).status, 400U);
  EXPECT_EQ(send("PUT", "/v1/homes/eve", R"({"gid":5})", "admin", key).status, 400U);
  EXPECT_EQ(send("PUT", "/v1/homes/eve", R"({"uid":1012,"gid":5})", "admin", key).status, 201U);
}

TEST_F(HandlersTest, ATokenIsShownOnceAlsoUnderAKey) {
  const Headers key{{"Idempotency-Key", "k-3"}};
  const std::string body = R"({"scope":"auditor","name":"logs"})";
  const auto created = send("POST", "/v1/tokens", body, "admin", key);
  ASSERT_EQ(created.status, 201U) << created.text();
  const auto token = json::parse(created.text());
  EXPECT_EQ(header(created, "Cache-Control"), "no-store");
  const auto again = send("POST", "/v1/tokens", body, "admin", key);
  EXPECT_EQ(again.status, 409U);
  EXPECT_THAT(std::string(again.text()), HasSubstr("shown once"));
  const auto secret = token["token"].get<std::string>();
  EXPECT_EQ(send("GET", "/v1/audit", {}, secret).status, 200U);
  EXPECT_THAT(ask("GET", "/v1/tokens").dump(), ::testing::Not(HasSubstr(secret)));

  const auto id = token["id"].get<std::string>();
  const auto rotated = ask("POST", "/v1/tokens/" + id + "/rotate");
  EXPECT_EQ(send("GET", "/v1/audit", {}, secret).status, 401U);
  EXPECT_EQ(send("GET", "/v1/audit", {}, rotated["token"].get<std::string>()).status, 200U);
  EXPECT_EQ(send("DELETE", "/v1/tokens/" + id).status, 204U);
  EXPECT_EQ(send("GET", "/v1/audit", {}, rotated["token"].get<std::string>()).status, 401U);
}

TEST_F(HandlersTest, ALoginIsAnsweredFromMemory) {
  const auto spec = send("POST", "/v1/mountspecs", kSpec, "spawner");
  ASSERT_EQ(spec.status, 200U) << spec.text();
  const auto body = json::parse(spec.text());
  EXPECT_EQ(header(spec, "ETag"), '"' + body["digest"].get<std::string>() + '"');
  const auto id = body["spec_id"].get<std::string>();
  EXPECT_EQ(ask("GET", "/v1/mountspecs/" + id, {}, 200, "spawner")["digest"], body["digest"]);
  EXPECT_EQ(send("GET", "/v1/mountspecs/" + id, {}, "auditor").status, 403U);
  EXPECT_EQ(send("POST", "/v1/mountspecs/" + id + "/release", {}, "spawner").status, 204U);
}

TEST_F(HandlersTest, AFirstLoginWaitsForItsHome) {
  const auto body = R"({"hub":"main","user":"newcomer","identity":{"uid":2001,"gid":2001}})";
  const auto spec = send("POST", "/v1/mountspecs?wait=20", body, "spawner");
  EXPECT_EQ(spec.status, 200U) << spec.text();
  EXPECT_EQ(ask("GET", "/v1/homes/newcomer")["uid"], 2001);
}

TEST_F(HandlersTest, ABatchHasOneResultEach) {
  const auto answer = ask("POST", "/v1/homes:ensure",
                          R"({"items":[{"user":"alice","uid":1001,"gid":1001},{"user":"x1","uid":3001,"gid":3001},
                              {"user":"../x","uid":3002,"gid":1},{"user":"x3"}]})");
  const auto& items = answer["items"];
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[0]["outcome"], "exists");
  EXPECT_EQ(items[1]["outcome"], "created");
  EXPECT_EQ(items[1]["space"]["state"], "ready");
  EXPECT_EQ(items[2]["outcome"], "failed");
  EXPECT_EQ(items[2]["error"]["code"], "invalid-argument");
  EXPECT_EQ(items[3]["outcome"], "failed");
  EXPECT_EQ(ask("POST", "/v1/homes:ensure", R"({"items":[]})")["items"].size(), 0U);
}

TEST_F(HandlersTest, ABigBatchIsDoneAndATooBigOneIsRefused) {
  const auto batch = [](int count) {
    json items = json::array();
    for (int i = 0; i < count; ++i)
      items.push_back({{"user", "u" + std::to_string(i)}, {"uid", 5000 + i}, {"gid", 100}});
    return json{{"items", items}}.dump();
  };
  const auto answer = ask("POST", "/v1/homes:ensure?wait=60", batch(300));
  std::size_t created = 0;
  for (const auto& item : answer["items"]) created += item["outcome"] == "created" ? 1 : 0;
  EXPECT_EQ(created, 300U);
  EXPECT_EQ(send("POST", "/v1/homes:ensure", batch(1001)).status, 400U);
}

TEST_F(HandlersTest, PagesFollowTheirCursor) {
  for (int i = 0; i < 5; ++i) {
    ask("PUT", "/v1/homes/p" + std::to_string(i), R"({"uid":)" + std::to_string(4000 + i) + R"(,"gid":1})", 201);
  }
  std::size_t seen = 0;
  std::string target = "/v1/homes?limit=2";
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = ask("GET", target);
    seen += page["items"].size();
    if (page["next"].is_null()) break;
    target = "/v1/homes?limit=2&cursor=" + page["next"].get<std::string>();
  }
  EXPECT_EQ(seen, 6U);
  EXPECT_EQ(ask("GET", "/v1/homes?user=p3")["items"].size(), 1U);
  EXPECT_EQ(ask("GET", "/v1/homes?state=retired")["items"].size(), 0U);
  EXPECT_EQ(ask("GET", "/v1/operations?limit=1")["items"].size(), 1U);
}

TEST_F(HandlersTest, GrantsComeAndGo) {
  ask("POST", "/v1/datasets/sets/grants", R"({"subject_kind":"group","subject":"physics"})");
  ask("POST", "/v1/datasets/sets/grants", R"({"subject_kind":"user","subject":"alice"})");
  const auto dataset = ask("GET", "/v1/datasets/sets");
  EXPECT_EQ(dataset["grants"].size(), 2U);
  EXPECT_THAT(dataset["grants"].dump(), HasSubstr("\"subject\":\"alice\""));
  EXPECT_EQ(dataset["grants"][0]["provenance"], "hand");
  // No applied document takes them back.
  auto none = json::parse(standard());
  none["grants"] = json::array();
  ask("POST", "/v1/apply", none.dump());
  EXPECT_EQ(ask("GET", "/v1/datasets/sets")["grants"].size(), 2U);
  const auto spec = ask("POST", "/v1/mountspecs", kSpec, 200, "spawner");
  EXPECT_EQ(spec["mounts"].size(), 2U) << spec.dump(1);
  EXPECT_EQ(send("DELETE", "/v1/datasets/sets/grants/group/physics").status, 204U);
  EXPECT_EQ(send("DELETE", "/v1/datasets/sets/grants/user/alice").status, 204U);
  // A slip in the name does not look like success.
  EXPECT_EQ(send("DELETE", "/v1/datasets/sets/grants/group/phisics").status, 404U);
  EXPECT_EQ(send("DELETE", "/v1/datasets/sets/grants/everyone/-").status, 404U);
  EXPECT_EQ(ask("GET", "/v1/datasets/sets")["grants"].size(), 0U);
}

TEST_F(HandlersTest, ABackendIsPausedAndResumed) {
  const auto paused = ask("POST", "/v1/backends/lab/pause", R"({"text":"maintenance until 14:00"})");
  EXPECT_EQ(paused["state"], "paused");
  EXPECT_EQ(paused["pause_text"], "maintenance until 14:00");
  // Who logs in reads the admin's words.
  const auto blocked = send("POST", "/v1/mountspecs", kSpec, "spawner");
  EXPECT_EQ(blocked.status, 503U);
  EXPECT_THAT(std::string(blocked.text()), HasSubstr("maintenance until 14:00"));
  EXPECT_EQ(ask("POST", "/v1/backends/lab/resume")["paused"], false);
  EXPECT_EQ(send("POST", "/v1/mountspecs", kSpec, "spawner").status, 200U);
  EXPECT_EQ(ask("POST", "/v1/backends/lab/drain")["drained"], true);
  EXPECT_EQ(ask("POST", "/v1/backends/lab/undrain")["drained"], false);
  EXPECT_TRUE(ask("POST", "/v1/backends/lab/probe?wait=10")["data_ok"].get<bool>());
  EXPECT_FALSE(ask("GET", "/v1/backends/lab/exports")["items"].empty());
}

TEST_F(HandlersTest, TheDesiredDocumentIsYamlOrJsonAndItsProblemsHaveLines) {
  const Headers yaml{{"Content-Type", "application/yaml"}};
  auto wanted = nlohmann::json::parse(standard());
  wanted["backends"].push_back({{"name", "lab2"}, {"kind", "memory"}});
  const auto plan = send("POST", "/v1/plan", wanted.dump(), "admin", yaml);  // JSON is YAML
  EXPECT_EQ(plan.status, 200U) << plan.text();
  EXPECT_THAT(std::string(plan.text()), HasSubstr("lab2"));
  // What people's homes stand on is not taken away, and a plan says so.
  const auto refused = send("POST", "/v1/plan", "backends:\n- name: lab2\n  kind: memory\n", "admin", yaml);
  EXPECT_EQ(refused.status, 422U);
  EXPECT_THAT(std::string(refused.text()), HasSubstr("spaces use it"));
  const auto wrong = send("POST", "/v1/plan", "backends:\n- name: lab2\n  kindd: memory\nclases: []\n", "admin", yaml);
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_THAT(std::string(wrong.text()), HasSubstr("line 2"));
  EXPECT_THAT(std::string(wrong.text()), HasSubstr("line 4"));
  const auto useless = send("POST", "/v1/plan",
                            "classes:\n- name: c\n  backend: lab\n  home_target: /etc/x\n  environment:\n    foo: x\n"
                            "  labels: {'': x}\n  identity:\n    umask: '999'\n",
                            "admin", yaml);
  EXPECT_EQ(useless.status, 400U);
  for (const char* place : {"line 4: /classes/0/home_target: '/etc/x' belongs to the system",
                            "line 6: /classes/0/environment/foo: is not a variable name",
                            "line 7: /classes/0/labels/: has no name", "line 9: /classes/0/identity/umask"})
    EXPECT_THAT(std::string(useless.text()), HasSubstr(place));
  const auto same = ask("POST", "/v1/apply?dry_run=true", standard());
  for (const auto& change : same["changes"]) EXPECT_EQ(change["action"], "keep") << change.dump();
}

TEST_F(HandlersTest, RefusalsAreAudited) {
  EXPECT_EQ(send("POST", "/v1/tokens", R"({"scope":"admin"})", "operator").status, 403U);
  EXPECT_EQ(send("GET", "/v1/homes", {}, "hp_wrong").status, 401U);
  const auto deadline = clock_->mono() + std::chrono::seconds(20);
  std::string trail;
  const auto complete = [&] {
    return trail.find("\"forbidden\"") != std::string::npos && trail.find("\"unauthenticated\"") != std::string::npos;
  };
  while (!complete() && clock_->mono() < deadline) trail = ask("GET", "/v1/audit?limit=1000").dump();
  EXPECT_TRUE(complete()) << trail;
  EXPECT_TRUE(ask("GET", "/v1/audit/verify", {}, 200, "auditor")["ok"].get<bool>());
}

TEST_F(HandlersTest, UntilItIsReadyOnlyHealthIsAnswered) {
  api().set_phase(api::Phase::standby, "another instance serves (elsewhere)");
  EXPECT_EQ(send("GET", "/healthz", {}, "").status, 200U);
  EXPECT_EQ(ask("GET", "/readyz", {}, 503, "")["status"], "standby");
  const auto refused = send("GET", "/v1/homes");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_THAT(std::string(refused.text()), HasSubstr("another instance serves"));
  EXPECT_EQ(header(refused, "Retry-After"), "5");
  EXPECT_EQ(send("GET", "/metrics").status, 503U);  // a token cannot be checked yet
  api().set_phase(api::Phase::ready, "ready");
  EXPECT_EQ(ask("GET", "/readyz", {}, 200, "")["status"], "ready");
}

TEST_F(HandlersTest, ReadinessSaysThatTheConfigurationIsNotFullyInForce) {
  EXPECT_TRUE(ask("GET", "/readyz", {}, 200, "")["detail"].is_null());
  hp().administration().apply_configuration(
      {.principal = {.id = "config"}, .request_id = "start", .deadline = clock_->mono() + std::chrono::seconds(20)},
      core::Desired{
          .classes = {core::ClassSpec{.name = Slug::parse("std").value(), .backend = Slug::parse("nowhere").value()}}});
  const auto ready = ask("GET", "/readyz", {}, 200, "");
  EXPECT_EQ(ready["status"], "ready");
  EXPECT_THAT(ready["detail"].get<std::string>(), HasSubstr("homeport doctor"));
  EXPECT_THAT(ready["detail"].get<std::string>(), ::testing::Not(HasSubstr("nowhere")));
  EXPECT_THAT(ask("GET", "/v1/doctor").dump(), HasSubstr("nowhere"));
}

TEST_F(HandlersTest, MetricsCountAnswersByRoute) {
  const auto table = api::route_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].pattern != "/v1/mountspecs") continue;
    api().observe({.route = static_cast<int>(i),
                   .method = Method::post,
                   .status = 200,
                   .body_bytes = 1,
                   .took = std::chrono::milliseconds(1),
                   .request_id = "r",
                   .remote_address = "::1"});
  }
  EXPECT_EQ(send("GET", "/metrics", {}, "").status, 401U);
  (void)send("POST", "/v1/mountspecs", kSpec, "spawner");
  const std::string text(send("GET", "/metrics", {}, "auditor").text());
  EXPECT_THAT(text, HasSubstr(R"(homeport_http_requests_total{code="200",route="POST /v1/mountspecs"} 1)"));
  EXPECT_THAT(text, HasSubstr("homeport_http_request_duration_seconds_bucket"));
  EXPECT_THAT(text, HasSubstr(R"(homeport_mountspecs_total{state="issued"} 1)"));
  ask("POST", "/v1/datasets/sets/grants", R"({"subject_kind":"everyone"})");
  auto wanted = json::parse(standard());
  for (auto& klass : wanted["classes"]) klass.update({{"home_target", "/work/sets"}, {"dataset_root", "/work"}});
  ask("POST", "/v1/apply", wanted.dump());
  EXPECT_EQ(ask("POST", "/v1/mountspecs", kSpec, 200, "spawner")["state"], "degraded");
  EXPECT_THAT(std::string(send("GET", "/metrics", {}, "auditor").text()), HasSubstr(R"({state="degraded"} 1)"));
}

TEST_F(HandlersTest, AnObservedBackendIsProbedWithoutAChange) {
  auto wanted = json::parse(standard());
  wanted["backends"].push_back(
      json::parse(R"({"name":"old","kind":"memory","mode":"observe","pools":[{"name":"homes"}]})"));
  ask("POST", "/v1/apply", wanted.dump());
  const auto report = ask("POST", "/v1/backends/old/probe?wait=10");
  EXPECT_THAT(report.dump(), HasSubstr("not tried: the backend is only observed"));
  EXPECT_THAT(report.dump(), HasSubstr("skipped"));
  EXPECT_TRUE(report["data_ok"].get<bool>());
  EXPECT_THAT(ask("POST", "/v1/backends/lab/probe?wait=10").dump(), ::testing::Not(HasSubstr("not tried")));
}

// A stream lives on when its request is over; its token may not.
struct Ending {
  std::string name;
  std::function<void(store::TokenRecord&)> change;
  friend void PrintTo(const Ending& e, std::ostream* out) { *out << e.name; }
};

class EventsTest : public HandlersTest, public ::testing::WithParamInterface<Ending> {};

TEST_P(EventsTest, EndWithTheirToken) {
  const auto created = json::parse(send("POST", "/v1/tokens", R"({"scope":"auditor","name":"watcher"})").text());
  const auto id = created["id"].get<std::string>();
  ASSERT_EQ(send("GET", "/v1/events?after=1", {}, created["token"].get<std::string>()).status, 200U);
  const auto stream = stream_;
  const auto patience = clock_->mono() + std::chrono::seconds(30);
  while (api().events().open() == 0 && clock_->mono() < patience) std::this_thread::yield();
  api().tick();
  ASSERT_TRUE(stream->is_open());
  ASSERT_OK(store_->write("token", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto token, store::get<store::TokenRecord>(tx, id));
    GetParam().change(*token);
    return store::put(tx, *token);
  }));
  const auto before = stream->text();
  api().tick();
  EXPECT_FALSE(stream->is_open());
  EXPECT_EQ(stream->text(), before);  // not even the change that ended it
  EXPECT_EQ(api().events().open(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, EventsTest,
    ::testing::Values(Ending{"revoked", [](store::TokenRecord& token) { token.revoked = true; }},
                      Ending{"expired", [](store::TokenRecord& token) { token.expires_at = token.created_at; }},
                      Ending{"rotated", [](store::TokenRecord& token) { token.hash = std::string(64, 'a'); }},
                      Ending{"anotherScope", [](store::TokenRecord& token) { token.scope = "spawner"; }}),
    [](const auto& row) { return row.param.name; });

struct Case {
  std::string name;
  std::string method;
  std::string target;
  std::string body;
  std::string token;
  unsigned status;
  std::string says;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

class RefusalTest : public HandlersTest, public ::testing::WithParamInterface<Case> {};

TEST_P(RefusalTest, IsExplained) {
  const Case& c = GetParam();
  const std::string token = c.token == "expired" ? expired_token() : c.token;
  const auto response = send(c.method, c.target, c.body, token);
  ASSERT_EQ(response.status, c.status) << response.text();
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto problem = json::parse(response.text(), nullptr, false);
  ASSERT_TRUE(problem.is_object()) << response.text();
  EXPECT_EQ(problem["status"], c.status);
  EXPECT_FALSE(problem["detail"].get<std::string>().empty());
  EXPECT_THAT(problem.dump(), HasSubstr(c.says));
  if (c.status == 401) {
    EXPECT_THAT(header(response, "WWW-Authenticate"), HasSubstr("Bearer"));
  }
}

const std::string kDeep(200, '[');

INSTANTIATE_TEST_SUITE_P(
    Table, RefusalTest,
    ::testing::Values(
        // credentials
        Case{"noToken", "GET", "/v1/homes", "", "", 401, "no bearer token"},
        Case{"wrongToken", "GET", "/v1/homes", "", "hp_0123_nonsense", 401, "not known"},
        Case{"expiredToken", "GET", "/v1/homes", "", "expired", 401, "expired"},
        Case{"auditorChanges", "PUT", "/v1/homes/zoe", R"({"uid":1,"gid":1})", "auditor", 403, "auditor"},
        Case{"operatorPurges", "POST", "/v1/homes/alice/purge", R"({"confirm":"alice"})", "operator", 403, "purge"},
        Case{"operatorMakesTokens", "POST", "/v1/tokens", R"({"scope":"admin"})", "operator", 403, "tokens"},
        Case{"operatorStops", "POST", "/v1/state/backup", R"({"file":"/x"})", "operator", 403, "operator"},
        Case{"spawnerReadsHomes", "GET", "/v1/homes", "", "spawner", 403, "spawner"},
        Case{"spawnerReadsAudit", "GET", "/v1/audit", "", "spawner", 403, "audit"},
        Case{"spawnerOfAnotherHub", "POST", "/v1/mountspecs", R"({"hub":"other","user":"alice"})", "spawner", 403,
             "for hub 'main'"},
        Case{"auditorAsksForASpec", "POST", "/v1/mountspecs", kSpec, "auditor", 403, "mount spec"},
        // bodies
        Case{"notJson", "PUT", "/v1/homes/zoe", "{uid:1}", "admin", 400, "is not JSON"},
        Case{"tooDeep", "PUT", "/v1/homes/zoe", kDeep, "admin", 400, "deep"},
        Case{"notUtf8", "PUT", "/v1/homes/zoe", "{\"class\":\"\xff\"}", "admin", 400, "UTF-8"},
        Case{"unknownMember", "PUT", "/v1/homes/zoe", R"({"uid":1,"gid":1,"kuota":"1GiB"})", "admin", 400, "/kuota"},
        Case{"wrongType", "PUT", "/v1/homes/zoe", R"({"uid":"1","gid":1})", "admin", 400, "/uid"},
        Case{"badQuota", "PUT", "/v1/homes/zoe", R"({"uid":1,"gid":1,"quota":"lots"})", "admin", 400, "/quota"},
        Case{"listNotObject", "PUT", "/v1/homes/zoe", "[]", "admin", 400, "mapping"},
        Case{"bodyWhereNone", "POST", "/v1/homes/alice/retire", R"({"force":true})", "admin", 400, "no body"},
        Case{"resizeWithoutQuota", "PATCH", "/v1/homes/alice", "{}", "admin", 400, "'quota' is missing"},
        Case{"pauseWithoutText", "POST", "/v1/backends/lab/pause", "{}", "admin", 400, "'text' is missing"},
        Case{"pauseWithEmptyText", "POST", "/v1/backends/lab/pause", R"({"text":""})", "admin", 400, "/text"},
        Case{"pauseWithLines", "POST", "/v1/backends/lab/pause", R"({"text":"a\nb"})", "admin", 400, "/text"},
        Case{"pauseTooLong", "POST", "/v1/backends/lab/pause", R"({"text":")" + std::string(301, 'x') + R"("})",
             "admin", 400, "300 characters"},
        Case{"renameToNothing", "POST", "/v1/users/alice/rename", R"({"name":""})", "admin", 400, "/name"},
        Case{"renameBySpawner", "POST", "/v1/users/alice/rename", R"({"name":"x"})", "spawner", 403, ""},
        Case{"mergeWithoutHome", "POST", "/v1/users/alice/merge", R"({"into":"bob"})", "admin", 400, "other_home"},
        Case{"uidWithoutGid", "POST", "/v1/users/alice/uid", R"({"uid":7})", "admin", 400, "'gid' is missing"},
        Case{"tokenWithoutHub", "POST", "/v1/tokens", R"({"scope":"spawner"})", "admin", 400, "hub"},
        Case{"tokenScope", "POST", "/v1/tokens", R"({"scope":"root"})", "admin", 400, "/scope"},
        Case{"tokenExpires", "POST", "/v1/tokens", R"({"scope":"auditor","expires":"soon"})", "admin", 400, "/expires"},
        Case{"batchItem", "POST", "/v1/homes:ensure", R"({"items":[{"user":"a","uid":1,"oops":1}]})", "admin", 400,
             "/items/0/oops"},
        Case{"batchWithoutItems", "POST", "/v1/homes:ensure", "{}", "admin", 400, "'items' is missing"},
        Case{"importRelative", "PUT", "/v1/datasets/d2", R"({"backend":"lab","path":"../etc"})", "admin", 400, "/path"},
        Case{"importControl", "PUT", "/v1/datasets/d2", "{\"backend\":\"lab\",\"path\":\"/a\\u0001\"}", "admin", 400,
             "/path"},
        Case{"grantKind", "POST", "/v1/datasets/sets/grants", R"({"subject_kind":"robot"})", "admin", 400,
             "/subject_kind"},
        Case{"grantEveryoneNamed", "POST", "/v1/datasets/sets/grants", R"({"subject_kind":"everyone","subject":"x"})",
             "admin", 400, "everyone has no name"},
        Case{"restoreRelative", "POST", "/v1/state/restore", R"({"file":"x.db"})", "admin", 400, "/file"},
        Case{"restoreOfMemory", "POST", "/v1/state/restore", R"({"file":"/x.db"})", "admin", 501, "memory"},
        Case{"planUnknown", "POST", "/v1/plan", R"({"backend":[]})", "admin", 400, "/backend"},
        Case{"renderNoSpec", "POST", "/v1/mountspecs/render?format=fstab", "{}", "spawner", 400, "detail"},
        // a login's question
        Case{"specNotJson", "POST", "/v1/mountspecs", "hello", "spawner", 400, "is not JSON"},
        Case{"specUnknownMember", "POST", "/v1/mountspecs", R"({"hub":"main","user":"alice","grups":[]})", "spawner",
             400, "/grups"},
        Case{"specWrongType", "POST", "/v1/mountspecs", R"({"hub":"main","user":"alice","groups":"a"})", "spawner", 400,
             "/groups"},
        Case{"specUserDots", "POST", "/v1/mountspecs", R"({"hub":"main","user":".."})", "spawner", 400, "/user"},
        Case{"specUserNewline", "POST", "/v1/mountspecs", R"({"hub":"main","user":"a\nb"})", "spawner", 400, "/user"},
        Case{"specNoUser", "POST", "/v1/mountspecs", R"({"hub":"main"})", "spawner", 400, "/user"},
        Case{"specPurpose", "POST", "/v1/mountspecs", R"({"hub":"main","user":"alice","purpose":"fun"})", "spawner",
             400, "/purpose"},
        Case{"specUserName", "POST", "/v1/mountspecs",
             R"({"hub":"main","user":"alice","identity":{"user_name":"root"}})", "spawner", 501, "user_name"},
        Case{"specUserLikeAKey", "POST", "/v1/mountspecs", R"({"hub":"main","user":"h-0123456789abcdef"})", "spawner",
             400, "/user"},
        Case{"specGroupRoot", "POST", "/v1/mountspecs", R"({"hub":"main","user":"alice","identity":{"gids":[5,0]}})",
             "spawner", 400, "/identity/gids"},
        Case{"specSnapshot", "POST", "/v1/mountspecs", R"({"hub":"main","user":"alice","wanted":{"snapshot":"s1"}})",
             "spawner", 501, "snapshot"},
        Case{"specDatasetNotDue", "POST", "/v1/mountspecs",
             R"({"hub":"main","user":"alice","wanted":{"datasets":["sets"]}})", "spawner", 403, "sets"},
        Case{"specUnknownPersonWithoutUid", "POST", "/v1/mountspecs", R"({"hub":"main","user":"ghost"})", "spawner",
             400, "uid"},
        Case{"specWait", "POST", "/v1/mountspecs?wait=9999", R"({"hub":"main","user":"ghost2"})", "spawner", 400,
             "wait"},
        // names, parameters, things that are not there
        Case{"userDots", "PUT", "/v1/homes/..", R"({"uid":1,"gid":1})", "admin", 400, "user name"},
        Case{"userSlash", "PUT", "/v1/homes/a%2Fb", R"({"uid":1,"gid":1})", "admin", 400, "user name"},
        Case{"userNewline", "GET", "/v1/homes/a%0Ab", "", "admin", 400, "user name"},
        Case{"userLong", "PUT", "/v1/homes/" + std::string(300, 'x'), R"({"uid":1,"gid":1})", "admin", 400,
             "user name"},
        Case{"userLikeAHome", "PUT", "/v1/homes/h-0123456789abcdef", R"({"uid":1,"gid":1})", "admin", 400,
             "form of a key"},
        Case{"userLikeAUser", "PUT", "/v1/homes/u-0123456789abcdef", R"({"uid":1,"gid":1})", "admin", 400,
             "form of a key"},
        Case{"datasetLikeAKey", "PUT", "/v1/datasets/d-0123456789abcdef", R"({"backend":"lab","path":"/data/sets"})",
             "admin", 400, "form of a key"},
        Case{"unknownDatasetKey", "GET", "/v1/datasets/d-0123456789abcdef", "", "admin", 404, "d-0123456789abcdef"},
        Case{"uidZero", "PUT", "/v1/homes/zoe", R"({"uid":0,"gid":0})", "admin", 400, "uid"},
        Case{"anotherUid", "PUT", "/v1/homes/alice", R"({"uid":1077,"gid":1077})", "admin", 403, "uid"},
        Case{"uidOfTheSystem", "PUT", "/v1/homes/alice", R"({"uid":77,"gid":77})", "admin", 400,
             "uid 77 belongs to the system (below 1000)"},
        Case{"unknownHome", "GET", "/v1/homes/nobody", "", "admin", 404, "nobody"},
        Case{"unknownUser", "GET", "/v1/users/nobody", "", "admin", 404, "nobody"},
        Case{"unknownDataset", "GET", "/v1/datasets/nope", "", "admin", 404, "nope"},
        Case{"unknownBackend", "GET", "/v1/backends/nope", "", "admin", 404, "lab"},
        Case{"unknownSpace", "GET", "/v1/spaces/h-0123456789abcdef", "", "admin", 404, "h-0123456789abcdef"},
        Case{"badSpaceKey", "GET", "/v1/spaces/h-zz", "", "admin", 400, "h-zz"},
        Case{"unknownOperation", "GET", "/v1/operations/op-nope", "", "admin", 404, "op-nope"},
        Case{"retryUnknown", "POST", "/v1/operations/op-nope/retry", "", "admin", 404, "op-nope"},
        Case{"unknownSpec", "GET", "/v1/mountspecs/nope", "", "spawner", 404, "nope"},
        Case{"unknownFormat", "POST", "/v1/mountspecs/render?format=word", "{}", "spawner", 400, "fstab"},
        Case{"unknownToken", "DELETE", "/v1/tokens/t-nope", "", "admin", 404, "t-nope"},
        Case{"badCursor", "GET", "/v1/homes?cursor=!!!", "", "admin", 400, "cursor"},
        Case{"foreignCursor", "GET", "/v1/homes?cursor=aGVsbG8", "", "admin", 400, "cursor"},
        Case{"auditCursor", "GET", "/v1/audit?cursor=MTpob21l", "", "admin", 400, "cursor"},
        Case{"limitZero", "GET", "/v1/homes?limit=0", "", "admin", 400, "limit"},
        Case{"limitBig", "GET", "/v1/homes?limit=1001", "", "admin", 400, "limit"},
        Case{"unknownParameter", "GET", "/v1/homes?sort=name", "", "admin", 400, "sort"},
        Case{"doubledParameter", "GET", "/v1/homes?limit=1&limit=2", "", "admin", 400, "twice"},
        Case{"badState", "GET", "/v1/homes?state=happy", "", "admin", 400, "state"},
        Case{"badKind", "GET", "/v1/spaces?kind=car", "", "admin", 400, "car"},
        Case{"badWait", "PUT", "/v1/homes/zoe?wait=601", R"({"uid":1,"gid":1})", "admin", 400, "wait"},
        Case{"badFlag", "PUT", "/v1/homes/zoe?dry_run=maybe", R"({"uid":1,"gid":1})", "admin", 400, "dry_run"},
        Case{"badRealm", "GET", "/v1/homes?realm=..", "", "admin", 400, "realm"},
        Case{"quotaAboveClass", "PATCH", "/v1/homes/alice", R"({"quota":"60GiB"})", "admin", 400, "50GiB"},
        Case{"purgeOfALiveHome", "POST", "/v1/homes/alice/purge", R"({"confirm":"alice"})", "admin", 422, "retire"},
        Case{"importTakenName", "PUT", "/v1/datasets/sets", R"({"backend":"lab","path":"/data"})", "admin", 409,
             "sets"},
        Case{"eventsAfter", "GET", "/v1/events?after=x", "", "admin", 400, "after"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::testing
