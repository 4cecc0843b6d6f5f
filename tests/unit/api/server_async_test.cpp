// Answers that come later, streams of events, TLS, and the end of the server.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/support/result_matchers.h"
#include "tests/unit/api/loopback.h"

namespace homeport::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(AsyncAnswer, ComesFromAnyThread) {
  TestServer server(TestServer::quick(), {.listen = {"127.0.0.1:0"}, .io_threads = 2});
  std::vector<std::unique_ptr<LoopbackClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<LoopbackClient>(server.port()));
    clients.back()->send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n" + std::to_string(i));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&server] {
      auto [request, responder] = server.shelf().take();
      responder.send(Response{.body = "for " + std::string(request.body)});
    });
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(clients[static_cast<std::size_t>(i)]->receive().body, "for " + std::to_string(i));
  EXPECT_EQ(server.http().stats().in_flight, 0U);
}

TEST(AsyncAnswer, ToAClientThatWentAwayIsDropped) {
  TestServer server;
  LoopbackClient gone(server.port());
  gone.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto [request, responder] = server.shelf().take();
  gone.reset();
  responder.send(Response{.body = std::string(100'000, 'x')});
  ASSERT_TRUE(eventually([&] { return server.http().stats().connections == 0; }));
  EXPECT_EQ(LoopbackClient(server.port()).get("/fast").status, 200);
  EXPECT_EQ(request.target.path, "/slow");  // readable as long as we hold it
}

TEST(AsyncAnswer, ReachesAClientThatOnlyClosedItsOwnHalf) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  client.half_close();
  server.shelf().take().second.send(Response{.body = "still here"});
  EXPECT_EQ(client.receive().body, "still here");
  EXPECT_TRUE(client.closed());
}

TEST(AsyncAnswer, OnlyTheFirstOneCounts) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto [request, responder] = server.shelf().take();
  responder.send(Response{.body = "first"});
  responder.send(Response{.body = "second"});
  EXPECT_FALSE(responder.stream({}).send("data: x\n\n"));
  EXPECT_EQ(client.receive().body, "first");
  EXPECT_EQ(client.get("/fast").body, "fast\n");
}

TEST(AsyncAnswer, ADroppedResponderAnswers500FromAnotherThread) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\nX-Request-ID: id-9\r\n\r\n");
  std::thread([&] { server.shelf().take(); }).join();
  const auto reply = client.receive();
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.member("request_id"), "id-9");
}

TEST(AsyncAnswer, TooManyAtOnceAreRefusedAndTheConnectionGoesOn) {
  auto limits = TestServer::quick();
  limits.max_requests_in_flight = 1;
  TestServer server(limits);
  LoopbackClient first(server.port());
  LoopbackClient second(server.port());
  first.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto held = server.shelf().take();
  const auto refused = second.get("/slow");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("Retry-After"), "1");
  EXPECT_EQ(second.get("/fast").status, 200);
  held.second.send(Response{.body = "done"});
  EXPECT_EQ(first.receive().body, "done");
  second.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  server.shelf().take().second.send(Response{.body = "now"});
  EXPECT_EQ(second.receive().body, "now");
}

TEST(AsyncAnswer, AResponderMayOutliveTheServer) {
  auto server = std::make_unique<TestServer>();
  LoopbackClient client(server->port());
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto held = server->shelf().take();
  server.reset();
  EXPECT_TRUE(client.closed());
  held.second.send(Response{.body = "too late"});
}

TEST(Stop, LetsARunningRequestFinish) {
  TestServer server;
  LoopbackClient busy(server.port());
  LoopbackClient idle(server.port());
  EXPECT_EQ(idle.get("/fast").status, 200);
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto held = server.shelf().take();
  std::thread stopping([&] { server.http().stop(10s); });
  EXPECT_TRUE(idle.closed());
  held.second.send(Response{.body = "finished"});
  const auto reply = busy.receive();
  EXPECT_EQ(reply.body, "finished");
  EXPECT_EQ(reply.field("Connection"), "close");
  stopping.join();
  EXPECT_TRUE(busy.closed());
  EXPECT_EQ(server.http().stats().connections, 0U);
}

TEST(Stop, CutsWhatIsLeftAfterTheGrace) {
  TestServer server(TestServer::quick(), {.listen = {"127.0.0.1:0"}, .io_threads = 2});
  LoopbackClient busy(server.port());
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto held = server.shelf().take();
  std::atomic<bool> stopped = false;
  std::thread stopping([&] {
    server.http().stop(10s);
    stopped = true;
  });
  // Step by step, as the stop may read the clock at any of them.
  EXPECT_TRUE(eventually([&] {
    server.clock().advance(1s);
    return stopped.load();
  }));
  stopping.join();
  EXPECT_TRUE(busy.closed());
  held.second.send(Response{.body = "too late"});
}

TEST(Events, AreStreamedWithHeartbeats) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.http().stats().streams == 1; }));
  auto streams = server.streams();
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_TRUE(streams[0].send(format_event("7", "space", "{\"a\":1}\nmore")));
  const auto text = client.receive_until("data: more\n\n\r\n");
  EXPECT_THAT(text, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(text, HasSubstr("Transfer-Encoding: chunked\r\n"));
  server.clock().advance(16s);
  EXPECT_EQ(client.receive_until(":\n\n\r\n"), "3\r\n:\n\n\r\n");
  std::atomic<int> closed = 0;
  streams[0].on_closed([&] { ++closed; });
  client.close();
  ASSERT_TRUE(eventually([&] { return closed == 1; }));
  EXPECT_FALSE(streams[0].send("data: x\n\n"));
  streams[0].on_closed([&] { ++closed; });
  EXPECT_EQ(closed, 2);
}

TEST(Events, EndInGoodOrderWithTheLastCopy) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.http().stats().streams == 1; }));
  {
    auto streams = server.streams();
    streams[0].send(format_event("", "", "last words"));
  }
  const auto reply = client.receive();
  EXPECT_EQ(reply.body, "data: last words\n\n");
  EXPECT_TRUE(client.closed());
}

TEST(Events, ASlowReaderIsCut) {
  TestServer server;
  LoopbackClient client(server.port(), 4096);
  client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.http().stats().streams == 1; }));
  auto streams = server.streams();
  std::atomic<bool> closed = false;
  streams[0].on_closed([&] { closed = true; });
  const auto event = format_event("", "", std::string(60'000, 'e'));
  std::size_t sent = 0;
  while (sent < 10'000 && streams[0].send(event)) ++sent;
  EXPECT_LT(sent, 10'000U);
  ASSERT_TRUE(eventually([&] { return closed.load(); }));
  EXPECT_EQ(LoopbackClient(server.port()).get("/fast").status, 200);
}

TEST(Events, AReaderThatStopsIsCutAfterTheWriteTime) {
  auto limits = TestServer::quick();
  limits.max_stream_buffer = 64U << 20U;
  TestServer server(limits);
  LoopbackClient client(server.port(), 4096);
  client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.http().stats().streams == 1; }));
  auto streams = server.streams();
  ASSERT_TRUE(streams[0].send(format_event("", "", std::string(32U << 20U, 'e'))));  // more than the kernel takes
  ASSERT_TRUE(eventually([&] {
    server.clock().advance(31s);
    return !streams[0].is_open();
  }));
  EXPECT_EQ(server.http().stats().cut, 1U);
}

TEST(Events, StoppingTheServerEndsThem) {
  TestServer server;
  LoopbackClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.http().stats().streams == 1; }));
  auto streams = server.streams();
  std::thread stopping([&] { server.http().stop(60s); });
  EXPECT_EQ(client.receive().body, "");  // the last chunk came
  client.close();
  stopping.join();
  EXPECT_FALSE(streams[0].is_open());
}

TEST(Events, HeadAndHttp10GetWhatTheyUnderstand) {
  TestServer server;
  LoopbackClient head(server.port());
  const auto reply = head.ask("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n", true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(head.receive_raw(1), "");
  ASSERT_EQ(server.streams().size(), 1U);
  LoopbackClient old(server.port());
  old.send("GET /events HTTP/1.0\r\n\r\n");
  std::vector<EventStream> streams;
  ASSERT_TRUE(eventually([&] {
    streams = server.streams();
    return !streams.empty();
  }));
  streams.back().send("data: x\n\n");
  const auto text = old.receive_until("data: x\n\n");
  EXPECT_EQ(text.find("chunked"), std::string::npos);
  EXPECT_THAT(text, ::testing::EndsWith("\r\n\r\ndata: x\n\n"));
}

}  // namespace
}  // namespace homeport::testing
