// The published description and the service say the same.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "api/openapi.h"
#include "api/params.h"
#include "tests/support/golden.h"
#include "tests/unit/api/api_fixture.h"

namespace homeport::testing {
namespace {

using nlohmann::json;

std::string lower(std::string_view method) {
  std::string out;
  for (const char c : method) out += static_cast<char>(c - 'A' + 'a');
  return out;
}

json description() {
  return json::parse(api::openapi_text());
}

std::set<std::string> words(std::string_view text) {
  std::set<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string word; in >> word;) out.insert(word);
  return out;
}

std::string access_word(const api::Access& access) {
  if (access.kind == api::Access::Kind::open) return "open";
  if (access.kind == api::Access::Kind::metrics) return "metrics";
  return std::string(policies::action_name(access.action));
}

TEST(OpenApi, IsTheCommittedFile) {
  EXPECT_EQ(std::string(api::openapi_text()), read_file(source_path("api/openapi.json")));
}

TEST(OpenApi, HasExactlyTheRoutesOfTheTable) {
  std::set<std::string> described;
  const json document = description();
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) described.insert(method + " " + path);
  }
  std::set<std::string> served;
  for (const auto& entry : api::route_table())
    served.insert(lower(method_name(entry.method)) + " " + std::string(entry.pattern));
  EXPECT_EQ(described, served);
}

TEST(OpenApi, NamesEveryParameterAndRight) {
  const json document = description();
  for (const auto& entry : api::route_table()) {
    const std::string method = lower(method_name(entry.method));
    const auto& operation = document["paths"][std::string(entry.pattern)][method];
    SCOPED_TRACE(method + " " + std::string(entry.pattern));
    EXPECT_EQ(operation["x-access"], access_word(entry.access));
    std::set<std::string> query;
    bool keyed = false;
    for (auto parameter : operation.value("parameters", json::array())) {
      if (parameter.contains("$ref")) {
        parameter = document.at(json::json_pointer(parameter["$ref"].get<std::string>().substr(1)));
      }
      if (parameter["in"] == "query") query.insert(parameter["name"]);
      keyed = keyed || parameter["name"] == "Idempotency-Key";
    }
    EXPECT_EQ(query, words(entry.query));
    EXPECT_EQ(keyed, entry.replay != api::Replay::none);
  }
}

class RealAnswersTest : public ApiTest {
 protected:
  // Writes what was answered into a file and lets a validator that is not ours read it against the description.
  void validate() {
    const auto file =
        std::filesystem::temp_directory_path() / ("homeport-answers-" + std::to_string(::getpid()) + ".json");
    json all = json::array();
    for (const auto& one : answered_) {
      all.push_back({{"method", lower(one.method)},
                     {"path", one.pattern},
                     {"request", one.request_body},
                     {"status", one.status},
                     {"content_type", one.content_type},
                     {"body", one.body}});
    }
    std::ofstream(file) << all.dump(-1, ' ', false, json::error_handler_t::replace);
    const std::string command = "/usr/bin/python3 '" + source_path("tests/unit/api/validate_answers.py") + "' '" +
                                source_path("api/openapi.json") + "' '" + file.string() + "'";
    const int code = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
    std::filesystem::remove(file);
    EXPECT_EQ(code, 0) << "the validator's findings stand above";
  }
};

TEST_F(RealAnswersTest, FitTheDescription) {
  ask("POST", "/v1/plan", standard());
  ask("POST", "/v1/apply", standard());
  for (const char* open : {"/healthz", "/readyz", "/v1/version", "/v1/openapi.json"}) ask("GET", open, {}, 200, "");
  ask("PUT", "/v1/homes/alice?dry_run=true", R"({"uid":1001,"gid":1001})");
  ask("PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001,"class":"std","quota":"5GiB"})", 201);
  ask("PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001})");
  const auto pending = send("PUT", "/v1/homes/later?wait=0", R"({"uid":1002,"gid":1002})");
  EXPECT_TRUE(pending.status == 202U || pending.status == 201U) << pending.text();
  ask("POST", "/v1/homes:ensure", R"({"items":[{"user":"bob","uid":1003,"gid":1},{"user":"..","uid":1,"gid":1}]})");
  ask("PUT", "/v1/homes/carol", R"({"uid":1004,"gid":1004,"copying":{"from":"old:/home/carol","backend":"lab"}})", 201);
  ask("PUT", "/v1/homes/dora", R"({"uid":1005,"gid":1,"copying":{"from":"a\nb","backend":"lab"}})", 400);
  ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"carol"})", 503, "spawner");
  ask("POST", "/v1/homes/carol/copying", R"({"run":"r1","by":"nb1, process 7"})");
  ask("POST", "/v1/homes/carol/copying", R"({"run":"r2"})", 409);
  ask("POST", "/v1/homes/carol/copying", R"({"run":"a\nb"})", 400);
  ask("POST", "/v1/homes/carol/copied", {}, 409);
  ask("POST", "/v1/homes/carol/copying", R"({"run":"r1","leave":true})");
  ask("POST", "/v1/homes/carol/copied", R"({"run":"r1"})");
  ask("PATCH", "/v1/homes/alice", R"({"quota":6442450944})");
  ask("PATCH", "/v1/homes/alice?dry_run=true", R"({"quota":"7GiB"})");
  ask("PUT", "/v1/datasets/sets?dry_run=true", R"({"backend":"lab","path":"/data/sets"})");
  ask("PUT", "/v1/datasets/sets", R"({"backend":"lab","path":"/data/sets","note":"tables"})", 201);
  ask("POST", "/v1/datasets/sets/grants", R"({"subject_kind":"group","subject":"physics","access":"ro"})");
  ask("POST", "/v1/datasets/sets/grants", R"({"subject_kind":"everyone"})");
  ask("POST", "/v1/plan", R"({"backends":[{"name":"lab","kind":"memory"}],"classes":[{"name":"std","backend":"lab"}],
      "grants":[{"dataset":"later","everyone":true}]})");
  const auto spec =
      ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"alice","groups":["physics"]})", 200, "spawner");
  const auto id = spec["spec_id"].get<std::string>();
  ask("GET", "/v1/mountspecs/" + id, {}, 200, "spawner");
  EXPECT_EQ(send("POST", "/v1/mountspecs/render?format=docker-run", spec.dump(), "spawner").status, 200U);
  EXPECT_EQ(send("POST", "/v1/mountspecs/" + id + "/release", {}, "spawner").status, 204U);
  const auto key = ask("GET", "/v1/homes/alice")["key"].get<std::string>();
  ask("POST", "/v1/snapshots?dry_run=true", R"({"space":"home/alice"})");
  ask("POST", "/v1/snapshots", R"({"space":"home/alice","label":"v1","reason":"before"})", 201);
  ask("POST", "/v1/snapshots", R"({"space":"home/alice","label":"v1"})", 409);
  ask("POST", "/v1/snapshots/home%2Falice@v1/holds", R"({"owner":"x","expires":"2099-01-01T00:00:00Z"})");
  ask("GET", "/v1/snapshots?space=home/alice");
  ask("GET", "/v1/snapshots/home%2Falice@v1");
  ask("DELETE", "/v1/snapshots/home%2Falice@v1", {}, 422);
  ask("DELETE", "/v1/snapshots/home%2Falice@v1/holds/x");
  ask("POST", "/v1/snapshots/home%2Falice@v1/overwrite?dry_run=true", R"({"confirm":""})");
  ask("POST", "/v1/snapshots", R"({"space":"dataset/sets","label":"v1"})", 201);
  ask("GET", "/v1/snapshots/dataset%2Fsets@v1/files");
  ask("GET", "/v1/versions?space=dataset/sets&path=a.csv&digest=true");
  ask("POST", "/v1/snapshots/dataset%2Fsets@v1/restore", R"({"path":"a.csv"})");
  ask("POST", "/v1/snapshots/dataset%2Fsets@v1/restore", R"({"path":"../a"})", 400);
  ask("POST", "/v1/datasets/copy/clone?dry_run=true", R"({"from":"home/alice@v1"})");
  ask("POST", "/v1/datasets/copy/clone", R"({"from":"home/alice@v1","read_only":false,"note":"course"})", 201);
  ask("POST", "/v1/datasets/copy/retire?dry_run=true");
  ask("POST", "/v1/datasets/copy/retire");
  ask("POST", "/v1/datasets/copy/undelete");
  ask("POST", "/v1/datasets/copy/retire");
  ask("POST", "/v1/datasets/copy/purge", R"({"confirm":"copy"})");
  ask("DELETE", "/v1/snapshots/home%2Falice@v1?dry_run=true");
  ask("DELETE", "/v1/snapshots/home%2Falice@v1");
  const auto operations = ask("GET", "/v1/operations?limit=2");
  const auto operation = operations["items"].at(0)["id"].get<std::string>();
  for (const std::string& target : {std::string("/v1/homes?limit=1"),
                                    std::string("/v1/users"),
                                    std::string("/v1/users/alice"),
                                    std::string("/v1/datasets"),
                                    std::string("/v1/datasets/sets"),
                                    std::string("/v1/spaces"),
                                    "/v1/spaces/" + key,
                                    "/v1/operations/" + operation + "?wait=0",
                                    std::string("/v1/backends"),
                                    std::string("/v1/backends/lab"),
                                    std::string("/v1/backends/lab/exports"),
                                    std::string("/v1/audit?limit=5"),
                                    std::string("/v1/audit/verify"),
                                    std::string("/v1/classes"),
                                    std::string("/v1/rules"),
                                    std::string("/v1/tokens"),
                                    std::string("/v1/doctor"),
                                    std::string("/v1/renderers"),
                                    std::string("/v1/me"),
                                    std::string("/v1/hubs")}) {
    ask("GET", target);
  }
  EXPECT_EQ(send("GET", "/metrics").status, 200U);
  ask("POST", "/v1/backends/lab/probe");
  ask("POST", "/v1/backends/lab/pause", R"({"text":"soon back"})");
  for (const char* verb : {"resume", "drain", "undrain"}) ask("POST", std::string("/v1/backends/lab/") + verb);
  const auto token = ask("POST", "/v1/tokens", R"({"scope":"spawner","hub":"main","name":"h","expires":"90d"})", 201);
  ask("POST", "/v1/tokens/" + token["id"].get<std::string>() + "/rotate");
  ask("POST", "/v1/users/alice/uid", R"({"uid":1234,"gid":1234})");
  ask("POST", "/v1/users/alice/rename", R"({"name":"alice.smith"})");
  ask("PUT", "/v1/homes/second", R"({"uid":1300,"gid":1300})", 201);
  ask("POST", "/v1/users/second/merge", R"({"into":"alice","other_home":"retire"})");
  ask("POST", "/v1/users/alice/keep");
  ask("POST", "/v1/homes/alice/measure");
  ask("POST", "/v1/homes/bob/retire");
  ask("POST", "/v1/homes/bob/undelete");
  ask("POST", "/v1/homes/bob/retire");
  ask("POST", "/v1/homes/bob/purge", R"({"confirm":"bob"})");
  ask("POST", "/v1/datasets/sets/release?dry_run=true");
  ask("POST", "/v1/datasets/sets/release");
  hub_->give("0123456789abcdef0123456789abcdef", {.name = "alice", .groups = {"physics"}});
  hub_->set_users({"alice"});
  for (const char* target : {"/v1/me", "/v1/homes", "/v1/operations"})
    ask("GET", target, {}, 200, "0123456789abcdef0123456789abcdef");
  ask("POST", "/v1/hubs/main/reconcile");
  ask("GET", "/v1/hubs");
  // Refusals are described as well.
  ask("GET", "/v1/homes/nobody", {}, 404);
  ask("GET", "/v1/homes", {}, 401, "");
  ask("PUT", "/v1/homes/x", "{]", 400);
  validate();
}

TEST_F(RealAnswersTest, StandbyFitsToo) {
  api().set_phase(api::Phase::standby, "another instance serves");
  ask("GET", "/readyz", {}, 503, "");
  ask("GET", "/v1/homes", {}, 503);
  validate();
}

}  // namespace
}  // namespace homeport::testing
