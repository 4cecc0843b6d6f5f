#include "policies/existing_homes.h"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport::policies {
namespace {

TEST(ExistingHomesTest, TheBaseEndsBeforeTheFirstBrace) {
  struct Case {
    const char* text;
    const char* base;
    const char* pattern;
    const char* path;  // of bob@x at hub "lab"
  };
  for (const auto& row : {Case{"/export/home/{user}", "/export/home", "{user}", "/export/home/bob@x"},
                          Case{"/{user}", "/", "{user}", "/bob@x"},
                          Case{"/e/{hub}/{escaped_user}", "/e", "{hub}/{escaped_user}", "/e/lab/bob-40x"},
                          Case{"/e/home-{user}/data", "/e", "home-{user}/data", "/e/home-bob@x/data"},
                          Case{"/e/jupyter-{tljh_user}", "/e", "jupyter-{tljh_user}", "/e/jupyter-bob@x"},
                          Case{"/e/{{old}}/{user}", "/e", "{{old}}/{user}", "/e/{old}/bob@x"}}) {
    const auto parsed = ExistingHomes::parse(row.text);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->base().str(), row.base) << row.text;
    EXPECT_EQ(parsed->pattern().text(), row.pattern) << row.text;
    const auto path = parsed->path_of("bob@x", "lab");
    ASSERT_OK(path);
    EXPECT_EQ(path->str(), row.path);
  }
}

TEST(ExistingHomesTest, WhatIsNoPlaceForOnePersonEachIsRefused) {
  for (const char* text : {"", "{user}", "home/{user}", "/export/home", "/export/home/", "/export/../home/{user}",
                           "/export//home/{user}", "/export/home/{user", "/export/home/user}", "/export/{group}",
                           "/export/{hub}", "/export/{user}/{user}", "/e/{user}/..", "/e/{user}/", "/e\n/{user}"}) {
    EXPECT_ERRC(ExistingHomes::parse(text), Errc::invalid_argument) << text;
  }
}

TEST(ExistingHomesTest, ANameNeverLeavesTheBase) {
  const auto plain = ExistingHomes::parse("/export/home/{user}");
  ASSERT_OK(plain);
  for (const char* user : {"..", ".", "a/b", "/etc", "a\nb", ""}) {
    EXPECT_ERRC(plain->path_of(user, "lab"), Errc::invalid_argument) << user;
  }
  const auto hub = ExistingHomes::parse("/export/{hub}/{user}");
  ASSERT_OK(hub);
  for (const char* name : {"", "..", "a/b"}) EXPECT_ERRC(hub->path_of("alice", name), Errc::invalid_argument) << name;
}

}  // namespace
}  // namespace homeport::policies
