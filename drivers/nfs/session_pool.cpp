#include "drivers/nfs/session_pool.h"

#include <algorithm>
#include <utility>

namespace homeport::drivers::nfs {

std::chrono::milliseconds connect_back_off(std::uint32_t failures) {
  constexpr std::chrono::milliseconds kFirst{50};
  constexpr std::chrono::milliseconds kMost{2000};
  if (failures == 0) return std::chrono::milliseconds(0);
  const std::uint32_t doublings = std::min<std::uint32_t>(failures - 1, 10);
  return std::min(kMost, kFirst * (1 << doublings));
}

SessionPool::SessionPool(const Reach& reach, std::string export_path, std::uint32_t limit)
    : reach_(reach), export_path_(std::move(export_path)), limit_(limit) {}

SessionPool::~SessionPool() = default;

SessionPool::Lease::~Lease() {
  if (!session_) return;  // moved from
  if (bad_ || !session_->usable()) session_.reset();
  pool_->give_back(std::move(session_));
}

void SessionPool::give_back(std::unique_ptr<Session> session) {
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (session) idle_.push_back(std::move(session));
  }
  freed_.notify_one();
}

Result<void> SessionPool::wait_for_turn(const OpContext& op) {
  std::unique_lock lock(mutex_);
  if (!freed_.wait_until(lock, op.stop, op.deadline, [this] { return lent_ < limit_; })) {
    HOMEPORT_CHECK(still_wanted(op, reach_.clock, "waiting for a connection to " + reach_.service.server));
    return Error{
        .code = Errc::timed_out,
        .message = "all " + std::to_string(limit_) + " connections to " + reach_.service.server + " are in use",
        .hint = "raise service.connections"};
  }
  ++lent_;
  return {};
}

std::unique_ptr<Session> SessionPool::take_idle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  auto session = std::move(idle_.back());
  idle_.pop_back();
  return session;
}

Result<SessionPool::Lease> SessionPool::lease(const OpContext& op) {
  HOMEPORT_CHECK(still_wanted(op, reach_.clock, "a connection to " + reach_.service.server));
  HOMEPORT_CHECK(wait_for_turn(op));
  // The server may have gone and come back since: such a session is closed here, outside the lock.
  while (auto session = take_idle()) {
    if (session->usable()) return Lease(*this, std::move(session));
  }
  auto session = connect(op);
  if (session) return Lease(*this, std::move(session).value());
  give_back(nullptr);
  return std::move(session).error();
}

Result<std::unique_ptr<Session>> SessionPool::connect(const OpContext& op) {
  {
    const std::lock_guard lock(mutex_);
    const MonoTime now = reach_.clock.mono();
    if (last_failure_ && now < not_before_) {
      Error error = *last_failure_;
      error.code = Errc::unavailable;
      error.retry_after = std::chrono::ceil<std::chrono::milliseconds>(not_before_ - now);
      return error;
    }
  }
  auto session = Session::open(op, reach_, export_path_);
  const std::lock_guard lock(mutex_);
  if (session) {
    failures_ = 0;
    last_failure_.reset();
    return session;
  }
  // What the caller's own haste or the server's rules caused says nothing about the next attempt.
  const Error& error = session.error();
  const bool hasty = error.code == Errc::timed_out && reach_.clock.mono() >= op.deadline;
  if ((error.code == Errc::unavailable || error.code == Errc::timed_out) && !hasty) {
    ++failures_;
    not_before_ = reach_.clock.mono() + connect_back_off(failures_);
    last_failure_ = error;
  }
  return session;
}

}  // namespace homeport::drivers::nfs
