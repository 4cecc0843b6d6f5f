#include "provisioner/base/worker_pool.h"

#include <atomic>
#include <exception>
#include <utility>

#include "provisioner/base/log.h"

namespace homeport {
namespace {

// Of the process, because that is what the metric counts.
std::atomic<std::uint64_t> g_failed_jobs{0};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

WorkerPool::WorkerPool(std::string name, std::size_t threads, std::size_t queue_limit)
    : name_(std::move(name)), queue_limit_(queue_limit) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
  }
}

WorkerPool::~WorkerPool() {
  std::deque<Job> dropped;  // what a job holds is released outside the lock: it may come back to us
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    dropped.swap(queue_);
  }
  dropped.clear();
  for (auto& thread : threads_) thread.request_stop();
  wake_.notify_all();
  threads_.clear();
}

Result<void> WorkerPool::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return Error{.code = Errc::cancelled, .message = name_ + " is stopping"};
    if (queue_.size() >= queue_limit_) {
      return Error{
          .code = Errc::unavailable,
          .message = "too much work is waiting for " + name_,
          .hint = "try again in a moment; if it stays so, look at `homeport operation list` and the backend's health",
          .retry_after = std::chrono::seconds(2)};
    }
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return {};
}

std::size_t WorkerPool::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + running_;
}

void WorkerPool::drain(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  closing_ = true;
  const auto empty = [this] { return queue_.empty() && running_ == 0; };
  if (idle_.wait_for(lock, limit, empty)) return;
  std::deque<Job> dropped;
  dropped.swap(queue_);
  lock.unlock();
  dropped.clear();
  for (auto& thread : threads_) thread.request_stop();
  lock.lock();
  idle_.wait(lock, empty);
}

std::uint64_t WorkerPool::failed_jobs() {
  return g_failed_jobs.load(std::memory_order_relaxed);
}

// Failures are values here, so an exception is a fault of ours or of a library: it costs its own job and nobody else's.
void WorkerPool::work(Job& job, const std::stop_token& stop) const {
  try {
    job(stop);
  } catch (const std::exception& e) {
    g_failed_jobs.fetch_add(1, std::memory_order_relaxed);
    log::error("a job ended with an exception", {{"pool", name_}, {"what", e.what()}});
  }
}

void WorkerPool::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, stop, [this] { return !queue_.empty(); });
    if (queue_.empty()) return;  // only a requested stop wakes us with nothing to do
    Job job = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    work(job, stop);
    job = nullptr;  // what the job holds is released outside the lock
    lock.lock();
    --running_;
    if (queue_.empty() && running_ == 0) idle_.notify_all();
  }
}

}  // namespace homeport
