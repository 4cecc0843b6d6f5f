// A time limit around a source that cannot keep one: NSS hangs with its daemon, name resolution with its servers.
//
// Every question runs on a thread of its own, and the caller waits until its deadline. A question that outlives it is
// left running: nothing can stop a thread that waits inside the C library. What it holds is freed when it returns, its
// answer is dropped, and it keeps one of `max_calls` places until then. With all places taken, further questions wait
// for one within their deadline and are then `unavailable`, so that a source that hangs costs at most that many
// threads.
#pragma once

#include <chrono>
#include <memory>

#include "provisioner/base/clock.h"
#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity {

struct BoundedSettings {
  std::chrono::milliseconds timeout = std::chrono::seconds(5);  // the longest wait for one answer
  std::size_t max_calls = 16;
  // The destructor waits this long for questions that are left running, then leaves them behind. One that returns
  // later, while the process ends, touches nothing but itself.
  std::chrono::milliseconds farewell = std::chrono::seconds(2);
};

class BoundedSource final : public core::IdentitySource {
 public:
  // `clock` must outlive every question, those left running included.
  BoundedSource(std::shared_ptr<core::IdentitySource> source, BoundedSettings settings, const Clock& clock);
  ~BoundedSource() override;
  BoundedSource(const BoundedSource&) = delete;
  BoundedSource& operator=(const BoundedSource&) = delete;

  [[nodiscard]] std::string_view name() const override;
  // Besides those of the source: timed_out, cancelled, unavailable (all places taken).
  [[nodiscard]] Result<std::optional<core::Identity>> find(const OpContext& op, const UserName& user) override;
  [[nodiscard]] Result<std::string> check(const OpContext& op) override;

 private:
  struct Places;
  template <class T, class Ask>
  Result<T> bounded(const OpContext& op, Ask ask);
  [[nodiscard]] std::chrono::milliseconds left(const OpContext& op) const;

  const std::shared_ptr<core::IdentitySource> source_;
  const BoundedSettings settings_;
  const Clock& clock_;
  const std::shared_ptr<Places> places_;
};

}  // namespace homeport::drivers::identity
