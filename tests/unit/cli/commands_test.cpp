// Every command once: the real binary, what it asks the service, what it prints, its exit code.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "tests/unit/cli/bodies.h"
#include "tests/unit/cli/fake_service.h"
#include "tests/unit/cli/process.h"

namespace homeport::testing {
namespace {

using namespace bodies;
using nlohmann::json;

struct Case {
  std::string name;
  std::vector<std::string> args;
  std::vector<std::string> asked;  // request lines, in order
  std::string body = {};           // of the last request, as JSON; empty: none
  std::vector<std::pair<std::string, ScriptedReply>> script = {};
  std::string printed = {};  // somewhere in standard output
  int code = 0;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

std::string list_of(const std::string& item) {
  return R"({"items":[)" + item + R"(],"next":null})";
}
ScriptedReply ok(std::string body) {
  return {.status = 200, .body = std::move(body)};
}

class Commands : public ::testing::TestWithParam<Case> {};

TEST_P(Commands, AsksAndPrints) {
  const Case& c = GetParam();
  FakeService service;
  Cli cli;
  cli.env["HOMEPORT_URL"] = service.url();
  cli.env["HOMEPORT_TOKEN"] = "the-token";
  for (const auto& [route, reply] : c.script) service.on(route, reply);
  const auto ran = cli.run(c.args);
  EXPECT_EQ(ran.code, c.code) << ran.err;
  EXPECT_EQ(service.lines(), c.asked) << ran.err;
  EXPECT_NE(ran.out.find(c.printed), std::string::npos) << ran.out << ran.err;
  const auto seen = service.seen();
  ASSERT_FALSE(seen.empty());
  for (const auto& request : seen) {
    EXPECT_EQ(request.headers.at("authorization"), "Bearer the-token");
    const bool change = request.method != "GET";
    const bool repeatable = request.target.starts_with("/v1/mountspecs") || request.target.starts_with("/v1/plan") ||
                            request.target.find("dry_run") != std::string::npos ||
                            request.target.find("/probe") != std::string::npos;
    EXPECT_EQ(request.headers.contains("idempotency-key"), change && !repeatable) << request.line();
  }
  if (c.body.empty()) {
    EXPECT_EQ(seen.back().body, "");
  } else {
    EXPECT_EQ(json::parse(seen.back().body), json::parse(c.body)) << seen.back().body;
  }
  EXPECT_EQ((ran.out + ran.err).find("the-token"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Backend, Commands,
                         ::testing::Values(Case{"backendList",
                                                {"backend", "list"},
                                                {"GET /v1/backends?limit=1000"},
                                                "",
                                                {{"GET /v1/backends", ok(list_of(kBackend))}},
                                                "filer"},
                                           Case{"backendShow",
                                                {"backend", "show", "filer"},
                                                {"GET /v1/backends/filer"},
                                                "",
                                                {{"GET /v1/backends/filer", ok(kBackend)}},
                                                "drained"},
                                           Case{"backendProbe",
                                                {"backend", "probe", "filer"},
                                                {"POST /v1/backends/filer/probe?wait=60"},
                                                "",
                                                {{"POST /v1/backends/filer/probe", ok(kProbe)}},
                                                "no_root_squash",
                                                6},
                                           Case{"backendExports",
                                                {"backend", "exports", "filer"},
                                                {"GET /v1/backends/filer/exports"},
                                                "",
                                                {{"GET /v1/backends/filer/exports", ok(kExports)}},
                                                "dataset/genomes"},
                                           Case{"backendPause",
                                                {"backend", "pause", "filer", "until noon"},
                                                {"POST /v1/backends/filer/pause"},
                                                R"({"text":"until noon"})",
                                                {{"POST /v1/backends/filer/pause", ok(kBackend)}},
                                                "filer"},
                                           Case{"backendResume",
                                                {"backend", "resume", "filer"},
                                                {"POST /v1/backends/filer/resume"},
                                                "",
                                                {{"POST /v1/backends/filer/resume", ok(kBackend)}},
                                                "filer"},
                                           Case{"backendDrain",
                                                {"backend", "drain", "filer"},
                                                {"POST /v1/backends/filer/drain"},
                                                "",
                                                {{"POST /v1/backends/filer/drain", ok(kBackend)}},
                                                "filer"},
                                           Case{"backendUndrain",
                                                {"backend", "undrain", "filer"},
                                                {"POST /v1/backends/filer/undrain"},
                                                "",
                                                {{"POST /v1/backends/filer/undrain", ok(kBackend)}},
                                                "filer"}),
                         [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Home, Commands,
    ::testing::Values(
        Case{"ensure",
             {"home", "ensure", "alice@x y", "--uid", "1001", "--gid", "1002", "--class", "std", "--quota", "20GiB",
              "--server", "gpu", "--allow-similar"},
             {"PUT /v1/homes/alice%40x%20y?wait=2"},
             R"({"uid":1001,"gid":1002,"class":"std","quota":21474836480,"server":"gpu","allow_similar":true})",
             {{"PUT /v1/homes/alice%40x%20y", ok(kHome)}},
             "home/alice"},
        Case{"ensureDryRun",
             {"home", "ensure", "alice", "--uid", "1", "--gid", "2", "--dry-run"},
             {"PUT /v1/homes/alice?dry_run=true"},
             R"({"uid":1,"gid":2})",
             {{"PUT /v1/homes/alice", ok(kDryRun)}},
             "MKDIR /export/homes"},
        Case{"listRealm",
             {"home", "list", "--state", "retired", "--user", "a&b", "--realm", "r2"},
             {"GET /v1/homes?state=retired&user=a%26b&realm=r2&limit=1000"},
             "",
             {{"GET /v1/homes", ok(list_of(kHome))}},
             "alice"},
        Case{"show",
             {"home", "show", "alice", "--server", "gpu"},
             {"GET /v1/homes/alice?server=gpu"},
             "",
             {{"GET /v1/homes/alice", ok(kHome)}},
             "20GiB (measured)"},
        Case{"showByKey",
             {"home", "show", "h-0123456789abcdef"},
             {"GET /v1/homes/h-0123456789abcdef"},
             "",
             {{"GET /v1/homes/h-0123456789abcdef", ok(kHome)}},
             "20GiB (measured)"},
        Case{"resize",
             {"home", "resize", "alice", "30GiB", "--force"},
             {"PATCH /v1/homes/alice?force=true&wait=2"},
             R"({"quota":32212254720})",
             {{"PATCH /v1/homes/alice", ok(kHome)}},
             "home/alice"},
        Case{"retire",
             {"home", "retire", "alice"},
             {"POST /v1/homes/alice/retire?wait=2"},
             "",
             {{"POST /v1/homes/alice/retire", ok(kHome)}},
             "home/alice"},
        Case{"undelete",
             {"home", "undelete", "alice"},
             {"POST /v1/homes/alice/undelete?wait=2"},
             "",
             {{"POST /v1/homes/alice/undelete", ok(kHome)}},
             "home/alice"},
        Case{"purge",
             {"home", "purge", "alice", "--yes-purge", "alice"},
             {"POST /v1/homes/alice/purge?wait=2"},
             R"({"confirm":"alice"})",
             {{"POST /v1/homes/alice/purge", ok(kHome)}},
             "home/alice"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    UserAndDataset, Commands,
    ::testing::Values(
        Case{"userList",
             {"user", "list"},
             {"GET /v1/users?limit=1000"},
             "",
             {{"GET /v1/users", ok(list_of(kUser))}},
             "alice"},
        Case{"userShow",
             {"user", "show", "alice"},
             {"GET /v1/users/alice"},
             "",
             {{"GET /v1/users/alice", ok(kUser)}},
             "u-00000000000000aa"},
        Case{"userShowByKey",
             {"user", "show", "u-00000000000000aa"},
             {"GET /v1/users/u-00000000000000aa"},
             "",
             {{"GET /v1/users/u-00000000000000aa", ok(kUser)}},
             "alice"},
        Case{"userSetUid",
             {"user", "set-uid", "alice", "--uid", "5", "--gid", "6"},
             {"POST /v1/users/alice/uid"},
             R"({"uid":5,"gid":6})",
             {{"POST /v1/users/alice/uid", ok(kUser)}},
             "alice"},
        Case{"import",
             {"dataset", "import", "genomes", "--backend", "filer", "--export", "/export/genomes", "--note", "n"},
             {"PUT /v1/datasets/genomes?wait=2"},
             R"({"backend":"filer","path":"/export/genomes","read_only":true,"note":"n"})",
             {{"PUT /v1/datasets/genomes", {.status = 201, .body = kDataset}}},
             "dataset/genomes"},
        Case{"importPreview",
             {"dataset", "import", "genomes", "--backend", "filer", "--export", "/x", "--read-write", "--dry-run"},
             {"PUT /v1/datasets/genomes?dry_run=true"},
             R"({"backend":"filer","path":"/x","read_only":false})",
             {{"PUT /v1/datasets/genomes", ok(kImportPreview)}},
             "at least 100000"},
        Case{"datasetList",
             {"dataset", "list"},
             {"GET /v1/datasets?limit=1000"},
             "",
             {{"GET /v1/datasets", ok(list_of(kDataset))}},
             "genomes"},
        Case{"datasetShow",
             {"dataset", "show", "genomes"},
             {"GET /v1/datasets/genomes"},
             "",
             {{"GET /v1/datasets/genomes", ok(kDataset)}},
             "biology"},
        Case{"datasetShowByKey",
             {"dataset", "show", "d-0123456789abcdef"},
             {"GET /v1/datasets/d-0123456789abcdef"},
             "",
             {{"GET /v1/datasets/d-0123456789abcdef", ok(kDataset)}},
             "biology"},
        Case{"datasetRelease",
             {"dataset", "release", "genomes"},
             {"POST /v1/datasets/genomes/release?wait=2"},
             "",
             {{"POST /v1/datasets/genomes/release", ok(kDataset)}},
             "genomes"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Spaces, Commands,
    ::testing::Values(
        Case{"spaceList",
             {"space", "list", "--kind", "dataset", "--state", "ready", "--backend", "filer"},
             {"GET /v1/spaces?kind=dataset&state=ready&backend=filer&limit=1000"},
             "",
             {{"GET /v1/spaces", ok(list_of(kDataset))}},
             "dataset/genomes"},
        Case{"spaceShowKey",
             {"space", "show", "h-0123456789abcdef"},
             {"GET /v1/spaces/h-0123456789abcdef"},
             "",
             {{"GET /v1/spaces/h-0123456789abcdef", ok(kHome)}},
             "home/alice"},
        Case{"spaceShowHome",
             {"space", "show", "home/alice/gpu"},
             {"GET /v1/homes/alice?server=gpu", "GET /v1/spaces/h-0123456789abcdef"},
             "",
             {{"GET /v1/homes/alice", ok(kHome)}, {"GET /v1/spaces/h-0123456789abcdef", ok(kHome)}},
             "home/alice"},
        Case{"spaceShowGroup",
             {"space", "show", "group/bio"},
             {"GET /v1/spaces?kind=group&limit=1000"},
             "",
             {{"GET /v1/spaces", ok(list_of(""))}},
             "",
             3},
        Case{"classList", {"class", "list"}, {"GET /v1/classes"}, "", {{"GET /v1/classes", ok(kClasses)}}, "standard"},
        Case{"classShow",
             {"class", "show", "standard"},
             {"GET /v1/classes"},
             "",
             {{"GET /v1/classes", ok(kClasses)}},
             "identity"},
        Case{"classMissing",
             {"class", "show", "other"},
             {"GET /v1/classes"},
             "",
             {{"GET /v1/classes", ok(kClasses)}},
             "",
             3},
        Case{"ruleList", {"rule", "list"}, {"GET /v1/rules"}, "", {{"GET /v1/rules", ok(kRules)}}, "everyone"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Specs, Commands,
    ::testing::Values(
        Case{
            "get",
            {"spec", "get", "alice", "--hub", "lab", "--groups", "a,b", "--server", "gpu", "--purpose", "batch",
             "--wanted-dataset", "d1", "--wanted-dataset", "d2", "--uid", "1", "--gid", "2"},
            {"POST /v1/mountspecs?wait=20"},
            R"({"hub":"lab","user":"alice","groups":["a","b"],"server":"gpu","purpose":"batch","wanted":{"datasets":["d1","d2"]},
                 "identity":{"uid":1,"gid":2}})",
            {{"POST /v1/mountspecs", ok(kSpec)}},
            "\"spec_id\": \"ms-0123\""},
        Case{"getTable",
             {"spec", "get", "alice", "--hub", "lab", "-o", "table"},
             {"POST /v1/mountspecs?wait=20"},
             R"({"hub":"lab","user":"alice"})",
             {{"POST /v1/mountspecs", ok(kSpec)}},
             "nfs.example:/export"},
        Case{"getFormat",
             {"spec", "get", "alice", "--hub", "lab", "--format", "fstab", "--mode", "trait", "--namespace", "n"},
             {"POST /v1/mountspecs?wait=20", "GET /v1/mountspecs/ms-0123?format=fstab&mode=trait&namespace=n"},
             "",
             {{"POST /v1/mountspecs", ok(kSpec)}, {"GET /v1/mountspecs/ms-0123", ok("the lines\n")}},
             "the lines\n"},
        Case{"release",
             {"spec", "release", "ms-0123"},
             {"POST /v1/mountspecs/ms-0123/release"},
             "",
             {{"POST /v1/mountspecs/ms-0123/release", {.status = 204}}}},
        Case{"formats",
             {"spec", "formats"},
             {"GET /v1/renderers"},
             "",
             {{"GET /v1/renderers", ok(kRenderers)}},
             "fstab"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OperationsAndAudit, Commands,
    ::testing::Values(Case{"operationList",
                           {"operation", "list", "--parked", "--state", "parked"},
                           {"GET /v1/operations?parked=true&state=parked&limit=1000"},
                           "",
                           {{"GET /v1/operations", ok(list_of(kParked))}},
                           "parked"},
                      Case{"operationListSpace",
                           {"operation", "list", "--space", "home/alice"},
                           {"GET /v1/homes/alice", "GET /v1/operations?space=h-0123456789abcdef&limit=1000"},
                           "",
                           {{"GET /v1/homes/alice", ok(kHome)}, {"GET /v1/operations", ok(list_of(kSucceeded))}},
                           "home.ensure"},
                      Case{"operationShow",
                           {"operation", "show", "op-2"},
                           {"GET /v1/operations/op-2"},
                           "",
                           {{"GET /v1/operations/op-2", ok(kParked)}},
                           "REMOVE /export/homes"},
                      Case{"operationWatch",
                           {"operation", "watch", "op-1"},
                           {"GET /v1/operations/op-1"},
                           "",
                           {{"GET /v1/operations/op-1", ok(kSucceeded)}},
                           "succeeded"},
                      Case{"operationWatchParked",
                           {"operation", "watch", "op-2"},
                           {"GET /v1/operations/op-2"},
                           "",
                           {{"GET /v1/operations/op-2", ok(kParked)}},
                           "",
                           14},
                      Case{"operationCancel",
                           {"operation", "cancel", "op-1"},
                           {"POST /v1/operations/op-1/cancel"},
                           "",
                           {{"POST /v1/operations/op-1/cancel", ok(kRunning)}},
                           "running"},
                      Case{"operationRetry",
                           {"operation", "retry", "op-1", "--no-wait"},
                           {"POST /v1/operations/op-1/retry"},
                           "",
                           {{"POST /v1/operations/op-1/retry", ok(kRunning)}},
                           "running"},
                      Case{"operationGiveUp",
                           {"operation", "give-up", "op-1"},
                           {"POST /v1/operations/op-1/give-up"},
                           "",
                           {{"POST /v1/operations/op-1/give-up", ok(kSucceeded)}},
                           "home.ensure"},
                      Case{"auditList",
                           {"audit", "list", "--after", "7", "--last", "1"},
                           {"GET /v1/audit?limit=1000&after=7"},
                           "",
                           {{"GET /v1/audit", ok(kAudit)}},
                           "home.retire"},
                      Case{"auditVerify",
                           {"audit", "verify"},
                           {"GET /v1/audit/verify"},
                           "",
                           {{"GET /v1/audit/verify", ok(R"({"rows":12,"ok":true,"first_bad":null,"detail":null})")}},
                           "12 rows"},
                      Case{"auditBroken",
                           {"audit", "verify"},
                           {"GET /v1/audit/verify"},
                           "",
                           {{"GET /v1/audit/verify",
                             ok(R"({"rows":12,"ok":false,"first_bad":5,"detail":"hash differs"})")}},
                           "row 5: hash differs",
                           6},
                      Case{"auditWho",
                           {"audit", "who", "dataset/genomes"},
                           {"GET /v1/datasets/genomes", "GET /v1/audit?limit=1000&subject=d-0123456789abcdef"},
                           "",
                           {{"GET /v1/datasets/genomes", ok(kDataset)}, {"GET /v1/audit", ok(kAudit)}},
                           "home.retire (forbidden)"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Service, Commands,
    ::testing::Values(
        Case{"tokenList",
             {"token", "list"},
             {"GET /v1/tokens?limit=1000"},
             "",
             {{"GET /v1/tokens", ok(kTokens)}},
             "expired"},
        Case{"tokenRevoke",
             {"token", "revoke", "t-01"},
             {"DELETE /v1/tokens/t-01"},
             "",
             {{"DELETE /v1/tokens/t-01", {.status = 204}}}},
        Case{"tokenRotate",
             {"token", "rotate", "t-01"},
             {"POST /v1/tokens/t-01/rotate"},
             "",
             {{"POST /v1/tokens/t-01/rotate",
               ok(R"({"id":"t-09","scope":"spawner","hub":"lab","expires_at":null,"token":"NEW"})")}},
             "NEW\n"},
        Case{"tokenCreate",
             {"token", "create", "--scope", "spawner", "--hub", "lab", "--name", "n", "--expires", "90d"},
             {"POST /v1/tokens"},
             R"({"scope":"spawner","hub":"lab","name":"n","expires":"90d"})",
             {{"POST /v1/tokens",
               {.status = 201,
                .body = R"({"id":"t-09","scope":"spawner","hub":"lab","expires_at":null,"token":"NEW"})"}}},
             "NEW\n"},
        Case{"stateBackup",
             {"state", "backup", "/var/b.db"},
             {"POST /v1/state/backup"},
             R"({"file":"/var/b.db"})",
             {{"POST /v1/state/backup", ok(R"({"file":"/var/b.db","bytes":1,"sha256":"ab"})")}},
             "/var/b.db"},
        Case{"stateRestore",
             {"state", "restore", "/var/b.db"},
             {"POST /v1/state/restore"},
             R"({"file":"/var/b.db"})",
             {{"POST /v1/state/restore", ok(R"({"staged":true,"detail":"restart homeportd"})")}},
             "restart homeportd"},
        Case{"doctor",
             {"doctor"},
             {"GET /v1/doctor"},
             "",
             {{"GET /v1/doctor", ok(kFindings)}},
             "homeport operation list --parked",
             6},
        Case{"doctorWell", {"doctor"}, {"GET /v1/doctor"}, "", {{"GET /v1/doctor", ok(R"({"findings":[]})")}}, "well"},
        Case{"version",
             {"version"},
             {"GET /v1/version"},
             "",
             {{"GET /v1/version", ok(R"({"version":"9.9","schema":1})")}},
             "9.9 at"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::testing
