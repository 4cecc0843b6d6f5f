// A TCP connection within a deadline.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "provisioner/base/clock.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"

namespace homeport::drivers::identity {

// A blocking socket, the caller's to close. Each address of the name is tried in turn, with an equal share of the time
// that is left. Errors: unavailable, timed_out, cancelled.
[[nodiscard]] Result<int> dial(const OpContext& op, const Clock& clock, const std::string& host, std::uint16_t port);

// While it lives, ends a connection at the deadline or when stop is requested: whoever blocks in a read or write of it
// gets an error. The socket itself stays open until its owner closes it.
class Watchdog {
 public:
  Watchdog(const OpContext& op, const Clock& clock, int fd);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any over_;
  bool done_ = false;
  std::jthread thread_;
};

}  // namespace homeport::drivers::identity
