// homeport home ensure --from, with the real binary.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/golden.h"
#include "tests/unit/cli/fake_service.h"
#include "tests/unit/cli/process.h"

namespace homeport::testing {
namespace {

using nlohmann::json;

// Users called "bad…" fail, "slow…" are pending at first, "old…" exist.
class RosterCommand : public ::testing::Test {
 protected:
  RosterCommand() {
    cli.env["HOMEPORT_URL"] = service.url();
    service.on("POST /v1/homes:ensure", [this](const SeenRequest& request) { return answer(request); });
  }

  ScriptedReply answer(const SeenRequest& request) {
    json out{{"items", json::array()}};
    const std::lock_guard lock(mutex_);
    const json asked = json::parse(request.body);
    for (const auto& item : asked["items"]) {
      const std::string user = item["user"];
      const bool first = asked_.insert(user).second;
      json one{{"user", user}, {"outcome", "created"}, {"space", nullptr}, {"error", nullptr}};
      if (user.starts_with("old")) one["outcome"] = "exists";
      if (user.starts_with("slow") && (first || user == "slowest")) one["outcome"] = "pending";
      if (user.starts_with("bad")) {
        one["outcome"] = "failed";
        one["error"] = {
            {"code", "conflict"}, {"message", "another uid is pinned"}, {"hint", "homeport user set-uid " + user}};
      }
      out["items"].push_back(one);
    }
    return {.body = out.dump()};
  }

  std::string roster(const std::vector<std::string>& users) {
    std::string text = "user,uid,gid,class,quota\n";
    int uid = 1000;
    for (const auto& user : users) text += user + "," + std::to_string(++uid) + ",100,std,1GiB\n";
    return cli.file("roster.csv", text);
  }

  Cli cli;
  std::mutex mutex_;
  std::set<std::string> asked_;
  FakeService service;  // last: its threads end before what they use goes
};

TEST_F(RosterCommand, GoesInBatchesOfAtMost200) {
  std::vector<std::string> users;
  for (int i = 0; i < 450; ++i) users.push_back("user" + std::to_string(i));
  const auto ran = cli.run({"home", "ensure", "--from", roster(users)});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "450 homes: 450 made, 0 there already, 0 failed\n");
  std::multiset<std::size_t> sizes;
  for (const auto& request : service.seen()) sizes.insert(json::parse(request.body)["items"].size());
  EXPECT_EQ(sizes, (std::multiset<std::size_t>{50, 200, 200}));
  const json first = json::parse(service.seen().front().body)["items"][0];
  EXPECT_EQ(first["class"], "std");
  EXPECT_EQ(first["quota"], 1073741824);
}

TEST_F(RosterCommand, PendingOnesAreAskedForAgain) {
  const auto ran = cli.run({"home", "ensure", "--from", roster({"new", "slow", "old"})});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "3 homes: 2 made, 1 there already, 0 failed\n");
  ASSERT_EQ(service.seen().size(), 2U);
  EXPECT_EQ(json::parse(service.seen()[1].body)["items"].size(), 1U);
}

TEST_F(RosterCommand, WhatIsStillPendingIsCode20UnlessNobodyWaits) {
  const auto file = roster({"slowest"});
  EXPECT_EQ(cli.run({"home", "ensure", "--from", file, "--wait=200ms"}).code, 20);
  const auto ran = cli.run({"home", "ensure", "--from", file, "--no-wait"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "1 home: 0 made, 0 there already, 1 still being made, 0 failed\n");
}

TEST_F(RosterCommand, FailuresAreWrittenAsARoster) {
  const auto failures = cli.home() + "/failed.csv";
  const auto ran = cli.run({"home", "ensure", "--from", roster({"new", "bad1", "bad2"}), "--failures", failures});
  EXPECT_EQ(ran.code, 5);
  EXPECT_EQ(ran.out, "3 homes: 1 made, 0 there already, 2 failed\n");
  EXPECT_NE(ran.err.find("line 3, bad1: another uid is pinned (homeport user set-uid bad1)"), std::string::npos)
      << ran.err;
  EXPECT_EQ(read_file(failures), "user,uid,gid,class,quota\nbad1,1002,100,std,1GiB\nbad2,1003,100,std,1GiB\n");
  EXPECT_EQ(cli.run({"home", "ensure", "--from", failures}).out, "2 homes: 0 made, 0 there already, 2 failed\n");
}

TEST_F(RosterCommand, ABadFileSendsNothing) {
  const auto file = cli.file("bad.csv", "user,uid,gid\na,1,2\nb,x,2\na,3,4\n");
  const auto ran = cli.run({"home", "ensure", "--from", file});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("  line 3: uid 'x'"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("  line 4: user 'a' stands in line 2 already"), std::string::npos) << ran.err;
  EXPECT_TRUE(service.seen().empty());
}

TEST_F(RosterCommand, AnOutageStopsTheRunAndKeepsTheRest) {
  service.on("POST /v1/homes:ensure",
             [](const SeenRequest&) { return problem(503, "unavailable", "standby", "ask the other one"); });
  const auto failures = cli.home() + "/failed.csv";
  const auto ran = cli.run({"home", "ensure", "--from", roster({"a", "b"}), "--failures", failures});
  EXPECT_EQ(ran.code, 9);
  EXPECT_NE(ran.err.find("homeport: error: standby\n  hint: ask the other one"), std::string::npos) << ran.err;
  EXPECT_NE(read_file(failures).find("\na,1001"), std::string::npos);
}

TEST_F(RosterCommand, JsonHasEveryLineInOrder) {
  cli.input = "user,uid,gid\r\nnew,1,2\r\nbad,3,4\r\n";
  const auto ran = cli.run({"home", "ensure", "--from", "-", "-o", "json"});
  EXPECT_EQ(ran.code, 5);
  const auto items = json::parse(ran.out)["items"];
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0]["user"], "new");
  EXPECT_EQ(items[1]["error"]["code"], "conflict");
}

TEST_F(RosterCommand, DryRunAsksForEachAndChangesNothing) {
  service.on("PUT /v1/homes/new",
             {.body = R"({"dry_run":true,"steps":["make it"],"calls":[],"notes":[],"result":null})"});
  service.on("PUT /v1/homes/old", {.body = R"({"dry_run":true,"steps":[],"calls":[],"notes":[],"result":null})"});
  const auto ran = cli.run({"home", "ensure", "--from", roster({"new", "old"}), "--dry-run"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "2 homes: 1 would be made, 1 there already, 0 failed\n");
  EXPECT_EQ(service.lines(),
            (std::vector<std::string>{"PUT /v1/homes/new?dry_run=true", "PUT /v1/homes/old?dry_run=true"}));
}

TEST_F(RosterCommand, AnEmptyRosterIsNoWork) {
  EXPECT_EQ(cli.run({"home", "ensure", "--from", cli.file("r.csv", "user,uid,gid\n")}).out,
            "0 homes: 0 made, 0 there already, 0 failed\n");
}

}  // namespace
}  // namespace homeport::testing
