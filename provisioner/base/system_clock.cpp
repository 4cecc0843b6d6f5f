// The one place that asks the machine for the time.
#include <condition_variable>
#include <mutex>

#include "provisioner/base/clock.h"

namespace homeport {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] MonoTime mono() const override { return std::chrono::steady_clock::now(); }
  bool sleep_for(std::chrono::milliseconds d, std::stop_token stop) override {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, stop, d, [&stop] { return stop.stop_requested(); });
  }
};

}  // namespace

std::unique_ptr<Clock> make_system_clock() {
  return std::make_unique<SystemClock>();
}

}  // namespace homeport
