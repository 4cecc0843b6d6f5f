// What a source said, remembered: a warm look-up asks nobody.
//
//   fresh        younger than ttl (a person) or negative_ttl ("not known"): answered from memory
//   single flight  questions for one name that come while it is asked wait for that answer
//   stale        the source cannot be asked (unavailable, timed_out, permission_denied, rate_limited): what it last
//   said
//                of a person is answered for ttl + stale. "Not known" is never answered stale, since the next source
//                would then hand out another uid; and what the source knows to be wrong (failed_precondition) is not
//                papered over
//   entries      the least recently used goes first
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "provisioner/base/clock.h"
#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity {

struct CacheSettings {
  std::chrono::milliseconds ttl = std::chrono::minutes(5);
  std::chrono::milliseconds negative_ttl = std::chrono::seconds(30);
  std::chrono::milliseconds stale = std::chrono::hours(4);  // after ttl; 0: never
  std::size_t entries = 20'000;
};

class CachedSource final : public core::IdentitySource {
 public:
  // `clock` must outlive it.
  CachedSource(std::unique_ptr<core::IdentitySource> source, CacheSettings settings, const Clock& clock)
      : source_(std::move(source)), settings_(settings), clock_(clock) {}

  [[nodiscard]] std::string_view name() const override { return source_->name(); }
  [[nodiscard]] Result<std::optional<core::Identity>> find(const OpContext& op, const UserName& user) override;
  [[nodiscard]] Result<std::string> check(const OpContext& op) override { return source_->check(op); }

 private:
  using Answer = std::optional<core::Identity>;
  struct Entry {
    std::string name;
    Answer answer;
    MonoTime asked;  // when the question was sent: what it says may be as old as that
  };
  struct Flight {
    std::optional<Result<Answer>> result{};
    // It ended because its asker had no more time or left: whoever waits and has time asks again.
    bool given_up = false;
  };

  [[nodiscard]] const Entry* known(const std::string& name);
  [[nodiscard]] bool fresh(const Entry& entry) const;
  [[nodiscard]] Result<Answer> ask(const OpContext& op, const UserName& user, Flight& flight);
  [[nodiscard]] Result<Answer> settle(const UserName& user, Result<Answer> result, MonoTime asked);
  void remember(const std::string& name, const Answer& answer, MonoTime asked);

  const std::unique_ptr<core::IdentitySource> source_;
  const CacheSettings settings_;
  const Clock& clock_;

  std::mutex mutex_;
  std::condition_variable_any landed_;
  std::list<Entry> used_;  // the most recently used first
  std::map<std::string, std::list<Entry>::iterator, std::less<>> entries_;
  std::map<std::string, std::shared_ptr<Flight>, std::less<>> flights_;
};

}  // namespace homeport::drivers::identity
