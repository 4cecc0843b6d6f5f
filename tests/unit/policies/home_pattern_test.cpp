#include "policies/home_pattern.h"

#include <gtest/gtest.h>

#include "policies/spawner_names.h"
#include "tests/support/result_matchers.h"

namespace homeport::policies {
namespace {

struct Encoded {
  std::string name;
  NameEncoding encoding;
  std::string text;
  bool reversible;
};

void PrintTo(const Encoded& c, std::ostream* out) {
  *out << c.name << " -> " << c.text;
}

class SpawnerNames : public ::testing::TestWithParam<Encoded> {};

// The expected texts were made by the spawners' own code.
TEST_P(SpawnerNames, AreWrittenAsTheSpawnerDoes) {
  const auto& c = GetParam();
  EXPECT_EQ(encode_name(c.encoding, c.name), c.text);
  EXPECT_EQ(is_hashed(c.encoding, c.text), !c.reversible);
  if (c.reversible) {
    EXPECT_EQ(decode_name(c.encoding, c.text), c.name);
  } else {
    EXPECT_NE(decode_name(c.encoding, c.text), c.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, SpawnerNames,
                         ::testing::Values(Encoded{"alice", NameEncoding::raw, "alice", true},
                                           Encoded{"Bob@x", NameEncoding::raw, "Bob@x", true},
                                           Encoded{"Bob", NameEncoding::escape, "-42ob", true},
                                           Encoded{"bob@ex.com", NameEncoding::escape, "bob-40ex-2ecom", true},
                                           Encoded{"bob-x", NameEncoding::escape, "bob-2dx", true},
                                           Encoded{"a_b", NameEncoding::escape, "a-5fb", true},
                                           Encoded{"..", NameEncoding::escape, "-2e-2e", true},
                                           Encoded{"jürgen", NameEncoding::escape, "j-c3-bcrgen", true},
                                           Encoded{"a_b", NameEncoding::legacy_escape, "a_5fb", true},
                                           Encoded{"alice", NameEncoding::safe, "alice", true},
                                           Encoded{"Bob", NameEncoding::safe, "bob---cd9fb1e1", false},
                                           Encoded{"bob@ex.com", NameEncoding::safe, "bob-ex-com---5517f01d", false},
                                           Encoded{"bob-ex.com", NameEncoding::safe, "bob-ex-com---f18c70a1", false},
                                           Encoded{"..", NameEncoding::safe, "x---5ec1f7e7", false},
                                           Encoded{"1abc", NameEncoding::safe, "x-1abc---57cb980e", false},
                                           Encoded{"a--b", NameEncoding::safe, "a-b---90827a2e", false},
                                           Encoded{"-x", NameEncoding::safe, "x---a4209624", false},
                                           Encoded{"shortname", NameEncoding::tljh, "shortname", true},
                                           Encoded{"a-name-of-twenty-five-chr", NameEncoding::tljh,
                                                   "a-name-of-twenty-five-chr", true}));

TEST(SpawnerNames, LongTljhNamesAreCutAndHashed) {
  const std::string name = "a-very-long-name@university.example.org";
  const auto text = encode_name(NameEncoding::tljh, name);
  EXPECT_EQ(text.substr(0, 27), "a-very-long-name@universit-");
  EXPECT_EQ(text.size(), 32U);
  EXPECT_TRUE(is_hashed(NameEncoding::tljh, text));
}

// A directory that merely looks escaped is not taken for somebody's.
TEST(SpawnerNames, WhatNoSpawnerWroteIsNobodys) {
  for (const auto* text : {"bob-", "bob-4", "bob-zz", "-61lice", "Bob", "a_b", "bob-4X"})
    EXPECT_FALSE(decode_name(NameEncoding::escape, text)) << text;
}

std::optional<HomePattern::Match> match(const std::string& pattern, const std::vector<std::string>& components) {
  const auto parsed = HomePattern::parse(pattern);
  EXPECT_OK(parsed);
  return parsed ? parsed->match(components) : std::nullopt;
}

TEST(HomePattern, FindsWhoseHomeItIs) {
  EXPECT_EQ(match("{user}", {"alice"})->user, "alice");
  const auto hubbed = match("{hub}/{user}", {"lab", "alice"});
  ASSERT_TRUE(hubbed);
  EXPECT_EQ(hubbed->hub, "lab");
  EXPECT_EQ(hubbed->user, "alice");
  EXPECT_EQ(match("jupyter-{tljh_user}", {"jupyter-alice"})->user, "alice");
  EXPECT_EQ(match("{escaped_user}", {"bob-40x"})->user, "bob@x");
  EXPECT_EQ(match("x{user}y/home", {"xbobyy", "home"})->user, "boby");
  EXPECT_EQ(match("{{{user}}}", {"{bob}"})->user, "bob");
  const auto hashed = match("{safe_user}", {"bob---cd9fb1e1"});
  ASSERT_TRUE(hashed);
  EXPECT_TRUE(hashed->hashed);
  EXPECT_EQ(hashed->user_text, "bob---cd9fb1e1");
}

TEST(HomePattern, LeavesOthersAlone) {
  EXPECT_FALSE(match("jupyter-{user}", {"alice"}));
  EXPECT_FALSE(match("jupyter-{user}", {"jupyter-"}));
  EXPECT_FALSE(match("{user}/home", {"alice", "other"}));
  EXPECT_FALSE(match("{user}", {"alice", "x"}));
  EXPECT_FALSE(match("ab{user}ba", {"aba"}));  // the two ends do not share a letter
  const auto pattern = HomePattern::parse("{hub}/jupyter-{user}");
  ASSERT_OK(pattern);
  EXPECT_TRUE(pattern->fits(0, "lab"));
  EXPECT_FALSE(pattern->fits(1, "alice"));
  EXPECT_FALSE(pattern->fits(2, "jupyter-alice"));
}

TEST(HomePattern, ExpandsToThePathOfOnePerson) {
  const auto pattern = HomePattern::parse("{hub}/jupyter-{escaped_user}");
  ASSERT_OK(pattern);
  EXPECT_EQ(*pattern->expand("bob@x", "lab"), "lab/jupyter-bob-40x");
  EXPECT_ERRC(pattern->expand("bob", ""), Errc::invalid_argument);
  const auto raw = HomePattern::parse("{user}");
  EXPECT_ERRC(raw->expand("..", ""), Errc::invalid_argument);
  EXPECT_ERRC(raw->expand("a/b", ""), Errc::invalid_argument);
}

TEST(HomePattern, RefusesWhatMeansNothing) {
  for (const auto* text : {"", "/{user}", "{user}/", "home", "{user}{user}", "{user}/{user}", "{name}", "{user",
                           "user}", "{hub}/{hub}/{user}", "../{user}", "a//{user}", "{a}/{user}", "1/2/3/4/{user}"})
    EXPECT_ERRC(HomePattern::parse(text), Errc::invalid_argument) << text;
}

}  // namespace
}  // namespace homeport::policies
