#include <sys/stat.h>

#include <filesystem>

#include "tests/support/golden.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using core::PlannedChange;

class AdminTest : public CoreTest {
 protected:
  static std::size_t count(const std::vector<PlannedChange>& changes, PlannedChange::Action action) {
    return static_cast<std::size_t>(
        std::count_if(changes.begin(), changes.end(), [&](const auto& c) { return c.action == action; }));
  }
};

TEST_F(AdminTest, ADesiredDocumentIsAppliedAsADiff) {
  const auto first = try_apply(standard());
  ASSERT_OK(first);
  EXPECT_EQ(count(*first, PlannedChange::Action::create), 4U);
  const auto again = try_apply(standard());
  ASSERT_OK(again);
  EXPECT_EQ(count(*again, PlannedChange::Action::keep), 4U);
  const auto changed = try_apply(R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}]}],
      "classes":[{"name":"std","backend":"lab","default_quota":"20GiB"}]})");
  ASSERT_OK(changed);
  EXPECT_EQ(count(*changed, PlannedChange::Action::update), 2U);
  EXPECT_EQ(count(*changed, PlannedChange::Action::remove), 2U);  // class big, rule all
}

TEST_F(AdminTest, WhatSpacesUseIsNotRemoved) {
  apply(standard());
  ASSERT_OK(ensure("alice", 1001));
  EXPECT_ERRC(try_apply(R"({})"), Errc::failed_precondition);
  EXPECT_OK(hp().catalog().klass("std") ? Result<void>{} : Result<void>{Error{}});
}

TEST_F(AdminTest, AllProblemsAreToldAtOnce) {
  const auto refused = try_apply(R"({"backends":[{"name":"Lab","kind":"memory"},{"name":"x","kind":"tape"}],
     "classes":[{"name":"std","backend":"lab","default_quota":"ten","home_mode":"0999","colour":"red"}],
     "rules":[{"name":"r"}],"grants":[{"dataset":"d"}]})");
  ASSERT_ERRC(refused, Errc::invalid_argument);
  for (const auto* part :
       {"/backends/0/name", "tape", "default_quota", "home_mode", "colour", "matches nobody", "exactly one of"}) {
    EXPECT_NE(refused.error().message.find(part), std::string::npos) << part << " in\n" << refused.error().message;
  }
}

TEST_F(AdminTest, ReferencesMustHold) {
  EXPECT_ERRC(try_apply(R"({"classes":[{"name":"std","backend":"nowhere"}]})"), Errc::invalid_argument);
  EXPECT_ERRC(try_apply(R"({"rules":[{"name":"r","match":{"everyone":true},"class":"none"}]})"),
              Errc::invalid_argument);
}

TEST_F(AdminTest, OneUidForEverybodyInOnePoolMustBeAccepted) {
  const auto document = [](const std::string& more) {
    return R"({"backends":[{"name":"lab","kind":"memory"}],"classes":[{"name":"std","backend":"lab","identity":{"mode":"squash")" +
           more + "}}]}";
  };
  EXPECT_ERRC(try_apply(document("")), Errc::invalid_argument);
  EXPECT_OK(try_apply(document(R"(,"accept_one_uid":true)")));
}

TEST_F(AdminTest, AnImportedDatasetIsServedAndNeverTouched) {
  apply(standard());
  const core::ImportRequest request{
      .name = *Slug::parse("sets"), .backend = *Slug::parse("lab"), .path = *AbsolutePath::parse("/data/sets")};
  const auto preview =
      blocking<core::ImportPreview>([&](auto done) { hp().datasets().preview(caller(), request, done); });
  ASSERT_OK(preview);
  EXPECT_EQ(preview->counts.files, 1U);
  EXPECT_TRUE(preview->counts.complete);
  EXPECT_TRUE(hp().datasets().list().empty());
  const auto made = settled(hp().datasets().import(caller(), request));
  ASSERT_OK(made);
  EXPECT_TRUE(made->imported);
  EXPECT_TRUE(made->read_only);
  EXPECT_EQ(made->path, "/data/sets");
  EXPECT_OK(settled(hp().datasets().import(caller(), request)));  // again
  auto other = request;
  other.path = *AbsolutePath::parse("/data");
  EXPECT_ERRC(settled(hp().datasets().import(caller(), other)), Errc::already_exists);
  EXPECT_ERRC(settled(hp().homes().retire(caller(), made->key)), Errc::unsupported);
  EXPECT_ERRC(settled(hp().homes().resize(caller(), made->key, {.quota = *Bytes::parse("1GiB")})),
              Errc::failed_precondition);
  ASSERT_OK(hp().datasets().release(caller(), "sets"));
  EXPECT_ERRC(hp().datasets().get("sets"), Errc::not_found);
  EXPECT_OK(settled(hp().datasets().import(caller(), other)).has_value() ? Result<void>{} : Result<void>{Error{}});
}

TEST_F(AdminTest, WhatIsNotThereCannotBeImported) {
  apply(standard());
  const core::ImportRequest request{
      .name = *Slug::parse("sets"), .backend = *Slug::parse("lab"), .path = *AbsolutePath::parse("/data/none")};
  EXPECT_ERRC(settled(hp().datasets().import(caller(), request)), Errc::not_found);
  EXPECT_TRUE(hp().datasets().list().empty());
}

TEST_F(AdminTest, TokensAreKnownByTheirHashAlone) {
  const auto made = hp().tokens().create(
      "t-test", {.scope = policies::Scope::spawner, .hub = "main", .expires_in = std::chrono::hours(1)});
  ASSERT_OK(made);
  const auto principal = hp().tokens().authenticate(made->token.reveal());
  ASSERT_OK(principal);
  EXPECT_EQ(principal->hub, "main");
  EXPECT_ERRC(hp().tokens().authenticate(made->token.reveal() + "x"), Errc::unauthenticated);
  const auto rotated = hp().tokens().rotate(caller(), made->record.id);
  ASSERT_OK(rotated);
  EXPECT_ERRC(hp().tokens().authenticate(made->token.reveal()), Errc::unauthenticated);
  EXPECT_OK(hp().tokens().authenticate(rotated->token.reveal()));
  ASSERT_OK(hp().tokens().revoke(caller(), made->record.id));
  EXPECT_ERRC(hp().tokens().authenticate(rotated->token.reveal()), Errc::unauthenticated);
  EXPECT_ERRC(hp().tokens().create("t", {.scope = policies::Scope::spawner}), Errc::invalid_argument);
  EXPECT_ERRC(hp().tokens().create("t", {.scope = policies::Scope::admin, .hub = "main"}), Errc::invalid_argument);
  const auto expired =
      hp().tokens().create("t-test", {.scope = policies::Scope::auditor, .expires_in = std::chrono::milliseconds(0)});
  ASSERT_OK(expired);
  EXPECT_ERRC(hp().tokens().authenticate(expired->token.reveal()), Errc::unauthenticated);
}

TEST_F(AdminTest, TheFirstTokenIsForItsOwnerAlone) {
  const auto directory = std::filesystem::temp_directory_path() / ("homeport-admin-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  const auto file = hp().tokens().write_first_token(directory.string());
  ASSERT_OK(file);
  ASSERT_TRUE(file->has_value());
  struct stat status {};
  ASSERT_EQ(::stat((*file)->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  auto token = read_file(**file);
  token.pop_back();
  EXPECT_OK(hp().tokens().authenticate(token));
  const auto again = hp().tokens().write_first_token(directory.string());
  ASSERT_OK(again);
  EXPECT_FALSE(again->has_value());
  std::filesystem::remove_all(directory);
}

TEST_F(AdminTest, MountSourcesFollowTheConfiguration) {
  apply(standard());
  const auto made = ensure("alice", 1001);
  ASSERT_OK(made);
  // As if an older configuration had been in force when the home was made.
  ASSERT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<store::SpaceRecord>(tx, made->key));
    auto source = nlohmann::json::parse(space->source);
    source["server"] = "old.example";
    space->source = source.dump();
    return store::put(tx, *space);
  }));
  restart();
  EXPECT_EQ(hp().catalog().space(made->key)->source, made->source);
}

TEST_F(AdminTest, EveryChangeIsAudited) {
  apply(standard());
  ASSERT_OK(ensure("alice", 1001));
  const auto check = hp().administration().verify_audit();
  ASSERT_OK(check);
  EXPECT_FALSE(check->first_bad.has_value());
  const auto rows = hp().administration().audit(0, 100, "");
  ASSERT_OK(rows);
  std::vector<std::string> actions;
  for (const auto& row : *rows) actions.push_back(row.entry.action);
  EXPECT_EQ(actions, (std::vector<std::string>{"desired.apply", "home.ensure"}));
  for (const auto& row : *rows)
    EXPECT_EQ(row.entry.detail.find("alice"), std::string::npos) << "names live in the alias table only";
}

}  // namespace
}  // namespace homeport::testing
