// Following operations: 202, progress, failures, the end of patience, an interrupt.
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/bodies.h"
#include "tests/unit/cli/fake_service.h"
#include "tests/unit/cli/process.h"

namespace homeport::testing {
namespace {

using namespace bodies;
using nlohmann::json;

constexpr const char* kOperation = "GET /v1/operations/op-0000000000000001";

std::string pending() {
  return std::string(R"({"operation":)") + kRunning + "}";
}

class Waiting : public ::testing::Test {
 protected:
  Waiting() {
    cli.env["HOMEPORT_URL"] = service.url();
    service.on("POST /v1/homes/alice/retire", {.status = 202, .body = pending(), .headers = {{"Retry-After", "1"}}});
  }
  FakeService service;
  Cli cli;
};

TEST_F(Waiting, FollowsToTheEndAndShowsTheSpace) {
  service.on(kOperation, {.body = kRunning});
  service.on(kOperation, {.body = kSucceeded});
  service.on("GET /v1/spaces/h-0123456789abcdef", {.body = kHome});
  const auto ran = cli.run({"home", "retire", "alice"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("home/alice"), std::string::npos);
  EXPECT_NE(ran.err.find("op-0000000000000001 home.ensure: own (1 of 3)\n"), std::string::npos) << ran.err;
  EXPECT_EQ(service.connections(), 1U);
}

TEST_F(Waiting, QuietShowsNoProgress) {
  service.on(kOperation, {.body = kSucceeded});
  service.on("GET /v1/spaces/h-0123456789abcdef", {.body = kHome});
  EXPECT_EQ(cli.run({"home", "retire", "alice", "--quiet"}).err, "");
}

TEST_F(Waiting, ASpaceThatIsGoneIsAnsweredWithTheOperation) {
  service.on(kOperation, {.body = kSucceeded});
  const auto ran = cli.run({"home", "retire", "alice"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("succeeded"), std::string::npos);
}

TEST_F(Waiting, AFailureIsTheOperationsOwn) {
  auto failed = json::parse(kParked);
  failed["state"] = "failed";
  failed["failure"]["code"] = "out-of-capacity";
  service.on(kOperation, {.body = failed.dump()});
  const auto ran = cli.run({"home", "retire", "alice"});
  EXPECT_EQ(ran.code, 12);
  EXPECT_NE(ran.err.find("operation op-0000000000000002 failed: remove /export"), std::string::npos) << ran.err;
}

TEST_F(Waiting, AParkedOneSaysHowToGoOn) {
  service.on(kOperation, {.body = kParked});
  const auto ran = cli.run({"home", "retire", "alice"});
  EXPECT_EQ(ran.code, 14);
  EXPECT_NE(ran.err.find("homeport operation retry op-0000000000000002"), std::string::npos) << ran.err;
}

TEST_F(Waiting, WhenTheTimeIsOverTheCodeIs20) {
  service.on(kOperation, {.body = kRunning});
  const auto ran = cli.run({"home", "retire", "alice", "--wait=300ms"});
  EXPECT_EQ(ran.code, 20);
  EXPECT_NE(ran.err.find("homeport operation watch op-0000000000000001"), std::string::npos) << ran.err;
  EXPECT_EQ(service.lines().front(), "POST /v1/homes/alice/retire?wait=0");
}

TEST_F(Waiting, NoWaitAnswersTheOperation) {
  const auto ran = cli.run({"home", "retire", "alice", "--no-wait", "-o", "json"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(json::parse(ran.out)["id"], "op-0000000000000001");
  EXPECT_EQ(service.lines(), (std::vector<std::string>{"POST /v1/homes/alice/retire?wait=0"}));
}

TEST_F(Waiting, AnInterruptLeavesTheOperationAndSaysSo) {
  service.on(kOperation, {.body = kRunning});
  cli.start({"home", "retire", "alice"});
  ASSERT_TRUE(service.wait_for_requests(2));
  cli.interrupt();
  const auto ran = cli.finish();
  EXPECT_EQ(ran.code, 20);
  EXPECT_NE(ran.err.find("interrupted; operation op-0000000000000001 goes on"), std::string::npos) << ran.err;
}

TEST_F(Waiting, ARestartOfTheServiceMeanwhileIsSurvived) {
  service.on(kOperation, problem(503, "unavailable", "starting", ""));
  service.on(kOperation, {.hang_up = true});
  service.on(kOperation, {.body = kSucceeded});
  service.on("GET /v1/spaces/h-0123456789abcdef", {.body = kHome});
  EXPECT_EQ(cli.run({"home", "retire", "alice"}).code, 0);
}

TEST_F(Waiting, ASpecIsAskedForAgainUntilItIsThere) {
  service.on("POST /v1/mountspecs", {.status = 202, .body = pending(), .headers = {{"Retry-After", "1"}}});
  service.on("POST /v1/mountspecs", {.body = kSpec});
  const auto ran = cli.run({"spec", "get", "alice", "--hub", "lab"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(json::parse(ran.out), json::parse(kSpec));
}

TEST_F(Waiting, ASpecThatIsNotReadyInTimeIsCode20) {
  service.on("POST /v1/mountspecs", {.status = 202, .body = pending()});
  const auto ran = cli.run({"spec", "get", "alice", "--hub", "lab", "--no-wait"});
  EXPECT_EQ(ran.code, 20);
  EXPECT_EQ(ran.out, "");
}

}  // namespace
}  // namespace homeport::testing
