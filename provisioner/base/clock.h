// The only door to time.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "provisioner/base/result.h"

namespace homeport {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;  // shown to people, stored (UTC)
using MonoTime = std::chrono::steady_clock::time_point;             // deadlines, back-off

// Threads: every method from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
  [[nodiscard]] virtual MonoTime mono() const = 0;
  // False: stopped before the time was over.
  virtual bool sleep_for(std::chrono::milliseconds d, std::stop_token stop) = 0;
};

[[nodiscard]] std::unique_ptr<Clock> make_system_clock();

// RFC 3339 in UTC, seconds ("2026-11-20T08:00:00Z") or milliseconds when there are any.
[[nodiscard]] std::string format_time(WallTime t);
[[nodiscard]] Result<WallTime> parse_time(std::string_view text);
// "90d", "12h", "30m", "45s", "500ms". Errors: invalid_argument.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(std::chrono::milliseconds d);

}  // namespace homeport
