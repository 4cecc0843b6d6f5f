#include "drivers/exporter/fragments.h"

#include <gmock/gmock.h>

#include "provisioner/base/doc_reader.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::exporter {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HostExport home(const std::string& name = "h-0123456789abcdef") {
  return {.name = name,
          .directory = AbsolutePath::parse("/srv/pool/homes/x").value(),
          .path = AbsolutePath::parse("/homes/x").value(),
          .rules = {{.client = "10.20.0.0/16", .permission = Permission::rw},
                    {.client = "@viewers", .squash = Squash::all, .anonymous = Owner{Uid{7}, Gid{8}}}}};
}

TEST(Fragments, RulesStandInTheirOrder) {
  const ExporterConfig config{.server = "s"};
  const auto text = fragment(config, {.what = home(), .id = 7}, "/state/mounts/7");
  EXPECT_THAT(text, HasSubstr("Export_Id = 7;"));
  EXPECT_THAT(text, HasSubstr("Path = \"/state/mounts/7\";"));
  EXPECT_THAT(text, HasSubstr("Pseudo = \"/homes/x\";"));
  EXPECT_THAT(text, HasSubstr("  Access_Type = None;"));
  const auto first = text.find("Clients = 10.20.0.0/16; Access_Type = RW; Squash = Root_Squash;");
  const auto second = text.find("Clients = @viewers; Access_Type = RO; Squash = All_Squash; Anonymous_Uid = 7;");
  ASSERT_NE(first, std::string::npos) << text;
  ASSERT_NE(second, std::string::npos) << text;
  EXPECT_LT(first, second);
}

TEST(Fragments, ReadOnlyBeatsEveryRule) {
  auto item = home();
  item.read_only = true;
  EXPECT_THAT(fragment({.server = "s"}, {.what = item, .id = 1}, "/m"), Not(HasSubstr("RW")));
}

TEST(Fragments, NobodyIsLetInWithoutRules) {
  auto item = home();
  item.rules.clear();
  const auto text = fragment({.server = "s"}, {.what = item, .id = 1}, "/m");
  EXPECT_THAT(text, HasSubstr("Access_Type = None;"));
  EXPECT_THAT(text, Not(HasSubstr("CLIENT")));
}

TEST(Fragments, ClientsThatWouldBreakOutAreRefused) {
  for (const std::string bad :
       {"*", "*.*", "0.0.0.0/0", "::/0", "", "10.0.0.1; }", "a b", "x\"y", "a,b", "@", "{", "?"}) {
    EXPECT_FALSE(is_export_client(bad)) << bad;
    auto item = home();
    item.rules[0].client = bad;
    EXPECT_ERRC(check(item), Errc::invalid_argument) << bad;
  }
  for (const std::string good :
       {"10.0.0.1", "10.0.0.0/8", "fd00::/8", "node1.example.org", "*.cluster.example.org", "@lab"})
    EXPECT_TRUE(is_export_client(good)) << good;
}

TEST(Fragments, NamesThatWouldLeaveTheFolderAreRefused) {
  for (const std::string& bad : std::vector<std::string>{"", ".x", "a/b", "a b", "a\nb", std::string(121, 'a')})
    EXPECT_ERRC(check(home(bad)), Errc::invalid_argument) << printable(bad);
  EXPECT_OK(check(home("h-0123456789abcdef@hp-daily.1")));
}

TEST(Fragments, WhatIsRememberedComesBack) {
  Remembered state{.last_id = 9};
  state.items.emplace("a", Item{.what = home("a"), .id = 3});
  state.items.emplace("b", Item{.what = home("b"), .id = 9});
  state.items.at("b").what.read_only = true;
  const auto back = from_json(to_json(state), "file");
  ASSERT_OK(back);
  EXPECT_EQ(back->last_id, 9);
  ASSERT_EQ(back->items.size(), 2U);
  EXPECT_EQ(back->items.at("a").id, 3);
  EXPECT_TRUE(same(back->items.at("a").what, state.items.at("a").what));
  EXPECT_TRUE(same(back->items.at("b").what, state.items.at("b").what));
  EXPECT_FALSE(same(back->items.at("a").what, state.items.at("b").what));
  for (const char* bad : {"", "{}", "[]", "{\"version\":2,\"exports\":[]}", "{\"version\":1,\"exports\":[{}]}"})
    EXPECT_FALSE(from_json(bad, "file").has_value()) << bad;
}

TEST(Fragments, IdsGoRoundBeforeOneComesAgain) {
  Remembered state{.last_id = 5};
  EXPECT_EQ(free_id(state), 6);
  state.last_id = 65535;
  EXPECT_EQ(free_id(state), 1) << "0 is the pseudo root's";
  state.items.emplace("a", Item{.what = home("a"), .id = 1});
  EXPECT_EQ(free_id(state), 2);
}

TEST(ExporterSection, WrongMembersAreNamed) {
  struct Row {
    const char* text;
    const char* says;
  };
  const std::vector<Row> rows{
      {R"({"server":"lab1"})", "state"},
      {R"({"server":"a b","state":"/s"})", "not a host name"},
      {R"({"server":"s","state":"/s","protocols":["2"]})", "not served"},
      {R"({"server":"s","state":"/s","protocols":[]})", "is empty"},
      {R"({"server":"s","state":"/s","nfs_port":70000})", "nfs_port"},
      {R"({"server":"s","state":"/s","site":{"fragments":"/f"}})", "pid_file"},
      {R"({"server":"s","state":"/s","nfs_port":0,"site":{"fragments":"/f","pid_file":"/p","log":"/l"}})",
       "Homeport choose"},
      {R"({"server":"s","state":"/s","address":"::1","site":{"fragments":"/f","pid_file":"/p","log":"/l"}})",
       "own server"},
      {R"({"server":"s","state":"/s","nosuch":1})", "nosuch"}};
  for (const auto& row : rows) {
    const auto document = parse_json_document(row.text, "test");
    ASSERT_OK(document);
    Problems problems(*document);
    DocReader in = DocReader::root(problems);
    (void)read_exporter_config(in);
    in.finish();
    EXPECT_THAT(problems.text(), HasSubstr(row.says)) << row.text;
  }
}

}  // namespace
}  // namespace homeport::drivers::exporter
