// What a listing counted is remembered: never past a change. And it is written as text, whatever is in it.
#include <gtest/gtest.h>

#include "drivers/flashblade/sim/acts.h"
#include "drivers/flashblade/sim/array.h"
#include "drivers/flashblade/sim/file_system.h"
#include "tests/support/fake_clock.h"

namespace homeport::fbsim {
namespace {

using namespace std::chrono_literals;

class ListingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    array_.with([](World& world, Sessions&) { world.settings.session_ms = 0; });
    HttpRequest login{.method = "POST", .target = "/api/login"};
    login.headers.emplace_back("api-token", Settings{}.api_token);
    for (const auto& [name, value] : array_.answer(login).headers) {
      if (name == "x-auth-token") session_ = value;
    }
    for (const char* name : {"b", "A", "c", "d", "x1", "x2"})
      ask("POST", std::string("file-systems?names=") + name, "{}");
  }
  Json ask(const std::string& method, const std::string& path, const std::string& body = "") {
    HttpRequest request{.method = method, .target = "/api/2.28/" + path, .body = body};
    request.headers.emplace_back("X-Auth-Token", session_);
    const auto answer = array_.answer(request);
    EXPECT_EQ(answer.status, 200U) << path << ": " << answer.body;
    return answer.body.empty() ? Json() : Json::parse(answer.body);
  }
  std::string names(const std::string& query) {
    std::string out;
    const auto answer = ask("GET", "file-systems?" + query);
    for (const auto& item : answer["items"]) out += item["name"].get<std::string>() + " ";
    return out;
  }
  std::size_t count(const std::string& query) {
    const auto once = ask("GET", "file-systems?" + query)["total_item_count"].get<std::size_t>();
    EXPECT_EQ(ask("GET", "file-systems?limit=1&" + query)["total_item_count"], once) << "remembered";
    return once;
  }

  testing::FakeClock clock_{};
  std::unique_ptr<IdSource> ids_ = make_seeded_ids(1);
  Array array_{Settings{}, clock_, *ids_};
  std::string session_{};
};

TEST_F(ListingTest, EveryWayToChangeSomethingChangesTheCount) {
  EXPECT_EQ(count("destroyed=false"), 6U);
  EXPECT_EQ(count("filter=name='x*'"), 2U);
  EXPECT_EQ(count("filter=destroyed='true'"), 0U);
  ask("POST", "file-systems?names=x3", "{}");
  EXPECT_EQ(count("filter=name='x*'"), 3U);
  ask("PATCH", "file-systems?names=x3", R"({"name":"y3"})");
  EXPECT_EQ(count("filter=name='x*'"), 2U);
  ask("PATCH", "file-systems?names=y3", R"({"destroyed":true})");
  EXPECT_EQ(count("destroyed=false"), 6U);
  EXPECT_EQ(count("filter=destroyed='true'"), 1U);
  array_.with([](World& world, Sessions&) {
    EXPECT_TRUE(act(world, Json{{"do", "rename"}, {"file_system", "x1"}, {"to", "z"}}));
  });
  EXPECT_EQ(count("filter=name='x*'"), 1U) << "behind our back";
  EXPECT_EQ(count(""), 7U);
  clock_.advance(25h);
  EXPECT_EQ(count(""), 6U) << "a timer ended";
}

TEST_F(ListingTest, TotalsFollowToo) {
  const auto total = [&](const char* query) { return ask("GET", std::string("file-systems?") + query)["total"]; };
  ask("PATCH", "file-systems?names=b", R"({"provisioned":1000})");
  EXPECT_EQ(total("limit=1")["provisioned"], 1000);
  EXPECT_EQ(total("total_only=true")["provisioned"], 1000);
  ask("PATCH", "file-systems?names=c", R"({"provisioned":500})");
  EXPECT_EQ(total("limit=2")["provisioned"], 1500);
  EXPECT_EQ(total("filter=name='c'")["provisioned"], 500);
  EXPECT_EQ(total("names=b")["provisioned"], 1000);
  array_.with([](World& world, Sessions&) {
    EXPECT_TRUE(act(world, Json{{"do", "usage"}, {"file_system", "d"}, {"bytes", 77U}}));
  });
  EXPECT_EQ(total("limit=1")["space"]["virtual"], 77);
}

TEST_F(ListingTest, WhatDependsOnTimeIsCountedEachTime) {
  ask("PATCH", "file-systems?names=c", R"({"destroyed":true})");
  const std::string soon = "filter=time_remaining<'3600001'";
  const auto before = ask("GET", "file-systems?" + soon)["total_item_count"];
  clock_.advance(23h);
  EXPECT_EQ(before, 0);
  EXPECT_EQ(ask("GET", "file-systems?" + soon)["total_item_count"], 1);
}

TEST_F(ListingTest, PagesHoldEachOnceInOrder) {
  EXPECT_EQ(names(""), "A b c d x1 x2 ");
  EXPECT_EQ(names("offset=4"), "x1 x2 ");
  EXPECT_EQ(names("limit=2&offset=1"), "b c ");
  EXPECT_EQ(names("offset=9"), "");
  EXPECT_EQ(names("sort=name-&limit=2"), "x2 x1 ");
  EXPECT_EQ(names("names=d,A,d"), "A d ");
  std::string all;
  std::string token;
  for (int pages = 0; pages < 9; ++pages) {
    const auto page = ask("GET", "file-systems?limit=2" + (token.empty() ? "" : "&continuation_token=" + token));
    for (const auto& item : page["items"]) all += item["name"].get<std::string>() + " ";
    EXPECT_EQ(page["total_item_count"], 6);
    if (page["continuation_token"].is_null()) break;
    token = page["continuation_token"];
  }
  EXPECT_EQ(all, "A b c d x1 x2 ");
  EXPECT_TRUE(ask("GET", "file-systems?limit=6")["continuation_token"].is_null()) << "nothing is behind it";
  EXPECT_TRUE(ask("GET", "file-systems?limit=0")["items"].empty());
}

TEST_F(ListingTest, AnyTextIsWrittenSoThatItCanBeRead) {
  array_.with([](World& world, Sessions&) {
    auto& fs = *world.file_systems.by_name("b");
    for (const std::string text : {"plain", "a\"b\\c", "line\nbreak\t", "\xc3\xbc", "\x01", "bad \xff byte"}) {
      fs.rules = text;
      std::string out;
      write_file_system(world, fs, 28, out);
      const auto read = Json::parse(out, nullptr, false);
      ASSERT_FALSE(read.is_discarded()) << out;
      if (text.find('\xff') == std::string::npos) {
        EXPECT_EQ(read["nfs"]["rules"], text);
      }
    }
  });
}

}  // namespace
}  // namespace homeport::fbsim
