// A bounded pool of threads for work that may block. Each backend has its own, so a slow one hurts only itself.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport {

// Threads: every method from any thread. The destructor requests stop, drops what is queued and joins.
class WorkerPool {
 public:
  using Job = std::function<void(std::stop_token)>;

  WorkerPool(std::string name, std::size_t threads, std::size_t queue_limit);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Never blocks. Errors: unavailable with retry_after when the queue is full; cancelled while stopping.
  Result<void> submit(Job job);
  // Jobs that ended with an exception, of all pools of this process since its start. Each was logged; nobody waited for
  // their answers but those who are told so when what the job held is released.
  [[nodiscard]] static std::uint64_t failed_jobs();
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t threads() const { return threads_.size(); }
  // No new jobs; waits until the queue is empty and every job has returned, or until `limit` is over (then requests
  // stop of the running ones and waits for them).
  void drain(std::chrono::milliseconds limit);

 private:
  void run(const std::stop_token& stop);
  void work(Job& job, const std::stop_token& stop) const;

  const std::string name_;
  const std::size_t queue_limit_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable_any idle_;
  std::deque<Job> queue_;
  std::size_t running_ = 0;
  bool closing_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace homeport
