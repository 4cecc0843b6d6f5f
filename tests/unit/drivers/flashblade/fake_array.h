// A FlashBlade of one test: keeps file systems and snapshots as REST 2.x shows them, over HTTP on a free port. With
// `disk`, they are directories there, so that a server that exports it serves them. It keeps the contract of what the
// driver calls and refuses the rest; trouble is switched on by a hook.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/drivers/http/peer.h"

namespace homeport::testing {

struct ArrayCall {
  std::string method;
  std::string endpoint;  // "file-systems"
  std::map<std::string, std::string> query{};
  nlohmann::json body{};
  std::string token{};  // of the session
};

// Threads: every method from any thread.
class FakeArray {
 public:
  struct Options {
    int minor = 26;
    std::optional<std::filesystem::path> disk{};
    std::size_t max_page = 1000;
    bool missing_is_empty = false;  // 200 with no items, as some endpoints do
    int exists_status = 400;
  };
  FakeArray() : FakeArray(Options{}) {}
  explicit FakeArray(Options options);

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(peer_->port()); }
  static constexpr const char* kToken = "T-11111111-2222-3333-4444-555555555555";

  // Before a call is acted upon: an answer in its place, or nothing.
  using Before = std::function<std::optional<PeerAnswer>(const ArrayCall& call)>;
  // After it was acted upon: true drops the connection instead of the answer.
  using Lose = std::function<bool(const ArrayCall& call)>;
  void before(Before hook);
  void lose(Lose hook);
  void expire_sessions();
  void set_minor(int minor);
  void set_manual_eradication(const std::string& value);
  void set_policy_client(const std::string& client);  // of the one export policy there is, "notebooks"
  // Behind the driver's back.
  nlohmann::json add_file_system(const std::string& name, const std::string& rules);
  void change(const std::string& name, const nlohmann::json& merge);
  void forget(const std::string& name);
  [[nodiscard]] std::optional<nlohmann::json> look(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::optional<std::uint64_t> quota(const std::string& name) const;  // "pool1/u4242", "pool1/g100"

  [[nodiscard]] std::size_t logins() const;
  // Calls that were answered by the array itself: "POST file-systems".
  [[nodiscard]] std::vector<std::string> calls() const;
  void forget_calls();

 private:
  using Reply = std::pair<int, nlohmann::json>;
  PeerAnswer answer(const PeerRequest& request);
  PeerAnswer versioned(const ArrayCall& call, const std::string& version);
  Reply act(const ArrayCall& call);
  Reply get_file_systems(const ArrayCall& call);
  Reply post_file_system(const ArrayCall& call);
  Reply patch_file_system(const ArrayCall& call);
  Reply delete_file_system(const ArrayCall& call);
  Reply snapshots(const ArrayCall& call);
  Reply quotas(const ArrayCall& call);
  Reply page(const ArrayCall& call, std::vector<nlohmann::json> items) const;
  [[nodiscard]] Reply missing(const std::string& what, const std::string& context) const;
  nlohmann::json* by(const ArrayCall& call);
  nlohmann::json& make(const std::string& name);
  [[nodiscard]] std::string next_id();
  [[nodiscard]] std::filesystem::path place(const std::string& name) const { return *options_.disk / name; }

  Options options_;
  mutable std::mutex mutex_;
  Before before_{};
  Lose lose_{};
  std::string manual_eradication_ = "all-enabled";
  std::string policy_client_ = "10.20.0.0/16";
  std::map<std::string, nlohmann::json> file_systems_{};  // by id
  std::map<std::string, nlohmann::json> snapshots_{};
  std::map<std::string, nlohmann::json> quotas_{};
  std::uint64_t ids_ = 0;
  std::size_t logins_ = 0;
  std::string session_{};
  std::vector<std::string> calls_{};
  std::unique_ptr<Peer> peer_;
};

[[nodiscard]] std::string error_body(const std::string& message, const std::string& context = {});

}  // namespace homeport::testing
