// The server against well-behaved and ill-behaved clients on loopback.
#include "api/http_server.h"

#include <gmock/gmock.h>

#include "tests/support/result_matchers.h"
#include "tests/unit/api/loopback.h"

namespace homeport::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string post(std::string_view path, std::string_view body, std::string_view fields = {}) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

TEST(Server, AnswersManyRequestsOnOneConnection) {
  TestServer server;
  LoopbackClient client(server.port());
  for (int i = 0; i < 20; ++i) {
    const auto reply = client.get("/fast");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "fast\n");
    EXPECT_EQ(reply.field("Content-Type"), "text/plain");
    EXPECT_EQ(reply.field("Connection"), "");
    EXPECT_EQ(reply.field("Date"), "Wed, 18 Nov 2026 11:06:40 GMT");
  }
  EXPECT_EQ(server.http().stats().accepted, 1U);
  EXPECT_EQ(server.observed().size(), 20U);
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  LoopbackClient client(server.port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += post("/echo", "body " + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.receive().body, "body " + std::to_string(i));
}

TEST(Server, PipelinedRequestsWaitForASlowOneBeforeThem) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send(post("/slow", "first") + post("/echo", "second") + post("/slow", "third"));
  auto [first, answer] = server.shelf().take();
  EXPECT_EQ(first.body, "first");
  EXPECT_EQ(server.shelf().size(), 0U);
  answer.send(Response{.body = "one"});
  EXPECT_EQ(client.receive().body, "one");
  EXPECT_EQ(client.receive().body, "second");
  auto [third, last] = server.shelf().take();
  EXPECT_EQ(first.body, "first");  // still ours, although the connection went on
  EXPECT_EQ(third.body, "third");
  last.send(Response{.body = "three"});
  EXPECT_EQ(client.receive().body, "three");
}

// The server has read all that was sent before this returns: it serves what came earlier first.
void let_it_read(LoopbackClient& other) {
  ASSERT_EQ(other.get("/fast").status, 200);
}

TEST(Server, ARequestMayBeCutAnywhere) {
  TestServer server;
  LoopbackClient client(server.port());
  LoopbackClient other(server.port());
  const std::vector<std::string> requests = {post("/echo", "slowly"),
                                             "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                             "chunked\r\n\r\n3;e=1\r\nslo\r\n3\r\nwly\r\n0\r\nT: 1\r\n\r\n"};
  for (const auto& request : requests) {
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      client.send(request.substr(0, cut));
      let_it_read(other);
      client.send(request.substr(cut));
      ASSERT_EQ(client.receive().body, "slowly") << "cut after " << request.substr(0, cut);
    }
  }
}

struct Framing {
  std::string name;
  std::string request;
  int status;
  std::string body;  // of a 200
  std::string connection{};
};

void PrintTo(const Framing& row, std::ostream* out) {
  *out << row.name;
}

class ServerFraming : public ::testing::TestWithParam<Framing> {};

TEST_P(ServerFraming, IsUnderstood) {
  TestServer server;
  LoopbackClient client(server.port());
  const auto reply = client.ask(GetParam().request);
  EXPECT_EQ(reply.status, GetParam().status) << reply.head << reply.body;
  if (reply.status == 200) {
    EXPECT_EQ(reply.body, GetParam().body);
  }
  EXPECT_EQ(reply.field("Connection"), GetParam().connection);
  if (GetParam().connection == "close") {
    client.half_close();
    EXPECT_TRUE(client.closed());
  } else {
    EXPECT_EQ(client.get("/fast").body, "fast\n");
  }
}

const std::string kChunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Good, ServerFraming,
    ::testing::Values(
        Framing{"chunks", kChunked + "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n", 200, "hello world"},
        Framing{"trailers", kChunked + "2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", 200, "hi"},
        Framing{"no_chunks", kChunked + "0\r\n\r\n", 200, ""},
        Framing{"leading_empty_line", "\r\n" + post("/echo", "x"), 200, "x"},
        Framing{"absolute_form", "GET http://example.org:1/fast HTTP/1.1\r\nHost: x\r\n\r\n", 200, "fast\n"},
        Framing{"http10", "GET /fast HTTP/1.0\r\n\r\n", 200, "fast\n", "close"},
        Framing{"http10_keep", "GET /fast HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "fast\n", "keep-alive"},
        Framing{"close", "GET /fast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, "fast\n", "close"},
        Framing{"decoded_parameter", "GET /user/a%2Fb%20c HTTP/1.1\r\nHost: x\r\n\r\n", 200, "a/b c"},
        Framing{"same_length_twice", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\nhi", 200, "hi"},
        Framing{"options", "OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n", 204, ""},
        Framing{"no_such_path", post("/ehco", "its body is read"), 404, ""},
        Framing{"no_such_method", "DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, ""},
        Framing{"odd_method", "BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, ""},
        Framing{"broken_percent", "GET /user/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
        Framing{"inline_bug", "GET /throw HTTP/1.1\r\nHost: x\r\n\r\n", 500, ""},
        Framing{"late_bug", "GET /late-throw HTTP/1.1\r\nHost: x\r\n\r\n", 500, ""},
        Framing{"never_answered", "GET /lost HTTP/1.1\r\nHost: x\r\n\r\n", 500, ""}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Bad, ServerFraming,
    ::testing::Values(
        Framing{"garbage", "\x01\x02\x03\x04", 400, "", "close"},
        Framing{"tls_hello_on_plain_port", std::string("\x16\x03\x01\x02\x00\x01", 6), 400, "", "close"},
        Framing{"words", "hello there\r\n\r\n", 400, "", "close"},
        Framing{"bare_line_feeds", "GET /fast HTTP/1.1\nHost: x\n\n", 400, "", "close"},
        Framing{"no_host", "GET /fast HTTP/1.1\r\n\r\n", 400, "", "close"},
        Framing{"two_hosts", "GET /fast HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "", "close"},
        Framing{"folded_field", "GET /fast HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400, "", "close"},
        Framing{"folded_empty_first_line", "GET /fast HTTP/1.1\r\nHost: x\r\nA:\r\n b\r\n\r\n", 400, "", "close"},
        Framing{"folded_with_tab", "GET /fast HTTP/1.1\r\nHost: x\r\nA: \r\n\tb\r\n\r\n", 400, "", "close"},
        Framing{"folded_into_nothing", "GET /fast HTTP/1.1\r\nHost: x\r\nA:\r\n \r\n\r\n", 400, "", "close"},
        Framing{"folded_host", "GET /fast HTTP/1.1\r\nHost:\r\n x\r\n\r\n", 400, "", "close"},
        Framing{"folded_coding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
                400, "", "close"},
        Framing{"folded_request_line", "GET /fast HTTP/1.1\r\n A: b\r\nHost: x\r\n\r\n", 400, "", "close"},
        Framing{"space_before_colon", "GET /fast HTTP/1.1\r\nHost : x\r\n\r\n", 400, "", "close"},
        Framing{"nul_in_field", std::string("GET /fast HTTP/1.1\r\nHost: x\0y\r\n\r\n", 33), 400, "", "close"},
        Framing{"http2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "", "close"},
        Framing{"authority_form", "GET example.org:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "",
                "close"},
        Framing{"length_and_chunks",
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400, "", "close"},
        Framing{"two_lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                400, "", "close"},
        Framing{"negative_length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "", "close"},
        Framing{"unknown_coding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                501, "", "close"},
        Framing{"chunks_in_http10", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "",
                "close"},
        Framing{"bad_chunk_size", kChunked + "xyz\r\n", 400, "", "close"},
        Framing{"huge_chunk_size", kChunked + "ffffffffffffffff\r\n", 413, "", "close"},
        Framing{"chunk_without_end", kChunked + "2\r\nhixxxx", 400, "", "close"},
        Framing{"endless_chunk_extension", kChunked + "2;" + std::string(30'000, 'e'), 400, "", "close"},
        Framing{"unknown_expectation", "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n",
                417, "", "close"},
        Framing{"header_bomb", "GET /fast HTTP/1.1\r\nHost: x\r\nA: " + std::string(40'000, 'a'), 431, "", "close"},
        Framing{"header_just_over", "GET /fast HTTP/1.1\r\nHost: x\r\nA: " + std::string(16'400, 'a') + "\r\n\r\n", 431,
                "", "close"},
        Framing{"many_fields",
                "GET /fast HTTP/1.1\r\nHost: x\r\n" +
                    [] {
                      std::string fields;
                      for (int i = 0; i < 200; ++i) fields += "A: b\r\n";
                      return fields;
                    }() +
                    "\r\n",
                431, "", "close"},
        Framing{"announced_too_large", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413, "",
                "close"},
        Framing{"over_the_routes_limit",
                "PUT /small HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n0123456789abcdefg", 413, "", "close"}),
    [](const auto& test) { return test.param.name; });

TEST(Server, EveryRefusalIsAProblem) {
  TestServer server;
  LoopbackClient client(server.port());
  const auto reply = client.get("/fsat?x=1");
  EXPECT_EQ(reply.field("Content-Type"), "application/problem+json");
  EXPECT_EQ(reply.member("type"), "urn:homeport:error:not-found");
  EXPECT_EQ(reply.member("detail"), "there is no /fsat here");
  EXPECT_EQ(reply.member("hint"), "did you mean GET /fast?");
  EXPECT_EQ(reply.member("request_id"), reply.field("X-Request-ID"));
  const auto method = client.ask("PUT /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(method.field("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(method.member("hint"), "possible here: GET, HEAD, POST, OPTIONS");
}

TEST(Server, EchoesAGoodRequestIdAndReplacesABadOne) {
  TestServer server;
  LoopbackClient client(server.port());
  const auto ask = [&](const std::string& id) {
    return client.ask("GET /fast HTTP/1.1\r\nHost: x\r\nx-request-id: " + id + "\r\n\r\n").field("X-Request-ID");
  };
  EXPECT_EQ(ask("hub-1/abc.2"), "hub-1/abc.2");
  EXPECT_THAT(ask("two words"), ::testing::StartsWith("req-"));
  const auto first = ask(std::string(129, 'x'));
  EXPECT_THAT(first, ::testing::StartsWith("req-"));
  EXPECT_NE(first, client.get("/fast").field("X-Request-ID"));
}

TEST(Server, HeadHasTheFieldsOfGetAndNoBody) {
  TestServer server;
  LoopbackClient client(server.port());
  const auto reply = client.ask("HEAD /fast HTTP/1.1\r\nHost: x\r\n\r\n", /*head_request=*/true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("Content-Length"), "5");
  EXPECT_EQ(client.get("/fast").body, "fast\n");  // nothing of the first answer is in the way
}

TEST(Server, LargeBodiesComeWhole) {
  TestServer server;
  LoopbackClient client(server.port());
  for (const std::size_t size : {0U, 1U, 2000U, 5900U, 6000U, 8000U, 8192U, 70'000U, 1U << 20U}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i % 23);
    EXPECT_EQ(client.ask(post("/echo", body)).body, body) << size;
    EXPECT_EQ(client.ask(post("/echo", body, "X-Fill: " + std::string(7000, 'f') + "\r\n")).body, body) << size;
    std::string chunks = kChunked;
    for (std::size_t at = 0; at < size; at += 1000) {
      const auto part = body.substr(at, 1000);
      chunks += (part.size() == 1000 ? "3e8" : [&] {
        char hex[16];
        std::snprintf(hex, sizeof hex, "%zx", part.size());
        return std::string(hex);
      }()) + "\r\n" + part + "\r\n";
    }
    EXPECT_EQ(client.ask(chunks + "0\r\n\r\n").body, body) << size;
  }
}

TEST(Server, ATooLargeBodyIsRefusedWhileItIsStillBeingSent) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string chunk = "10000\r\n" + std::string(65536, 'c') + "\r\n";
  client.send_all_of(chunk, 20);  // 1.25 MiB
  const auto reply = client.receive();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.member("detail"), "the request body is larger than 1MiB");
  // What is still sent meets no reset, which could overtake the answer on a longer way.
  LoopbackClient other(server.port());
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(client.send(chunk));
    let_it_read(other);
  }
  client.half_close();
  EXPECT_TRUE(client.closed());
}

TEST(Server, ContinueIsSentToThoseWhoWait) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.receive_raw(25), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("later");
  EXPECT_EQ(client.receive().body, "later");
  const auto refused =
      client.ask("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n");
  EXPECT_EQ(refused.status, 413);
}

TEST(Server, ASlowHeaderEndsAtItsTimeHoweverManyBytesTrickle) {
  TestServer server;
  LoopbackClient slow(server.port());
  LoopbackClient idle(server.port());
  slow.send("GET /fast HTTP/1.1\r\n");
  EXPECT_EQ(LoopbackClient(server.port()).get("/fast").status, 200);  // the server has seen the slow one by now
  server.clock().advance(6s);
  slow.send("X: y\r\n");
  server.clock().advance(6s);
  const auto reply = slow.receive();
  EXPECT_EQ(reply.status, 408);
  EXPECT_EQ(reply.member("code"), "timed-out");
  EXPECT_TRUE(idle.closed());  // never said a word: closed without one
}

TEST(Server, ASlowHeaderOfALaterRequestHasNoMoreTime) {
  TestServer server;
  LoopbackClient slow(server.port());
  LoopbackClient other(server.port());
  EXPECT_EQ(slow.get("/fast").status, 200);
  slow.send("GET /fast HTTP/1.1\r\n");
  let_it_read(other);
  server.clock().advance(11s);
  EXPECT_EQ(slow.receive().status, 408);
}

TEST(Server, ASlowBodyEndsAtItsTime) {
  TestServer server;
  LoopbackClient slow(server.port());
  slow.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(slow.receive_raw(25).size(), 25U);
  slow.send("a");
  server.clock().advance(29s);
  LoopbackClient other(server.port());
  EXPECT_EQ(other.get("/fast").status, 200);
  slow.send("b");
  server.clock().advance(2s);
  EXPECT_EQ(slow.receive().status, 408);
  EXPECT_EQ(other.get("/fast").status, 200);
}

TEST(Server, AnIdleConnectionIsClosedAfterItsTime) {
  TestServer server;
  LoopbackClient client(server.port());
  EXPECT_EQ(client.get("/fast").status, 200);
  server.clock().advance(70s);
  EXPECT_EQ(client.get("/fast").status, 200);
  // Again and again: the server may start its wait a moment after we have its answer.
  ASSERT_TRUE(eventually([&] {
    server.clock().advance(76s);
    return server.http().stats().connections == 0;
  }));
  EXPECT_TRUE(client.closed());
}

TEST(Server, ConnectionsBeyondTheLimitAreToldSoAndTheOthersAreServed) {
  auto limits = TestServer::quick();
  limits.max_connections = 2;
  TestServer server(limits);
  auto first = std::make_unique<LoopbackClient>(server.port());
  LoopbackClient second(server.port());
  EXPECT_EQ(first->get("/fast").status, 200);
  EXPECT_EQ(second.get("/fast").status, 200);
  LoopbackClient third(server.port());
  const auto reply = third.get("/fast");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.field("Retry-After"), "1");
  third.half_close();
  EXPECT_TRUE(third.closed());
  EXPECT_EQ(second.get("/fast").status, 200);
  first->close();
  ASSERT_TRUE(eventually([&] { return server.http().stats().connections == 1; }));
  EXPECT_EQ(LoopbackClient(server.port()).get("/fast").status, 200);
  EXPECT_EQ(server.http().stats().refused, 1U);
}

TEST(Server, ASlowReaderOfALargeAnswerBlocksNobodyAndIsCut) {
  TestServer server;
  LoopbackClient slow(server.port(), 4096);
  slow.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  LoopbackClient other(server.port());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(other.get("/fast").status, 200);
  EXPECT_EQ(server.http().stats().connections, 2U);
  server.clock().advance(31s);
  EXPECT_EQ(other.get("/fast").status, 200);
  EXPECT_EQ(server.http().stats().cut, 0U);  // 32 MiB may take their time
  server.clock().advance(1100s);
  ASSERT_TRUE(eventually([&] { return server.http().stats().cut == 1; }));
  EXPECT_TRUE(slow.closed());
}

TEST(Server, ALargeAnswerComesWhole) {
  TestServer server;
  LoopbackClient client(server.port());
  const auto reply = client.get("/big");
  EXPECT_EQ(reply.body.size(), 32U << 20U);
  EXPECT_EQ(client.get("/fast").body, "fast\n");
}

TEST(Server, BoundAddressesAreReadable) {
  TestServer server(TestServer::quick(), {.listen = {"127.0.0.1:0", "[::1]:0", "localhost:0"}, .io_threads = 3});
  ASSERT_EQ(server.http().bound().size(), 3U);
  EXPECT_EQ(server.http().bound()[0], "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_THAT(server.http().bound()[1], ::testing::StartsWith("[::1]:"));
  std::vector<std::unique_ptr<LoopbackClient>> clients;
  for (int i = 0; i < 9; ++i) clients.push_back(std::make_unique<LoopbackClient>(server.port()));
  for (const auto& client : clients) EXPECT_EQ(client->get("/fast").status, 200);
}

TEST(Server, SaysWhyItCannotListen) {
  TestServer server;
  FakeClock clock;
  const auto ids = make_seeded_ids(1);
  const auto start = [&](std::vector<std::string> listen) {
    auto router = Router::create({});
    return HttpServer::start({.listen = std::move(listen)}, std::move(router).value(), {}, clock, *ids);
  };
  const auto taken = start({server.http().bound()[0]});
  ASSERT_ERRC(taken, Errc::already_exists);
  EXPECT_THAT(taken.error().message, HasSubstr("listen on 127.0.0.1:"));
  EXPECT_ERRC(start({}), Errc::invalid_argument);
  EXPECT_ERRC(start({"203.0.113.7:0"}), Errc::unavailable);
  EXPECT_ERRC(start({"no.such.host.invalid:0"}), Errc::invalid_argument);
  for (const auto* wrong : {"", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "::1:80", "[]:1"}) {
    EXPECT_ERRC(parse_listen_address(wrong), Errc::invalid_argument) << wrong;
  }
}

}  // namespace
}  // namespace homeport::testing
