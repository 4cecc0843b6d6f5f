#include "cli/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/result_matchers.h"

namespace homeport::cli {
namespace {

TEST(JsonText, ReadsMembersAndShowsThemToPeople) {
  const Json value = Json::parse(R"({"a":{"b":"x"},"n":null,"t":true,"l":["p","q"],"e":[],"i":7,"s":""})");
  EXPECT_EQ(text_at(value, "a.b"), "x");
  EXPECT_EQ(text_at(value, "a.c"), "-");
  EXPECT_EQ(text_at(value, "a.b.c"), "-");
  EXPECT_EQ(text_at(value, "n"), "-");
  EXPECT_EQ(text_at(value, "s"), "-");
  EXPECT_EQ(text_at(value, "t"), "yes");
  EXPECT_EQ(text_at(value, "l"), "p, q");
  EXPECT_EQ(text_at(value, "e"), "-");
  EXPECT_EQ(number_at(value, "i"), 7U);
  EXPECT_EQ(number_at(value, "s"), std::nullopt);
  EXPECT_TRUE(items_at(value, "a").empty());
}

TEST(JsonText, WhatIsNoJsonNamesTheService) {
  const auto value = parse_json("<html>", "http://host:1");
  ASSERT_ERRC(value, Errc::internal);
  EXPECT_NE(value.error().message.find("http://host:1"), std::string::npos);
}

TEST(JsonText, BrokenUtf8DoesNotThrow) {
  EXPECT_NE(json_text(Json{{"a", "\xFF"}}), "");
}

TEST(YamlText, QuotesWhatCouldBeReadAsSomethingElse) {
  const Json value = Json::parse(
      R"({"plain":"alice","no":"no","number":"12","time":"2026-01-01","colon":"a: b","mode":"0700","nl":"a\nb","null":null,)"
      R"("empty":"","list":[1,{"a":"b","c":[]},[]],"map":{},"deep":{"x":{"z":true,"y":1}},"ü":"ü"})");
  EXPECT_EQ(yaml_text(value),
            "plain: alice\n\"no\": \"no\"\nnumber: \"12\"\ntime: \"2026-01-01\"\ncolon: \"a: b\"\nmode: \"0700\"\nnl: "
            "\"a\\nb\"\n"
            "\"null\": null\nempty: \"\"\nlist:\n  - 1\n  - a: b\n    c: []\n  - []\nmap: {}\ndeep:\n  x:\n    z: "
            "true\n    \"y\": 1\n\"ü\": \"ü\"\n");
  EXPECT_EQ(yaml_text(Json::array()), "[]\n");
  EXPECT_EQ(yaml_text(Json("x")), "x\n");
}

}  // namespace
}  // namespace homeport::cli
