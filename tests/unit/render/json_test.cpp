#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "provisioner/base/digest.h"
#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(MountSpecJson, Golden) {
  homeport::testing::expect_golden(to_json(testing::every_kind()).dump(2) + "\n", "render/mountspec/every_kind.json");
}
TEST(MountSpecJson, GoldenBlocked) {
  homeport::testing::expect_golden(to_json(testing::blocked()).dump(2) + "\n", "render/mountspec/blocked.json");
}

TEST(MountSpecJson, SamplesComeBack) {
  for (const auto& sample : testing::all_samples()) {
    const auto text = to_json(sample.spec).dump();
    const auto back = from_json(text);
    ASSERT_OK(back) << sample.name;
    EXPECT_EQ(to_json(*back).dump(), text) << sample.name;
  }
}

TEST(MountSpecJson, DigestIsTheHashOfTheCanonicalForm) {
  // Made again from the document by its description, not by the code's own steps.
  for (const auto& sample : testing::all_samples()) {
    auto document = to_json(sample.spec);
    const auto stated = document["digest"].get<std::string>();
    for (const auto* gone :
         {"spec_id", "digest", "issued_at", "valid_until", "state", "status_hint", "notices", "labels"})
      document.erase(gone);
    for (auto& mount : document["mounts"]) {
      if (mount["quota"].is_null()) continue;
      mount["quota"].erase("used_bytes");
      mount["quota"].erase("as_of");
    }
    EXPECT_EQ(stated, "sha256:" + sha256_hex(document.dump())) << sample.name;
    EXPECT_EQ(stated, digest(sample.spec)) << sample.name;
  }
}

TEST(MountSpecJson, HandWrittenDocumentsMayBeShort) {
  const auto got =
      from_json(R"({"schema": "mountspec/1", "issued_at": "2026-11-20T08:00:00Z", "valid_until": "2026-11-20T08:00:00Z",
    "state": "ready", "subject": {"hub": "main", "user": "eve", "user_key": "u-7f3a9c21d0"},
    "identity": {"mode": "squash"},
    "mounts": [{"id": "home", "kind": "home", "target": "/home/jovyan", "access": "rw",
                "source": {"type": "nfs", "server": "nas", "export": "/h", "version": "4.1"}, "nfs": {}}]})");
  ASSERT_OK(got);
  EXPECT_EQ(got->subject.server_key, "s-0");
  EXPECT_EQ(got->mounts[0].nfs, NfsOptions{});
  EXPECT_TRUE(got->mounts[0].required);
}

struct DocumentCase {
  std::string name;
  std::function<void(json&)> spoil;
  std::string pointer;
  std::string words;
};

void PrintTo(const DocumentCase& c, std::ostream* out) {
  *out << c.name;
}

class RefusedDocument : public ::testing::TestWithParam<DocumentCase> {};

TEST_P(RefusedDocument, WithAPointer) {
  auto document = to_json(testing::every_kind());
  document.erase("digest");
  ASSERT_OK(from_json(document.dump()));
  GetParam().spoil(document);
  const auto got = from_json(document.dump());
  ASSERT_ERRC(got, Errc::invalid_argument);
  EXPECT_EQ(got.error().pointer, GetParam().pointer) << got.error().message;
  EXPECT_THAT(got.error().message + " " + got.error().hint, HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedDocument,
    ::testing::Values(
        DocumentCase{"schema_2", [](json& d) { d["schema"] = "mountspec/2"; }, "/schema", "mountspec/1"},
        DocumentCase{"no_schema", [](json& d) { d.erase("schema"); }, "", "'schema' is missing"},
        DocumentCase{"no_subject", [](json& d) { d.erase("subject"); }, "", "'subject' is missing"},
        DocumentCase{"no_identity", [](json& d) { d["identity"] = nullptr; }, "", "'identity' is missing"},
        DocumentCase{"unknown_member", [](json& d) { d["mount"] = json::array(); }, "/mount", "did you mean 'mounts'"},
        DocumentCase{"unknown_in_mount", [](json& d) { d["mounts"][0]["options"] = "exec"; }, "/mounts/0/options",
                     "not known"},
        DocumentCase{"unknown_in_nfs", [](json& d) { d["mounts"][0]["nfs"]["fsc"] = true; }, "/mounts/0/nfs/fsc",
                     "not known"},
        DocumentCase{"unknown_in_source", [](json& d) { d["mounts"][0]["source"]["protocol"] = "nfs"; },
                     "/mounts/0/source/protocol", "not known"},
        DocumentCase{"unknown_in_subject", [](json& d) { d["subject"]["token"] = "x"; }, "/subject/token", "not known"},
        DocumentCase{"unknown_in_identity", [](json& d) { d["identity"]["root"] = true; }, "/identity/root",
                     "not known"},
        DocumentCase{"unknown_in_notice", [](json& d) { d["notices"][0]["html"] = "x"; }, "/notices/0/html",
                     "not known"},
        DocumentCase{"unknown_in_quota", [](json& d) { d["mounts"][0]["quota"]["soft"] = 1; }, "/mounts/0/quota/soft",
                     "not known"},
        DocumentCase{"unknown_in_lifetime", [](json& d) { d["mounts"][4]["lifetime"]["x"] = 1; },
                     "/mounts/4/lifetime/x", "not known"},
        DocumentCase{"unknown_in_link", [](json& d) { d["links"][0]["x"] = 1; }, "/links/0/x", "not known"},
        DocumentCase{"udp", [](json& d) { d["mounts"][0]["nfs"]["transport"] = "udp"; }, "/mounts/0/nfs/transport",
                     "tcp"},
        DocumentCase{"rdma_number", [](json& d) { d["mounts"][0]["nfs"]["transport"] = 6; }, "/mounts/0/nfs/transport",
                     "text"},
        DocumentCase{"source_of_another_type", [](json& d) { d["mounts"][0]["source"]["type"] = "smb"; },
                     "/mounts/0/source/type", "nfs, local"},
        DocumentCase{"port_as_text", [](json& d) { d["mounts"][0]["source"]["port"] = "2049"; },
                     "/mounts/0/source/port", "whole number"},
        DocumentCase{"port_65536", [](json& d) { d["mounts"][0]["source"]["port"] = 65536; }, "/mounts/0/source/port",
                     "65535"},
        DocumentCase{"timeo_negative", [](json& d) { d["mounts"][0]["nfs"]["timeo"] = -1; }, "/mounts/0/nfs/timeo",
                     "whole number"},
        DocumentCase{"timeo_fraction", [](json& d) { d["mounts"][0]["nfs"]["timeo"] = 1.5; }, "/mounts/0/nfs/timeo",
                     "whole number"},
        DocumentCase{"hard_as_text", [](json& d) { d["mounts"][0]["nfs"]["hard"] = "yes"; }, "/mounts/0/nfs/hard",
                     "true or false"},
        DocumentCase{"hard_contradicts_class", [](json& d) { d["mounts"][0]["quota"]["hard"] = true; },
                     "/mounts/0/quota/hard", "measured"},
        DocumentCase{"limit_0", [](json& d) { d["mounts"][0]["quota"]["limit_bytes"] = 0; },
                     "/mounts/0/quota/limit_bytes", "from 1"},
        DocumentCase{"uid_alone", [](json& d) { d["identity"]["gid"] = nullptr; }, "/identity", "both"},
        DocumentCase{"gid_text", [](json& d) { d["identity"]["supplemental_gids"] = {"users"}; },
                     "/identity/supplemental_gids", "group id"},
        DocumentCase{"gids_no_list", [](json& d) { d["identity"]["supplemental_gids"] = 5; },
                     "/identity/supplemental_gids", "list"},
        DocumentCase{"mounts_no_list", [](json& d) { d["mounts"] = json::object(); }, "/mounts", "list"},
        DocumentCase{"mount_no_object", [](json& d) { d["mounts"][0] = "home"; }, "/mounts/0", "mapping"},
        DocumentCase{"time_without_zone", [](json& d) { d["issued_at"] = "2026-11-20 08:00"; }, "/issued_at",
                     "RFC 3339"},
        DocumentCase{"state_word", [](json& d) { d["state"] = "fine"; }, "/state", "ready, degraded, blocked"},
        DocumentCase{"environment_number", [](json& d) { d["environment"]["A"] = 1; }, "/environment/A", "text"},
        DocumentCase{"what_validate_refuses", [](json& d) { d["mounts"][1]["target"] = "/data/a:b"; },
                     "/mounts/1/target", "mount 'ds-cifar10' target"},
        DocumentCase{"wrong_digest", [](json& d) { d["digest"] = "sha256:" + std::string(64, '0'); }, "/digest",
                     "changed"}),
    [](const auto& row) { return row.param.name; });

TEST(MountSpecJson, AChangedDocumentIsRefusedByItsDigest) {
  auto document = to_json(testing::home_only());
  document["mounts"][0]["source"]["export"] = "/homes/h-00000000000000a2";
  const auto got = from_json(document.dump());
  ASSERT_ERRC(got, Errc::invalid_argument);
  EXPECT_EQ(got.error().pointer, "/digest");
}

TEST(MountSpecJson, AllProblemsAtOnce) {
  auto document = to_json(testing::home_only());
  document["x"] = 1;
  document["mounts"][0]["nfs"]["timeo"] = "long";
  const auto got = from_json(document.dump());
  ASSERT_ERRC(got, Errc::invalid_argument);
  EXPECT_THAT(got.error().message,
              ::testing::AllOf(HasSubstr("2 problems"), HasSubstr("/x"), HasSubstr("/mounts/0/nfs/timeo")));
}

TEST(MountSpecJson, NotJsonAtAll) {
  for (const auto* text : {"", "{", "null", "[]", "3", "\"mountspec/1\"", "{\"a\":\"\xff\"}"})
    EXPECT_ERRC(from_json(text), Errc::invalid_argument) << text;
  EXPECT_ERRC(from_json(std::string(100000, '[')), Errc::invalid_argument);
}

TEST(MountSpecJson, DigestOfBrokenTextDoesNotThrow) {
  auto spec = testing::home_only();
  spec.subject.user = "\xff";
  EXPECT_EQ(digest(spec).size(), 71U);
}

TEST(SourceJson, ComesBack) {
  const Source nfs =
      NfsMount{.server = "::1", .export_path = "/x", .version = "3", .port = 1, .mount_port = 2, .fs_id = "f"};
  const Source local = LocalMount{.host = "nas", .path = "/srv/x"};
  for (const auto& source : {nfs, local}) {
    const auto back = source_from_json(source_to_json(source));
    ASSERT_OK(back);
    EXPECT_EQ(source_to_json(*back), source_to_json(source));
  }
}

TEST(SourceJson, Refuses) {
  EXPECT_ERRC(source_from_json(json(nullptr)), Errc::invalid_argument);
  EXPECT_ERRC(source_from_json(json("nfs")), Errc::invalid_argument);
  EXPECT_ERRC(source_from_json(json{{"type", "nfs"}}), Errc::invalid_argument);
  EXPECT_ERRC(source_from_json(json{{"type", "local"}, {"host", "nas"}, {"path", "/a/../b"}}), Errc::invalid_argument);
  EXPECT_ERRC(source_from_json(json{{"type", "local"}, {"host", "nas"}, {"path", "/a"}, {"server", "x"}}),
              Errc::invalid_argument);
}

TEST(MountOptions, AreInTheirOrder) {
  EXPECT_THAT(
      mount_option_words(testing::home_mount()),
      ::testing::ElementsAre("vers=4.1", "proto=tcp", "hard", "timeo=600", "retrans=2", "nosuid", "nodev", "rw"));
  EXPECT_THAT(
      mount_option_words(testing::v3_with_ports().mounts[0]),
      ::testing::ElementsAre("vers=3", "proto=tcp", "port=12049", "mountport=12048", "soft", "timeo=50", "retrans=0",
                             "rsize=65536", "wsize=1048576", "nconnect=4", "nolock", "noresvport", "rw"));
  EXPECT_THAT(mount_option_words(testing::dataset_mount("x")),
              ::testing::ElementsAre("vers=4.1", "proto=tcp", "hard", "timeo=600", "retrans=2", "noatime", "nosuid",
                                     "nodev", "noexec", "ro"));
  auto kerberos = testing::home_mount();
  kerberos.nfs->sec = "krb5i";
  EXPECT_EQ(mount_option_words(kerberos)[7], "sec=krb5i");
}

TEST(MountOptions, AnIpv6AddressNeedsItsOwnTransportName) {
  EXPECT_EQ(mount_option_words(testing::ipv6_server().mounts[0])[1], "proto=tcp6");
}

}  // namespace
}  // namespace homeport::render
