// At most so many calls at once. Who waits longer than the deadline, or is stopped, gives up.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string_view>

#include "provisioner/base/op_context.h"

namespace homeport::drivers {

// `upstream.system` of what was given up here: the other side was not asked.
inline constexpr std::string_view kLimitSystem = "limit";

// Threads: every method from any thread.
class CallSlots {
 public:
  // The clock must outlive the slots.
  explicit CallSlots(const Clock& clock) : clock_(clock) {}

  class Held {
   public:
    explicit Held(CallSlots& owner) : owner_(&owner) {}
    Held(Held&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (owner_ != nullptr) owner_->leave();
    }

   private:
    CallSlots* owner_;
  };
  // Blocks until fewer than `most` (from 1) are held. Errors: timed_out, cancelled, of kLimitSystem; `whose`: "the
  // backend".
  [[nodiscard]] Result<Held> take(const OpContext& op, std::uint32_t most, std::string_view whose);

  [[nodiscard]] std::uint32_t held() const;
  [[nodiscard]] std::uint32_t waiting() const;

 private:
  void leave();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any free_;
  std::uint32_t held_ = 0;
  std::uint32_t waiting_ = 0;
};

}  // namespace homeport::drivers
