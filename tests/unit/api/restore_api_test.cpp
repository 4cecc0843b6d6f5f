// Looking into snapshots and restoring, over HTTP: spellings, refusals, and whose files they are.
#include <gmock/gmock.h>

#include "tests/unit/api/api_fixture.h"

namespace homeport::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kAlice = "a11ce000000000000000000000000001";
constexpr const char* kBob = "b0b00000000000000000000000000002";

class RestoreApiTest : public ApiTest {
 protected:
  RestoreApiTest() {
    hub_->give(kAlice, {.name = "alice"});
    hub_->give(kBob, {.name = "bob"});
    ask("POST", "/v1/apply", standard());
    ask("PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001})", 201);
    ask("PUT", "/v1/homes/bob", R"({"uid":1002,"gid":1002})", 201);
    ask("PUT", "/v1/datasets/sets", R"({"backend":"lab","path":"/data/sets"})", 201);
    ask("POST", "/v1/snapshots", R"({"space":"home/alice","label":"v1"})", 201);
    ask("POST", "/v1/snapshots", R"({"space":"dataset/sets","label":"v1"})", 201);
  }
};

TEST_F(RestoreApiTest, AFileIsFoundAndComesBack) {
  const auto listed = ask("GET", "/v1/snapshots/dataset%2Fsets@v1/files");
  ASSERT_FALSE(listed["items"].empty());
  const auto name = listed["items"][0]["name"].get<std::string>();
  EXPECT_EQ(listed["items"][0]["type"], "file");
  EXPECT_EQ(listed["is_directory"], true);
  EXPECT_EQ(listed["next"], nullptr);
  const auto versions = ask("GET", "/v1/versions?space=dataset/sets&digest=true&path=" + name);
  ASSERT_EQ(versions["items"].size(), 1U);
  EXPECT_EQ(versions["items"][0]["label"], "v1");
  EXPECT_EQ(versions["items"][0]["as_now"], true);
  EXPECT_EQ(versions["items"][0]["sha256"], versions["now"]["sha256"]);
  const auto done = ask("POST", "/v1/snapshots/dataset%2Fsets@v1/restore", json{{"path", name}}.dump());
  EXPECT_THAT(done["path"].get<std::string>(), HasSubstr(" (restored "));
  EXPECT_EQ(done["operation"]["state"], "succeeded");
  EXPECT_EQ(done["notes"], json::array());
  const auto none = ask("POST", "/v1/snapshots/dataset%2Fsets@v1/restore", R"({"path":"none"})", 404);
  EXPECT_FALSE(none["hint"].get<std::string>().empty());
  ask("POST", "/v1/snapshots/dataset%2Fsets@v1/restore", R"({"way":"whole"})", 422);
}

TEST_F(RestoreApiTest, WhatIsNoPathIsRefusedBeforeAnythingIsDone) {
  const std::string target = "/v1/snapshots/home%2Falice@v1/restore";
  for (const char* path : {"/etc/passwd", "../bob", "a//b", "a/./b", "a/", R"(a\\x2fb)", R"(a\\q)", R"(a\u0007b)"}) {
    const auto refused = ask("POST", target, R"({"path":")" + std::string(path) + R"("})", 400);
    EXPECT_EQ(refused["pointer"], "/path") << path;
  }
  ask("POST", target, "{}", 400);
  ask("POST", target, R"({"path":"a","way":"sideways"})", 400);
  ask("POST", target, R"({"path":"a","to":"b"})", 400);
  ask("POST", target, R"({"path":"a","way":"to"})", 400);
  ask("POST", target, R"({"path":"a","way":"whole"})", 400);
  ask("POST", target, R"({"path":"a","colour":"red"})", 400);
  ask("GET", "/v1/snapshots/home%2Falice@v1/files?path=..", {}, 400);
  ask("GET", "/v1/snapshots/home%2Falice@v1/files?cursor=nonsense", {}, 400);
  ask("GET", "/v1/versions?space=home/alice", {}, 400);
  ask("GET", "/v1/versions?path=a", {}, 400);
  EXPECT_EQ(
      ask("GET", "/v1/operations?space=" + ask("GET", "/v1/homes/alice")["key"].get<std::string>())["items"].size(), 2U)
      << "ensured and snapshotted, no more";
}

TEST_F(RestoreApiTest, APersonsOwnAndNobodyElses) {
  EXPECT_EQ(ask("GET", "/v1/snapshots/home%2Falice@v1/files", {}, 200, kAlice)["items"], json::array());
  ask("POST", "/v1/snapshots/home%2Falice@v1/restore", R"({"path":"a"})", 404, kAlice);
  ask("POST", "/v1/snapshots/home%2Falice@v1/restore", R"({"path":"a","way":"in-place","safety_snapshot":false})", 403,
      kAlice);
  for (const char* name : {"home%2Falice@v1", "home%2Fnobody@v1", "dataset%2Fsets@v1", "h-0000000000000000@v1"}) {
    const std::string target = "/v1/snapshots/" + std::string(name);
    const auto refused = ask("GET", target + "/files", {}, 403, kBob);
    EXPECT_THAT(refused["detail"].get<std::string>(), HasSubstr("of somebody else")) << name;
    ask("POST", target + "/restore", R"({"path":"a"})", 403, kBob);
  }
  ask("GET", "/v1/versions?space=home/alice&path=a", {}, 403, kBob);
  ask("GET", "/v1/snapshots/home%2Falice@v1/files", {}, 403, "auditor");
  ask("GET", "/v1/snapshots/home%2Falice@v1/files", {}, 200, "operator");
}

}  // namespace
}  // namespace homeport::testing
