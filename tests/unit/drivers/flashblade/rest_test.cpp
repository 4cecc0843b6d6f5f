// What an array says, taken apart: errors, versions, objects, rules.
#include <gtest/gtest.h>

#include "drivers/flashblade/api_error.h"
#include "drivers/flashblade/export_rules.h"
#include "drivers/flashblade/pace.h"
#include "drivers/flashblade/rest_version.h"
#include "drivers/flashblade/wire.h"
#include "tests/support/fake_clock.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

struct ErrorRow {
  const char* name;
  int status;
  std::string body;
  Errc code;
  const char* words;  // in the message
  bool maybe_applied = false;
  friend void PrintTo(const ErrorRow& row, std::ostream* out) { *out << row.name; }
};

// The first two were seen on real arrays (Purity//FB 4.8.2; REST 2.22), the others come from clients or the published
// text.
const std::vector<ErrorRow> kErrors{
    {"singularKey", 403, R"({"error":[{"code":403,"context":"/api/2.26/arrays","message":"Access Denied"}]})",
     Errc::permission_denied, "Access Denied"},
    {"missing400", 400, R"({"errors":[{"message":"File system does not exist.","context":"nb-bob"}]})", Errc::not_found,
     "nb-bob"},
    {"missing404", 404, R"({"errors":[{"message":"Resource does not exist.","context":null}]})", Errc::not_found,
     "does not exist"},
    {"notFoundByAProxy", 404, "<html>404 Not Found</html>", Errc::unavailable, "404", true},
    {"exists400", 400, R"({"errors":[{"message":"File system already exists.","context":"x"}]})", Errc::already_exists,
     "already exists"},
    {"exists409", 409, R"({"errors":[{"message":"Policy with that name already exists."}]})", Errc::already_exists,
     "already exists"},
    {"conflict409", 409, R"({"errors":[{"message":"Try again."}]})", Errc::conflict, "Try again"},
    {"oldPolicyVersion", 412, R"({"errors":[{"message":"Version mismatch."}]})", Errc::conflict, "mismatch"},
    {"malformed", 400, R"({"errors":[{"message":"Invalid body parameter: suffix"}]})", Errc::internal, "suffix"},
    {"full", 400, R"({"errors":[{"message":"Insufficient space on array."}]})", Errc::out_of_capacity, "space"},
    {"otherRefusal", 400, R"({"errors":[{"message":"Specify delete-link-on-eradication."}]})",
     Errc::failed_precondition, "delete-link"},
    {"gateway429", 429, R"({"message":"API rate limit exceeded"})", Errc::rate_limited, "rate limit"},
    {"oauth", 401, R"({"error":"invalid_client","error_description":"unknown key"})", Errc::permission_denied,
     "invalid_client: unknown key"},
    {"plainText", 401, "go away\n", Errc::permission_denied, "go away"},
    {"busy", 500, R"({"errors":[{"message":"Server is busy"}]})", Errc::unavailable, "busy"},
    {"internal", 500, R"({"errors":[{"message":"Internal error"}]})", Errc::unavailable, "Internal", true},
    {"gatewayPage", 502, "<html><body>Bad gateway</body></html>", Errc::unavailable, "502", true},
    {"emptyBody", 503, "", Errc::unavailable, "503", true},
    {"notAllowed", 405, "", Errc::unsupported, "405"},
    {"redirect", 302, "<html>login</html>", Errc::failed_precondition, "302"},
    {"wrongTypes", 400, R"({"errors":[{"message":17},"x",null]})", Errc::failed_precondition, "400"},
};

class RefusalTest : public ::testing::TestWithParam<ErrorRow> {};

TEST_P(RefusalTest, MeansWhatTheArrayMeant) {
  const auto& row = GetParam();
  const auto error = refusal({.status = row.status, .body = row.body}, "PATCH file-systems", true);
  EXPECT_EQ(error.code, row.code) << error.to_string();
  EXPECT_NE(error.message.find(row.words), std::string::npos) << error.message;
  EXPECT_EQ(error.maybe_applied, row.maybe_applied);
  EXPECT_EQ(error.upstream->status, row.status);
  EXPECT_EQ(error.message.find("<html>"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(All, RefusalTest, ::testing::ValuesIn(kErrors),
                         [](const auto& row) { return row.param.name; });

TEST(Refusal, TellsHowLongToWait) {
  using std::chrono::seconds;
  EXPECT_EQ(refusal({.status = 429, .headers = {{"retry-after", "7"}}}, "GET x", false).retry_after, seconds(7));
  EXPECT_EQ(refusal({.status = 429, .headers = {{"ratelimit-reset", "3"}}}, "GET x", false).retry_after, seconds(3));
  EXPECT_EQ(refusal({.status = 429, .headers = {{"retry-after", "99999"}}}, "GET x", false).retry_after, seconds(60));
  EXPECT_FALSE(refusal({.status = 429, .headers = {{"retry-after", "soon"}}}, "GET x", false).retry_after);
}

TEST(RestVersion, NumbersAreCompared) {
  EXPECT_EQ(parse_version("2.10"), (RestVersion{2, 10}));
  EXPECT_EQ(parse_version("1.8.1"), (RestVersion{1, 8}));
  for (const char* bad : {"", "2", "2.", ".2", "2.x", "2.1.1.1", "2.-1", "latest"}) {
    EXPECT_FALSE(parse_version(bad)) << bad;
  }
  EXPECT_EQ(choose_version({"1.12", "2.9", "2.10", "2.2"}).value(), (RestVersion{2, 10}));
  EXPECT_EQ(choose_version({"2.0", "2.28", "2.29", "3.1"}).value(), kNewestKnown);
  EXPECT_ERRC(choose_version({"1.0", "1.12"}), Errc::failed_precondition);
  EXPECT_ERRC(choose_version({}), Errc::failed_precondition);
}

json recorded_file_system() {
  return json::parse(R"json({"name":"AAA","created":1594304979000,"fast_remove_directory_enabled":false,
    "snapshot_directory_enabled":true,"destroyed":false,"promotion_status":"promoted",
    "requested_promotion_state":"promoted","writable":true,"time_remaining":null,
    "nfs":{"rules":"*(rw,no_root_squash)","export_policy":{"name":null,"id":null,"resource_type":null},
           "v3_enabled":true,"v4_1_enabled":false},
    "smb":{"enabled":false},"http":{"enabled":false},
    "multi_protocol":{"safeguard_acls":false,"access_control_style":"mode-bits"},
    "hard_limit_enabled":false,"default_user_quota":0,"default_group_quota":0,
    "space":{"virtual":25295872,"unique":24025620,"snapshots":0,"data_reduction":1.1,"total_physical":24025620},
    "source":{"name":null,"id":null,"resource_type":null,"location":{"name":null,"id":null,"resource_type":null},
              "is_local":true,"display_name":null},
    "id":"33490110-14e7-e258-f7d9-49b57ef30a70","provisioned":null})json");
}

TEST(FileSystemItem, RecordedOneIsRead) {
  const auto fs = file_system_from(recorded_file_system());
  ASSERT_OK(fs);
  EXPECT_EQ(fs->id, "33490110-14e7-e258-f7d9-49b57ef30a70");
  EXPECT_EQ(fs->name, "AAA");
  EXPECT_FALSE(fs->provisioned);
  EXPECT_TRUE(fs->nfs_v3);
  EXPECT_FALSE(fs->nfs_v4);
  EXPECT_TRUE(fs->export_policy.empty());
  EXPECT_EQ(fs->used, 25295872U);
  EXPECT_TRUE(is_world_open(fs->rules));
}

TEST(FileSystemItem, MissingMembersAreEmptyAndWrongOnesAreErrors) {
  EXPECT_OK(file_system_from({{"id", "1"}, {"name", "x"}}));
  EXPECT_ERRC(file_system_from({{"name", "x"}}), Errc::internal);
  EXPECT_ERRC(file_system_from(json::array()), Errc::internal);
  EXPECT_ERRC(file_system_from(nullptr), Errc::internal);
  for (const auto& [key, value] : std::vector<std::pair<std::string, json>>{{"destroyed", "yes"},
                                                                            {"provisioned", "5"},
                                                                            {"nfs", json::array()},
                                                                            {"name", 7},
                                                                            {"space", {{"virtual", "many"}}},
                                                                            {"nfs", {{"v3_enabled", 1}}}}) {
    auto item = recorded_file_system();
    item[key] = value;
    EXPECT_ERRC(file_system_from(item), Errc::internal) << key << " " << value;
  }
}

// A member that file_system_from() learns to read and file_system_members() does not name would be lost in listings.
TEST(FileSystemItem, SaysTheSameWhenOnlyItsMembersArePicked) {
  auto full = recorded_file_system();
  full["provisioned"] = 1ULL << 40U;
  full["hard_limit_enabled"] = true;
  full["destroyed"] = true;
  full["time_remaining"] = 5000U;
  full["writable"] = false;
  full["promotion_status"] = "promoting";
  full["nfs"]["v4_1_enabled"] = true;
  full["nfs"]["export_policy"]["name"] = "p1";
  full["smb"]["enabled"] = true;
  full["http"]["enabled"] = true;
  full["source"]["name"] = "origin.daily";
  full["eradication_config"] = {{"manual_eradication", "disabled"}, {"eradication_delay", 1}};
  const json body{
      {"continuation_token", "more"}, {"total_item_count", 7}, {"total", {{"name", "none"}}}, {"items", {full}}};
  const auto picked = picked_listing(body.dump(), file_system_members());
  EXPECT_EQ(picked.at("continuation_token"), "more");
  EXPECT_EQ(picked.at("total_item_count"), 7);
  EXPECT_FALSE(picked.contains("total"));
  EXPECT_FALSE(picked.at("items").at(0).contains("default_user_quota"));
  const auto one = file_system_from(picked.at("items").at(0));
  ASSERT_OK(one);
  EXPECT_EQ(*one, file_system_from(full).value());
  EXPECT_EQ(one->source, "origin.daily");
}

TEST(PickedListing, WhatIsNoJsonIsDiscardedAndWrongTypesStay) {
  EXPECT_TRUE(picked_listing("<html>", file_system_members()).is_discarded());
  EXPECT_TRUE(picked_listing(R"({"items":[{"name":"x")", file_system_members()).is_discarded());
  EXPECT_TRUE(picked_listing(R"({"items":"all"})", file_system_members()).at("items").is_string());
  const auto odd = picked_listing(R"({"items":[7,{"id":"1","name":["x"],"name":"y"}]})", file_system_members());
  EXPECT_ERRC(file_system_from(odd.at("items").at(0)), Errc::internal);
  EXPECT_EQ(file_system_from(odd.at("items").at(1)).value().name, "y");
  // Beyond 64 bits: read as every other answer is.
  const auto large = picked_listing(R"({"items":[{"provisioned":99999999999999999999}]})", file_system_members());
  EXPECT_TRUE(large.at("items").at(0).at("provisioned").is_number_float());
}

TEST(ExportRules, EverybodyIsNeverLetIn) {
  for (const char* all : {"*", "", "**", "*.*", "0.0.0.0/0", "::/0", "10.0.0.0/0", "10.0.0.0/00", "1.2.3.4/0.0.0.0"}) {
    EXPECT_TRUE(is_everybody(all)) << all;
    EXPECT_FALSE(rules_of({"10.0.0.5"}, {.rules = {{.client = all}}}).has_value()) << all;
  }
  for (const char* some : {"10.0.0.0/8", "*.lab.example.org", "@lab", "host", "fd00::/8", "10.0.0.0/10"}) {
    EXPECT_FALSE(is_everybody(some)) << some;
  }
  EXPECT_TRUE(is_world_open("10.0.0.5(rw) *(ro,root_squash)"));
  EXPECT_TRUE(is_world_open("*"));
  EXPECT_FALSE(is_world_open(""));
  EXPECT_FALSE(is_world_open("10.0.0.5(rw,no_root_squash)"));
}

TEST(ExportRules, OpenToAllIsWhoMayWriteOrBeRoot) {
  for (const char* open : {"*(rw,no_root_squash)", "*", "10.0.0.1(ro) *(rw,root_squash)", "*(ro,no_root_squash)",
                           "*(rw,all_squash)", "0.0.0.0/0(rw)"})
    EXPECT_TRUE(opens_to_all(open)) << open;
  for (const char* closed :
       {"", "10.0.0.0/8(rw,no_root_squash)", "*(ro)", "*(ro,root_squash)", "*(ro,all_squash)", "*.lab.example.org(rw)"})
    EXPECT_FALSE(opens_to_all(closed)) << closed;
}

TEST(ExportRules, NothingBreaksOutOfARule) {
  for (const char* bad : {"a b", "a(rw)", "10.0.0.1,*", "x\n*", "a)"}) {
    EXPECT_ERRC(rules_of({}, {.rules = {{.client = bad}}}), Errc::invalid_argument) << bad;
  }
}

TEST(ExportRules, GoThereAndBack) {
  const AccessPolicy policy{.rules = {{.client = "10.1.0.0/16", .permission = Permission::rw},
                                      {.client = "@lab", .squash = Squash::all, .anonymous = {Uid{7}, Gid{8}}}}};
  const auto rules = rules_of({"10.0.0.5"}, policy);
  ASSERT_OK(rules);
  EXPECT_EQ(*rules, "10.0.0.5(rw,no_root_squash) 10.1.0.0/16(rw,root_squash) @lab(ro,all_squash,anonuid=7,anongid=8)");
  const auto back = policy_of(*rules, {"10.0.0.5"});
  ASSERT_EQ(back.rules.size(), 2U);
  EXPECT_EQ(back.rules[0].permission, Permission::rw);
  EXPECT_EQ(back.rules[1].anonymous, (Owner{Uid{7}, Gid{8}}));
  EXPECT_TRUE(same_rules(*rules,
                         "10.0.0.5(no_root_squash,rw)  10.1.0.0/16(root_squash,rw) "
                         "@lab(all_squash,anongid=8,anonuid=7,ro)"));
  EXPECT_FALSE(same_rules("a(rw) b(rw)", "b(rw) a(rw)"));
}

TEST(Pace, FallsWhenToldAndRecovers) {
  testing::FakeClock clock;
  Pace pace(clock);
  const OpContext op{.request_id = "t", .deadline = clock.mono() + std::chrono::hours(1)};
  const auto start = clock.mono();
  for (int i = 0; i < 100; ++i) ASSERT_OK(pace.wait(op));
  EXPECT_EQ(clock.mono(), start) << "no complaint, no waiting";
  pace.too_fast(std::chrono::milliseconds(3000));
  ASSERT_OK(pace.wait(op));
  EXPECT_GE(clock.mono() - start, std::chrono::milliseconds(3000));
  const auto slow = pace.interval();
  EXPECT_GT(slow.count(), 0);
  pace.too_fast(std::nullopt);
  clock.advance(std::chrono::seconds(3));
  pace.too_fast(std::nullopt);
  EXPECT_GT(pace.interval(), slow);
  for (int i = 0; i < 500; ++i) pace.fine();
  EXPECT_EQ(pace.interval().count(), 0);
}

TEST(Pace, TurnAfterTheDeadlineIsToldAtOnce) {
  testing::FakeClock clock;
  Pace pace(clock);
  pace.too_fast(std::chrono::seconds(30));
  const OpContext op{.request_id = "t", .deadline = clock.mono() + std::chrono::seconds(5)};
  const auto before = clock.mono();
  EXPECT_ERRC(pace.wait(op), Errc::rate_limited);
  EXPECT_EQ(clock.mono(), before);
}

}  // namespace
}  // namespace homeport::drivers::flashblade
