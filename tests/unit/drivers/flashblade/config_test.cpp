// The configuration section: what is refused, and with which words.
#include <gmock/gmock.h>

#include "drivers/flashblade/flashblade_config.h"
#include "provisioner/base/doc_reader.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json good() {
  return {{"management", {{"url", "https://fb.example.org"}, {"api_token", {{"file", "/etc/homeport/fb-token"}}}}},
          {"exports", {{"homeport", {"10.0.0.5"}}, {"clients", {"10.1.0.0/16"}}}},
          {"pools", {{{"name", "homes"}}}}};
}

std::string problems_of(const json& section) {
  const Document document{.root = section, .source = "test"};
  Problems problems(document);
  auto in = DocReader::root(problems);
  (void)read_flashblade_config(in);
  in.finish();
  return problems.none() ? "" : problems.text();
}

TEST(FlashbladeConfig, GoodOneIsReadWithItsDefaults) {
  EXPECT_EQ(problems_of(good()), "");
  const Document document{.root = good(), .source = "test"};
  Problems problems(document);
  auto in = DocReader::root(problems);
  const auto config = read_flashblade_config(in);
  EXPECT_EQ(config.management.url.port, 443);
  EXPECT_EQ(config.client.version, "4.1");
  EXPECT_TRUE(config.client.server.empty()) << "found on the array";
  EXPECT_FALSE(config.eradicate);
  ASSERT_EQ(config.pools.size(), 1U);
  EXPECT_EQ(config.pools[0].layout, Layout::filesystem);
}

struct BadRow {
  const char* name;
  const char* merge;
  const char* said;
  friend void PrintTo(const BadRow& row, std::ostream* out) { *out << row.name; }
};
class BadSection : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadSection, IsRefusedInWords) {
  auto section = good();
  section.merge_patch(json::parse(GetParam().merge));
  EXPECT_THAT(problems_of(section), HasSubstr(GetParam().said));
}
INSTANTIATE_TEST_SUITE_P(
    All, BadSection,
    ::testing::Values(BadRow{"noManagement", R"({"management":null})", "'management' is missing"},
                      BadRow{"plainHttp", R"({"management":{"url":"http://fb.example.org"}})", "in the clear"},
                      BadRow{"tokenAsText", R"({"management":{"api_token":"T-1"}})", "must say where the secret is"},
                      BadRow{"noToken", R"({"management":{"api_token":null}})", "api_token"},
                      BadRow{"path", R"({"management":{"url":"https://fb/api/2.0"}})", "has a path"},
                      BadRow{"relativeCa", R"({"management":{"ca_file":"ca.pem"}})", "absolute path"},
                      BadRow{"world", R"({"exports":{"clients":["*"]}})", "everybody on the network"},
                      BadRow{"worldNetwork", R"({"exports":{"clients":["0.0.0.0/0"]}})", "everybody on the network"},
                      BadRow{"ruleInjection", R"({"exports":{"clients":["10.0.0.1(rw) *"]}})",
                             "no client of an export"},
                      BadRow{"nobody", R"({"exports":{"clients":[]}})", "nobody could mount"},
                      BadRow{"noHomeport", R"({"exports":{"homeport":[]}})", "names no host"},
                      BadRow{"homeportWildcard", R"({"exports":{"homeport":["*.example.org"]}})", "not one host"},
                      BadRow{"policyAndClients", R"({"exports":{"policy":"p"}})", "one of the two"},
                      BadRow{"version42", R"({"client":{"version":"4.2"}})", "4.1"},
                      BadRow{"unknown", R"({"data":{"adress":"10.0.0.1"}})", "did you mean 'address'"},
                      BadRow{"portInAddress", R"({"data":{"address":"10.0.0.1 2049"}})", "not a host name"},
                      BadRow{"directoryInOwn", R"({"pools":[{"name":"a","directory":"x"}]})", "each space has its own"},
                      BadRow{"twice", R"({"pools":[{"name":"a"},{"name":"a"}]})", "named twice"},
                      BadRow{"adminName", R"({"administrative_file_system":"a b"})", "no name of a file system"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::drivers::flashblade
