// A clock that stands still until a test moves it. sleep_for moves it and returns at once.
#pragma once

#include <atomic>

#include "provisioner/base/clock.h"

namespace homeport::testing {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override { return WallTime(std::chrono::milliseconds(now_ms_.load())); }
  [[nodiscard]] MonoTime mono() const override { return MonoTime(std::chrono::milliseconds(mono_ms_.load())); }
  bool sleep_for(std::chrono::milliseconds d, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    advance(d);
    return true;
  }
  void advance(std::chrono::milliseconds d) {
    now_ms_ += d.count();
    mono_ms_ += d.count();
  }
  void set_wall(WallTime t) { now_ms_ = t.time_since_epoch().count(); }

 private:
  std::atomic<std::int64_t> now_ms_{1'795'000'000'000};  // 2026-11-18
  std::atomic<std::int64_t> mono_ms_{1'000'000};
};

}  // namespace homeport::testing
