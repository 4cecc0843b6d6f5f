#include "policies/authorize.h"

#include <gmock/gmock.h>

#include <array>
#include <set>

#include "tests/support/result_matchers.h"

namespace homeport::policies {
namespace {

constexpr std::array kScopes{Scope::admin, Scope::operator_, Scope::auditor, Scope::spawner, Scope::user_self};
constexpr std::array kActions{Action::read_service,   Action::read_self,      Action::read_inventory,
                              Action::read_audit,     Action::issue_spec,     Action::release_spec,
                              Action::ensure_home,    Action::keep_snapshots, Action::manage_spaces,
                              Action::destroy_spaces, Action::manage_service, Action::manage_tokens};
constexpr std::string_view kMe = "u-0000000000000001";
constexpr std::string_view kOther = "u-0000000000000002";

Principal principal_of(Scope scope) {
  Principal out{.id = "t-1", .scope = scope};
  if (scope == Scope::spawner || scope == Scope::user_self) out.hub = "main";
  if (scope == Scope::user_self) out.user_key = kMe;
  return out;
}

struct NamedResource {
  std::string_view name;
  std::string_view hub;
  std::string_view user_key;
};
constexpr std::array kResources{
    NamedResource{"nothing", "", ""},
    NamedResource{"own-hub", "main", ""},
    NamedResource{"other-hub", "other", ""},
    NamedResource{"me", "", kMe},
    NamedResource{"somebody", "", kOther},
    NamedResource{"me-on-own-hub", "main", kMe},
    NamedResource{"me-on-other-hub", "other", kMe},
    NamedResource{"somebody-on-own-hub", "main", kOther},
    NamedResource{"somebody-on-other-hub", "other", kOther},
};

// Written again, in another shape than the code: every allowed cell by name. "*" is every resource.
const std::set<std::string> kAllowed{
    "admin read_service *",
    "admin read_self *",
    "admin read_inventory *",
    "admin read_audit *",
    "admin issue_spec *",
    "admin release_spec *",
    "admin ensure_home *",
    "admin keep_snapshots *",
    "admin manage_spaces *",
    "admin destroy_spaces *",
    "admin manage_service *",
    "admin manage_tokens *",
    "operator read_service *",
    "operator read_self *",
    "operator read_inventory *",
    "operator issue_spec *",
    "operator release_spec *",
    "operator ensure_home *",
    "operator keep_snapshots *",
    "operator manage_spaces *",
    "auditor read_service *",
    "auditor read_self *",
    "auditor read_inventory *",
    "auditor read_audit *",
    "spawner read_service *",
    "spawner read_self *",
    "spawner issue_spec own-hub",
    "spawner issue_spec me-on-own-hub",
    "spawner issue_spec somebody-on-own-hub",
    "spawner release_spec own-hub",
    "spawner release_spec me-on-own-hub",
    "spawner release_spec somebody-on-own-hub",
    "user:self read_self *",
    "user:self issue_spec me",
    "user:self issue_spec me-on-own-hub",
    "user:self keep_snapshots me",
    "user:self keep_snapshots me-on-own-hub",
    "user:self read_inventory me",
    "user:self read_inventory me-on-own-hub",
};

TEST(Authorize, EveryScopeActionAndResource) {
  int allowed_cells = 0;
  for (const auto scope : kScopes) {
    for (const auto action : kActions) {
      for (const auto& resource : kResources) {
        const auto row = std::string(scope_name(scope)) + " " + std::string(action_name(action)) + " ";
        const bool wanted = kAllowed.contains(row + "*") || kAllowed.contains(row + std::string(resource.name));
        const auto got = authorize(principal_of(scope), action,
                                   {.hub = std::string(resource.hub), .user_key = std::string(resource.user_key)});
        EXPECT_EQ(got.has_value(), wanted) << row << resource.name;
        if (got) {
          ++allowed_cells;
          continue;
        }
        EXPECT_EQ(got.error().code, Errc::forbidden) << row << resource.name;
        EXPECT_FALSE(got.error().message.empty()) << row << resource.name;
        EXPECT_FALSE(got.error().hint.empty()) << row << resource.name;
      }
    }
  }
  EXPECT_EQ(allowed_cells, 9 * (12 + 8 + 4 + 2 + 1) + 3 + 3 + 2 + 2 + 2);
}

TEST(Authorize, ASpawnerForAnotherHubIsToldBothNames) {
  const auto got = authorize(principal_of(Scope::spawner), Action::issue_spec, {.hub = "other"});
  ASSERT_ERRC(got, Errc::forbidden);
  EXPECT_THAT(got.error().message, ::testing::AllOf(::testing::HasSubstr("'main'"), ::testing::HasSubstr("'other'")));
}

TEST(Authorize, ASpawnerThatNamesNoHubIsToldWhichItHas) {
  const auto got = authorize(principal_of(Scope::spawner), Action::issue_spec, {});
  ASSERT_ERRC(got, Errc::forbidden);
  EXPECT_THAT(got.error().message, ::testing::AllOf(::testing::HasSubstr("'main'"), ::testing::HasSubstr("''")));
}

TEST(Authorize, ASpawnerWithoutAHubSpeaksForNone) {
  const Principal unbound{.id = "t-1", .scope = Scope::spawner};
  EXPECT_ERRC(authorize(unbound, Action::issue_spec, {.hub = "main"}), Errc::forbidden);
  EXPECT_ERRC(authorize(unbound, Action::issue_spec, {}), Errc::forbidden);
}

TEST(Authorize, ASelfTokenWithoutAPersonSpeaksForNobody) {
  const Principal unbound{.id = "t-1", .scope = Scope::user_self};
  EXPECT_ERRC(authorize(unbound, Action::issue_spec, {}), Errc::forbidden);
  EXPECT_ERRC(authorize(unbound, Action::read_inventory, {.user_key = std::string(kMe)}), Errc::forbidden);
}

TEST(Authorize, APersonWithoutAHomeMayAskWhoTheyAreAndNothingElse) {
  const Principal stranger{.id = "self:unknown", .scope = Scope::user_self, .hub = "main", .user = "zoe"};
  EXPECT_OK(authorize(stranger, Action::read_self));
  EXPECT_ERRC(authorize(stranger, Action::read_inventory), Errc::forbidden);
}

TEST(Authorize, ARefusalSaysWhichScopesWouldDo) {
  const auto got = authorize(principal_of(Scope::auditor), Action::manage_spaces, {});
  ASSERT_ERRC(got, Errc::forbidden);
  EXPECT_THAT(got.error().message, ::testing::HasSubstr("auditor"));
  EXPECT_THAT(got.error().hint, ::testing::HasSubstr("admin, operator"));
}

TEST(Authorize, AnotherHubsNameCannotForgeALogLine) {
  const auto got = authorize(principal_of(Scope::spawner), Action::issue_spec, {.hub = "a\nb"});
  ASSERT_ERRC(got, Errc::forbidden);
  EXPECT_EQ(got.error().message.find('\n'), std::string::npos);
}

TEST(Authorize, NamesGoBothWays) {
  std::set<std::string_view> seen;
  for (const auto scope : kScopes) {
    EXPECT_EQ(scope_from_name(scope_name(scope)), scope);
    EXPECT_TRUE(seen.insert(scope_name(scope)).second);
  }
  for (const auto action : kActions) EXPECT_TRUE(seen.insert(action_name(action)).second);
  EXPECT_FALSE(scope_from_name("Admin"));
  EXPECT_FALSE(scope_from_name(""));
}

}  // namespace
}  // namespace homeport::policies
