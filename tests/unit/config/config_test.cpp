#include "provisioner/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "provisioner/config/yaml_document.h"
#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"

namespace homeport::config {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> yaml_files(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HOMEPORT_SOURCE_DIR) + "/" + folder)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
}

class GoodExample : public ::testing::TestWithParam<std::string> {};
TEST_P(GoodExample, Loads) {
  EXPECT_OK(load_config(testing::source_path("examples/config/" + GetParam() + ".yaml")));
}
INSTANTIATE_TEST_SUITE_P(Files, GoodExample, ::testing::ValuesIn(yaml_files("examples/config")), test_name);

class BadExample : public ::testing::TestWithParam<std::string> {};

// The source is the bare file name, so that the stored message holds no path of a machine.
TEST_P(BadExample, FailsWithTheStoredMessage) {
  const std::string base = testing::source_path("examples/config/invalid/" + GetParam());
  auto loaded = parse_yaml_document(testing::read_file(base + ".yaml"), GetParam() + ".yaml");
  std::string message;
  if (!loaded) {
    message = loaded.error().message;
  } else {
    const auto document = std::make_shared<const Document>(std::move(*loaded));
    Problems problems(*document);
    (void)read_config(document, problems);
    ASSERT_FALSE(problems.none()) << "loaded, but should not";
    message = problems.text();
  }
  message += "\n";
  if (std::getenv("HOMEPORT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(base + ".expected", std::ios::binary) << message;
    GTEST_SKIP() << "rewrote " << base << ".expected";
  }
  EXPECT_EQ(message, testing::read_file(base + ".expected"));
}
INSTANTIATE_TEST_SUITE_P(Files, BadExample, ::testing::ValuesIn(yaml_files("examples/config/invalid")), test_name);

Config read(const std::string& yaml) {
  auto loaded = parse_yaml_document(yaml, "t.yaml");
  EXPECT_OK(loaded);
  const auto document = std::make_shared<const Document>(std::move(*loaded));
  Problems problems(*document);
  Config config = read_config(document, problems);
  EXPECT_TRUE(problems.none()) << problems.text();
  return config;
}

TEST(ReadConfig, NothingWrittenMeansTheDefaults) {
  const Config config = read("");
  EXPECT_EQ(config.store.directory, "/var/lib/homeport");
  EXPECT_EQ(config.listen.host, "127.0.0.1");
  EXPECT_EQ(config.listen.port, 7717);
  EXPECT_EQ(config.realm, "default");
  EXPECT_EQ(config.name_prefix, "hp-");
  EXPECT_EQ(config.lease_length, std::chrono::seconds(15));
  EXPECT_TRUE(config.metrics_open);
  EXPECT_EQ(config.desired, nullptr);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(ReadConfig, TheExampleOfEverySettingShowsTheDefaults) {
  const auto config = load_config(testing::source_path("examples/config/homeportd.yaml"));
  ASSERT_OK(config);
  const Config defaults;
  EXPECT_EQ(config->store.directory, defaults.store.directory);
  EXPECT_EQ(config->listen.host, defaults.listen.host);
  EXPECT_EQ(config->listen.port, defaults.listen.port);
  EXPECT_EQ(config->listen.io_threads, defaults.listen.io_threads);
  EXPECT_EQ(config->listen.max_connections, defaults.listen.max_connections);
  EXPECT_EQ(config->listen.max_body, defaults.listen.max_body);
  EXPECT_EQ(config->log_level, defaults.log_level);
  EXPECT_EQ(config->realm, defaults.realm);
  EXPECT_EQ(config->name_prefix, defaults.name_prefix);
  EXPECT_EQ(config->lease_length, defaults.lease_length);
}

TEST(ReadConfig, KeepsDesiredAsItIsWithItsLines) {
  const Config config = read("realm: a\ndesired:\n  backends:\n    - name: x\n      anything: [1]\n");
  ASSERT_NE(config.desired, nullptr);
  EXPECT_EQ(config.desired->dump(), R"({"backends":[{"anything":[1],"name":"x"}]})");
  EXPECT_EQ(config.document->lines.at("/desired/backends/0/anything"), 5);
}

TEST(ReadConfig, MetricsAreOpenOnLoopbackOnly) {
  EXPECT_TRUE(read("listen: {address: '[::1]:1'}").metrics_open);
  EXPECT_FALSE(read("listen: {address: '10.0.0.1:1'}").metrics_open);
  EXPECT_TRUE(read("{listen: {address: '10.0.0.1:1'}, auth: {metrics_open: true}}").metrics_open);
}

TEST(ReadConfig, WarnsOfTokensInTheClear) {
  EXPECT_THAT(read("listen: {address: ':7717'}").warnings, ::testing::ElementsAre(HasSubstr("listen.tls is not set")));
  EXPECT_TRUE(load_config(testing::source_path("examples/config/tls.yaml"))->warnings.empty());
}

struct Address {
  std::string name;
  std::string text;
  std::string host;  // empty: refused
  int port = 0;
  friend void PrintTo(const Address& a, std::ostream* out) { *out << a.name; }
};
class ListenAddress : public ::testing::TestWithParam<Address> {};

TEST_P(ListenAddress, IsParsed) {
  const auto parsed = parse_host_port(GetParam().text);
  if (GetParam().host.empty()) {
    ASSERT_ERRC(parsed, Errc::invalid_argument);
    EXPECT_THAT(parsed.error().hint, HasSubstr("HOST:PORT"));
    return;
  }
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->host, GetParam().host);
  EXPECT_EQ(parsed->port, GetParam().port);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ListenAddress,
    ::testing::Values(Address{"v4", "10.1.2.3:80", "10.1.2.3", 80},
                      Address{"name", "localhost:7717", "localhost", 7717}, Address{"v6", "[::1]:7717", "::1", 7717},
                      Address{"everywhere", ":7717", "0.0.0.0", 7717}, Address{"everywhereV6", "[::]:1", "::", 1},
                      Address{"chosenByKernel", "127.0.0.1:0", "127.0.0.1", 0}, Address{"noPort", "localhost", ""},
                      Address{"emptyPort", "localhost:", ""}, Address{"largePort", "localhost:65536", ""},
                      Address{"negativePort", "localhost:-1", ""}, Address{"wordPort", "localhost:http", ""},
                      Address{"portAndMore", "localhost:80x", ""}, Address{"bareV6", "::1:80", ""},
                      Address{"emptyBrackets", "[]:80", ""}, Address{"brokenV6", "[a b]:80", ""},
                      Address{"blank", "a b:80", ""}, Address{"empty", "", ""},
                      Address{"url", "http://localhost:80", ""}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::config
