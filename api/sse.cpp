#include "api/sse.h"

namespace homeport {

void SseBuffer::wake(std::unique_lock<std::mutex>& lock) {
  const bool needed = !std::exchange(awake_, true);
  lock.unlock();
  if (needed) wake_();
}

bool SseBuffer::send(std::string_view text) {
  std::unique_lock lock(mutex_);
  if (ended_ || overflowed_ || finished_) return false;
  if (queued_.size() + text.size() > max_bytes_) {
    overflowed_ = true;
    queued_.clear();
    wake(lock);
    return false;
  }
  queued_ += text;
  wake(lock);
  return true;
}

void SseBuffer::on_closed(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!finished_) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void SseBuffer::close() {
  std::unique_lock lock(mutex_);
  if (ended_ || finished_) return;
  ended_ = true;
  wake(lock);
}

bool SseBuffer::is_open() const {
  const std::lock_guard lock(mutex_);
  return !ended_ && !overflowed_ && !finished_;
}

SseBuffer::State SseBuffer::take(std::string& out) {
  const std::lock_guard lock(mutex_);
  awake_ = false;
  out.clear();
  out.swap(queued_);
  if (overflowed_) return State::overflowed;
  return ended_ ? State::ended : State::open;
}

void SseBuffer::finish() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    queued_.clear();
    callbacks.swap(callbacks_);
  }
  for (const auto& callback : callbacks) callback();
}

}  // namespace homeport
