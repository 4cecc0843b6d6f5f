// A hub's account that was deleted and made again: a name is not an identity.
#include "provisioner/core/accounts.h"

#include <gmock/gmock.h>

#include "provisioner/base/doc_reader.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const WallTime kFirst = *parse_time("2026-03-01T08:00:00Z");
const WallTime kSecond = *parse_time("2026-11-18T09:30:00Z");

class AccountsTest : public CoreTest {
 protected:
  AccountsTest() { one_uid(); }
  // Nobody's uid is their own: nothing but the hub's word tells people apart.
  void one_uid() {
    apply(R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}]}],
              "classes":[{"name":"std","backend":"lab","identity":{"mode":"squash","uid":5000,"gid":5000,"accept_one_uid":true}}],
              "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  }
  core::Caller hub(const std::string& name = "main") const { return caller(policies::Scope::spawner, name); }
  static core::SpecRequest by(const std::string& user, std::optional<WallTime> created,
                              const std::string& at = "main") {
    auto request = login(user);
    request.hub = at;
    request.account_created = created;
    return request;
  }
  // The space that is mounted, after the first home is made.
  Result<std::string> home_by(const core::SpecRequest& request) {
    HOMEPORT_TRY(auto answer, issue(hub(request.hub), request));
    if (answer.operation) {
      HOMEPORT_CHECK(wait(*answer.operation));
      HOMEPORT_TRY(answer, issue(hub(request.hub), request));
    }
    HOMEPORT_CHECK(hp().logins().flush());
    HOMEPORT_TRY(const auto document, parse_json_document(answer.body(), "spec"));
    return document.root["mounts"][0]["source"]["export"].get<std::string>();
  }
  // The same, or why not.
  std::string mounted(const core::SpecRequest& request) {
    const auto home = home_by(request);
    return home ? *home : home.error().to_string();
  }
  core::UserPtr person(const std::string& name) { return hp().catalog().user_by_name("default", name); }
  void make_dormant(const std::string& name) {
    EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, person(name)->key));
      user->dormant_since = clock_->now();
      return store::put(tx, *user);
    }));
  }
};

TEST_F(AccountsTest, AStrangerWithAFormerNameGetsNobodysHome) {
  const auto first = home_by(by("bob", kFirst));
  ASSERT_OK(first);
  ASSERT_THAT(person("bob")->accounts, SizeIs(1));
  EXPECT_EQ(mounted(by("bob", kFirst + std::chrono::milliseconds(900))), *first) << "rounded otherwise";
  const auto refused = home_by(by("bob", kSecond));
  ASSERT_ERRC(refused, Errc::forbidden);
  EXPECT_THAT(refused.error().message,
              HasSubstr("the account bob was deleted in hub main and made again on 2026-11-18"));
  EXPECT_THAT(refused.error().hint, HasSubstr("homeport user keep 'bob'"));
  EXPECT_THAT(refused.error().hint, HasSubstr("homeport user rename 'bob' NEW-NAME --free"));
  EXPECT_FALSE(hp().logins().try_issue(hub(), by("bob", kSecond)).has_value()) << "never from memory";
  // The doctor says so, and the person's own token opens nothing either.
  ASSERT_TRUE(core::is_held(*person("bob"), "main", "bob"));
  auto self = caller(policies::Scope::user_self, "main");
  self.principal.user = "bob";
  EXPECT_ERRC(issue(self, by("bob", kFirst)), Errc::forbidden) << "what people say of themselves proves nothing";
  ASSERT_THAT(hp().hub_people().findings(), SizeIs(1));
  EXPECT_THAT(hp().hub_people().findings()[0].what, HasSubstr("account bob was deleted in hub main"));
  // Whoever has the account of before is not refused with it.
  EXPECT_EQ(mounted(by("bob", kFirst)), *first);
  EXPECT_FALSE(core::is_held(*person("bob"), "main", "bob"));
}

TEST_F(AccountsTest, AnAdminSaysThatItIsTheSamePerson) {
  const auto first = home_by(by("bob", kFirst));
  ASSERT_ERRC(home_by(by("bob", kSecond)), Errc::forbidden);
  ASSERT_OK(hp().keep_account(caller(), "default", "bob"));
  ASSERT_OK(hp().keep_account(caller(), "default", "bob")) << "twice is once";
  EXPECT_EQ(mounted(by("bob", kSecond)), first.value());
  EXPECT_ERRC(home_by(by("bob", kFirst)), Errc::forbidden) << "the account of before is the other one now";
  EXPECT_ERRC(hp().keep_account(caller(), "default", "nobody"), Errc::not_found);
}

TEST_F(AccountsTest, AnAdminSaysThatItIsSomebodyNew) {
  const auto first = home_by(by("bob", kFirst));
  ASSERT_OK(first);
  ASSERT_ERRC(home_by(by("bob", kSecond)), Errc::forbidden);
  ASSERT_OK(
      hp().renames().rename(caller(), "default", "bob", {.to = *UserName::parse("bob-2025"), .free_old_name = true}));
  EXPECT_FALSE(person("bob-2025")->recreated.has_value());
  const auto second = home_by(by("bob", kSecond));
  ASSERT_OK(second);
  EXPECT_NE(*second, *first);
  EXPECT_EQ(hp().catalog().home("default", person("bob-2025")->key)->state, store::SpaceState::ready)
      << "nothing is lost";
}

TEST_F(AccountsTest, AUidFromOutsideVouches) {
  apply(standard());
  auto request = by("alice", kFirst);
  request.uid = request.gid = 1001;
  const auto first = home_by(request);
  ASSERT_OK(first);
  request.account_created = kSecond;
  EXPECT_EQ(mounted(request), *first) << "the hub names the uid that is pinned";
  auto unnamed = by("alice", kSecond + std::chrono::hours(1));
  EXPECT_ERRC(home_by(unnamed), Errc::forbidden) << "nobody names it";
  request.account_created = unnamed.account_created;
  EXPECT_EQ(mounted(request), *first);
  EXPECT_FALSE(person("alice")->recreated.has_value());
}

TEST_F(AccountsTest, WhoHadLeftIsHeldWhereTheHubSaysNoTimes) {
  const auto first = home_by(by("bob", std::nullopt));
  ASSERT_OK(first);
  EXPECT_EQ(mounted(by("bob", std::nullopt)), *first);
  make_dormant("bob");
  EXPECT_ERRC(home_by(by("bob", std::nullopt)), Errc::forbidden);
  ASSERT_OK(hp().keep_account(caller(), "default", "bob"));
  EXPECT_EQ(mounted(by("bob", std::nullopt)), *first);
  EXPECT_FALSE(person("bob")->dormant_since.has_value());
}

TEST_F(AccountsTest, TheSameAccountOfSomebodyWhoWasMissingWakes) {
  const auto first = home_by(by("bob", kFirst));
  make_dormant("bob");
  EXPECT_EQ(mounted(by("bob", kFirst)), first.value());
  EXPECT_FALSE(person("bob")->dormant_since.has_value());
}

TEST_F(AccountsTest, EachNameAndHubHasAnAccountOfItsOwn) {
  const auto alice = home_by(by("alice", kFirst));
  ASSERT_OK(alice);
  ASSERT_OK(home_by(by("asmith", kSecond)));
  ASSERT_OK(hp().renames().merge(caller(), "default", "asmith", "alice", core::Renames::OtherHome::beside));
  // Both names lead to one home, by two accounts.
  EXPECT_EQ(mounted(by("asmith", kSecond)), *alice);
  EXPECT_EQ(mounted(by("alice", kFirst)), *alice);
  EXPECT_EQ(mounted(by("alice", kSecond, "gpu")), *alice) << "another hub made its own account";
  EXPECT_THAT(person("alice")->accounts, SizeIs(3));
}

TEST_F(AccountsTest, AFormerNameThatSomebodyNewTakesInTheHubIsHeld) {
  const auto home = home_by(by("bob", kFirst));
  ASSERT_OK(hp().renames().rename(caller(), "default", "bob", {.to = *UserName::parse("robert")}));
  EXPECT_EQ(mounted(by("robert", kFirst)), home.value());
  EXPECT_ERRC(home_by(by("bob", kSecond)), Errc::forbidden);
  EXPECT_EQ(mounted(by("robert", kFirst)), home.value()) << "robert is not held with it";
}

TEST_F(AccountsTest, AnAdminWhoLooksIsNotThePerson) {
  ASSERT_OK(home_by(by("bob", kFirst)));
  EXPECT_OK(issue(caller(), by("bob", kSecond)));
  EXPECT_FALSE(person("bob")->recreated.has_value());
}

}  // namespace
}  // namespace homeport::testing
