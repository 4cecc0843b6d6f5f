// Snapshots over the API: who may, and how things are said.
#include <gmock/gmock.h>

#include "tests/unit/api/api_fixture.h"

namespace homeport::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kAlice = "a11ce000000000000000000000000001";
constexpr const char* kZoe = "20e00000000000000000000000000003";

class SnapshotApiTest : public ApiTest {
 protected:
  SnapshotApiTest() {
    hub_->give(kAlice, {.name = "alice"});
    hub_->give(kZoe, {.name = "zoe"});
    ask("POST", "/v1/apply", standard());
    alice_ = ask("PUT", "/v1/homes/alice", R"({"uid":1001,"gid":1001})", 201)["key"];
    bob_ = ask("PUT", "/v1/homes/bob", R"({"uid":1002,"gid":1002})", 201)["key"];
  }
  json take(const std::string& label, const std::string& who = "admin", unsigned expected = 201) {
    return ask("POST", "/v1/snapshots", json{{"space", "home/alice"}, {"label", label}}.dump(), expected, who);
  }
  std::string alice_;
  std::string bob_;
};

TEST_F(SnapshotApiTest, FromTakingToDeleting) {
  const auto taken = ask("POST", "/v1/snapshots", R"({"space":"home/alice","label":"v1","reason":"before"})", 201);
  EXPECT_EQ(taken["state"], "ready");
  EXPECT_EQ(taken["space"], alice_);
  EXPECT_EQ(taken["space_label"], "home/alice");
  EXPECT_EQ(taken["ref"], alice_ + "@v1");
  for (const auto& name :
       {std::string("home%2Falice@v1"), alice_ + "@v1", alice_ + "@" + taken["name"].get<std::string>(),
        alice_ + "@" + taken["key"].get<std::string>()}) {
    EXPECT_EQ(ask("GET", "/v1/snapshots/" + name)["key"], taken["key"]) << name;
  }
  EXPECT_EQ(take("v1", "admin", 409)["code"], "already-exists");
  const auto held = ask("POST", "/v1/snapshots/home%2Falice@v1/holds",
                        R"({"owner":"legal","reason":"case 7","expires":"2099-01-01T00:00:00Z"})");
  ASSERT_EQ(held["holds"].size(), 1U);
  EXPECT_EQ(held["holds"][0]["expires"], "2099-01-01T00:00:00Z");
  const auto refused = ask("DELETE", "/v1/snapshots/home%2Falice@v1", {}, 422);
  EXPECT_THAT(refused["detail"].get<std::string>(), HasSubstr("held by legal (case 7"));
  EXPECT_EQ(ask("DELETE", "/v1/snapshots/home%2Falice@v1/holds/legal")["holds"].size(), 0U);
  const auto preview = ask("DELETE", "/v1/snapshots/home%2Falice@v1?dry_run=true");
  EXPECT_EQ(preview["calls"].size(), 1U);
  EXPECT_EQ(ask("DELETE", "/v1/snapshots/home%2Falice@v1")["state"], "deleted");
  EXPECT_EQ(ask("GET", "/v1/snapshots?space=home/alice")["items"].size(), 0U);
  ask("GET", "/v1/snapshots/home%2Falice@v1", {}, 404);
}

TEST_F(SnapshotApiTest, ListsPageOnInOrder) {
  for (const char* label : {"a", "b", "c"}) take(label);
  const auto first = ask("GET", "/v1/snapshots?limit=2&space=" + alice_);
  ASSERT_EQ(first["items"].size(), 2U);
  EXPECT_EQ(first["items"][0]["label"], "a");
  EXPECT_EQ(first["notes"], json::array());
  const auto rest = ask("GET", "/v1/snapshots?limit=2&space=" + alice_ + "&cursor=" + first["next"].get<std::string>());
  ASSERT_EQ(rest["items"].size(), 1U);
  EXPECT_EQ(rest["items"][0]["label"], "c");
  EXPECT_EQ(rest["next"], nullptr);
  ask("GET", "/v1/snapshots", {}, 400);
  ask("GET", "/v1/snapshots?space=alice", {}, 400);
}

TEST_F(SnapshotApiTest, BadInputSaysWhere) {
  EXPECT_EQ(ask("POST", "/v1/snapshots", R"({"space":"home/alice","label":"a@b"})", 400)["pointer"], "/label");
  ask("POST", "/v1/snapshots", R"({"label":"x"})", 400);
  ask("POST", "/v1/snapshots", R"({"space":"home/nobody"})", 404);
  ask("POST", "/v1/snapshots", R"({"space":"home/alice","colour":"red"})", 400);
  take("v1");
  ask("POST", "/v1/snapshots/home%2Falice@v1/holds", R"({"expires":"tomorrow"})", 400);
  ask("POST", "/v1/snapshots/home%2Falice@v1/holds", R"({"expires":"2001-01-01T00:00:00Z"})", 400);
  ask("DELETE", "/v1/snapshots/home%2Falice@v1/holds/nobody", {}, 404);
  ask("GET", "/v1/snapshots/home%2Falice", {}, 400);
  ask("GET", "/v1/snapshots/home%2Falice@v2", {}, 404);
}

TEST_F(SnapshotApiTest, WhatRunsInTheBackgroundIsFollowed) {
  const auto pending = send("POST", "/v1/snapshots?wait=0", R"({"space":"home/alice","label":"v1"})");
  EXPECT_TRUE(pending.status == 202U || pending.status == 201U) << pending.text();
  if (pending.status == 202U) {
    const auto id = json::parse(pending.text())["operation"]["id"].get<std::string>();
    EXPECT_EQ(ask("GET", "/v1/operations/" + id + "?wait=20")["state"], "succeeded");
  }
  EXPECT_EQ(ask("GET", "/v1/snapshots/home%2Falice@v1")["state"], "ready");
}

TEST_F(SnapshotApiTest, WhoMay) {
  take("v1");
  for (const char* scope : {"auditor", "spawner"}) {
    take("v2", scope, 403);
    ask("DELETE", "/v1/snapshots/home%2Falice@v1", {}, 403, scope);
    ask("POST", "/v1/snapshots/home%2Falice@v1/holds", "{}", 403, scope);
    ask("POST", "/v1/snapshots/home%2Falice@v1/overwrite", R"({"confirm":"alice"})", 403, scope);
    ask("POST", "/v1/datasets/x/clone", R"({"from":"home/alice"})", 403, scope);
  }
  ask("GET", "/v1/snapshots?space=home/alice", {}, 200, "auditor");
  ask("GET", "/v1/snapshots?space=home/alice", {}, 403, "spawner");
  take("v2", "operator");
  ask("POST", "/v1/snapshots/home%2Falice@v2/overwrite", R"({"confirm":"alice"})", 403, "operator");
  ask("DELETE", "/v1/snapshots/home%2Falice@v2", {}, 200, "operator");
}

TEST_F(SnapshotApiTest, APersonKeepsWhatIsTheirs) {
  take("admins");
  const auto mine = take("mine", kAlice);
  EXPECT_THAT(mine["taken_by"].get<std::string>(), HasSubstr("self:u-"));
  EXPECT_EQ(ask("GET", "/v1/snapshots?space=home/alice", {}, 200, kAlice)["items"].size(), 2U);
  const auto held = ask("POST", "/v1/snapshots/home%2Falice@admins/holds", R"({"owner":"legal"})", 200, kAlice);
  EXPECT_EQ(held["holds"][0]["owner"], mine["taken_by"]);
  ask("DELETE", "/v1/snapshots/home%2Falice@admins/holds/" + held["holds"][0]["id"].get<std::string>(), {}, 200,
      kAlice);
  ask("DELETE", "/v1/snapshots/home%2Falice@admins", {}, 403, kAlice);
  ask("DELETE", "/v1/snapshots/home%2Falice@mine", {}, 200, kAlice);
  ask("POST", "/v1/snapshots/home%2Falice@admins/overwrite", R"({"confirm":"alice"})", 403, kAlice);
  ask("POST", "/v1/datasets/x/clone", R"({"from":"home/alice"})", 403, kAlice);
}

// Whether somebody else has a home, or a snapshot, cannot be told from the answer.
TEST_F(SnapshotApiTest, NothingOfSomebodyElseNotEvenWhetherItExists) {
  ask("POST", "/v1/snapshots", R"({"space":"home/bob","label":"v1"})", 201);
  const auto expect_same = [&](const std::string& method, const std::string& theirs, const std::string& nobodys,
                               const std::string& body = {}, const std::string& other = {}) {
    const auto a = ask(method, theirs, body, 403, kAlice);
    const auto b = ask(method, nobodys, other.empty() ? body : other, 403, kAlice);
    EXPECT_EQ(a["detail"], b["detail"]) << theirs;
    EXPECT_EQ(a["hint"], b["hint"]) << theirs;
  };
  expect_same("GET", "/v1/snapshots?space=home/bob", "/v1/snapshots?space=home/nobody");
  expect_same("GET", "/v1/snapshots?space=" + bob_, "/v1/snapshots?space=h-0000000000000000");
  expect_same("GET", "/v1/snapshots/home%2Fbob@v1", "/v1/snapshots/home%2Fnobody@v1");
  expect_same("GET", "/v1/snapshots/home%2Fbob@v1", "/v1/snapshots/home%2Fbob@v2");
  expect_same("DELETE", "/v1/snapshots/home%2Fbob@v1", "/v1/snapshots/home%2Fnobody@v1");
  expect_same("POST", "/v1/snapshots", "/v1/snapshots", R"({"space":"home/bob"})", R"({"space":"home/nobody"})");
  expect_same("POST", "/v1/snapshots/home%2Fbob@v1/holds", "/v1/snapshots/home%2Fnobody@v1/holds", "{}");
  ask("GET", "/v1/snapshots?space=home/zoe", {}, 404, kZoe);
}

TEST_F(SnapshotApiTest, AClonedDatasetHasALifeOfItsOwn) {
  take("final");
  const auto preview = ask("POST", "/v1/datasets/course-a/clone?dry_run=true", R"({"from":"home/alice@final"})");
  EXPECT_THAT(preview["calls"].dump(), HasSubstr("CLONE"));
  const auto copy = ask("POST", "/v1/datasets/course-a/clone", R"({"from":"home/alice@final","read_only":false})", 201);
  EXPECT_EQ(copy["label"], "dataset/course-a");
  EXPECT_EQ(copy["read_only"], false);
  EXPECT_EQ(copy["imported"], false);
  ask("POST", "/v1/datasets/course-a/clone", R"({"from":"home/alice@final","read_only":false})", 200);
  ask("POST", "/v1/datasets/course-a/clone", R"({"from":"home/bob"})", 409);
  ask("POST", "/v1/datasets/x/clone", R"({"from":"home/alice@none"})", 404);
  ask("POST", "/v1/datasets/x/clone", R"({"from":"home/nobody"})", 404);
  ask("POST", "/v1/datasets/X!/clone", R"({"from":"home/bob"})", 400);
  ask("POST", "/v1/datasets/course-a/grants", R"({"subject_kind":"everyone","access":"rw"})");
  const auto spec = ask("POST", "/v1/mountspecs", R"({"hub":"main","user":"bob"})", 200, "spawner");
  EXPECT_EQ(spec["mounts"].size(), 2U);
  const auto in_use = ask("POST", "/v1/datasets/course-a/retire", {}, 422);
  EXPECT_THAT(in_use["detail"].get<std::string>(), HasSubstr("mounted by a session"));
  EXPECT_EQ(ask("POST", "/v1/datasets/course-a/retire?force=true")["state"], "retired");
  EXPECT_EQ(ask("POST", "/v1/datasets/course-a/undelete")["state"], "ready");
  EXPECT_EQ(ask("POST", "/v1/datasets/course-a/retire?force=true")["state"], "retired");
  ask("POST", "/v1/datasets/course-a/purge", R"({"confirm":"course-b"})", 400);
  EXPECT_EQ(ask("POST", "/v1/datasets/course-a/purge", R"({"confirm":"course-a"})")["state"], "purged");
  ask("PUT", "/v1/datasets/sets", R"({"backend":"lab","path":"/data/sets"})", 201);
  ask("POST", "/v1/datasets/sets/retire", {}, 501);
}

TEST_F(SnapshotApiTest, TheArraysOverwrite) {
  take("v1");
  const auto preview = ask("POST", "/v1/snapshots/home%2Falice@v1/overwrite?dry_run=true", R"({"confirm":""})");
  EXPECT_THAT(preview["notes"].dump(), HasSubstr("no safety snapshot is possible"));
  ask("POST", "/v1/snapshots/home%2Falice@v1/overwrite", R"({"confirm":"bob"})", 400);
  EXPECT_EQ(ask("POST", "/v1/snapshots/home%2Falice@v1/overwrite", R"({"confirm":"alice"})")["state"], "ready");
}

}  // namespace
}  // namespace homeport::testing
