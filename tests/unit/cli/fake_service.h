// A scripted HTTP server on a free loopback port: records what it is asked, answers what it was told to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace homeport::testing {

struct SeenRequest {
  std::string method;
  std::string target;                            // as sent, with the query
  std::map<std::string, std::string> headers{};  // names in lower case
  std::string body{};
  [[nodiscard]] std::string line() const { return method + " " + target; }
};

struct ScriptedReply {
  int status = 200;
  std::string body{};
  std::map<std::string, std::string> headers{};
  bool hang_up = false;  // close the connection instead of answering
};

// Threads: every method from any thread.
class FakeService {
 public:
  FakeService();
  ~FakeService();
  FakeService(const FakeService&) = delete;
  FakeService& operator=(const FakeService&) = delete;

  [[nodiscard]] std::string url() const;
  // For "GET /v1/homes" (without the query). Several replies are given in turn; the last one stays.
  void on(const std::string& method_and_path, ScriptedReply reply);
  using Answer = std::function<ScriptedReply(const SeenRequest&)>;
  void on(const std::string& method_and_path, Answer answer);
  [[nodiscard]] std::vector<SeenRequest> seen() const;
  [[nodiscard]] std::vector<std::string> lines() const;
  // False: fewer than `count` requests came within ten seconds.
  [[nodiscard]] bool wait_for_requests(std::size_t count) const;
  [[nodiscard]] std::size_t connections() const { return accepted_; }

 private:
  void accept_all();
  void serve(int fd);
  ScriptedReply reply_to(const SeenRequest& request);

  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> accepted_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, std::deque<ScriptedReply>> scripts_{};
  std::map<std::string, Answer> answers_{};
  std::vector<SeenRequest> seen_{};
  std::vector<int> open_{};
  std::vector<std::thread> threads_{};
  std::thread acceptor_{};
};

// A problem document as the service writes it.
[[nodiscard]] ScriptedReply problem(int status, const std::string& code, const std::string& detail,
                                    const std::string& hint);

}  // namespace homeport::testing
