// The desired document: what is planned is what is done, and nothing else.
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using core::PlannedChange;
using store::Provenance;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class DesiredTest : public CoreTest {
 protected:
  static std::string with(const std::string& members) {
    auto text = standard();
    text.insert(text.rfind('}'), "," + members);
    return text;
  }
  void start_with_people_and_data(const std::string& realm = "default") {
    ASSERT_OK(try_apply(standard(), Provenance::config));
    ASSERT_OK(ensure("alice", 1001, [&](core::HomeRequest& r) { r.realm = realm; }));
    ASSERT_OK(settled(hp().datasets().import(
        caller(),
        {.name = *Slug::parse("sets"), .backend = *Slug::parse("lab"), .path = *AbsolutePath::parse("/data/sets")})));
  }
  // "delete grant sets to group staff": what is not kept, one line each.
  static std::vector<std::string> words(const Result<std::vector<PlannedChange>>& changes) {
    if (!changes) return {changes.error().to_string()};
    std::vector<std::string> out;
    for (const auto& change : *changes) {
      if (change.action == PlannedChange::Action::keep) continue;
      const char* verb = change.action == PlannedChange::Action::create   ? "create "
                         : change.action == PlannedChange::Action::update ? "update "
                         : change.action == PlannedChange::Action::remove ? "delete "
                         : change.action == PlannedChange::Action::wait   ? "wait "
                                                                          : "blocked ";
      out.push_back(verb + change.what + " " + change.name);
    }
    return out;
  }
  Result<std::vector<PlannedChange>> plan(const std::string& json, Provenance provenance) {
    HOMEPORT_TRY(const auto desired, read(json));
    return hp().administration().plan(desired, provenance);
  }
  // "group staff ro config"
  std::vector<std::string> grants() {
    std::vector<std::string> out;
    for (const auto& grant : hp().datasets().grants("sets")) out.push_back(grant.subject_kind + " " + grant.access);
    return out;
  }
  std::vector<std::string> rule_order() {
    std::vector<std::string> out;
    for (const auto& rule : *hp().catalog().rules()) out.push_back(rule.name);
    return out;
  }
  void damage(store::Table table, const std::string& key) {
    ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
      HOMEPORT_CHECK(tx.put(table, {.key = key, .doc = R"({"nonsense":true})"}, store::Expect::any()));
      return {};
    }));
  }
  std::string document_of(store::Table table, const std::string& key) {
    std::string out;
    EXPECT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(const auto row, tx.get(table, key));
      out = row ? row->doc : "none";
      return {};
    }));
    return out;
  }
};

TEST_F(DesiredTest, AGrantLineTakenOutIsTakenBack) {
  start_with_people_and_data();
  const auto two = with(R"("grants":[{"dataset":"sets","group":"staff"},{"dataset":"sets","user":"alice"}])");
  EXPECT_THAT(words(try_apply(two, Provenance::config)),
              ElementsAre("create grant sets to group staff", "create grant sets to user alice"));
  EXPECT_THAT(grants(), ElementsAre("group ro", "user ro"));
  EXPECT_THAT(words(try_apply(two, Provenance::config)), IsEmpty());
  const auto one = with(R"("grants":[{"dataset":"sets","group":"staff"}])");
  EXPECT_THAT(words(plan(one, Provenance::config)), ElementsAre("delete grant sets to user alice"));
  EXPECT_THAT(words(try_apply(one, Provenance::config)), ElementsAre("delete grant sets to user alice"));
  EXPECT_THAT(grants(), ElementsAre("group ro"));
  EXPECT_THAT(words(try_apply(with(R"("grants":[])"), Provenance::config)),
              ElementsAre("delete grant sets to group staff"));
  EXPECT_THAT(grants(), IsEmpty());
}

TEST_F(DesiredTest, AGrantMadeByHandIsNotTheDocumentsToTakeBack) {
  start_with_people_and_data();
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "group", .name = "staff"}, "ro"));
  const std::string doc = R"({"classes":[{"name":"new","backend":"lab"}],"grants":[]})";
  EXPECT_THAT(words(plan(doc, Provenance::api)), ElementsAre("create class new"));
  EXPECT_THAT(words(try_apply(doc, Provenance::api)), ElementsAre("create class new"));
  EXPECT_THAT(grants(), ElementsAre("group ro"));
  // Named and left out again, it is still there.
  ASSERT_OK(try_apply(R"({"grants":[{"dataset":"sets","group":"staff"}]})", Provenance::api));
  ASSERT_OK(try_apply(R"({"grants":[]})", Provenance::api));
  EXPECT_THAT(grants(), ElementsAre("group ro"));
}

TEST_F(DesiredTest, ADocumentThatSaysNothingOfGrantsLeavesThemAlone) {
  start_with_people_and_data();
  ASSERT_OK(try_apply(R"({"grants":[{"dataset":"sets","everyone":true}]})", Provenance::api));
  ASSERT_OK(try_apply(R"({"classes":[{"name":"new","backend":"lab"}]})", Provenance::api));
  EXPECT_THAT(grants(), ElementsAre("everyone ro"));
  EXPECT_THAT(words(try_apply(R"({"classes":[{"name":"new","backend":"lab"}],"grants":[]})", Provenance::api)),
              ElementsAre("delete grant sets to everyone"));
}

TEST_F(DesiredTest, AChangedAccessIsAnUpdate) {
  start_with_people_and_data();
  ASSERT_OK(hp().datasets().release(caller(), "sets"));
  ASSERT_OK(settled(hp().datasets().import(caller(), {.name = *Slug::parse("sets"),
                                                      .backend = *Slug::parse("lab"),
                                                      .path = *AbsolutePath::parse("/data/sets"),
                                                      .read_only = false})));
  const auto access = [&](const std::string& word) {
    return R"({"grants":[{"dataset":"sets","group":"staff","access":")" + word + R"("}]})";
  };
  ASSERT_OK(try_apply(access("ro"), Provenance::api));
  EXPECT_THAT(words(try_apply(access("rw"), Provenance::api)), ElementsAre("update grant sets to group staff"));
  EXPECT_THAT(grants(), ElementsAre("group rw"));
}

TEST_F(DesiredTest, GrantsAreAuditedByKeyNotByName) {
  start_with_people_and_data();
  ASSERT_OK(try_apply(with(R"("grants":[{"dataset":"sets","user":"alice"}])"), Provenance::config));
  const auto rows = hp().administration().audit(0, 100, "desired");
  ASSERT_OK(rows);
  EXPECT_THAT(rows->back().entry.detail, HasSubstr("grant d-"));
  EXPECT_THAT(rows->back().entry.detail, Not(HasSubstr("alice")));
}

TEST_F(DesiredTest, OneGrantStandsInADocumentOnce) {
  EXPECT_ERRC(try_apply(R"({"grants":[{"dataset":"d","group":"g"},{"dataset":"d","group":"g","access":"rw"}]})"),
              Errc::invalid_argument);
}

TEST_F(DesiredTest, SwappedRulesAreTriedInTheirNewOrder) {
  const auto rules = [](const std::string& first, const std::string& second) {
    const auto rule = [](const std::string& name) {
      return R"({"name":")" + name + R"(","match":{"everyone":true},"class":"std"})";
    };
    return R"({"backends":[{"name":"lab","kind":"memory"}],"classes":[{"name":"std","backend":"lab"}],"rules":[)" +
           rule(first) + "," + rule(second) + "]}";
  };
  ASSERT_OK(try_apply(rules("a", "b")));
  EXPECT_THAT(rule_order(), ElementsAre("a", "b"));
  const auto swapped = try_apply(rules("b", "a"));
  EXPECT_THAT(words(swapped), UnorderedElementsAre("update rule a", "update rule b"));
  EXPECT_THAT(rule_order(), ElementsAre("b", "a"));
}

TEST_F(DesiredTest, RulesOfTheApiAreTriedBeforeThoseOfTheConfiguration) {
  ASSERT_OK(try_apply(with(R"("grants":[])"), Provenance::config));
  ASSERT_OK(try_apply(R"({"rules":[{"name":"y","match":{"groups":["g"]},"class":"big"},
                                   {"name":"x","match":{"groups":["h"]},"class":"big"}]})"));
  EXPECT_THAT(rule_order(), ElementsAre("y", "x", "all"));
  restart();
  EXPECT_THAT(rule_order(), ElementsAre("y", "x", "all"));
  const auto made = ensure("alice", 1001, [](core::HomeRequest& r) { r.groups = {"h"}; });
  ASSERT_OK(made);
  EXPECT_EQ(made->klass, "big");
}

TEST_F(DesiredTest, GrantsAndTheFirstTokenAreOfTheServicesRealm) {
  realm_ = "campus";
  restart();
  start_with_people_and_data("campus");
  EXPECT_THAT(words(try_apply(with(R"("grants":[{"dataset":"sets","user":"alice"}])"), Provenance::config)),
              ElementsAre("create grant sets to user alice"));
  ASSERT_THAT(grants(), ElementsAre("user ro"));
  EXPECT_EQ(hp().datasets().grants("sets").front().realm, "campus");
  EXPECT_THAT(words(try_apply(with(R"("grants":[])"), Provenance::config)),
              ElementsAre("delete grant sets to user alice"));
  const auto directory = std::filesystem::temp_directory_path() / ("homeport-desired-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  EXPECT_OK(hp().tokens().write_first_token(directory.string()));
  std::filesystem::remove_all(directory);
  ASSERT_EQ(hp().tokens().list().size(), 1U);
  EXPECT_EQ(hp().tokens().list().front()->realm, "campus");
}

TEST_F(DesiredTest, ADamagedRowHindersNoOtherChange) {
  start_with_people_and_data();
  for (const auto table : {store::Table::backends, store::Table::classes, store::Table::rules, store::Table::grants})
    damage(table, "broken");
  EXPECT_THAT(words(try_apply(R"({"classes":[{"name":"new","backend":"lab"}],
                                  "grants":[{"dataset":"sets","everyone":true}]})")),
              ElementsAre("create class new", "create grant sets to everyone"));
  for (const auto table : {store::Table::backends, store::Table::classes, store::Table::rules, store::Table::grants})
    EXPECT_THAT(document_of(table, "broken"), HasSubstr("nonsense"));
}

TEST_F(DesiredTest, ADamagedRowThatTheDocumentNamesStaysAndTheRestIsDone) {
  start_with_people_and_data();
  ASSERT_OK(try_apply(with(R"("grants":[{"dataset":"sets","everyone":true}])"), Provenance::config));
  const auto grant = hp().datasets().grants("sets").front().key();
  damage(store::Table::classes, "big");
  damage(store::Table::rules, "all");
  damage(store::Table::grants, grant);
  const auto doc = with(R"("grants":[{"dataset":"sets","everyone":true},{"dataset":"sets","group":"staff"}])");
  const std::vector<std::string> expected{"blocked class big", "blocked rule all", "blocked grant sets to everyone",
                                          "create grant sets to group staff"};
  EXPECT_EQ(words(plan(doc, Provenance::config)), expected);
  const auto done = try_apply(doc, Provenance::config);
  EXPECT_EQ(words(done), expected);
  for (const auto& change : *done) {
    if (change.action != PlannedChange::Action::blocked) continue;
    EXPECT_THAT(change.detail, ElementsAre(HasSubstr("is damaged")));
  }
  EXPECT_THAT(document_of(store::Table::classes, "big"), HasSubstr("nonsense"));
  EXPECT_THAT(document_of(store::Table::rules, "all"), HasSubstr("nonsense"));
  EXPECT_THAT(document_of(store::Table::grants, grant), HasSubstr("nonsense"));
  EXPECT_THAT(grants(), ElementsAre("group ro"));
}

// Whether the document means a grant cannot be told while its dataset's row is damaged.
TEST_F(DesiredTest, AGrantOfADamagedDatasetIsNotTakenBack) {
  start_with_people_and_data();
  const auto doc = with(R"("grants":[{"dataset":"sets","group":"staff"}])");
  ASSERT_OK(try_apply(doc, Provenance::config));
  const auto grant = hp().datasets().grants("sets").front();
  damage(store::Table::spaces, grant.space);
  EXPECT_THAT(words(try_apply(doc, Provenance::config)), ElementsAre("wait grant sets to group staff"));
  EXPECT_THAT(document_of(store::Table::grants, grant.key()), HasSubstr("staff"));
}

TEST_F(DesiredTest, AGrantMadeByHandKeepsItsAccess) {
  start_with_people_and_data();
  ASSERT_OK(hp().datasets().release(caller(), "sets"));
  ASSERT_OK(settled(hp().datasets().import(caller(), {.name = *Slug::parse("sets"),
                                                      .backend = *Slug::parse("lab"),
                                                      .path = *AbsolutePath::parse("/data/sets"),
                                                      .read_only = false})));
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "group", .name = "staff"}, "ro"));
  EXPECT_EQ(hp().datasets().grants("sets").front().provenance, Provenance::hand);
  EXPECT_THAT(words(try_apply(R"({"grants":[{"dataset":"sets","group":"staff","access":"rw"}]})")),
              ElementsAre("blocked grant sets to group staff"));
  EXPECT_THAT(grants(), ElementsAre("group ro"));
}

TEST_F(DesiredTest, WhatIsNotThereYetIsWaitedFor) {
  start_with_people_and_data();
  EXPECT_THAT(words(try_apply(R"({"grants":[{"dataset":"none","everyone":true},{"dataset":"sets","user":"bob"}]})")),
              ElementsAre("wait grant none to everyone", "wait grant sets to user bob"));
  EXPECT_THAT(grants(), IsEmpty());
}

TEST_F(DesiredTest, AConfigurationThatCannotBeAppliedIsReportedAndTheRestServes) {
  start_with_people_and_data();
  EXPECT_THAT(hp().administration().configuration_problems(), IsEmpty());
  const auto unused = read(R"({"backends":[{"name":"lab","kind":"memory"}]})");  // class std is in use
  ASSERT_OK(unused);
  restart();
  hp().administration().apply_configuration(caller(), *unused);
  const auto findings = hp().administration().doctor();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].level, "error");
  EXPECT_THAT(findings[0].what, HasSubstr("class std is no longer named"));
  EXPECT_THAT(metrics_->text(), HasSubstr("homeport_configuration_problems 1"));
  EXPECT_OK(ensure("bob", 1002));  // with what the store holds

  damage(store::Table::rules, "all");
  const auto document = read(standard());
  ASSERT_OK(document);
  hp().administration().apply_configuration(caller(), *document);
  const auto problems = hp().administration().configuration_problems();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].what, HasSubstr("rule all is not in force"));
  EXPECT_THAT(metrics_->text(), HasSubstr("homeport_rows_damaged 1"));
}

}  // namespace
}  // namespace homeport::testing
