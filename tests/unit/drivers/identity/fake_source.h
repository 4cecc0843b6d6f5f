// A source that says what it is told to, and can be held back.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity::testing {

class FakeSource final : public core::IdentitySource {
 public:
  [[nodiscard]] std::string_view name() const override { return "fake"; }

  Result<std::optional<core::Identity>> find(const OpContext&, const UserName& user) override {
    std::unique_lock lock(mutex_);
    ++asked_;
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    --inside_;
    changed_.notify_all();
    if (once_) {
      auto error = std::move(*once_);
      once_.reset();
      return error;
    }
    if (error_) return *error_;
    const auto at = people_.find(user.str());
    if (at == people_.end()) return std::optional<core::Identity>();
    return std::optional(at->second);
  }
  Result<std::string> check(const OpContext& op) override {
    const auto found = find(op, UserName::parse("check").value());
    if (!found) return found.error();
    return std::string("answers");
  }

  void set(const std::string& name, std::uint32_t uid) {
    const std::lock_guard lock(mutex_);
    people_[name] = core::Identity{.uid = uid, .gid = uid};
  }
  void fail(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  void fail_once(Error error) {
    const std::lock_guard lock(mutex_);
    once_ = std::move(error);
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  // Until so many questions are inside.
  void wait_inside(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ == count; });
  }
  [[nodiscard]] std::size_t asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, core::Identity> people_;
  std::optional<Error> error_;
  std::optional<Error> once_;
  bool held_ = false;
  std::size_t asked_ = 0;
  std::size_t inside_ = 0;
};

}  // namespace homeport::drivers::identity::testing
