// What somebody in a notebook types, and what an admin asks about hubs: the real binary against a scripted service.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/views.h"
#include "tests/support/golden.h"
#include "tests/unit/cli/fake_service.h"
#include "tests/unit/cli/people_bodies.h"
#include "tests/unit/cli/process.h"

namespace homeport::testing {
namespace {

using namespace bodies;

std::string list_of(const std::string& items) {
  return R"({"items":[)" + items + R"(],"next":null})";
}

class Notebook : public ::testing::Test {
 protected:
  Notebook() {
    cli_.env["HOMEPORT_URL"] = service_.url();
    cli_.env["HOMEPORT_HUB"] = "main";
    cli_.env["JUPYTERHUB_API_TOKEN"] = "the-hubs-token";
  }
  void i_am_alice() { service_.on("GET /v1/me", {.body = me_body(kHome)}); }
  FakeService service_;
  Cli cli_;
};

TEST_F(Notebook, EveryRequestShowsTheHubsTokenAndSaysWhoseItIs) {
  i_am_alice();
  service_.on("GET /v1/homes", {.body = list_of(kHome)});
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"me"}, {"usage"}, {"home", "list"}, {"usage", "alice"}}) {
    EXPECT_EQ(cli_.run(words).code, 0);
  }
  ASSERT_EQ(service_.seen().size(), 4U);
  for (const auto& request : service_.seen()) {
    EXPECT_EQ(request.headers.at("authorization"), "Bearer the-hubs-token");
    EXPECT_EQ(request.headers.at("homeport-hub"), "main");
  }
  EXPECT_EQ(service_.lines().back(), "GET /v1/homes?user=alice&limit=1000");
}

TEST_F(Notebook, AnotherTokenIsNobodysHubs) {
  i_am_alice();
  cli_.env["HOMEPORT_TOKEN"] = "hp_x_y";
  EXPECT_EQ(cli_.run({"me"}).code, 0);
  EXPECT_FALSE(service_.seen().at(0).headers.contains("homeport-hub"));
}

TEST_F(Notebook, HomeShowWithoutANameIsMine) {
  i_am_alice();
  service_.on("GET /v1/homes/h-0123456789abcdef", {.body = kHome});
  const auto ran = cli_.run({"home", "show"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(service_.lines(), (std::vector<std::string>{"GET /v1/me", "GET /v1/homes/h-0123456789abcdef"}));
  EXPECT_NE(ran.out.find("home/alice"), std::string::npos);
  const auto other = cli_.run({"home", "show", "--server", "gpu"});
  EXPECT_EQ(other.code, 3);
  EXPECT_NE(other.err.find("no home of that server's own"), std::string::npos) << other.err;
}

TEST_F(Notebook, SpecGetWithoutANameIsMineAndOfThisServer) {
  i_am_alice();
  cli_.env["JUPYTERHUB_SERVER_NAME"] = "gpu";
  service_.on("POST /v1/mountspecs", {.body = kSpec});
  const auto ran = cli_.run({"spec", "get"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  ASSERT_EQ(service_.seen().size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(service_.seen()[1].body),
            (nlohmann::json{{"hub", "main"}, {"user", "alice"}, {"server", "gpu"}}));
}

TEST_F(Notebook, WithoutAHomeItSaysWhatMakesOne) {
  service_.on("GET /v1/me", {.body = kNoHomeYet});
  const auto me = cli_.run({"me"});
  EXPECT_EQ(me.code, 0);
  EXPECT_NE(me.out.find("the next start of a notebook server makes one"), std::string::npos) << me.out;
  const auto home = cli_.run({"home", "show"});
  EXPECT_EQ(home.code, 3);
  EXPECT_NE(home.err.find("the next start of a notebook server makes one"), std::string::npos) << home.err;
}

TEST_F(Notebook, AnAdminHasToNameSomebody) {
  cli_.env["HOMEPORT_TOKEN"] = "hp_x_y";
  service_.on("GET /v1/me", {.body = kNobody});
  for (const std::vector<std::string>& words : {std::vector<std::string>{"home", "show"}, {"spec", "get"}}) {
    const auto ran = cli_.run(words);
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("USER"), std::string::npos) << ran.err;
  }
  const auto half = cli_.run({"spec", "get", "alice"});
  EXPECT_EQ(half.code, 2);
  EXPECT_NE(half.err.find("--hub"), std::string::npos) << half.err;
}

TEST_F(Notebook, ARefusedTokenIsExplained) {
  service_.on("GET /v1/me",
              {.status = 401, .body = R"({"code":"unauthenticated","detail":"hub main does not know the token",
"hint":"a restarted notebook server has a new one in JUPYTERHUB_API_TOKEN"})"});
  const auto ran = cli_.run({"me"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_NE(ran.err.find("came from JUPYTERHUB_API_TOKEN; a restarted notebook server"), std::string::npos) << ran.err;
  EXPECT_EQ((ran.out + ran.err).find("the-hubs-token"), std::string::npos);
  cli_.env["HOMEPORT_URL"] = "";
  const auto astray = cli_.run({"me", "--url", service_.url()});
  EXPECT_EQ(astray.code, 7);
  EXPECT_FALSE(service_.seen().back().headers.contains("authorization"));
  EXPECT_NE(astray.err.find("goes only to the address in HOMEPORT_URL"), std::string::npos) << astray.err;
}

class Hubs : public ::testing::Test {
 protected:
  Hubs() {
    cli_.env["HOMEPORT_URL"] = service_.url();
    cli_.env["HOMEPORT_TOKEN"] = "the-token";
  }
  FakeService service_;
  Cli cli_;
};

TEST_F(Hubs, TheOnlyOneNeedsNoName) {
  service_.on("GET /v1/hubs", {.body = R"({"items":[)" + hub_body("main", "null") + "]}"});
  service_.on("POST /v1/hubs/main/reconcile", {.body = kLook});
  const auto ran = cli_.run({"hub", "reconcile", "--dry-run"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(service_.lines().back(), "POST /v1/hubs/main/reconcile?dry_run=true");
  EXPECT_NE(ran.out.find("went dormant"), std::string::npos);
  EXPECT_EQ(cli_.run({"hub", "reconcile", "main", "--force"}).code, 0);
  EXPECT_EQ(service_.lines().back(), "POST /v1/hubs/main/reconcile?force=true");
  EXPECT_TRUE(service_.seen().back().headers.contains("idempotency-key"));
}

TEST_F(Hubs, AHoldAndAFailureAreToldByTheExitCode) {
  service_.on("POST /v1/hubs/teaching/reconcile", {.body = kHeldLook});
  service_.on("POST /v1/hubs/main/reconcile", {.body = kFailedLook});
  EXPECT_EQ(cli_.run({"hub", "reconcile", "teaching"}).code, 6);
  EXPECT_EQ(cli_.run({"hub", "reconcile", "main"}).code, 9);
}

TEST_F(Hubs, OneOfSeveralHasToBeNamed) {
  service_.on("GET /v1/hubs", {.body = R"({"items":[)" + hub_body("a", "null") + "," + hub_body("b", "null") + "]}"});
  const auto ran = cli_.run({"hub", "reconcile"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("several hubs"), std::string::npos) << ran.err;
}

TEST_F(Hubs, DormantHomesCanBeListed) {
  service_.on("GET /v1/homes", {.body = list_of(dormant_home())});
  const auto ran = cli_.run({"home", "list", "--dormant"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(service_.lines().back(), "GET /v1/homes?dormant=true&limit=1000");
  EXPECT_NE(ran.out.find("dormant"), std::string::npos);
}

struct ViewCase {
  std::string name;
  std::string (*view)(const cli::Json&, const cli::Look&, WallTime);
  std::string body;
  friend void PrintTo(const ViewCase& c, std::ostream* out) { *out << c.name; }
};
class PeopleViews : public ::testing::TestWithParam<ViewCase> {};

TEST_P(PeopleViews, LookAsTheyShallAndFit80Columns) {
  const auto now = parse_time("2026-11-20T08:00:00Z").value();
  const std::string text = GetParam().view(cli::Json::parse(GetParam().body), {.width = 80}, now);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(cli::display_width(line), 80U) << line;
  expect_golden(text, "cli/" + GetParam().name + ".txt");
}

INSTANTIATE_TEST_SUITE_P(
    All, PeopleViews,
    ::testing::Values(
        ViewCase{"me", cli::me_view, me_body(kHome)}, ViewCase{"me_without_home", cli::me_view, kNoHomeYet},
        ViewCase{"me_nobody", cli::me_view, kNobody}, ViewCase{"empty_me", cli::me_view, "{}"},
        ViewCase{"usage", cli::usage_view, list_of(std::string(kHome) + "," + kLongHome)},
        ViewCase{"home_dormant", cli::space_view, dormant_home()},
        ViewCase{"home_measuring", cli::space_view,
                 measured_home(R"({"since":"2026-11-20T07:00:00Z","entries":41000,"given_up":null})")},
        ViewCase{
            "home_not_measured", cli::space_view,
            measured_home(
                R"({"since":"2026-11-20T07:00:00Z","entries":3,"given_up":"1 of its directories or files could not be looked at (access is denied); the export must let this host be root"})")},
        ViewCase{"user_held", cli::user_view, held_user()},
        ViewCase{"homes_dormant", cli::homes_view, list_of(dormant_home())},
        ViewCase{"hubs", cli::hubs_view,
                 R"({"items":[)" + hub_body("main", kLook) + "," + hub_body("teaching", kHeldLook) + "," +
                     hub_body("third", "null") + "," + hub_body("fourth", "null", false) + "]}"},
        ViewCase{"no_hubs", cli::hubs_view, R"({"items":[]})"}, ViewCase{"hub_look", cli::hub_look_view, kLook},
        ViewCase{"hub_look_held", cli::hub_look_view, kHeldLook},
        ViewCase{"hub_look_failed", cli::hub_look_view, kFailedLook}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::testing
