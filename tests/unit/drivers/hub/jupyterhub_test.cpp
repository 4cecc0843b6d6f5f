// What a hub answers, and what is made of it. The real hub is in tests/e2e/test_hub_user.py; here are the answers it
// gives rarely, and those of what is no hub.
#include "drivers/hub/jupyterhub.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/result_matchers.h"
#include "tests/unit/drivers/http/peer.h"

namespace homeport::drivers::hub {
namespace {

using namespace std::chrono_literals;
using ::homeport::testing::http_answer;
using ::homeport::testing::Peer;
using ::homeport::testing::PeerAnswer;
using ::homeport::testing::PeerRequest;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kToken = "0123456789abcdef0123456789abcdef";
const std::string kOurs = "fedcba9876543210fedcba9876543210";

class JupyterHubTest : public ::testing::Test {
 protected:
  JupyterHubTest() {
    std::string name = (std::filesystem::temp_directory_path() / "homeport-hub-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::ofstream(directory_ + "/token") << kOurs << "\n";
    ::chmod((directory_ + "/token").c_str(), 0600);
  }
  ~JupyterHubTest() override { std::filesystem::remove_all(directory_); }

  // The hub answers as `answer` says.
  std::shared_ptr<core::Hub> hub(Peer::Answer answer) {
    peer_ = std::make_unique<Peer>(std::move(answer));
    auto url = Url::parse("http://127.0.0.1:" + std::to_string(peer_->port()) + "/base/hub/api");
    EXPECT_OK(url);
    return make_jupyterhub({.name = "main", .url = *url, .token = config::SecretRef{.file = directory_ + "/token"}},
                           *clock_);
  }
  std::shared_ptr<core::Hub> saying(int status, const std::string& body) {
    return hub([=](const PeerRequest&) { return PeerAnswer{.bytes = http_answer(status, body)}; });
  }
  [[nodiscard]] OpContext op() const { return {.request_id = "req-1", .deadline = clock_->mono() + 20s}; }
  Result<std::optional<core::HubUser>> owner(const std::shared_ptr<core::Hub>& hub) const {
    return hub->owner_of(op(), Secret(kToken));
  }

  const std::unique_ptr<Clock> clock_ = make_system_clock();
  std::string directory_;
  std::unique_ptr<Peer> peer_;
};

json user(const std::string& name, const std::vector<std::string>& scopes) {
  return {{"kind", "user"}, {"name", name}, {"groups", {"zoo", "art"}}, {"scopes", scopes}, {"admin", false}};
}

TEST_F(JupyterHubTest, ANotebooksTokenIsItsPersons) {
  const auto hub = saying(200, user("alice", {"access:servers!user=alice", "users:activity!user=alice"}).dump());
  const auto who = owner(hub);
  ASSERT_OK(who);
  ASSERT_TRUE(who->has_value());
  EXPECT_EQ((*who)->name, "alice");
  EXPECT_THAT((*who)->groups, ElementsAre("art", "zoo"));
  ASSERT_EQ(peer_->seen().size(), 1U);
  EXPECT_THAT(peer_->seen()[0].head, HasSubstr("GET /base/hub/api/user HTTP/1.1"));
  EXPECT_THAT(peer_->seen()[0].head, HasSubstr("Authorization: Bearer " + kToken));
}

TEST_F(JupyterHubTest, OnlyATokenThatOpensThePersonsOwnServersIsThePersons) {
  struct Row {
    const char* name;
    std::vector<std::string> scopes;
    bool own;
  };
  const Row rows[] = {
      {"all servers of the person", {"access:servers!user=ann"}, true},
      {"one server of the person", {"access:servers!server=ann/"}, true},
      {"a named server of the person", {"access:servers!server=ann/gpu"}, true},
      {"an admin's whole right", {"access:servers", "list:users"}, true},
      {"what somebody else's server gets when ann visits it", {"access:servers!server=bob/"}, false},
      {"the same, of somebody whose name begins alike", {"access:servers!server=anna/"}, false},
      {"what a service gets", {"access:services!service=dash"}, false},
      {"only the name", {"read:users:name!user=ann"}, false},
      {"activity", {"users:activity!user=ann"}, false},
      {"somebody else's servers", {"access:servers!user=bob"}, false},
      {"a group's", {"access:servers!group=staff"}, false},
      {"nothing", {}, false},
  };
  for (const auto& row : rows) {
    const auto who = owner(saying(200, user("ann", row.scopes).dump()));
    if (row.own) {
      EXPECT_OK(who) << row.name;
    } else {
      ASSERT_ERRC(who, Errc::unauthenticated) << row.name;
      EXPECT_THAT(who.error().message, HasSubstr("not the person's own")) << row.name;
    }
  }
}

TEST_F(JupyterHubTest, AServicesTokenIsNoPersons) {
  const auto who = owner(saying(200, R"({"kind":"service","name":"dash","scopes":["access:servers"]})"));
  ASSERT_ERRC(who, Errc::unauthenticated);
  EXPECT_THAT(who.error().message, HasSubstr("of a service"));
}

TEST_F(JupyterHubTest, WhatIsNotKnownIsNobodys) {
  for (const int status : {401, 403}) {
    const auto who = owner(saying(status, R"({"status":403,"message":"Forbidden"})"));
    ASSERT_OK(who);
    EXPECT_FALSE(who->has_value());
  }
}

TEST_F(JupyterHubTest, AHubInTroubleIsNotARefusal) {
  struct Row {
    int status;
    std::string body;
    Errc code;
  };
  const Row rows[] = {{500, R"({"message":"database is locked"})", Errc::unavailable},
                      {502, "<html>bad gateway</html>", Errc::unavailable},
                      {503, "", Errc::unavailable},
                      {429, "", Errc::unavailable},
                      {404, "<html>nothing here</html>", Errc::failed_precondition},
                      {302, "", Errc::failed_precondition},
                      {200, "<html>a portal</html>", Errc::failed_precondition},
                      {200, "[]", Errc::failed_precondition},
                      {200, R"({"name":"ann"})", Errc::failed_precondition},
                      {200, R"({"kind":"user","name":"ann"})", Errc::failed_precondition}};
  for (const auto& row : rows) {
    const auto who = owner(saying(row.status, row.body));
    ASSERT_ERRC(who, row.code) << row.status << " " << row.body;
    EXPECT_THAT(who.error().to_string(), Not(HasSubstr(kToken)));
  }
  EXPECT_THAT(owner(saying(500, rows[0].body)).error().message, HasSubstr("database is locked"));
}

// A list of users in pages of two, as JupyterHub gives them.
Peer::Answer pages(const std::vector<std::string>& names, const std::vector<std::string>& scopes,
                   std::optional<std::size_t> total = std::nullopt) {
  return [=](const PeerRequest& request) {
    if (request.head.find("/user HTTP") != std::string::npos) {
      return PeerAnswer{
          .bytes = http_answer(200, json{{"kind", "service"}, {"name", "homeport"}, {"scopes", scopes}}.dump())};
    }
    const auto at = request.head.find("offset=");
    const auto offset = static_cast<std::size_t>(std::stoul(request.head.substr(at + 7)));
    json items = json::array();
    for (std::size_t i = offset; i < std::min(names.size(), offset + 2); ++i) {
      items.push_back({{"kind", "user"}, {"name", names[i]}});
      // As a hub writes it to those who may read it (read:users); one of them is damaged.
      if (names[i] == "ann") items.back()["created"] = "2026-03-01T08:00:00.123456Z";
      if (names[i] == "cid") items.back()["created"] = "yesterday";
    }
    json next = nullptr;
    if (offset + 2 < names.size()) next = {{"offset", offset + 2}, {"limit", 2}, {"url", "http://elsewhere/"}};
    const json place{{"offset", offset}, {"limit", 2}, {"total", total.value_or(names.size())}, {"next", next}};
    return PeerAnswer{.bytes = http_answer(200, json{{"items", items}, {"_pagination", place}}.dump())};
  };
}

TEST_F(JupyterHubTest, AllPagesAreRead) {
  const auto users = hub(pages({"eve", "ann", "bob", "cid", "dan"}, {"list:users", "read:users:name"}))->users(op());
  ASSERT_OK(users);
  std::vector<std::string> names;
  for (const auto& user : *users) names.push_back(user.name);
  EXPECT_THAT(names, ElementsAre("ann", "bob", "cid", "dan", "eve"));
  EXPECT_EQ(users->at(0).created, *parse_time("2026-03-01T08:00:00.123Z"));
  EXPECT_FALSE(users->at(1).created.has_value());
  EXPECT_FALSE(users->at(2).created.has_value());
  const auto seen = peer_->seen();
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_THAT(seen[1].head, HasSubstr("/base/hub/api/users?offset=0&limit=200"));
  EXPECT_THAT(seen[1].head, HasSubstr("Accept: application/jupyterhub-pagination+json"));
  EXPECT_THAT(seen[1].head, HasSubstr("Bearer " + kOurs));
  EXPECT_THAT(seen[3].head, HasSubstr("offset=4"));
}

TEST_F(JupyterHubTest, APartOfTheUsersIsNoList) {
  const auto filtered = hub(pages({"ann"}, {"list:users!group=staff"}))->users(op());
  ASSERT_ERRC(filtered, Errc::permission_denied);
  EXPECT_THAT(filtered.error().message, HasSubstr("only some of the users"));
  const auto none = hub(pages({"ann"}, {"read:hub"}))->users(op());
  ASSERT_ERRC(none, Errc::permission_denied);
  EXPECT_THAT(none.error().message, HasSubstr("may list no users"));
  const auto changed = hub(pages({"ann", "bob", "cid"}, {"list:users"}, 4))->users(op());
  ASSERT_ERRC(changed, Errc::unavailable);
  EXPECT_THAT(changed.error().message, HasSubstr("3 of 4"));
  const auto twice = hub(pages({"ann", "bob", "bob"}, {"list:users"}))->users(op());
  EXPECT_ERRC(twice, Errc::unavailable);
}

TEST_F(JupyterHubTest, WhatIsNoPageIsNoList) {
  const auto with = [&](const std::string& body) {
    return hub([=](const PeerRequest& request) {
             const bool self = request.head.find("/user HTTP") != std::string::npos;
             return PeerAnswer{
                 .bytes = http_answer(200, self ? R"({"kind":"service","name":"x","scopes":["list:users"]})" : body)};
           })
        ->users(op());
  };
  for (const std::string& body :
       {std::string(R"([{"name":"ann"}])"), std::string("{}"), std::string("<html>"),
        std::string(R"({"items":[{"kind":"user"}],"_pagination":{"total":1,"next":null}})"),
        std::string(R"({"items":[{"name":"a"}],"_pagination":{"total":9,"next":{"offset":0}}})"),
        std::string(R"({"items":[{"name":"a"}],"_pagination":{"total":"9","next":null}})")}) {
    EXPECT_ERRC(with(body), Errc::failed_precondition) << body;
  }
}

TEST_F(JupyterHubTest, ATokenThatCannotBeReadIsNamedByItsPlace) {
  const auto it = hub(pages({"ann"}, {"list:users"}));
  ::chmod((directory_ + "/token").c_str(), 0644);
  const auto open_to_all = it->users(op());
  ASSERT_ERRC(open_to_all, Errc::failed_precondition);
  EXPECT_THAT(open_to_all.error().sentence(), HasSubstr("token of hub main"));
  EXPECT_EQ(peer_->seen().size(), 0U);
  std::filesystem::remove(directory_ + "/token");
  EXPECT_FALSE(it->users(op()).has_value());
}

}  // namespace
}  // namespace homeport::drivers::hub
