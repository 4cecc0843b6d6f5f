// Who a person is: the order of the sources, what is pinned, what is kept, what is held back.
#include <gmock/gmock.h>

#include <atomic>
#include <mutex>

#include "provisioner/base/doc_reader.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using core::Identity;
using core::IdentityPolicy;
using ::testing::HasSubstr;

// A directory that a test writes, breaks and counts.
class Directory final : public core::IdentitySource {
 public:
  explicit Directory(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] Result<std::optional<Identity>> find(const OpContext&, const UserName& user) override {
    ++asked;
    const std::lock_guard lock(mutex_);
    if (down_) return *down_;
    const auto at = people_.find(user.str());
    return at == people_.end() ? std::optional<Identity>{} : std::optional(at->second);
  }
  [[nodiscard]] Result<std::string> check(const OpContext&) override {
    const std::lock_guard lock(mutex_);
    if (down_) return *down_;
    return std::string("answers");
  }
  void put(const std::string& user, Identity identity) {
    const std::lock_guard lock(mutex_);
    people_[user] = std::move(identity);
  }
  void erase(const std::string& user) {
    const std::lock_guard lock(mutex_);
    people_.erase(user);
  }
  void set_down(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    down_ = std::move(error);
  }
  std::atomic<int> asked{0};

 private:
  const std::string name_;
  std::mutex mutex_;
  std::map<std::string, Identity> people_;
  std::optional<Error> down_;
};

class PeopleTest : public CoreTest {
 protected:
  using Origin = IdentityPolicy::Origin;
  static IdentityPolicy::Step from(const std::shared_ptr<Directory>& source) {
    return {.origin = Origin::source, .source = source};
  }
  void use(std::vector<IdentityPolicy::Step> order, std::optional<IdentityPolicy::Range> assigned = {}) {
    identity_.order = std::move(order);
    identity_.assigned = assigned;
    restart();
    apply(standard());
  }
  core::Caller hub() const { return caller(policies::Scope::spawner, "main"); }
  // A login as a hub asks, waited for until it has its answer.
  Result<nlohmann::json> ask(const core::SpecRequest& request) {
    HOMEPORT_TRY(auto answer, issue(hub(), request));
    if (answer.operation) {
      HOMEPORT_CHECK(wait(*answer.operation));
      HOMEPORT_TRY(answer, issue(hub(), request));
    }
    HOMEPORT_TRY(auto document, parse_json_document(answer.body(), "spec"));
    return std::move(document.root);
  }
  static core::SpecRequest with_uid(const std::string& user, std::uint32_t uid) {
    auto request = login(user);
    request.uid = uid;
    return request;
  }
  static Error down() { return Error{.code = Errc::unavailable, .message = "the directory does not answer"}; }
  std::uint32_t uid_of(const Result<nlohmann::json>& spec) {
    EXPECT_OK(spec);
    return spec ? (*spec)["identity"]["uid"].get<std::uint32_t>() : 0;
  }

  const std::shared_ptr<Directory> nss_ = std::make_shared<Directory>("nss");
  const std::shared_ptr<Directory> ldap_ = std::make_shared<Directory>("ldap");
};

TEST_F(PeopleTest, TheFirstOfTheOrderThatNamesAUidIsRight) {
  nss_->put("alice", {.uid = 2001, .gid = 100});
  ldap_->put("alice", {.uid = 3001, .gid = 3001});
  ldap_->put("bob", {.uid = 3002, .gid = 200});
  use({{Origin::request}, from(nss_), from(ldap_)});
  EXPECT_EQ(uid_of(ask(with_uid("carol", 4001))), 4001U);
  const auto alice = ask(login("alice"));
  EXPECT_EQ(uid_of(alice), 2001U);
  EXPECT_EQ((*alice)["identity"]["gid"], 100);
  EXPECT_EQ(uid_of(ask(login("bob"))), 3002U);
  EXPECT_EQ(hp().catalog().user_by_name("default", "bob")->identity_source, "ldap");
  EXPECT_ERRC(ask(login("dave")), Errc::invalid_argument);  // nobody knows dave
}

TEST_F(PeopleTest, GroupsComeFromTheDirectoryAndFollowIt) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001, .gids = {0, 6001, 6002}, .groups = {"lab"}});
  identity_.fresh_for = std::chrono::milliseconds(0);
  use({from(ldap_)});
  ASSERT_OK(settled(hp().datasets().import(
      caller(),
      {.name = *Slug::parse("sets"), .backend = *Slug::parse("lab"), .path = *AbsolutePath::parse("/data/sets")})));
  ASSERT_OK(hp().datasets().grant(caller(), "sets", {.kind = "group", .name = "lab"}, "ro"));
  const auto in = ask(login("alice"));
  ASSERT_OK(in);
  EXPECT_EQ((*in)["mounts"].size(), 2U);
  EXPECT_EQ((*in)["identity"]["supplemental_gids"], nlohmann::json({6001, 6002}));  // root's group is nobody's
  ldap_->put("alice", {.uid = 3001, .gid = 3001});
  const auto out = ask(login("alice"));
  ASSERT_OK(out);
  EXPECT_EQ((*out)["mounts"].size(), 1U);
}

TEST_F(PeopleTest, ASourceWithoutGroupsLeavesThemToTheNext) {
  nss_->put("alice", {.uid = 2001, .gid = 100});
  nss_->put("bob", {.uid = 2002, .gid = 100, .groups = {"users"}});
  ldap_->put("alice", {.uid = 3001, .gid = 3001, .gids = {6001}, .groups = {"lab"}});
  ldap_->put("bob", {.groups = {"lab"}});
  use({from(nss_), from(ldap_)});
  const auto alice = ask(login("alice"));
  EXPECT_EQ(uid_of(alice), 2001U);
  EXPECT_EQ((*alice)["subject"]["groups"], nlohmann::json({"lab"}));
  const auto bob = ask(login("bob", {"hub-group"}));
  ASSERT_OK(bob);
  EXPECT_EQ((*bob)["subject"]["groups"], nlohmann::json({"hub-group", "users"}));
}

TEST_F(PeopleTest, AGroupOfTheDirectoryDecidesTheClass) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001, .groups = {"staff"}});
  use({from(ldap_)});
  apply(R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}]}],
            "classes":[{"name":"big","backend":"lab"}],
            "rules":[{"name":"staff","match":{"groups":["staff"]},"class":"big"}]})");
  ASSERT_OK(ask(login("alice")));
  EXPECT_EQ(hp().homes().get("default", "alice", "")->klass, "big");
}

TEST_F(PeopleTest, AWarmLoginAsksNobody) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001, .groups = {"lab"}});
  use({from(ldap_)});
  ASSERT_OK(ask(login("alice")));
  ASSERT_OK(ask(login("alice")));
  const int before = ldap_->asked;
  for (int i = 0; i < 20; ++i) {
    const auto answer = hp().logins().try_issue(hub(), login("alice"));
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
  }
  EXPECT_EQ(ldap_->asked, before);
}

TEST_F(PeopleTest, WhileADirectoryIsDownKnownPeopleGetInAndNobodyGetsASecondUid) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001, .gids = {6001}, .groups = {"lab"}});
  use({from(ldap_), {Origin::assigned}}, IdentityPolicy::Range{.from = 200000, .to = 200010});
  ASSERT_OK(ask(login("alice")));
  ldap_->set_down(down());
  restart();  // nothing is remembered but what is stored
  const auto alice = ask(login("alice"));
  EXPECT_EQ(uid_of(alice), 3001U);
  EXPECT_EQ((*alice)["identity"]["supplemental_gids"], nlohmann::json({6001}));
  // The next of the order must not answer for somebody whom the directory may know.
  EXPECT_ERRC(ask(login("bob")), Errc::unavailable);
  EXPECT_EQ(hp().catalog().user_by_name("default", "bob"), nullptr);
  const int before = ldap_->asked;
  ASSERT_OK(ask(login("alice")));
  EXPECT_EQ(ldap_->asked, before);  // it is left alone for a while
  const auto findings = hp().administration().doctor();
  EXPECT_THAT(findings.front().what, HasSubstr("identity source ldap: the directory does not answer"));
  ldap_->set_down({});
  EXPECT_EQ(uid_of(ask(login("bob"))), 200000U);
}

TEST_F(PeopleTest, AnotherUidThanThePinnedOneKeepsOutAndTheDoctorSaysSo) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001});
  identity_.fresh_for = std::chrono::milliseconds(0);
  use({from(ldap_)});
  ASSERT_OK(ask(login("alice")));
  ldap_->put("alice", {.uid = 3999, .gid = 3999});  // another person with her name, or a mistake
  const auto refused = ask(login("alice"));
  ASSERT_ERRC(refused, Errc::forbidden);
  EXPECT_THAT(refused.error().message, HasSubstr("known with uid 3001, but ldap says 3999"));
  ASSERT_EQ(hp().people().held().size(), 1U);
  EXPECT_EQ(hp().people().held().front().user, "alice");
  ASSERT_OK(hp().homes().set_uid(caller(), "default", "alice", 3999, 3999));
  EXPECT_EQ(uid_of(ask(login("alice"))), 3999U);
  EXPECT_TRUE(hp().people().held().empty());
}

TEST_F(PeopleTest, AssignedUidsAreGivenOnceAndSkipThoseInUse) {
  use({{Origin::request}, {Origin::assigned}}, IdentityPolicy::Range{.from = 200000, .to = 200003, .gid = 100});
  ASSERT_OK(ask(with_uid("alice", 200001)));
  const auto bob = ask(login("bob"));
  EXPECT_EQ(uid_of(bob), 200000U);
  EXPECT_EQ((*bob)["identity"]["gid"], 100);
  EXPECT_EQ(hp().catalog().user_by_name("default", "bob")->identity_source, "assigned");
  EXPECT_EQ(factory_.memory("lab") != nullptr, true);
  EXPECT_EQ(hp().homes().get("default", "bob", "")->uid, 200000U);
  EXPECT_EQ(uid_of(ask(login("carol"))), 200002U);
  // carol's number stays hers, also when she is gone.
  const auto home = hp().homes().get("default", "carol", "");
  ASSERT_OK(settled(hp().homes().retire(caller(), home->key, true)));
  ASSERT_OK(settled(hp().homes().purge(caller(), home->key, "carol")));
  EXPECT_EQ(uid_of(ask(login("dave"))), 200003U);
  const auto full = ask(login("erin"));
  ASSERT_ERRC(full, Errc::out_of_capacity);
  EXPECT_THAT(full.error().hint, HasSubstr("identity.assigned.to"));
  EXPECT_EQ(hp().catalog().user_by_name("default", "erin"), nullptr);
  EXPECT_EQ(uid_of(ask(login("bob"))), 200000U);  // pinned
}

TEST_F(PeopleTest, ManyFirstLoginsAtOnceGetManyUids) {
  use({{Origin::assigned}}, IdentityPolicy::Range{.from = 200000, .to = 200099});
  std::vector<std::uint32_t> uids(16);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < uids.size(); ++i) {
      // Two at once for each person.
      threads.emplace_back([&, i] { uids[i] = uid_of(ask(login("person-" + std::to_string(i / 2)))); });
    }
  }
  for (std::size_t i = 0; i < uids.size(); i += 2) EXPECT_EQ(uids[i], uids[i + 1]);
  EXPECT_EQ(std::set<std::uint32_t>(uids.begin(), uids.end()).size(), uids.size() / 2);
}

TEST_F(PeopleTest, UidsOfTheSystemAreRefusedWhoeverNamesThem) {
  ldap_->put("alice", {.uid = 33, .gid = 33});
  ldap_->put("root2", {.uid = 0, .gid = 0});
  use({{Origin::request}, from(ldap_)});
  const auto daemon = ask(login("alice"));
  ASSERT_ERRC(daemon, Errc::failed_precondition);
  EXPECT_THAT(daemon.error().message, HasSubstr("ldap gives alice uid 33, which belongs to the system (below 1000)"));
  EXPECT_ERRC(ask(login("root2")), Errc::failed_precondition);
  const auto asked = ask(with_uid("bob", 500));
  ASSERT_ERRC(asked, Errc::invalid_argument);
  EXPECT_EQ(asked.error().pointer, "/identity/uid");
  EXPECT_TRUE(hp().catalog().users().empty());
}

TEST_F(PeopleTest, ARequestsUidCountsOnlyWhereTheOrderSaysSo) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001});
  use({from(ldap_), {Origin::assigned}}, IdentityPolicy::Range{.from = 200000, .to = 200010});
  EXPECT_ERRC(ask(with_uid("alice", 3999)), Errc::forbidden);  // the directory says another
  EXPECT_EQ(uid_of(ask(with_uid("alice", 3001))), 3001U);
  const auto stranger = ask(with_uid("bob", 4001));
  ASSERT_ERRC(stranger, Errc::forbidden);
  EXPECT_THAT(stranger.error().hint, HasSubstr("identity.order"));
  EXPECT_EQ(hp().catalog().user_by_name("default", "bob"), nullptr);
}

// Somebody with a home of a squashed class has no uid yet: while the directory is away nobody else names one.
TEST_F(PeopleTest, ARequestNamesNoUidForSomebodyKnownWithoutOneWhileTheDirectoryIsDown) {
  use({from(ldap_)});
  apply(R"({"backends":[{"name":"own","kind":"memory","pools":[{"name":"homes","layout":"filesystem"}]}],
            "classes":[{"name":"std","backend":"own","layout":"filesystem",
                        "identity":{"mode":"squash","uid":5000,"gid":5000}}],
            "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})");
  ASSERT_OK(ensure("alice", std::nullopt));
  const auto home = hp().homes().get("default", "alice", "");
  ASSERT_OK(settled(hp().homes().retire(caller(), home->key, true)));
  ASSERT_OK(settled(hp().homes().purge(caller(), home->key, "alice")));
  apply(standard());
  ldap_->set_down(down());
  EXPECT_ERRC(ask(with_uid("alice", 4001)), Errc::unavailable);
  EXPECT_EQ(hp().catalog().user_by_name("default", "alice")->uid, std::nullopt);
}

TEST_F(PeopleTest, ANewNameWithAKnownUidIsHeldAsAProbableRename) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001});
  ldap_->put("alice.smith", {.uid = 3001, .gid = 3001});
  use({from(ldap_)});
  const auto before = ask(login("alice"));
  ASSERT_OK(before);
  const auto held = ask(login("alice.smith"));
  ASSERT_ERRC(held, Errc::already_exists);
  EXPECT_THAT(held.error().hint, HasSubstr("homeport user rename 'alice' 'alice.smith'"));
  EXPECT_EQ(hp().people().held().size(), 1U);
  ASSERT_OK(hp().renames().rename(caller(), "default", "alice", {.to = *UserName::parse("alice.smith")}));
  const auto after = ask(login("alice.smith"));
  ASSERT_OK(after);
  EXPECT_EQ((*after)["mounts"][0]["source"], (*before)["mounts"][0]["source"]);
  EXPECT_TRUE(hp().people().held().empty());
}

TEST_F(PeopleTest, GroupsOfADirectoryThatIsNoLongerAskedAreForgotten) {
  ldap_->put("alice", {.uid = 3001, .gid = 3001, .groups = {"lab"}});
  use({from(ldap_)});
  ASSERT_OK(ask(login("alice")));
  EXPECT_EQ(hp().catalog().user_by_name("default", "alice")->groups, std::vector<std::string>{"lab"});
  use({{Origin::request}});
  EXPECT_FALSE(hp().logins().try_issue(hub(), login("alice")).has_value());  // not from memory as it is
  const auto spec = ask(login("alice"));
  ASSERT_OK(spec);
  EXPECT_EQ((*spec)["subject"]["groups"], nlohmann::json::array());
  EXPECT_TRUE(hp().catalog().user_by_name("default", "alice")->groups.empty());
}

TEST_F(PeopleTest, AnAdminsWordNeedsNoOrderAndAHomeThatStandsMayBelongToTheSystem) {
  use({from(ldap_)});
  const auto said = [&](std::uint32_t uid, bool stands) {
    const core::PersonQuestion question{
        .realm = "default", .user = *UserName::parse("svc"), .uid = uid, .by_admin = true, .stands = stands};
    return blocking<core::Person>([&](auto done) { hp().people().identify(caller(), question, std::move(done)); });
  };
  EXPECT_EQ(said(5001, false)->uid, 5001U);
  EXPECT_ERRC(said(501, false), Errc::invalid_argument);
  EXPECT_EQ(said(501, true)->uid, 501U);
}

}  // namespace
}  // namespace homeport::testing
