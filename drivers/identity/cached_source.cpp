#include "drivers/identity/cached_source.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/log.h"

namespace homeport::drivers::identity {
namespace {

bool cannot_be_asked(Errc code) {
  return code == Errc::unavailable || code == Errc::timed_out || code == Errc::permission_denied ||
         code == Errc::rate_limited;
}

}  // namespace

const CachedSource::Entry* CachedSource::known(const std::string& name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return nullptr;
  used_.splice(used_.begin(), used_, at->second);
  return &*at->second;
}

bool CachedSource::fresh(const Entry& entry) const {
  return clock_.mono() - entry.asked < (entry.answer ? settings_.ttl : settings_.negative_ttl);
}

Result<CachedSource::Answer> CachedSource::find(const OpContext& op, const UserName& user) {
  const std::string what = "asking " + std::string(name());
  std::unique_lock lock(mutex_);
  while (true) {
    if (const Entry* entry = known(user.str()); entry != nullptr && fresh(*entry)) return entry->answer;
    HOMEPORT_CHECK(still_wanted(op, clock_, what));
    auto& flight_of_name = flights_[user.str()];
    if (!flight_of_name) {
      const auto flight = flight_of_name = std::make_shared<Flight>();
      lock.unlock();
      return ask(op, user, *flight);
    }
    const auto flight = flight_of_name;
    const auto left = std::max(op.deadline - clock_.mono(), MonoTime::duration::zero());
    if (!landed_.wait_for(lock, op.stop, left, [&flight] { return flight->result.has_value(); })) {
      const auto code = op.stop.stop_requested() ? Errc::cancelled : Errc::timed_out;
      return Error{.code = code, .message = "somebody else's question was not answered in time: " + what};
    }
    if (!flight->given_up) return *flight->result;
  }
}

Result<CachedSource::Answer> CachedSource::ask(const OpContext& op, const UserName& user, Flight& flight) {
  const MonoTime asked = clock_.mono();
  auto result = source_->find(op, user);
  const std::lock_guard lock(mutex_);
  auto settled = settle(user, std::move(result), asked);
  flight.given_up = !settled && (op.stop.stop_requested() || clock_.mono() >= op.deadline);
  flight.result.emplace(settled);
  flights_.erase(user.str());
  landed_.notify_all();
  return settled;
}

Result<CachedSource::Answer> CachedSource::settle(const UserName& user, Result<Answer> result, MonoTime asked) {
  if (result) {
    remember(user.str(), *result, asked);
    return result;
  }
  const Entry* entry = known(user.str());
  if (entry == nullptr || !entry->answer || !cannot_be_asked(result.error().code)) return result;
  const auto age = clock_.mono() - entry->asked;
  if (age >= settings_.ttl + settings_.stale) return result;
  log::warning("identity_from_memory", {{"source", std::string(name())},
                                        {"user", user.str()},
                                        {"age", format_duration(std::chrono::duration_cast<std::chrono::seconds>(age))},
                                        {"why", result.error().to_string()}});
  return entry->answer;
}

void CachedSource::remember(const std::string& name, const Answer& answer, MonoTime asked) {
  if (const auto at = entries_.find(name); at != entries_.end()) {
    at->second->answer = answer;
    at->second->asked = asked;
    used_.splice(used_.begin(), used_, at->second);
    return;
  }
  used_.push_front({.name = name, .answer = answer, .asked = asked});
  entries_.emplace(name, used_.begin());
  while (entries_.size() > settings_.entries) {
    entries_.erase(used_.back().name);
    used_.pop_back();
  }
}

}  // namespace homeport::drivers::identity
