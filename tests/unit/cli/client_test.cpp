// What all commands have in common: pages, formats, problems, connections, contexts; and those that need more than a
// row.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/cli/bodies.h"
#include "tests/unit/cli/fake_service.h"
#include "tests/unit/cli/process.h"

namespace homeport::testing {
namespace {

using namespace bodies;
using nlohmann::json;

std::string list_of(const std::string& item) {
  return R"({"items":[)" + item + R"(],"next":null})";
}
ScriptedReply ok(std::string body) {
  return {.status = 200, .body = std::move(body)};
}

class CommandsTest : public ::testing::Test {
 protected:
  CommandsTest() {
    cli.env["HOMEPORT_URL"] = service.url();
    cli.env["HOMEPORT_TOKEN"] = "the-token";
  }
  FakeService service;
  Cli cli;
};

TEST_F(CommandsTest, GrantAndWithdrawNameTheirSubject) {
  service.on("POST /v1/datasets/genomes/grants", ok("{}"));
  service.on("GET /v1/datasets/genomes", ok(kDataset));
  service.on("DELETE /v1/datasets/genomes/grants/user/a%40b", {.status = 204});
  service.on("DELETE /v1/datasets/genomes/grants/everyone/everyone", {.status = 204});
  EXPECT_EQ(cli.run({"dataset", "grant", "genomes", "--group", "biology", "--access", "rw"}).code, 0);
  EXPECT_EQ(cli.run({"dataset", "grant", "genomes", "--everyone"}).code, 0);
  EXPECT_EQ(cli.run({"dataset", "withdraw", "genomes", "--user", "a@b", "--realm", "r"}).code, 0);
  EXPECT_EQ(cli.run({"dataset", "withdraw", "genomes", "--everyone"}).code, 0);
  const auto seen = service.seen();
  ASSERT_EQ(seen.size(), 8U);
  EXPECT_EQ(json::parse(seen[0].body), json::parse(R"({"subject_kind":"group","subject":"biology","access":"rw"})"));
  EXPECT_EQ(json::parse(seen[2].body), json::parse(R"({"subject_kind":"everyone","subject":null,"access":"ro"})"));
  EXPECT_EQ(seen[4].line(), "DELETE /v1/datasets/genomes/grants/user/a%40b?realm=r");
  EXPECT_EQ(seen[6].line(), "DELETE /v1/datasets/genomes/grants/everyone/everyone");
}

TEST_F(CommandsTest, PlanAndApplySendTheDocumentAsItIs) {
  service.on("POST /v1/plan", ok(kChanges));
  service.on("POST /v1/apply", ok(kChanges));
  const std::string yaml = "# mine\nclasses: []\n";
  const auto file = cli.file("desired.yaml", yaml);
  EXPECT_NE(cli.run({"plan", "-f", file}).out.find("1 entry stays"), std::string::npos);
  EXPECT_EQ(cli.run({"apply", "-f", file}).code, 0);
  EXPECT_EQ(cli.run({"apply", "--file", file, "--dry-run"}).code, 0);
  cli.input = "{\"classes\":[]}";
  EXPECT_EQ(cli.run({"plan", "-f", "-"}).code, 0);
  const auto seen = service.seen();
  ASSERT_EQ(service.lines(),
            (std::vector<std::string>{"POST /v1/plan", "POST /v1/apply", "POST /v1/plan", "POST /v1/plan"}));
  EXPECT_EQ(seen[0].body, yaml);
  EXPECT_EQ(seen[0].headers.at("content-type"), "application/yaml");
  EXPECT_EQ(seen[3].headers.at("content-type"), "application/json");
}

TEST_F(CommandsTest, AnApplicationThatIsBlockedInPartFails) {
  service.on("POST /v1/apply", ok(R"j({"changes":[{"action":"create","what":"rule","name":"a","detail":[]},
      {"action":"blocked","what":"class","name":"std","detail":["the stored row cannot be read"]}]})j"));
  const auto result = cli.run({"apply", "-f", cli.file("desired.yaml", "classes: []\n")});
  EXPECT_EQ(result.code, 6);
  EXPECT_NE(result.out.find("the stored row cannot be read"), std::string::npos);
}

TEST_F(CommandsTest, JsonAndYamlAreTheAnswer) {
  service.on("GET /v1/homes/alice", ok(kHome));
  const auto as_json = cli.run({"home", "show", "alice", "-o", "json"});
  EXPECT_EQ(json::parse(as_json.out), json::parse(kHome));
  const auto as_yaml = cli.run({"home", "show", "alice", "-o", "yaml"});
  EXPECT_NE(as_yaml.out.find("state: ready\n"), std::string::npos);
  EXPECT_NE(as_yaml.out.find("mode: \"0700\"\n"), std::string::npos);
}

TEST_F(CommandsTest, ListsGoOnToTheLastPage) {
  service.on("GET /v1/homes", ok(std::string(R"({"items":[)") + kHome + R"(],"next":"c/1="})"));
  service.on("GET /v1/homes", ok(std::string(R"({"items":[)") + kLongHome + R"(],"next":null})"));
  const auto ran = cli.run({"home", "list", "-o", "json"});
  EXPECT_EQ(service.lines(),
            (std::vector<std::string>{"GET /v1/homes?limit=1000", "GET /v1/homes?limit=1000&cursor=c%2F1%3D"}));
  const auto all = json::parse(ran.out);
  EXPECT_EQ(all["items"].size(), 2U);
  EXPECT_TRUE(all["next"].is_null());
  EXPECT_EQ(service.connections(), 1U);
}

TEST_F(CommandsTest, AListThatNeverEndsIsAnError) {
  service.on("GET /v1/homes", ok(R"({"items":[],"next":"same"})"));
  EXPECT_EQ(cli.run({"home", "list"}).code, 1);
}

TEST_F(CommandsTest, AProblemBecomesItsExitCode) {
  struct Row {
    int status;
    std::string code;
    int exit;
  };
  for (const auto& row : {Row{404, "not-found", 3}, Row{409, "already-exists", 4}, Row{409, "conflict", 5},
                          Row{422, "failed-precondition", 6}, Row{403, "forbidden", 8},
                          Row{502, "backend-permission-denied", 14}, Row{507, "over-quota", 13},
                          Row{507, "out-of-capacity", 12}, Row{503, "unavailable", 9}, Row{429, "rate-limited", 15}}) {
    FakeService other;
    other.on("GET /v1/homes/alice", problem(row.status, row.code, "it is so", "do that"));
    const auto ran = cli.run({"home", "show", "alice", "--url", other.url()});
    EXPECT_EQ(ran.code, row.exit) << row.code;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, "homeport: error: it is so\n  hint: do that\n  request: req-7\n");
  }
}

TEST_F(CommandsTest, WithoutATokenTheHintSaysHow) {
  cli.env.erase("HOMEPORT_TOKEN");
  service.on("GET /v1/homes/alice", problem(401, "unauthenticated", "no credential", "send a bearer token"));
  const auto ran = cli.run({"home", "show", "alice"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_NE(ran.err.find("--token-file, HOMEPORT_TOKEN or a context"), std::string::npos) << ran.err;
  EXPECT_FALSE(service.seen().at(0).headers.contains("authorization"));
}

TEST_F(CommandsTest, AnAnswerOfSomethingElseIsExplained) {
  service.on("GET /v1/homes/alice", ok("<html>hello</html>"));
  const auto html = cli.run({"home", "show", "alice"});
  EXPECT_EQ(html.code, 1);
  EXPECT_NE(html.err.find("is not JSON"), std::string::npos);
  service.on("GET /v1/homes/bob", {.status = 502, .body = "<html>proxy</html>"});
  const auto proxy = cli.run({"home", "show", "bob"});
  EXPECT_EQ(proxy.code, 9);
  EXPECT_NE(proxy.err.find("status 502"), std::string::npos);
}

TEST_F(CommandsTest, AConnectionThatIsCutSaysSo) {
  service.on("GET /v1/homes/alice", {.hang_up = true});
  const auto ran = cli.run({"home", "show", "alice"});
  EXPECT_EQ(ran.code, 9);
  EXPECT_NE(ran.err.find("closed the connection without an answer"), std::string::npos) << ran.err;
}

TEST_F(CommandsTest, AKeptConnectionThatWasClosedIsOpenedOnceMore) {
  service.on("GET /v1/homes/alice", {.status = 200, .body = kHome});
  service.on("GET /v1/operations", {.hang_up = true});
  service.on("GET /v1/operations", ok(list_of(kSucceeded)));
  const auto ran = cli.run({"operation", "list", "--space", "home/alice"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(service.connections(), 2U);
}

TEST_F(CommandsTest, ContextsDecideWhereItGoes) {
  cli.env.erase("HOMEPORT_URL");
  cli.env.erase("HOMEPORT_TOKEN");
  cli.file(".config/homeport/lab.token", "lab-secret\n");
  cli.file(".config/homeport/config.yaml",
           "contexts:\n  - {name: lab, url: \"" + service.url() +
               "\", token_file: lab.token, realm: r1}\n  - {name: x, url: \"http://x\"}\n");
  service.on("GET /v1/homes", ok(list_of(kHome)));
  EXPECT_NE(cli.run({"context", "list"}).out.find("lab"), std::string::npos);
  EXPECT_EQ(cli.run({"home", "list", "--context", "lab"}).code, 0);
  EXPECT_EQ(cli.run({"context", "use", "lab"}).code, 0);
  EXPECT_EQ(cli.run({"home", "list"}).code, 0);
  const auto shown = cli.run({"context", "show"});
  EXPECT_NE(shown.out.find("context lab"), std::string::npos) << shown.out;
  EXPECT_EQ(shown.out.find("lab-secret"), std::string::npos);
  EXPECT_EQ(cli.run({"context", "use", "gone"}).code, 3);
  ASSERT_EQ(service.lines(),
            (std::vector<std::string>{"GET /v1/homes?realm=r1&limit=1000", "GET /v1/homes?realm=r1&limit=1000"}));
  EXPECT_EQ(service.seen().at(0).headers.at("authorization"), "Bearer lab-secret");
}

TEST_F(CommandsTest, ABlockedSpecIsPrintedAndExplained) {
  auto spec = json::parse(kSpec);
  spec["state"] = "blocked";
  service.on("POST /v1/mountspecs", {.status = 507, .body = spec.dump()});
  const auto ran = cli.run({"spec", "get", "alice", "--hub", "lab"});
  EXPECT_EQ(ran.code, 13);
  EXPECT_EQ(json::parse(ran.out)["state"], "blocked");
  EXPECT_NE(ran.err.find("your home is 95 % full"), std::string::npos) << ran.err;
}

TEST_F(CommandsTest, RenderingNeedsNoService) {
  const auto file = cli.file("spec.json", "{}");
  const auto bad = cli.run({"spec", "render", "--spec", file, "--format", "fstab"});
  EXPECT_EQ(bad.code, 2);
  const auto unknown = cli.run({"spec", "render", "--spec", file, "--format", "nonsense"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("fstab"), std::string::npos) << unknown.err;
  EXPECT_TRUE(service.seen().empty());
}

TEST_F(CommandsTest, TokenDetailsGoBesideTheToken) {
  service.on("POST /v1/tokens",
             {.status = 201, .body = R"({"id":"t-09","scope":"admin","hub":null,"expires_at":null,"token":"NEW"})"});
  const auto ran = cli.run({"token", "create", "--scope", "admin"});
  EXPECT_EQ(ran.out, "NEW\n");
  EXPECT_NE(ran.err.find("token t-09, scope admin"), std::string::npos);
  EXPECT_EQ(ran.err.find("NEW"), std::string::npos);
  EXPECT_EQ(cli.run({"token", "create", "--scope", "admin", "--quiet"}).err, "");
}

}  // namespace
}  // namespace homeport::testing
