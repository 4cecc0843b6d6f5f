// The connection's side of an EventStream: a bounded buffer between the threads that send and the socket. Internal to
// the server.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/responder.h"

namespace homeport {

// Threads: every method from any thread.
class SseBuffer final : public EventStream::Sink {
 public:
  // `wake` is called, at most once per take(), when there is something to take, an end or an overflow.
  SseBuffer(std::size_t max_bytes, std::function<void()> wake) : max_bytes_(max_bytes), wake_(std::move(wake)) {}

  bool send(std::string_view text) override;
  void on_closed(std::function<void()> callback) override;
  void close() override;  // by the sender: what is queued is still delivered
  [[nodiscard]] bool is_open() const override;

  enum class State { open, ended, overflowed };
  // Moves what is queued into `out` (replaced). ended: the sender closed, and this was the last of it.
  State take(std::string& out);
  // The connection is gone: nothing is taken any more; runs the callbacks.
  void finish();

 private:
  void wake(std::unique_lock<std::mutex>& lock);

  const std::size_t max_bytes_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::string queued_;
  std::vector<std::function<void()>> callbacks_;
  bool awake_ = false;  // wake_ was called and take() has not come yet
  bool ended_ = false;
  bool overflowed_ = false;
  bool finished_ = false;
};

}  // namespace homeport
