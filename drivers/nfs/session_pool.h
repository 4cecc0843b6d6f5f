// Sessions of one export, lent out one at a time.
//
// Threads: every method from any thread. No lock is held while a session connects or closes. After a failed connection
// the next attempt waits its turn (back-off): until then a caller without an idle session is told `unavailable` at
// once, so that a dead server costs nobody a timeout per call.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drivers/nfs/nfs_session.h"

namespace homeport::drivers::nfs {

// How long to leave a server alone after its n-th failed connection in a row (from 1): 50 ms, doubling, 2 s at most.
[[nodiscard]] std::chrono::milliseconds connect_back_off(std::uint32_t failures);

class SessionPool {
 public:
  // At most `limit` sessions at once.
  SessionPool(const Reach& reach, std::string export_path, std::uint32_t limit);
  ~SessionPool();
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;

  // Gives its session back; one that died, or was marked bad, is closed instead. The pool must outlive it.
  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Session& operator*() const { return *session_; }
    Session* operator->() const { return session_.get(); }
    void mark_bad() { bad_ = true; }

   private:
    friend class SessionPool;
    Lease(SessionPool& pool, std::unique_ptr<Session> session) : pool_(&pool), session_(std::move(session)) {}
    SessionPool* pool_;
    std::unique_ptr<Session> session_;
    bool bad_ = false;
  };

  // Waits for a free session, or makes one. Errors: as Session::open; timed_out when all stay lent until the deadline.
  Result<Lease> lease(const OpContext& op);

 private:
  Result<void> wait_for_turn(const OpContext& op);
  std::unique_ptr<Session> take_idle();
  Result<std::unique_ptr<Session>> connect(const OpContext& op);
  void give_back(std::unique_ptr<Session> session);

  const Reach reach_;
  const std::string export_path_;
  const std::uint32_t limit_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<Session>> idle_;
  std::uint32_t lent_ = 0;
  std::uint32_t failures_ = 0;
  MonoTime not_before_{};
  std::optional<Error> last_failure_;
};

}  // namespace homeport::drivers::nfs
