// The end of a thread that loops and waits.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace homeport {

// Told (under `mutex`, for whoever else reads it), woken, joined. A thread that was never started is only told.
inline void stop_loop(std::mutex& mutex, bool& stopping, std::condition_variable_any& wake, std::jthread& thread) {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  if (!thread.joinable()) return;
  thread.request_stop();
  wake.notify_all();
  thread.join();
}

}  // namespace homeport
