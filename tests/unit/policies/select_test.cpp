#include "policies/select.h"

#include <gmock/gmock.h>

namespace homeport::policies {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<RuleFacts> kRules{
    {.name = "staff-on-gpu", .groups = {"staff"}, .hubs = {"gpu"}, .klass = "big", .datasets = {"imagenet"}},
    {.name = "course", .groups = {"course-a", "course-b"}, .datasets = {"cifar10", "mnist"}},
    {.name = "bob", .users = {"bob"}, .klass = "bobs", .datasets = {"mnist", "private"}},
    {.name = "hub-only", .hubs = {"gpu"}, .klass = "never"},
    {.name = "all", .everyone = true, .klass = "normal", .datasets = {"shared"}},
    {.name = "all-again", .everyone = true, .klass = "late", .datasets = {"cifar10"}},
};

struct SelectCase {
  std::string name;
  PersonFacts person;
  std::string klass;
  std::string rule;
  std::vector<std::string> datasets;  // NAME<RULE
};

void PrintTo(const SelectCase& c, std::ostream* out) {
  *out << c.name;
}

class SelectTable : public ::testing::TestWithParam<SelectCase> {};

TEST_P(SelectTable, Decides) {
  const auto& c = GetParam();
  const auto got = select(kRules, c.person);
  EXPECT_EQ(got.klass, c.klass);
  EXPECT_EQ(got.class_rule, c.rule);
  std::vector<std::string> datasets;
  for (const auto& d : got.datasets) datasets.push_back(d.name + "<" + d.rule);
  EXPECT_EQ(datasets, c.datasets);
}

INSTANTIATE_TEST_SUITE_P(
    People, SelectTable,
    ::testing::Values(
        SelectCase{
            "nobody_special", {.user = "eve", .hub = "main"}, "normal", "all", {"shared<all", "cifar10<all-again"}},
        SelectCase{"by_user",
                   {.user = "bob", .hub = "main"},
                   "bobs",
                   "bob",
                   {"mnist<bob", "private<bob", "shared<all", "cifar10<all-again"}},
        SelectCase{"another_case_is_another_person",
                   {.user = "Bob", .hub = "main"},
                   "normal",
                   "all",
                   {"shared<all", "cifar10<all-again"}},
        SelectCase{"by_group_and_hub",
                   {.user = "eve", .groups = {"staff"}, .hub = "gpu"},
                   "big",
                   "staff-on-gpu",
                   {"imagenet<staff-on-gpu", "shared<all", "cifar10<all-again"}},
        SelectCase{"group_on_another_hub",
                   {.user = "eve", .groups = {"staff"}, .hub = "main"},
                   "normal",
                   "all",
                   {"shared<all", "cifar10<all-again"}},
        SelectCase{"datasets_add_up_once",
                   {.user = "bob", .groups = {"course-b", "course-a"}, .hub = "main"},
                   "bobs",
                   "bob",
                   {"cifar10<course", "mnist<course", "private<bob", "shared<all"}},
        SelectCase{"a_rule_with_only_a_hub_is_about_nobody",
                   {.user = "eve", .hub = "gpu"},
                   "normal",
                   "all",
                   {"shared<all", "cifar10<all-again"}},
        SelectCase{"a_group_is_no_user",
                   {.user = "course-a", .groups = {"bob"}, .hub = "main"},
                   "normal",
                   "all",
                   {"shared<all", "cifar10<all-again"}}),
    [](const auto& row) { return row.param.name; });

TEST(Select, NoRuleGivesNothing) {
  const auto got = select({}, {.user = "eve"});
  EXPECT_FALSE(got.klass);
  EXPECT_EQ(got.class_rule, "");
  EXPECT_TRUE(got.datasets.empty());
}

TEST(Select, OrderDecides) {
  std::vector<RuleFacts> rules{{.name = "a", .everyone = true, .klass = "one"},
                               {.name = "b", .everyone = true, .klass = "two"}};
  EXPECT_EQ(select(rules, {.user = "eve"}).klass, "one");
  std::swap(rules[0], rules[1]);
  EXPECT_EQ(select(rules, {.user = "eve"}).klass, "two");
}

TEST(Select, ExplainAgreesWithSelectAndGivesReasons) {
  const PersonFacts bob{.user = "bob", .groups = {"course-b"}, .hub = "main"};
  const auto verdicts = explain(kRules, bob);
  ASSERT_EQ(verdicts.size(), kRules.size());
  EXPECT_FALSE(verdicts[0].matches);
  EXPECT_THAT(verdicts[0].why, HasSubstr("hub 'main'"));
  EXPECT_TRUE(verdicts[1].matches);
  EXPECT_FALSE(verdicts[1].decides_class);
  EXPECT_EQ(verdicts[1].why, "group 'course-b'");
  EXPECT_TRUE(verdicts[2].decides_class);
  EXPECT_EQ(verdicts[2].why, "user 'bob'");
  EXPECT_TRUE(verdicts[4].matches);
  EXPECT_FALSE(verdicts[4].decides_class);
  EXPECT_EQ(verdicts[4].why, "everyone");
  EXPECT_EQ(select(kRules, bob).class_rule, verdicts[2].rule);
}

TEST(Select, ExplainSaysWhyARuleWithOnlyAHubIsIdle) {
  const auto verdicts = explain(kRules, {.user = "eve", .hub = "gpu"});
  EXPECT_THAT(verdicts[3].why, HasSubstr("not everyone"));
  EXPECT_THAT(verdicts[2].why, HasSubstr("'eve'"));
}

}  // namespace
}  // namespace homeport::policies
