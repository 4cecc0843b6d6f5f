#include "drivers/nfs/nfs_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/session_pool.h"
#include "provisioner/base/doc_reader.h"

namespace homeport::drivers::nfs {
namespace {

struct Case {
  std::string name;
  std::string section;
  std::vector<std::string> problems;  // a part of each, in order; empty: accepted
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

class NfsConfigTest : public ::testing::TestWithParam<Case> {};

TEST_P(NfsConfigTest, IsReadStrictly) {
  const Document document{.root = nlohmann::json::parse(GetParam().section)};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  (void)read_nfs_config(in);
  ASSERT_EQ(problems.list().size(), GetParam().problems.size()) << (problems.none() ? "" : problems.text());
  for (std::size_t i = 0; i < GetParam().problems.size(); ++i) {
    const auto& problem = problems.list()[i];
    EXPECT_NE((problem.pointer + ": " + problem.message).find(GetParam().problems[i]), std::string::npos)
        << problem.pointer << ": " << problem.message;
  }
}

const char* const kGoodPool = R"("pools": [{"name": "main", "export": "/export/homes"}])";

INSTANTIATE_TEST_SUITE_P(
    Table, NfsConfigTest,
    ::testing::Values(
        Case{"smallest", R"({"service": {"server": "nas"}})", {}},
        Case{"everything",
             R"({"service": {"server": "fd00::9", "nfs_port": 2049, "mount_port": 20048, "admin_directory": ".hp",
                 "timeout": "3s", "connections": 4},
                 "client": {"server": "nas.example.org", "version": "4.2", "port": 2050, "path_prefix": "/pseudo"},
                 "pools": [{"name": "a", "export": "/a", "directory": "x/y"}, {"name": "b", "export": "/b"}],
                 "squash": "all", "squash_uid": 1000, "squash_gid": 100})",
             {}},
        Case{"noService", R"({"pools": []})", {"'service' is missing"}},
        Case{"noServer", R"({"service": {}})", {"'server' is missing"}},
        Case{"serverIsAUrl", R"({"service": {"server": "nfs://nas/x"}})", {"/service/server"}},
        Case{"serverInBrackets", R"({"service": {"server": "[fd00::9]"}})", {"/service/server"}},
        Case{"portOutOfRange", R"({"service": {"server": "nas", "nfs_port": 70000}})", {"/service/nfs_port"}},
        Case{"portZero", R"({"service": {"server": "nas", "mount_port": 0}})", {"/service/mount_port"}},
        Case{"unknownMembers",
             R"({"service": {"server": "nas", "prot": 1}, "client": {"vesrion": "3"}})",
             {"/service/prot", "/client/vesrion"}},
        Case{"adminDirectoryIsAPath",
             R"({"service": {"server": "nas", "admin_directory": "a/b"}})",
             {"admin_directory"}},
        Case{"adminDirectoryGoesUp", R"({"service": {"server": "nas", "admin_directory": ".."}})", {"admin_directory"}},
        Case{"timeoutTooShort", R"({"service": {"server": "nas", "timeout": "1ms"}})", {"/service/timeout"}},
        Case{"tooManyConnections", R"({"service": {"server": "nas", "connections": 1000}})", {"/service/connections"}},
        Case{"versionTwo", R"({"service": {"server": "nas"}, "client": {"version": "2"}})", {"/client/version"}},
        Case{"versionFourZero",
             R"({"service": {"server": "nas"}, "client": {"version": "4.0"}})",
             {"/client/version: '4.0' is not known"}},
        Case{"versionFour", R"({"service": {"server": "nas"}, "client": {"version": "4"}})", {"/client/version"}},
        Case{"versionThree", R"({"service": {"server": "nas"}, "client": {"version": "3"}})", {}},
        Case{"local", R"({"service": {"server": "nas"}, "client": {"local": {"host": "nas"}}})", {}},
        Case{"localPaths",
             R"({"service": {"server": "nas"}, "client": {"local": {"host": "nas",
                 "paths": [{"export": "/a", "path": "/srv/a"}, {"export": "/a/b", "path": "/srv/b"}]}}})",
             {}},
        Case{"localWithoutHost", R"({"service": {"server": "nas"}, "client": {"local": {}}})", {"'host' is missing"}},
        Case{"localHostIsAnUrl",
             R"({"service": {"server": "nas"}, "client": {"local": {"host": "a b"}}})",
             {"/client/local/host"}},
        Case{"localAndAServer",
             R"({"service": {"server": "nas"}, "client": {"version": "3", "server": "nas", "local": {"host": "nas"}}})",
             {"/client/server: has no meaning with local", "/client/version: has no meaning with local"}},
        Case{"localPathTwice",
             R"({"service": {"server": "nas"}, "client": {"local": {"host": "nas",
                 "paths": [{"export": "/a", "path": "/x"}, {"export": "/a", "path": "/y"}]}}})",
             {"stands there twice"}},
        Case{
            "localPathIsTheRoot",
            R"({"service": {"server": "nas"}, "client": {"local": {"host": "nas", "paths": [{"export": "/a", "path": "/"}]}}})",
            {"is the host's root"}},
        Case{"localPathGoesUp",
             R"({"service": {"server": "nas"}, "client": {"local": {"host": "nas",
                 "paths": [{"export": "/a", "path": "/srv/../etc"}]}}})",
             {"/client/local/paths/0/path"}},
        Case{"prefixNotAbsolute",
             R"({"service": {"server": "nas"}, "client": {"path_prefix": "pseudo"}})",
             {"/client/path_prefix"}},
        Case{"exportNotAbsolute",
             R"({"service": {"server": "nas"}, "pools": [{"name": "a", "export": "a"}]})",
             {"/pools/0/export"}},
        Case{"exportGoesUp",
             R"({"service": {"server": "nas"}, "pools": [{"name": "a", "export": "/a/../b"}]})",
             {"/pools/0/export"}},
        Case{"directoryGoesUp",
             R"({"service": {"server": "nas"}, "pools": [{"name": "a", "export": "/a", "directory": "../b"}]})",
             {"/pools/0/directory"}},
        Case{"directoryInAdmin",
             R"({"service": {"server": "nas"}, "pools": [{"name": "a", "export": "/a", "directory": ".homeport/x"}]})",
             {"/pools/0/directory"}},
        Case{"poolsShareAnExport",
             R"({"service": {"server": "nas"},
                 "pools": [{"name": "a", "export": "/a"}, {"name": "b", "export": "/a", "directory": "b"}]})",
             {"/pools/1/export"}},
        Case{
            "poolNamedTwice",
            R"({"service": {"server": "nas"}, "pools": [{"name": "a", "export": "/a"}, {"name": "a", "export": "/b"}]})",
            {"/pools/1/name"}},
        Case{"squashIdsWithoutSquash", R"({"service": {"server": "nas"}, "squash_uid": 5})", {"/squash_uid"}},
        Case{"severalAtOnce",
             R"({"service": {"server": "a b", "timeout": "soon"}, "squash": "root"})",
             {"/service/server", "/service/timeout", "/squash"}}),
    [](const auto& row) { return row.param.name; });

NfsConfig read(const std::string& text) {
  const Document document{.root = nlohmann::json::parse(text)};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto config = read_nfs_config(in);
  EXPECT_TRUE(problems.none()) << (problems.none() ? "" : problems.text());
  return config;
}

TEST(NfsConfig, ClientsOfTheSameAddressUseTheSamePorts) {
  const auto config =
      read(R"({"service": {"server": "nas", "nfs_port": 12049, "mount_port": 12050}, )" + std::string(kGoodPool) + "}");
  EXPECT_EQ(config.client.server, "nas");
  EXPECT_EQ(config.client.version, "4.1");
  EXPECT_EQ(config.client.port, 12049);
  EXPECT_EQ(config.client.mount_port, 12050);
  EXPECT_EQ(config.pools.at(0).directory, std::vector<std::string>{"homes"});
}

TEST(NfsConfig, ClientsOfAnotherAddressUseTheProtocolsPort) {
  const auto config = read(R"({"service": {"server": "nas-admin", "nfs_port": 12049}, "client": {"server": "nas"}})");
  EXPECT_FALSE(config.client.port.has_value());
}

TEST(NfsStatus, EveryKindIsWhatCallersActUpon) {
  struct Row {
    int status;
    Errc code;
  };
  for (const Row& row : {Row{1, Errc::permission_denied}, Row{2, Errc::not_found}, Row{13, Errc::permission_denied},
                         Row{17, Errc::already_exists}, Row{28, Errc::out_of_capacity},
                         Row{30, Errc::permission_denied}, Row{69, Errc::over_quota}, Row{70, Errc::not_found},
                         Row{10008, Errc::unavailable}, Row{12345, Errc::internal}}) {
    const Error error = nfs_error(row.status, "MKDIR /x");
    EXPECT_EQ(error.code, row.code) << row.status;
    ASSERT_TRUE(error.upstream);
    EXPECT_EQ(error.upstream->status, row.status);
  }
  EXPECT_TRUE(is_stale(nfs_error(70, "x")));
  EXPECT_TRUE(is_stale(nfs_error(10001, "x")));
  EXPECT_FALSE(is_stale(nfs_error(2, "x")));
  EXPECT_NE(mount_error(13, "/export/homes").hint.find("/export/homes"), std::string::npos);
}

TEST(ConnectBackOff, GrowsAndEnds) {
  using std::chrono::milliseconds;
  EXPECT_EQ(connect_back_off(0), milliseconds(0));
  EXPECT_EQ(connect_back_off(1), milliseconds(50));
  EXPECT_EQ(connect_back_off(3), milliseconds(200));
  EXPECT_EQ(connect_back_off(4'000'000'000U), milliseconds(2000));
}

TEST(LocalClientTest, TheLongestExportDecidesWhereAPathLies) {
  const auto path = [](const char* text) { return AbsolutePath::parse(text).value(); };
  const LocalClient local{.host = "nas",
                          .paths = {{.export_path = path("/a"), .path = path("/srv/a")},
                                    {.export_path = path("/a/b"), .path = path("/disk")}}};
  EXPECT_EQ(local.path_of("/a/x"), "/srv/a/x");
  EXPECT_EQ(local.path_of("/a"), "/srv/a");
  EXPECT_EQ(local.path_of("/a/b/c"), "/disk/c");
  EXPECT_EQ(local.path_of("/ab/c"), "/ab/c") << "not below /a";
  const LocalClient whole{.host = "nas", .paths = {{.export_path = path("/"), .path = path("/srv")}}};
  EXPECT_EQ(whole.path_of("/a"), "/srv/a");
  EXPECT_EQ(whole.path_of("/"), "/srv");
}

}  // namespace
}  // namespace homeport::drivers::nfs
