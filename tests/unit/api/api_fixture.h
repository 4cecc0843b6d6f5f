// The API over the memory store and a memory backend, without a socket: requests in, answers out.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/api.h"
#include "provisioner/store/open.h"
#include "tests/support/fake_hub.h"
#include "tests/support/result_matchers.h"

namespace homeport::testing {

// One request that was answered, for the check against the published description.
struct Answered {
  std::string method;
  std::string pattern;
  std::string request_body;
  unsigned status = 0;
  std::string content_type;
  std::string body;
};

// What a client of an event stream would have seen. Threads: send and close by one at a time; the flags from any.
class OpenStream final : public EventStream::Sink {
 public:
  bool send(std::string_view text) override {
    if (!open) return false;
    const std::lock_guard lock(mutex_);
    text_ += text;
    return true;
  }
  void on_closed(std::function<void()>) override {}
  void close() override { open = false; }
  [[nodiscard]] bool is_open() const override { return open; }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  std::atomic<bool> open = true;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

class ApiTest : public ::testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  ApiTest();
  ~ApiTest() override;

  // Gives the answer; fails the test when none comes within 30 s. `token` is a scope's name ("admin", "spawner", …), a
  // token itself, or empty for none.
  Response send(const std::string& method, const std::string& target, const std::string& body = {},
                const std::string& token = "admin", Headers headers = {});
  // The same, with the body as JSON.
  nlohmann::json ask(const std::string& method, const std::string& target, const std::string& body = {},
                     unsigned expected = 200, const std::string& token = "admin", Headers headers = {});
  static std::string header(const Response& response, const std::string& name);
  [[nodiscard]] std::string token(const std::string& scope) const;
  // A token whose record is already past its end.
  std::string expired_token();
  static std::string standard();  // one backend "lab", classes "std" and "big", a rule for everyone

  api::Api& api() { return *api_; }
  core::Provisioner& hp() { return *core_; }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<IdSource> ids_ = make_seeded_ids(11);
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  std::unique_ptr<drivers::DriverFactory> factory_;
  std::unique_ptr<store::Store> store_ = store::make_memory_store(*clock_);
  std::shared_ptr<FakeHub> hub_ = std::make_shared<FakeHub>();  // "main"
  std::unique_ptr<core::Provisioner> core_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<Router> router_;
  std::map<std::string, std::string> tokens_;  // by scope
  std::vector<Answered> answered_;
  std::shared_ptr<OpenStream> stream_;  // of the last request that was answered with one
};

}  // namespace homeport::testing
