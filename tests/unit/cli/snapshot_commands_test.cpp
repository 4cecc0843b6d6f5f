// What is typed about snapshots and clones: the real binary against a scripted service.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/cli/bodies.h"
#include "tests/unit/cli/fake_service.h"
#include "tests/unit/cli/process.h"
#include "tests/unit/cli/snapshot_bodies.h"

namespace homeport::testing {
namespace {

using namespace bodies;
using nlohmann::json;
using Lines = std::vector<std::string>;

class SnapshotCommands : public ::testing::Test {
 protected:
  SnapshotCommands() {
    cli_.env["HOMEPORT_URL"] = service_.url();
    cli_.env["HOMEPORT_TOKEN"] = "the-token";
  }
  void on(const std::string& route, const std::string& body, int status = 200) {
    service_.on(route, {.status = status, .body = body});
  }
  json sent() { return json::parse(service_.seen().back().body); }
  FakeService service_;
  Cli cli_;
};

constexpr const char* kPath = "/v1/snapshots/home%2Falice%40before-update";

TEST_F(SnapshotCommands, Take) {
  on("POST /v1/snapshots", kSnapshot, 201);
  const auto ran = cli_.run({"snapshot", "take", "home/alice", "--label", "before-update", "--reason", "pandas 3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(sent(), (json{{"space", "home/alice"}, {"label", "before-update"}, {"reason", "pandas 3"}}));
  EXPECT_NE(ran.out.find("home/alice@before-update"), std::string::npos) << ran.out;
  EXPECT_TRUE(service_.seen().back().headers.contains("idempotency-key"));
}

TEST_F(SnapshotCommands, TakeIsFollowedToItsEnd) {
  on("POST /v1/snapshots",
     R"({"operation":{"id":"op-1","kind":"snapshot.take","state":"running","space":"h-0123456789abcdef",
                      "plan":{"snapshot":"sn-00000000000000d1"}}})",
     202);
  on("GET /v1/operations/op-1",
     R"({"id":"op-1","kind":"snapshot.take","state":"succeeded","space":"h-0123456789abcdef","attempts":0,
         "plan":{"snapshot":"sn-00000000000000d1"}})");
  on("GET /v1/snapshots/h-0123456789abcdef%40sn-00000000000000d1", kSnapshot);
  const auto ran = cli_.run({"snapshot", "take", "home/alice"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("home/alice@before-update"), std::string::npos) << ran.out;
}

TEST_F(SnapshotCommands, ListSaysWhatToKnow) {
  on("GET /v1/snapshots", R"({"items":[)" + std::string(kSnapshot) + R"(],"next":null,"notes":["fb1 is away"]})");
  const auto ran = cli_.run({"snapshot", "list", "home/alice"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(service_.lines(), (Lines{"GET /v1/snapshots?space=home%2Falice&limit=1000"}));
  EXPECT_NE(ran.out.find("before-update"), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("fb1 is away"), std::string::npos) << ran.err;
}

TEST_F(SnapshotCommands, HoldAndRelease) {
  on("POST " + std::string(kPath) + "/holds", kSnapshot);
  EXPECT_EQ(cli_.run({"snapshot", "hold", "home/alice@before-update", "--owner", "legal", "--expires",
                      "2026-12-01T00:00:00Z"})
                .code,
            0);
  EXPECT_EQ(sent(), (json{{"owner", "legal"}, {"expires", "2026-12-01T00:00:00Z"}}));
  on("DELETE " + std::string(kPath) + "/holds/legal", kSnapshot);
  EXPECT_EQ(cli_.run({"snapshot", "release", "home/alice@before-update", "--owner", "legal"}).code, 0);
  EXPECT_EQ(service_.lines().back(), "DELETE " + std::string(kPath) + "/holds/legal");
  on("GET " + std::string(kPath), kSnapshot);
  const auto which = cli_.run({"snapshot", "release", "home/alice@before-update"});
  EXPECT_EQ(which.code, 2);
  EXPECT_NE(which.err.find("legal, backup"), std::string::npos) << which.err;
}

TEST_F(SnapshotCommands, Delete) {
  on("DELETE " + std::string(kPath), kSnapshot);
  service_.on("DELETE " + std::string(kPath), problem(422, "failed-precondition", "it is held by legal", "release it"));
  EXPECT_EQ(cli_.run({"snapshot", "delete", "home/alice@before-update"}).code, 0);
  const auto held = cli_.run({"snapshot", "delete", "home/alice@before-update"});
  EXPECT_EQ(held.code, 6);
  EXPECT_NE(held.err.find("held by legal"), std::string::npos) << held.err;
}

TEST_F(SnapshotCommands, ANameWithoutASnapshotIsRefusedBeforeAnythingIsSent) {
  for (const char* name : {"home/alice", "@x", "home/alice@"}) {
    const auto ran = cli_.run({"snapshot", "show", name});
    EXPECT_EQ(ran.code, 2) << name;
    EXPECT_NE(ran.err.find("SPACE@SNAPSHOT"), std::string::npos) << ran.err;
  }
  EXPECT_TRUE(service_.seen().empty());
}

TEST_F(SnapshotCommands, Overwrite) {
  on("POST " + std::string(kPath) + "/overwrite", kHome);
  const auto asked = cli_.run({"snapshot", "overwrite", "home/alice@before-update"});
  EXPECT_EQ(asked.code, 2);
  EXPECT_NE(asked.err.find("no safety snapshot is possible"), std::string::npos) << asked.err;
  EXPECT_TRUE(service_.seen().empty());
  EXPECT_EQ(cli_.run({"snapshot", "overwrite", "home/alice@before-update", "--yes-overwrite", "alice"}).code, 0);
  EXPECT_EQ(sent(), (json{{"confirm", "alice"}}));
}

TEST_F(SnapshotCommands, RestoreByTheArrayIsTheSameOverwrite) {
  on("POST " + std::string(kPath) + "/overwrite", kHome);
  const std::string named = "home/alice@before-update";
  const auto asked = cli_.run({"restore", named, "--array"});
  EXPECT_EQ(asked.code, 2);
  EXPECT_NE(asked.err.find("no safety snapshot is possible"), std::string::npos) << asked.err;
  for (const auto& [more, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"work/a.ipynb", "--array", "--yes-overwrite", "alice"}, "takes no path"},
           {{"--array", "--in-place", "--yes-overwrite", "alice"}, "no other way"},
           {{"--array", "--to", "x", "--yes-overwrite", "alice"}, "no other way"},
           {{"work", "--yes-overwrite", "alice"}, "goes with --array"},
           {{"work", "--dry-run"}, "--dry-run goes with --array"}}) {
    std::vector<std::string> words{"restore", named};
    words.insert(words.end(), more.begin(), more.end());
    const auto ran = cli_.run(words);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err;
  }
  EXPECT_TRUE(service_.seen().empty());
  EXPECT_EQ(cli_.run({"restore", named, "--array", "--yes-overwrite", "alice", "--force"}).code, 0);
  EXPECT_EQ(sent(), (json{{"confirm", "alice"}}));
}

TEST_F(SnapshotCommands, Clone) {
  on("POST /v1/datasets/course-a/clone", kDataset, 201);
  const auto ran =
      cli_.run({"dataset", "clone", "dataset/imagenet@2026-11", "course-a", "--read-write", "--note", "autumn"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(sent(), (json{{"from", "dataset/imagenet@2026-11"}, {"read_only", false}, {"note", "autumn"}}));
  on("POST /v1/datasets/course-a/retire", kDataset);
  EXPECT_EQ(cli_.run({"dataset", "retire", "course-a", "--force"}).code, 0);
  EXPECT_NE(service_.lines().back().find("force=true"), std::string::npos);
  EXPECT_EQ(cli_.run({"dataset", "purge", "course-a"}).code, 2) << "the name must be repeated";
  on("POST /v1/datasets/course-a/purge", kDataset);
  EXPECT_EQ(cli_.run({"dataset", "purge", "course-a", "--yes-purge", "course-a"}).code, 0);
  EXPECT_EQ(sent(), (json{{"confirm", "course-a"}}));
}

}  // namespace
}  // namespace homeport::testing
