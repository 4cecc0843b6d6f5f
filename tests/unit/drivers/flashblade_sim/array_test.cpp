#include "drivers/flashblade/sim/array.h"

#include <gtest/gtest.h>

#include "drivers/flashblade/sim/faults.h"
#include "tests/support/fake_clock.h"

namespace homeport::fbsim {
namespace {

using namespace std::chrono_literals;

class ArrayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    HttpRequest login{.method = "POST", .target = "/api/login"};
    login.headers.emplace_back("api-token", Settings{}.api_token);
    for (const auto& [name, value] : array_.answer(login).headers) {
      if (name == "x-auth-token") session_ = value;
    }
    ASSERT_FALSE(session_.empty());
  }

  HttpAnswer call(const std::string& method, const std::string& path, const std::string& body = "") {
    HttpRequest request{.method = method, .target = "/api/2.28/" + path, .body = body};
    request.headers.emplace_back("X-Auth-Token", session_);
    return array_.answer(request);
  }
  Json get(const std::string& path) { return Json::parse(call("GET", path).body); }

  testing::FakeClock clock_{};
  std::unique_ptr<IdSource> ids_ = make_seeded_ids(1);
  Array array_{Settings{}, clock_, *ids_};
  std::string session_{};
};

TEST_F(ArrayTest, TheTimerOfARecoveredFileSystemDoesNothing) {
  ASSERT_EQ(call("POST", "file-systems?names=a", "{}").status, 200U);
  ASSERT_EQ(call("PATCH", "file-systems?names=a", R"({"destroyed":true})").status, 200U);
  array_.with([](World& world, Sessions&) { world.settings.session_ms = 0; });
  clock_.advance(23h);
  ASSERT_EQ(call("PATCH", "file-systems?names=a", R"({"destroyed":false})").status, 200U);
  clock_.advance(2h);
  EXPECT_EQ(get("file-systems")["total_item_count"], 1);
  ASSERT_EQ(call("PATCH", "file-systems?names=a", R"({"destroyed":true})").status, 200U);
  clock_.advance(24h - 1ms);
  EXPECT_EQ(get("file-systems?names=a")["items"][0]["time_remaining"], 1);
  clock_.advance(1ms);
  EXPECT_EQ(get("file-systems")["total_item_count"], 0);
}

TEST_F(ArrayTest, ASessionLivesFromItsLastUse) {
  clock_.advance(30min);
  EXPECT_EQ(call("GET", "arrays").status, 200U);
  clock_.advance(30min + 1ms);
  EXPECT_EQ(call("GET", "arrays").status, 403U);
}

TEST_F(ArrayTest, ASnapshotPolicyRunsForEachPeriodThatPassed) {
  array_.with([](World& world, Sessions&) { world.settings.session_ms = 0; });
  ASSERT_EQ(call("POST", "file-systems?names=a", "{}").status, 200U);
  ASSERT_EQ(call("POST", "policies?names=p", R"({"rules":[{"every":3600000,"keep_for":7200000}]})").status, 200U);
  ASSERT_EQ(call("POST", "policies/file-systems?policy_names=p&member_names=a").status, 200U);
  clock_.advance(10h);
  const auto all = get("file-system-snapshots");
  EXPECT_EQ(all["total_item_count"], 10);
  EXPECT_EQ(get("file-system-snapshots?destroyed=false")["total_item_count"], 2);
  EXPECT_EQ(all["items"][1]["created"].get<Millis>() - all["items"][0]["created"].get<Millis>(), 3'600'000);
}

TEST_F(ArrayTest, APageBeginsWhereTheLastOneEndedWhateverCameAndWent) {
  for (const char* name : {"a", "B", "c", "D"}) {
    ASSERT_EQ(call("POST", std::string("file-systems?names=") + name, "{}").status, 200U);
  }
  const auto first = get("file-systems?limit=2");
  array_.with([](World& world, Sessions&) { world.eradicate(*world.file_systems.by_name("B")); });
  const auto second = get("file-systems?limit=2&continuation_token=" + first["continuation_token"].get<std::string>());
  EXPECT_EQ(second["items"][0]["name"], "c");
  EXPECT_EQ(second["items"][1]["name"], "D");
  EXPECT_TRUE(second["continuation_token"].is_null());
}

TEST_F(ArrayTest, NothingASenderCanSendBreaksIt) {
  const std::string deep(100'000, '[');
  for (const char* body :
       {"", "[]", "null", "5", "\"x\"", "{\"nfs\":[]}", "{\"source\":{\"name\":5}}", "{\"provisioned\":-1}",
        "{\"provisioned\":18446744073709551615}", "{\"name\":null}", "\xff\xfe", deep.c_str()}) {
    for (const char* target :
         {"file-systems?names=x", "file-system-snapshots?source_names=x", "quotas/users?file_system_names=x&uids=1",
          "policies?names=x", "nfs-export-policies?names=x", "subnets?names=x", "network-interfaces?names=x",
          "file-system-replica-links?local_file_system_names=x", "array-connections", "qos-policies?names=x",
          "file-system-exports?member_names=x", "servers?names=x", "admins?names=x"}) {
      for (const char* method : {"POST", "PATCH"}) {
        const auto answer = call(method, target, body);
        EXPECT_LT(answer.status, 500U) << method << ' ' << target << ' ' << std::string(body).substr(0, 60);
      }
    }
  }
  for (const char* target : {"file-systems?limit=-1", "file-systems?offset=99999999999999999999",
                             "file-systems?filter=%", "file-systems?%%%=", "file-systems?sort=-",
                             "file-systems?names=,,", "file-systems?continuation_token=zz", "/", "file-systems//"}) {
    EXPECT_LT(call("GET", target).status, 500U) << target;
  }
}

TEST(Faults, CountFromEveryTimes) {
  Faults faults;
  FaultRule rule{.path = "file-*", .from = 3, .every = 2, .times = 2, .status = 500};
  faults.add_rule(rule);
  std::string seen;
  for (int call = 0; call < 9; ++call) seen += faults.decide("GET", "file-systems").empty() ? '.' : 'x';
  EXPECT_EQ(seen, "..x.x....");
  EXPECT_TRUE(faults.decide("GET", "arrays").empty());
}

}  // namespace
}  // namespace homeport::fbsim
