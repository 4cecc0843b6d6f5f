// The client for APIs that we call, against a peer that keeps no rule.
#include "drivers/http/client.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/result_matchers.h"
#include "tests/unit/drivers/http/peer.h"

namespace homeport::drivers::http {
namespace {

using namespace std::chrono_literals;
using ::homeport::testing::http_answer;
using ::homeport::testing::make_self_signed;
using ::homeport::testing::Peer;
using ::homeport::testing::PeerAnswer;
using ::homeport::testing::PeerRequest;
using ::homeport::testing::PeerTls;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Then = PeerAnswer::Then;

std::string address(const Peer& peer) {
  return "http://127.0.0.1:" + std::to_string(peer.port());
}

class HttpClient : public ::testing::Test {
 protected:
  [[nodiscard]] OpContext op(std::chrono::milliseconds time = 20s) const {
    return OpContext{.request_id = "req-1", .deadline = clock->mono() + time};
  }
  [[nodiscard]] std::unique_ptr<Client> client(
      const std::string& url, const std::function<void(Settings&)>& adjust = [](Settings&) {}) const {
    auto parsed = Url::parse(url);
    EXPECT_OK(parsed);
    Settings settings{.url = std::move(*parsed), .name = "the test API"};
    adjust(settings);
    return make_client(std::move(settings), *clock);
  }
  [[nodiscard]] std::unique_ptr<Client> client(const Peer& peer) const { return client(address(peer)); }
  const std::unique_ptr<Clock> clock = make_system_clock();
};

const Request kGet{.method = "GET", .target = "/things"};
const Request kPost{.method = "POST", .target = "/things", .body = "new"};

Peer::Answer always(std::string bytes, Then then = Then::keep) {
  return [bytes = std::move(bytes), then](const PeerRequest&) { return PeerAnswer{.bytes = bytes, .then = then}; };
}

TEST_F(HttpClient, SendsWhatItWasGivenAndGivesBackTheWholeAnswer) {
  Peer peer(always(http_answer(201, "made", "X-Audit: 7\r\n")));
  const auto http = client(address(peer) + "/base/");
  const auto reply = http->send(op(), {.method = "POST",
                                       .target = "/things?dry=1",
                                       .headers = {{"Content-Type", "application/json"}},
                                       .bearer = Secret("t0ken"),
                                       .body = "{}"});
  ASSERT_OK(reply);
  EXPECT_EQ(reply->status, 201);
  EXPECT_EQ(reply->body, "made");
  EXPECT_EQ(reply->header("x-audit"), "7");
  EXPECT_EQ(reply->header("absent"), "");
  const auto seen = peer.seen().at(0);
  EXPECT_THAT(seen.head, StartsWith("POST /base/things?dry=1 HTTP/1.1\r\n"));
  for (const std::string& line : {"Host: 127.0.0.1:" + std::to_string(peer.port()), std::string("X-Request-Id: req-1"),
                                  std::string("Content-Type: application/json"),
                                  std::string("Authorization: Bearer t0ken"), std::string("Content-Length: 2")}) {
    EXPECT_THAT(seen.head, HasSubstr("\r\n" + line + "\r\n"));
  }
  EXPECT_EQ(seen.body, "{}");
}

TEST_F(HttpClient, AnyStatusIsAnAnswerAndNoRedirectIsFollowed) {
  for (const int status : {200, 301, 404, 409, 500, 503}) {
    Peer peer(always(http_answer(status, "", "Location: http://192.0.2.1/\r\n")));
    const auto reply = client(peer)->send(op(), kGet);
    ASSERT_OK(reply);
    EXPECT_EQ(reply->status, status);
    EXPECT_EQ(peer.seen().size(), 1U);
  }
}

TEST_F(HttpClient, ReadsEveryFramingOfABody) {
  struct Row {
    std::string answer;
    Then then;
    std::string body;
  };
  for (const auto& row : {Row{"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                              Then::keep, "abcde"},
                          Row{"HTTP/1.1 200 X\r\n\r\nuntil the end", Then::close, "until the end"},
                          Row{"HTTP/1.0 200 X\r\nContent-Length: 2\r\n\r\nok", Then::close, "ok"},
                          Row{"HTTP/1.1 204 X\r\n\r\n", Then::keep, ""}, Row{http_answer(200, ""), Then::keep, ""}}) {
    Peer peer(always(row.answer, row.then));
    const auto reply = client(peer)->send(op(), kGet);
    ASSERT_OK(reply) << row.answer;
    EXPECT_EQ(reply->body, row.body) << row.answer;
  }
  Peer peer(always("HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n"));
  EXPECT_OK(client(peer)->send(op(), {.method = "HEAD", .target = "/"}));
}

TEST_F(HttpClient, KeepsConnectionsForLaterRequests) {
  Peer peer(always(http_answer(200, "ok")));
  const auto http = client(peer);
  for (int i = 0; i < 5; ++i) ASSERT_OK(http->send(op(), i % 2 == 0 ? kGet : kPost));
  EXPECT_EQ(peer.connections(), 1U);
}

TEST_F(HttpClient, AConnectionThatTheOtherSideEndsIsNotUsedAgain) {
  Peer polite(always(http_answer(200, "ok", "Connection: close\r\n")));
  Peer too_much(always(http_answer(200, "ok") + "more"));
  Peer rude(always(http_answer(200, "ok"), Then::close));
  for (auto* peer : {&polite, &too_much, &rude}) {
    const auto http = client(*peer);
    ASSERT_OK(http->send(op(), kGet));
    if (peer == &rude) peer->close_all();
    const auto again = http->send(op(), kPost);
    ASSERT_OK(again);
    EXPECT_EQ(again->body, "ok");
    EXPECT_EQ(peer->connections(), 2U);
  }
}

// What was closed on the way is sent again only when sending it twice does no harm.
TEST_F(HttpClient, AClosedKeptConnectionIsOpenedAgainForRepeatableRequestsOnly) {
  const auto close_second = [](const PeerRequest& request) {
    const bool kept = request.connection == 1 && request.head.find("X-Request-Id: second") != std::string::npos;
    return PeerAnswer{.bytes = kept ? "" : http_answer(200, "ok"), .then = kept ? Then::close : Then::keep};
  };
  auto second = op();
  second.request_id = "second";
  for (const auto& request : {kGet, kPost}) {
    Peer peer(close_second);
    const auto http = client(peer);
    ASSERT_OK(http->send(op(), request));
    const auto reply = http->send(second, request);
    if (request.method == "GET") {
      ASSERT_OK(reply);
      EXPECT_EQ(peer.seen().size(), 3U);
    } else {
      ASSERT_ERRC(reply, Errc::unavailable);
      EXPECT_TRUE(reply.error().maybe_applied);
      EXPECT_EQ(peer.seen().size(), 2U);
    }
  }
}

TEST_F(HttpClient, FreshConnectionsThatCloseWithoutAnAnswerAreNotTriedAgain) {
  Peer peer(always("", Then::close));
  const auto reply = client(peer)->send(op(), kGet);
  ASSERT_ERRC(reply, Errc::unavailable);
  EXPECT_TRUE(reply.error().maybe_applied);
  EXPECT_THAT(reply.error().message, HasSubstr("the test API"));
  EXPECT_EQ(peer.seen().size(), 1U);
}

TEST_F(HttpClient, ParallelCallsHaveConnectionsOfTheirOwn) {
  std::mutex mutex;
  std::condition_variable both;
  int waiting = 0;
  Peer peer([&](const PeerRequest&) {
    std::unique_lock lock(mutex);
    ++waiting;
    both.notify_all();
    EXPECT_TRUE(both.wait_for(lock, 10s, [&] { return waiting == 2; }));
    return PeerAnswer{.bytes = http_answer(200, "ok")};
  });
  const auto http = client(peer);
  std::thread other([&] { EXPECT_OK(http->send(op(), kGet)); });
  EXPECT_OK(http->send(op(), kGet));
  other.join();
}

TEST_F(HttpClient, ASilentPeerCostsTheDeadlineAndNoMore) {
  Peer peer(always("", Then::silent));
  const auto reply = client(peer)->send(op(150ms), kGet);
  ASSERT_ERRC(reply, Errc::timed_out);
  EXPECT_TRUE(reply.error().maybe_applied);
  Peer half(always("HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf", Then::silent));
  EXPECT_ERRC(client(half)->send(op(150ms), kGet), Errc::timed_out);
  EXPECT_ERRC(client(peer)->send(op(0ms), kGet), Errc::timed_out);
  EXPECT_EQ(peer.seen().size(), 1U);
}

TEST_F(HttpClient, AStopEndsTheCallAndHarmsNoOther) {
  std::atomic<bool> silent = true;
  Peer peer([&](const PeerRequest&) {
    return PeerAnswer{.bytes = silent ? "" : http_answer(200, "ok"), .then = silent ? Then::silent : Then::keep};
  });
  const auto http = client(peer);
  std::stop_source stop;
  auto context = op();
  context.stop = stop.get_token();
  std::thread stopping([&] {
    EXPECT_TRUE(peer.wait_for_requests(1));
    stop.request_stop();
  });
  const auto reply = http->send(context, kGet);
  stopping.join();
  ASSERT_ERRC(reply, Errc::cancelled);
  EXPECT_TRUE(reply.error().maybe_applied);
  EXPECT_ERRC(http->send(context, kGet), Errc::cancelled);
  silent = false;
  EXPECT_OK(http->send(op(), kGet));
}

TEST_F(HttpClient, WhatCannotBeAnAnswerIsNone) {
  struct Row {
    std::string bytes;
    Errc code;
  };
  for (const auto& row :
       {Row{"SSH-2.0-OpenSSH_9.2\r\n", Errc::internal}, Row{"HTTP/9 what\r\n\r\n", Errc::internal},
        Row{"HTTP/1.1 200 X\r\nContent-Length: x\r\n\r\n", Errc::internal},
        Row{"HTTP/1.1 200 X\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n", Errc::internal},
        Row{http_answer(200, std::string(2000, 'b')), Errc::internal},
        Row{"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'b') + "\r\n0\r\n\r\n",
            Errc::internal},
        Row{"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf", Errc::unavailable}}) {
    Peer peer(always(row.bytes, Then::close));
    const auto http = client(address(peer), [](Settings& s) { s.max_body = 1000; });
    const auto reply = http->send(op(), kGet);
    ASSERT_ERRC(reply, row.code) << row.bytes.substr(0, 60);
    EXPECT_TRUE(reply.error().maybe_applied);
    EXPECT_THAT(reply.error().message, HasSubstr("the test API at http://127.0.0.1"));
  }
}

TEST_F(HttpClient, NothingBreaksOutOfAHeader) {
  Peer peer(always(http_answer(200, "ok")));
  const auto http = client(peer);
  auto bad_id = op();
  bad_id.request_id = "x\r\nEvil: 1";
  const std::vector<std::pair<OpContext, Request>> rows{
      {op(), {.method = "GET", .target = "/", .headers = {{"A", "b\r\nEvil: 1"}}}},
      {op(), {.method = "GET", .target = "/", .headers = {{"A: b\r\nEvil", "1"}}}},
      {op(), {.method = "GET", .target = "/", .bearer = Secret("secret\nEvil: 1")}},
      {op(), {.method = "GET", .target = "/ HTTP/1.1\r\nEvil: 1\r\n\r\n"}},
      {op(), {.method = "GET /x HTTP/1.1\r\n\r\nGET", .target = "/"}},
      {bad_id, kGet}};
  for (const auto& [context, request] : rows) {
    const auto reply = http->send(context, request);
    ASSERT_ERRC(reply, Errc::invalid_argument);
    EXPECT_THAT(reply.error().to_string(), Not(HasSubstr("secret")));
  }
  EXPECT_EQ(peer.seen().size(), 0U);
}

TEST_F(HttpClient, WhoIsNotThereIsNamed) {
  std::uint16_t port = 0;
  {
    const Peer gone(always(""));
    port = gone.port();
  }
  const auto refused = client("http://127.0.0.1:" + std::to_string(port))->send(op(), kGet);
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_FALSE(refused.error().maybe_applied);
  EXPECT_EQ(refused.error().message,
            "cannot reach the test API at http://127.0.0.1:" + std::to_string(port) + ": connection refused");
  const auto unknown = client("http://no-such-host.invalid:1")->send(op(), kGet);
  ASSERT_ERRC(unknown, Errc::unavailable);
  EXPECT_THAT(unknown.error().message, HasSubstr("the name no-such-host.invalid cannot be resolved"));
}

class HttpsClient : public HttpClient {
 protected:
  HttpsClient() {
    std::string pattern = (std::filesystem::temp_directory_path() / "homeport-https-XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
    files = make_self_signed(directory, "right", "IP:127.0.0.1,DNS:localhost");
  }
  ~HttpsClient() override { std::filesystem::remove_all(directory); }
  [[nodiscard]] std::unique_ptr<Client> tls_client(const Peer& peer, const std::string& ca,
                                                   const std::string& host = "127.0.0.1") const {
    return client("https://" + host + ":" + std::to_string(peer.port()), [&](Settings& s) { s.ca_file = ca; });
  }
  std::string directory;
  PeerTls files{.certificate_file = {}, .key_file = {}};
};

TEST_F(HttpsClient, TalksToWhoeverTheCaVouchesFor) {
  Peer peer(always(http_answer(200, std::string(100'000, 'x'))), files);
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const auto http = tls_client(peer, files.certificate_file, host);
    for (int i = 0; i < 3; ++i) {
      const auto reply = http->send(op(), kPost);
      ASSERT_OK(reply);
      EXPECT_EQ(reply->body.size(), 100'000U);
    }
  }
  EXPECT_EQ(peer.connections(), 2U);
}

TEST_F(HttpsClient, NobodyElseIsTold) {
  const auto other = make_self_signed(directory, "other", "IP:127.0.0.1");
  const auto elsewhere = make_self_signed(directory, "elsewhere", "DNS:elsewhere.example");
  Peer peer(always(http_answer(200, "ok")), files);
  Peer renamed(always(http_answer(200, "ok")), elsewhere);
  struct Row {
    const Peer& peer;
    std::string ca;
    std::string says;
  };
  for (const auto& row :
       {Row{peer, other.certificate_file, "its certificate is not accepted (self-signed certificate)"},
        Row{peer, "", "its certificate is not accepted (self-signed certificate)"},
        Row{renamed, elsewhere.certificate_file, "it was issued for another name than 127.0.0.1"}}) {
    const auto reply = tls_client(row.peer, row.ca)->send(op(), kGet);
    ASSERT_ERRC(reply, Errc::unavailable);
    EXPECT_THAT(reply.error().message, HasSubstr(row.says));
    EXPECT_FALSE(reply.error().hint.empty());
    EXPECT_FALSE(reply.error().maybe_applied);
    EXPECT_EQ(row.peer.seen().size(), 0U);
  }
}

TEST_F(HttpsClient, TheCaIsReadAgainForEachConnection) {
  Peer peer(always(http_answer(200, "ok", "Connection: close\r\n")), files);
  const std::string ca = directory + "/ca.pem";
  const auto http = tls_client(peer, ca);
  const auto missing = http->send(op(), kGet);
  ASSERT_ERRC(missing, Errc::failed_precondition);
  EXPECT_THAT(missing.error().message, HasSubstr(ca));
  std::ofstream(ca) << "no certificate";
  EXPECT_ERRC(http->send(op(), kGet), Errc::failed_precondition);
  std::filesystem::copy_file(files.certificate_file, ca, std::filesystem::copy_options::overwrite_existing);
  EXPECT_OK(http->send(op(), kGet));
}

TEST_F(HttpsClient, PlainTextAndSilenceInsteadOfTls) {
  Peer plain(always(http_answer(400, "speak TLS"), Then::close));
  const auto reply = tls_client(plain, files.certificate_file)->send(op(200ms), kGet);
  ASSERT_ERRC(reply, Errc::unavailable);  // it waits for a request that never comes
  EXPECT_THAT(reply.error().message, EndsWith("no answer to the TLS handshake"));
  Peer tls(always(http_answer(200, "ok")), files);
  const auto wrong = client(tls)->send(op(), kGet);
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().code == Errc::internal || wrong.error().code == Errc::unavailable);
}

}  // namespace
}  // namespace homeport::drivers::http
