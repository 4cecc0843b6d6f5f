// Values files of Pure Service Orchestrator in every spelling that its charts and examples have.
#include "cli/pso_values.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/result_matchers.h"

namespace homeport::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kToken = "T-c4925090-c9bf-4033-8537-d24ee5669135";

std::string array(const std::string& management, const std::string& more = "") {
  return "    - {MgmtEndPoint: \"" + management + "\", APIToken: " + kToken + ", NFSEndPoint: 10.0.0.7" + more + "}\n";
}
std::string with(const std::string& arrays, const std::string& rest = "") {
  return rest + "arrays:\n  FlashBlades:\n" + arrays;
}
PsoValues read(const std::string& text) {
  auto values = read_pso_values(text, "values.yaml");
  EXPECT_OK(values);
  return values ? *std::move(values) : PsoValues{};
}
PsoChoices choices() {
  return {.secrets = "/etc/homeport/secrets", .homeport = {"10.0.0.5"}, .clients = {"10.20.0.0/16"}};
}

struct Row {
  const char* name;
  std::string text;
  std::string backend;
  std::string url;
  std::string data;
  friend void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
};
class PsoSpellings : public ::testing::TestWithParam<Row> {};

TEST_P(PsoSpellings, GiveOneBackend) {
  const Row& row = GetParam();
  const auto values = read(row.text);
  ASSERT_EQ(values.flashblades.size(), 1U);
  const auto& one = values.flashblades.front();
  EXPECT_EQ(one.name, row.backend);
  EXPECT_EQ(one.url, row.url);
  EXPECT_EQ(one.data_address, row.data);
  EXPECT_EQ(one.token.reveal(), kToken);
  EXPECT_THAT(values.unknown, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    All, PsoSpellings,
    ::testing::Values(
        Row{"nfsUpper", with(array("1.2.3.6")), "fb-1-2-3-6", "https://1.2.3.6:443", "10.0.0.7"},
        Row{"nfsCamel",
            "arrays: {FlashBlades: [{MgmtEndPoint: 1.2.3.6, APIToken: " + std::string(kToken) +
                ", NfsEndPoint: 1.2.3.7}]}",
            "fb-1-2-3-6", "https://1.2.3.6:443", "1.2.3.7"},
        Row{"lowerCase",
            "arrays: {flashBlades: [{mgmtEndpoint: 1.2.3.6, apiToken: " + std::string(kToken) +
                ", nfsEndpoint: 1.2.3.7}]}",
            "fb-1-2-3-6", "https://1.2.3.6:443", "1.2.3.7"},
        Row{"hostName", with(array("FB1.example.org")), "fb1", "https://FB1.example.org:443", "10.0.0.7"},
        Row{"withSchemeAndSlash", with(array("https://fb1.example.org/")), "fb1", "https://fb1.example.org:443",
            "10.0.0.7"},
        Row{"withPort", with(array("127.0.0.1:8443")), "fb-127-0-0-1", "https://127.0.0.1:8443", "10.0.0.7"},
        Row{"ipv6", with(array("fd00::6")), "fb-fd00--6", "https://[fd00::6]:443", "10.0.0.7"},
        Row{"noDataAddress",
            "arrays: {FlashBlades: [{MgmtEndPoint: fb1, APIToken: " + std::string(kToken) + ", NFSEndPoint: \"\"}]}",
            "fb1", "https://fb1:443", ""},
        Row{"pureJson",
            R"({"FlashBlades": [{"MgmtEndPoint": "fb1", "APIToken": ")" + std::string(kToken) +
                R"(", "NFSEndPoint": "1.2.3.7"}], "FlashArrays": []})",
            "fb1", "https://fb1:443", "1.2.3.7"},
        Row{"customResource",
            "apiVersion: purestorage.com/v1\nkind: PSOPlugin\nmetadata: {name: pso}\nspec:\n  arrays:\n    "
            "FlashBlades:\n  " +
                array("fb1"),
            "fb1", "https://fb1:443", "10.0.0.7"}),
    [](const auto& row) { return row.param.name; });

TEST(PsoValues, EveryTopLevelSettingIsAnswered) {
  const auto values =
      read(with(array("fb1"),
                "clusterID: prod_1\nflashblade: {snapshotDirectoryEnabled: \"false\", exportRules: "
                "\"*(rw,no_root_squash) 10.9.0.0/16(rw,no_root_squash)\", mountOptions: [nfsvers=4.1, "
                "nconnect=4]}\nstorageclass: {isPureDefault: true, pureBackend: block}\nflasharray: "
                "{sanType: FC}\nstoragetopology: {enable: true}\nimage: {tag: 5.2.0}\nnodeServer: {}\n"));
  EXPECT_EQ(values.prefix, "prod_1");
  EXPECT_THAT(values.clients, ElementsAre("10.9.0.0/16"));
  EXPECT_EQ(values.nfs_version, "4.1");
  for (const char* said : {"prod_1-pvc-UUID", "snapshotDirectoryEnabled was false", "*(rw,no_root_squash) is left out",
                           "options of 10.9.0.0/16(rw,no_root_squash)", "nconnect=4 left out", "isPureDefault was true",
                           "pureBackend was block", "flasharray: left out", "storagetopology.enable",
                           "pods and images: image, nodeServer"})
    EXPECT_THAT(values.notes, Contains(HasSubstr(said)));
  EXPECT_THAT(values.unknown, IsEmpty());
}

TEST(PsoValues, UnknownKeysAreReportedWithoutTheirValues) {
  const auto values = read("arrays:\n  FlashBlades:\n" + array("fb1", ", Realm: secret-one") +
                           "  FlashDisks: [{APIToken: secret-two}]\nflashblade: {newThing: secret-three}\nother: "
                           "secret-four\n");
  EXPECT_THAT(values.unknown, ::testing::UnorderedElementsAre("arrays.FlashBlades[0].Realm", "arrays.FlashDisks",
                                                              "flashblade.newThing", "other"));
  EXPECT_THAT(pso_desired_text(values, choices(), "values.yaml"), Not(HasSubstr("secret-")));
}

TEST(PsoValues, BlockArraysAndWhatCannotBeABackendAreNamed) {
  const auto values =
      read("arrays:\n  FlashArrays:\n    - {MgmtEndPoint: 1.2.3.4, APIToken: secret}\n  FlashBlades:\n" + array("fb1") +
           array("fb1") + "    - {MgmtEndPoint: fb2, NFSEndPoint: x}\n" + "    - {APIToken: secret}\n" + array("a b") +
           "    - text\n");
  ASSERT_EQ(values.flashblades.size(), 1U);
  EXPECT_THAT(values.left_out,
              ElementsAre(HasSubstr("FlashArray 1.2.3.4: block storage"), HasSubstr("fb1: it stands there twice"),
                          HasSubstr("fb2: it has no APIToken"), HasSubstr("[3]: it has no MgmtEndPoint"),
                          HasSubstr("a b: its MgmtEndPoint is no host"), HasSubstr("[5]: it has no MgmtEndPoint")));
}

TEST(PsoValues, LabelsBecomeThoseOfTheClass) {
  const auto values =
      read(with(array("fb1", ", Labels: {rack: 22, topology.purestorage.com/env: prod, empty: \"\", list: [1]}")));
  ASSERT_EQ(values.flashblades.size(), 1U);
  const auto desired = pso_desired(values, choices())["desired"];
  EXPECT_EQ(desired["classes"][0]["labels"], Json::parse(R"({"rack":"22","topology.purestorage.com/env":"prod"})"));
  EXPECT_EQ(desired["classes"][0]["backend"], "fb1");
  EXPECT_THAT(values.flashblades[0].notes, Contains(HasSubstr("'empty' is left out")));
  EXPECT_THAT(values.flashblades[0].notes, Contains(HasSubstr("'list' is left out")));
}

TEST(PsoValues, NamesDifferWhereHostsAreCalledTheSame) {
  const auto values = read(with(array("fb.a.org") + array("fb.b.org") + array("-.c.org")));
  ASSERT_EQ(values.flashblades.size(), 3U);
  EXPECT_EQ(values.flashblades[0].name, "fb");
  EXPECT_EQ(values.flashblades[1].name, "fb-2");
  EXPECT_EQ(values.flashblades[2].name, "flashblade");
}

TEST(PsoValues, TheDocumentHoldsNoTokenAndNothingThatIsOpen) {
  const auto values = read(with(array("fb1"), "flashblade: {exportRules: \"*(rw)\"}\n"));
  const auto text = pso_desired_text(values, {.secrets = "/s"}, "values.yaml");
  EXPECT_THAT(text, Not(HasSubstr(kToken)));
  EXPECT_THAT(text, HasSubstr("/s/fb1.token"));
  EXPECT_THAT(text, HasSubstr("192.0.2.0/24"));
  EXPECT_THAT(placeholders(values, {.secrets = "/s"}), ElementsAre(HasSubstr("--homeport"), HasSubstr("--clients")));
  EXPECT_THAT(placeholders(values, choices()), IsEmpty());
  EXPECT_EQ(pso_desired(values, choices())["desired"]["backends"][0]["exports"]["clients"],
            Json::parse("[\"10.20.0.0/16\"]"));
}

TEST(PsoValues, WhatIsNoValuesFileIsRefused) {
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {"", "is no values file"},
           {"[1]", "is no values file"},
           {"a: 1", "has no member 'arrays'"},
           {"arrays: {FlashArrays: [{MgmtEndPoint: 1.2.3.4, APIToken: x}]}", "FlashArray 1.2.3.4: block storage"},
           {"arrays: {FlashBlades: []}", "no FlashBlade"},
           {"arrays: {FlashBlades: text}", "no FlashBlade"},
           {"arrays: [", "values.yaml"}}) {
    const auto values = read_pso_values(text, "values.yaml");
    ASSERT_ERRC(values, Errc::invalid_argument) << text;
    EXPECT_THAT(values.error().message, HasSubstr(said)) << text;
  }
}

}  // namespace
}  // namespace homeport::cli
