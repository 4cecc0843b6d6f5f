// A client that does exactly what a test says, down to single bytes, and a server with a clock the test moves.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/http_server.h"
#include "tests/support/fake_clock.h"

namespace homeport::testing {

// What came back, taken apart.
struct Reply {
  int status = 0;  // 0: nothing that looks like an answer
  std::string head;
  std::string body;  // chunks put together
  [[nodiscard]] std::string field(std::string_view name) const;
  [[nodiscard]] std::string member(const std::string& key) const;  // of a JSON body, as text
};

// Plain blocking sockets on loopback; every wait ends after ten seconds and fails the test that relied on it.
class LoopbackClient {
 public:
  explicit LoopbackClient(std::uint16_t port, int receive_buffer = 0);
  ~LoopbackClient();
  LoopbackClient(const LoopbackClient&) = delete;
  LoopbackClient& operator=(const LoopbackClient&) = delete;

  bool send(std::string_view bytes);
  bool send_all_of(std::string_view bytes, std::size_t times);  // until it is refused
  Reply receive(bool head_request = false);                     // one answer; interim ones are skipped
  std::string receive_raw(std::size_t at_least);                // bytes as they come
  std::string receive_until(std::string_view end);              // bytes up to and with the last of `end`
  [[nodiscard]] bool closed();                                  // waits: true once the server has closed or reset
  void half_close();                                            // no more bytes from us
  void close();
  void reset();  // close with a reset
  Reply ask(std::string_view bytes, bool head_request = false) {
    send(bytes);
    return receive(head_request);
  }
  Reply get(std::string_view path);

 private:
  bool fill();
  int fd_ = -1;
  std::string input_;
};

// Waits until `done` holds, up to ten seconds. For what another thread is about to do.
[[nodiscard]] bool eventually(const std::function<bool()>& done);

// Requests that asynchronous handlers hold back until the test answers them.
class Shelf {
 public:
  void put(Request&& request, Responder responder);
  std::pair<Request, Responder> take();  // waits for one
  [[nodiscard]] std::size_t size();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Request, Responder>> waiting_;
};

// A server on a free port. Routes: GET /fast, POST /echo, GET /big, GET|POST /slow (goes to the shelf), GET /lost
// (dropped), GET /throw, GET /late-throw, GET /events (a stream), PUT /small (body limit 16), GET /user/{name}.
class TestServer {
 public:
  explicit TestServer(HttpLimits limits = quick(), HttpSettings settings = {.listen = {"127.0.0.1:0"}});
  ~TestServer();
  static HttpLimits quick() { return {.tick = std::chrono::milliseconds(5)}; }

  HttpServer& http() { return *server_; }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  FakeClock& clock() { return clock_; }
  Shelf& shelf() { return shelf_; }
  std::vector<EventStream> streams();
  [[nodiscard]] std::vector<unsigned> observed();

 private:
  std::optional<Response> answer(const Request& request);
  void handle(Request&& request, const Responder& responder);

  FakeClock clock_;
  std::unique_ptr<IdSource> ids_ = make_seeded_ids(7);
  Shelf shelf_;
  std::mutex mutex_;
  std::vector<EventStream> streams_;
  std::vector<unsigned> observed_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace homeport::testing
