// A hub that keeps the contract of the port and counts what it is asked; for what a real hub cannot be made to do.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "provisioner/core/ports/hub.h"

namespace homeport::testing {

// Threads: every method from any thread.
class FakeHub final : public core::Hub {
 public:
  Result<std::optional<core::HubUser>> owner_of(const OpContext& op, const Secret& token) override {
    std::unique_lock lock(mutex_);
    ++questions_;
    changed_.notify_all();
    if (deaf_) {
      changed_.wait(lock, [this] { return !held_; });
    } else {
      changed_.wait(lock, op.stop, [this] { return !held_; });
    }
    if (op.stop.stop_requested()) return Error{.code = Errc::cancelled, .message = "stopped"};
    if (trouble_) return *trouble_;
    if (const auto odd = odd_.find(token.reveal()); odd != odd_.end()) return odd->second;
    const auto at = owners_.find(token.reveal());
    if (at == owners_.end()) return std::optional<core::HubUser>();
    return std::optional<core::HubUser>(at->second);
  }
  Result<std::vector<core::HubListed>> users(const OpContext&) override {
    const std::lock_guard lock(mutex_);
    ++lists_;
    if (trouble_) return *trouble_;
    return users_;
  }

  void give(const std::string& token, core::HubUser user) {
    const std::lock_guard lock(mutex_);
    owners_[token] = std::move(user);
  }
  void revoke(const std::string& token) {
    const std::lock_guard lock(mutex_);
    owners_.erase(token);
  }
  void set_users(std::vector<std::string> users) {
    const std::lock_guard lock(mutex_);
    users_.clear();
    for (auto& name : users) users_.push_back({.name = std::move(name)});
  }
  void set_accounts(std::vector<core::HubListed> users) {
    const std::lock_guard lock(mutex_);
    users_ = std::move(users);
  }
  void fail_with(std::optional<Error> trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
  }
  // For this token alone.
  void fail_for(const std::string& token, const Error& trouble) {
    const std::lock_guard lock(mutex_);
    odd_[token] = trouble;
  }
  // From now on nobody is answered until let_go().
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  // The same, and a stop is not noticed either: a peer that hangs in a call that cannot be cut short.
  void hold_deaf() {
    const std::lock_guard lock(mutex_);
    held_ = deaf_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  [[nodiscard]] std::size_t questions() const {
    const std::lock_guard lock(mutex_);
    return questions_;
  }
  [[nodiscard]] std::size_t lists() const {
    const std::lock_guard lock(mutex_);
    return lists_;
  }
  // False: not so many questions within ten seconds.
  [[nodiscard]] bool wait_for_questions(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return questions_ >= count; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, core::HubUser> owners_;
  std::vector<core::HubListed> users_;
  std::optional<Error> trouble_;
  std::map<std::string, Error> odd_;
  bool held_ = false;
  bool deaf_ = false;
  std::size_t questions_ = 0;
  std::size_t lists_ = 0;
};

}  // namespace homeport::testing
