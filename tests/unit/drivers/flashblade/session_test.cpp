// Session and typed calls against a fake array over HTTP: expiry, pace, answers that never come, versions.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "drivers/flashblade/array_api.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/drivers/flashblade/fake_array.h"

namespace homeport::drivers::flashblade {
namespace {

namespace fs = std::filesystem;
using ::homeport::testing::ArrayCall;
using ::homeport::testing::error_body;
using ::homeport::testing::FakeArray;
using ::homeport::testing::http_answer;
using ::homeport::testing::PeerAnswer;
using nlohmann::json;

class SessionTest : public ::testing::Test {
 protected:
  static constexpr int kConnections = 4;
  SessionTest() {
    std::string pattern = (fs::temp_directory_path() / "homeport-fb-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    write_token(FakeArray::kToken);
  }
  ~SessionTest() override {
    // The hooks of a case know its variables, which are gone; the session still says goodbye to the array.
    if (array_) array_->before(nullptr);
    if (array_) array_->lose(nullptr);
    session_.reset();
    fs::remove_all(directory_);
  }
  void write_token(const std::string& text) const {
    std::ofstream(token_path()) << text << "\n";
    fs::permissions(token_path(), fs::perms::owner_read | fs::perms::owner_write);
  }
  [[nodiscard]] fs::path token_path() const { return directory_ / "token"; }
  void open(FakeArray::Options options = {}) {
    array_ = std::make_unique<FakeArray>(std::move(options));
    open_at(array_->url());
  }
  void open_at(const std::string& url, const std::string& ca = {}) {
    session_ = std::make_unique<ArraySession>(ManagementConfig{.url = Url::parse(url).value(),
                                                               .ca_file = ca,
                                                               .api_token = {.file = token_path().string()},
                                                               .timeout = std::chrono::seconds(5),
                                                               .connections = kConnections},
                                              *clock_);
    api_ = std::make_unique<ArrayApi>(*session_);
  }
  [[nodiscard]] OpContext op(std::chrono::milliseconds limit = std::chrono::seconds(20)) const {
    return {.request_id = "test", .deadline = clock_->mono() + limit};
  }
  // Instead of the n-th (from 1) call of that kind.
  void instead(const std::string& words, int nth, PeerAnswer answer) {
    auto seen = std::make_shared<int>(0);
    array_->before([=](const ArrayCall& call) -> std::optional<PeerAnswer> {
      if (call.method + " " + call.endpoint != words || ++*seen != nth) return std::nullopt;
      return answer;
    });
  }

  const std::unique_ptr<Clock> clock_ = make_system_clock();
  fs::path directory_;
  std::unique_ptr<FakeArray> array_;
  std::unique_ptr<ArraySession> session_;
  std::unique_ptr<ArrayApi> api_;
};

const NewFileSystem kWanted{.name = "hp-x", .rules = "10.0.0.5(rw,no_root_squash)"};

TEST_F(SessionTest, ManyThreadsLogInOnce) {
  open();
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        if (api_->array(op())) ++good;
      });
    }
  }
  EXPECT_EQ(good, 16);
  EXPECT_EQ(array_->logins(), 1U);
}

TEST_F(SessionTest, NoMoreCallsAtOnceThanConnections) {
  std::mutex mutex;
  std::condition_variable met;
  int inside = 0;
  int most = 0;
  const auto reply = [&](const testing::PeerRequest& request) -> PeerAnswer {
    if (request.head.starts_with("GET /api/api_version")) return {http_answer(200, R"({"versions":["2.12"]})")};
    if (request.head.starts_with("POST ")) return {http_answer(200, "{}", "x-auth-token: t\r\n")};
    std::unique_lock lock(mutex);
    most = std::max(most, ++inside);
    met.notify_all();
    // Stays a moment: one too many would come in the meantime.
    met.wait_for(lock, std::chrono::milliseconds(100), [&] { return most > kConnections; });
    --inside;
    return {http_answer(200, R"({"items":[{"name":"a","id":"1"}]})")};
  };
  const testing::Peer peer(reply);
  open_at("http://127.0.0.1:" + std::to_string(peer.port()));
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4 * kConnections; ++i) {
      threads.emplace_back([&] {
        if (api_->array(op())) ++good;
      });
    }
  }
  EXPECT_EQ(most, kConnections);
  EXPECT_EQ(good, 4 * kConnections);
  EXPECT_LE(peer.connections(), std::size_t{kConnections});
  session_.reset();  // says goodbye while somebody listens
}

// Case 16: no call is lost, and an array sees one login for each expiry.
TEST_F(SessionTest, ExpiryInAStormCostsOneLogin) {
  open();
  ASSERT_OK(api_->array(op()));
  array_->expire_sessions();
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 5; ++round) {
          if (api_->array(op())) ++good;
        }
      });
    }
  }
  EXPECT_EQ(good, 80);
  EXPECT_EQ(array_->logins(), 2U);
}

TEST_F(SessionTest, WrongTokenIsSaidOnceAndNeverShown) {
  open();
  write_token("T-secret-that-nobody-may-read");
  std::atomic<int> asked{0};
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (call.endpoint != "login") return std::nullopt;
    ++asked;
    return PeerAnswer{http_answer(401, error_body("Invalid token T-secret-that-nobody-may-read."))};
  });
  for (int i = 0; i < 3; ++i) {
    const auto result = api_->array(op());
    ASSERT_ERRC(result, Errc::permission_denied);
    EXPECT_EQ(result.error().to_string().find("nobody-may-read"), std::string::npos) << result.error().to_string();
    EXPECT_EQ(result.error().upstream->detail.find("nobody-may-read"), std::string::npos);
    EXPECT_NE(result.error().message.find(token_path().string()), std::string::npos);
    EXPECT_NE(result.error().hint.find("pureadmin"), std::string::npos);
  }
  EXPECT_EQ(asked, 1) << "an account must not be locked";
  write_token(FakeArray::kToken);
  array_->before(nullptr);
  EXPECT_OK(api_->array(op())) << "another token is tried at once";
}

TEST_F(SessionTest, RoleThatDoesNotSufficeDoesNotLogInForEver) {
  open();
  ASSERT_OK(api_->array(op()));
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (call.method != "POST" || call.endpoint != "file-systems") return std::nullopt;
    return PeerAnswer{http_answer(403, error_body("Operation not permitted."))};
  });
  for (int i = 0; i < 5; ++i) {
    const auto result = api_->create_file_system(op(), kWanted);
    ASSERT_ERRC(result, Errc::permission_denied);
    EXPECT_NE(result.error().hint.find("storage_admin"), std::string::npos);
  }
  EXPECT_EQ(array_->logins(), 2U);
}

// Case 13, with and without Retry-After.
TEST_F(SessionTest, TooManyRequestsAreWaitedOut) {
  open();
  ASSERT_OK(api_->array(op()));
  std::atomic<int> refused{0};
  array_->before([&](const ArrayCall&) -> std::optional<PeerAnswer> {
    if (refused >= 4) return std::nullopt;
    ++refused;
    return PeerAnswer{http_answer(429, R"({"message":"slow down"})", refused == 1 ? "Retry-After: 0\r\n" : "")};
  });
  EXPECT_OK(api_->array(op()));
  EXPECT_EQ(refused, 4);
  EXPECT_GT(session_->interval().count(), 0);
  for (int i = 0; i < 80; ++i) ASSERT_OK(api_->array(op()));
  EXPECT_EQ(session_->interval().count(), 0) << "the rate recovers";
}

struct GarbledRow {
  const char* name;
  std::string answer;
  Errc code;
  friend void PrintTo(const GarbledRow& row, std::ostream* out) { *out << row.name; }
};
class GarbledTest : public SessionTest, public ::testing::WithParamInterface<GarbledRow> {};

// Case 14: a changing call whose answer makes no sense may have been acted upon.
TEST_P(GarbledTest, IsClassifiedAndNeverBelieved) {
  open();
  ASSERT_OK(api_->array(op()));
  instead("PATCH file-systems", 1, {GetParam().answer});
  const auto result = api_->change_file_system(op(), "some-id", {.nfs = false});
  ASSERT_ERRC(result, GetParam().code);
  EXPECT_TRUE(result.error().maybe_applied || result.error().code == Errc::internal) << result.error().to_string();
}
INSTANTIATE_TEST_SUITE_P(
    All, GarbledTest,
    ::testing::Values(
        GarbledRow{"html", http_answer(200, "<html>please log in</html>"), Errc::unavailable},
        GarbledRow{"empty", http_answer(200, ""), Errc::unavailable},
        GarbledRow{"truncated", http_answer(200, R"({"items":[{"id":"1","na)"), Errc::unavailable},
        GarbledRow{"noItems", http_answer(200, R"({"total":1})"), Errc::internal},
        GarbledRow{"wrongType", http_answer(200, R"({"items":[{"id":1,"name":"hp-x"}]})"), Errc::internal},
        GarbledRow{"anotherOne", http_answer(200, R"({"items":[{"id":"2","name":"hp-y"}]})"), Errc::internal},
        GarbledRow{"array", http_answer(200, "[]"), Errc::internal},
        GarbledRow{"gateway", http_answer(502, "<html>"), Errc::unavailable},
        GarbledRow{"partial", http_answer(207, R"({"items":[],"errors":[]})"), Errc::internal}),
    [](const auto& row) { return row.param.name; });

// A selector that the array ignores brings everything.
TEST_F(SessionTest, AnswerWithEverythingIsNotTakenForTheOne) {
  open();
  instead("GET file-systems", 1,
          {http_answer(200, R"({"items":[{"id":"1","name":"a"},{"id":"2","name":"hp-x"}],"total_item_count":2})")});
  EXPECT_ERRC(api_->file_system(op(), "hp-x"), Errc::internal);
}

// Case 11: the array did it and its answer was lost.
TEST_F(SessionTest, LostReplyToACreateIsReadBack) {
  open();
  ASSERT_OK(api_->array(op()));
  std::atomic<bool> lost{false};
  array_->lose([&](const ArrayCall& call) { return call.method == "POST" && !lost.exchange(true); });
  const auto made = api_->create_file_system(op(), kWanted);
  ASSERT_OK(made);
  ASSERT_TRUE(made->has_value());
  EXPECT_EQ((*made)->file_system.name, "hp-x");
  EXPECT_EQ(array_->names(), std::vector<std::string>{"hp-x"});
}

TEST_F(SessionTest, CutBeforeTheEffectIsSaidToBeUnknown) {
  open();
  ASSERT_OK(api_->array(op()));
  instead("POST file-systems", 1, {"", PeerAnswer::Then::close});
  const auto made = api_->create_file_system(op(), kWanted);
  ASSERT_FALSE(made.has_value());
  EXPECT_TRUE(made.error().maybe_applied);
  EXPECT_TRUE(is_transient(made.error().code));
  EXPECT_TRUE(array_->names().empty());
}

// Case 41.
TEST_F(SessionTest, LostReplyToASnapshotIsReadBackAndTakenOnce) {
  open();
  const auto made = api_->create_file_system(op(), kWanted);
  ASSERT_OK(made);
  std::atomic<bool> lost{false};
  array_->lose([&](const ArrayCall& call) { return call.method == "POST" && !lost.exchange(true); });
  const auto taken = api_->take_snapshot(op(), (*made)->file_system, "hp-s1");
  ASSERT_OK(taken);
  EXPECT_EQ((*taken)->name, "hp-x.hp-s1");
  const auto again = api_->take_snapshot(op(), (*made)->file_system, "hp-s1");
  ASSERT_OK(again);
  EXPECT_EQ((*again)->id, (*taken)->id);
}

class VariantTest : public SessionTest, public ::testing::WithParamInterface<std::pair<bool, int>> {};

TEST_P(VariantTest, MissingAndExistingAreKnownInEveryForm) {
  open({.missing_is_empty = GetParam().first, .exists_status = GetParam().second});
  const auto absent = api_->file_system(op(), "hp-x");
  ASSERT_OK(absent);
  EXPECT_FALSE(absent->has_value());
  ASSERT_OK(api_->create_file_system(op(), kWanted));
  const auto again = api_->create_file_system(op(), kWanted);
  ASSERT_OK(again);
  EXPECT_TRUE((*again)->stood);
}
INSTANTIATE_TEST_SUITE_P(All, VariantTest,
                         ::testing::Values(std::pair{false, 400}, std::pair{false, 409}, std::pair{true, 400}));

// Case 22.
TEST_F(SessionTest, VersionIsNegotiatedAgainWhenTheArrayChanges) {
  open({.minor = 26});
  EXPECT_EQ(api_->version(op()).value(), (RestVersion{2, 26}));
  array_->set_minor(12);
  EXPECT_OK(api_->array(op()));
  EXPECT_EQ(api_->version(op()).value(), (RestVersion{2, 12}));
  array_->set_minor(28);
  EXPECT_OK(api_->array(op())) << "the older one is still offered";
  array_->expire_sessions();
  EXPECT_OK(api_->array(op()));
  EXPECT_EQ(api_->version(op()).value(), (RestVersion{2, 28}));
}

TEST_F(SessionTest, GatedParametersAreSentFromTheirVersionOn) {
  for (const int minor : {2, 15, 16, 28}) {
    open({.minor = minor});
    std::string sent = "?";
    array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
      if (call.method == "POST" && call.endpoint == "file-systems") {
        const auto at = call.query.find("default_exports");
        sent = at == call.query.end() ? "none" : at->second;
        EXPECT_TRUE(call.body["nfs"].contains("rules"));
      }
      return std::nullopt;
    });
    ASSERT_OK(api_->create_file_system(op(), kWanted));
    EXPECT_EQ(sent, minor < 16 ? "none" : "nfs") << minor;
    EXPECT_EQ((*array_->look("hp-x"))["nfs"]["rules"], kWanted.rules);
  }
}

TEST_F(SessionTest, ListingTurnsPages) {
  open({.max_page = 2});
  for (int i = 0; i < 5; ++i) array_->add_file_system("hp-" + std::to_string(i), "10.0.0.5(rw)");
  array_->add_file_system("else", "10.0.0.5(rw)");
  std::vector<std::string> seen;
  std::optional<std::string> from;
  do {
    auto page = api_->file_systems(op(), "hp-", false, from, 1000);
    ASSERT_OK(page);
    for (const auto& one : page->items) seen.push_back(one.name);
    from = page->next;
  } while (from);
  EXPECT_EQ(seen, (std::vector<std::string>{"hp-0", "hp-1", "hp-2", "hp-3", "hp-4"}));
}

TEST_F(SessionTest, DryRunSendsNothingThatChanges) {
  open();
  CallLog calls;
  auto dry = op();
  dry.dry_run = true;
  dry.calls = &calls;
  const auto made = api_->create_file_system(dry, kWanted);
  ASSERT_OK(made);
  EXPECT_FALSE(made->has_value());
  ASSERT_EQ(calls.lines().size(), 1U);
  EXPECT_NE(calls.lines().front().find("POST /file-systems?names=hp-x"), std::string::npos) << calls.lines().front();
  EXPECT_TRUE(array_->names().empty());
}

TEST_F(SessionTest, WhatIsNoArrayIsSaidToBeNone) {
  for (const auto& [status, body] : {std::pair{404, "<html>nginx</html>"}, std::pair{200, "<html>nginx</html>"},
                                     std::pair{200, R"({"hello":"world"})"}}) {
    ::homeport::testing::Peer peer([&](const auto&) { return PeerAnswer{http_answer(status, body)}; });
    open_at("http://127.0.0.1:" + std::to_string(peer.port()));
    const auto result = api_->array(op());
    ASSERT_ERRC(result, Errc::failed_precondition);
    EXPECT_NE(result.error().message.find("no FlashBlade"), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().hint.find("management.url"), std::string::npos);
    api_.reset();
    session_.reset();
  }
}

TEST_F(SessionTest, UnknownVersionsAreRefusedWithWhatIsOffered) {
  ::homeport::testing::Peer peer(
      [](const auto&) { return PeerAnswer{http_answer(200, R"({"versions":["1.0","3.0"]})")}; });
  open_at("http://127.0.0.1:" + std::to_string(peer.port()));
  const auto result = api_->array(op());
  ASSERT_ERRC(result, Errc::failed_precondition);
  EXPECT_NE(result.error().message.find("3.0"), std::string::npos);
  api_.reset();
  session_.reset();
}

// Case 17: never without a certificate that is trusted.
TEST_F(SessionTest, CertificateIsCheckedAgainstTheConfiguredAuthority) {
  const auto right = ::homeport::testing::make_self_signed(directory_, "right", "IP:127.0.0.1");
  const auto other = ::homeport::testing::make_self_signed(directory_, "other", "IP:127.0.0.1");
  const auto elsewhere = ::homeport::testing::make_self_signed(directory_, "elsewhere", "DNS:array.example.org");
  std::atomic<int> logins{0};
  const auto answer = [&](const ::homeport::testing::PeerRequest& request) {
    if (request.head.find("/api/login") != std::string::npos) ++logins;
    return PeerAnswer{http_answer(200, R"({"versions":["2.10"]})", "x-auth-token: s\r\n")};
  };
  for (const auto& [tls, ca, good] :
       {std::tuple{right, right.certificate_file, true}, std::tuple{right, other.certificate_file, false},
        std::tuple{elsewhere, elsewhere.certificate_file, false}, std::tuple{right, std::string(), false}}) {
    logins = 0;
    ::homeport::testing::Peer peer(answer, tls);
    open_at("https://127.0.0.1:" + std::to_string(peer.port()), ca);
    EXPECT_EQ(api_->version(op()).has_value(), good);
    EXPECT_EQ(logins, good ? 1 : 0) << "the token never leaves for somebody unknown";
    api_.reset();
    session_.reset();
  }
}

}  // namespace
}  // namespace homeport::drivers::flashblade
