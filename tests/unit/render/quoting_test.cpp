#include "provisioner/render/quoting.h"

#include <gtest/gtest.h>

#include "provisioner/render/object_names.h"
#include "tests/unit/render/parsers.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render {
namespace {

struct QuotingCase {
  std::string name;
  std::string (*quote)(std::string_view);
  std::string text;
  std::string quoted;
};

void PrintTo(const QuotingCase& c, std::ostream* out) {
  *out << c.name;
}

class Quoting : public ::testing::TestWithParam<QuotingCase> {};

TEST_P(Quoting, IsExactly) {
  EXPECT_EQ(GetParam().quote(GetParam().text), GetParam().quoted);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Quoting,
    ::testing::Values(QuotingCase{"shell_empty", &shell_quote, "", "''"},
                      QuotingCase{"shell_plain", &shell_quote, "a b", "'a b'"},
                      QuotingCase{"shell_dollar", &shell_quote, "$HOME `id` \\", "'$HOME `id` \\'"},
                      QuotingCase{"shell_quote", &shell_quote, "it's", "'it'\\''s'"},
                      QuotingCase{"csv_plain", &csv_field, "a b=c", "a b=c"},
                      QuotingCase{"csv_comma", &csv_field, "a,b", "\"a,b\""},
                      QuotingCase{"csv_quote", &csv_field, "a\"b", "\"a\"\"b\""},
                      QuotingCase{"csv_line", &csv_field, "a\nb", "\"a\nb\""},
                      QuotingCase{"fstab", &fstab_field, "a b\tc\nd\\e#f", "a\\040b\\011c\\012d\\134e\\043f"},
                      QuotingCase{"braces", &double_braces, "{a}{{", "{{a}}{{{{"},
                      QuotingCase{"kube_reference", &kubernetes_literal, "$(A)", "$$(A)"},
                      QuotingCase{"kube_plain_dollar", &kubernetes_literal, "$HOME $", "$HOME $"},
                      QuotingCase{"kube_escaped_already", &kubernetes_literal, "$$(A)", "$$$$(A)"},
                      QuotingCase{"kube_two_dollars", &kubernetes_literal, "$$", "$$$"}),
    [](const auto& row) { return row.param.name; });

TEST(Quoting, KubernetesGivesBackEveryStringOfDollarsAndParentheses) {
  // All strings of up to 7 over four characters: 21,844 of them.
  constexpr std::string_view kAlphabet = "$()a";
  for (std::size_t length = 1; length <= 7; ++length) {
    for (std::size_t n = 0; n < (1U << (2 * length)); ++n) {
      std::string text;
      for (std::size_t i = 0; i < length; ++i) text += kAlphabet[(n >> (2 * i)) & 3U];
      ASSERT_EQ(testing::kubernetes_expand(kubernetes_literal(text)), text);
    }
  }
}

TEST(ObjectNames, ChangeWithTheMountAndOnlyThen) {
  const auto base = testing::home_mount();
  const auto name = object_name(base);
  EXPECT_TRUE(is_dns_label(name)) << name;
  EXPECT_EQ(name.size(), std::string("nb-home-").size() + 10);
  auto other = base;
  other.target = "/elsewhere";
  other.quota = MountQuota{.limit_bytes = 1};
  other.required = false;
  EXPECT_EQ(object_name(other), name);
  other = base;
  other.access = MountAccess::ro;
  EXPECT_NE(object_name(other), name);
  other = base;
  other.nfs->timeo = 601;
  EXPECT_NE(object_name(other), name);
  other = base;
  std::get<NfsMount>(other.source).export_path += "x";
  EXPECT_NE(object_name(other), name);
  other = base;
  std::get<NfsMount>(other.source).port = 2049;
  EXPECT_NE(object_name(other), name);
}

TEST(ObjectNames, LongIdsStayLabels) {
  auto mount = testing::home_mount();
  mount.id = std::string(20, 'a') + "-" + std::string(200, 'b');
  EXPECT_TRUE(is_dns_label(object_name(mount)));
  mount.id = std::string(48, 'a') + "-x";
  EXPECT_TRUE(is_dns_label(object_name(mount)));
}

}  // namespace
}  // namespace homeport::render
