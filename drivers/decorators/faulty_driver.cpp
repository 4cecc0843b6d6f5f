#include "drivers/decorators/faulty_driver.h"

#include <algorithm>

namespace homeport::drivers {

void FaultPlan::add(DriverMethod method, Fault fault, int times) {
  state_.with([&](State& s) {
    for (int i = 0; i < times; ++i) s.queues[static_cast<std::size_t>(method)].push_back(fault);
  });
}

void FaultPlan::lose_reply(DriverMethod method, int times) {
  add(method,
      Fault{.error = Error{.code = Errc::unavailable,
                           .message = "connection reset before the answer to " +
                                      std::string(driver_method_name(method)) + " came",
                           .maybe_applied = true},
            .when = Fault::When::after},
      times);
}

std::optional<Fault> FaultPlan::next(DriverMethod method) {
  return state_.with([&](State& s) -> std::optional<Fault> {
    auto& queue = s.queues[static_cast<std::size_t>(method)];
    if (queue.empty()) return std::nullopt;
    auto fault = std::move(queue.front());
    queue.pop_front();
    return fault;
  });
}

std::size_t FaultPlan::left() const {
  return state_.with([](const State& s) {
    std::size_t sum = 0;
    for (const auto& queue : s.queues) sum += queue.size();
    return sum;
  });
}

std::size_t FaultPlan::forwarded(DriverMethod method) const {
  return state_.with([&](const State& s) { return s.forwarded[static_cast<std::size_t>(method)]; });
}
void FaultPlan::count_forwarded(DriverMethod method) {
  state_.with([&](State& s) { ++s.forwarded[static_cast<std::size_t>(method)]; });
}

Result<void> FaultyDriver::wait(const OpContext& op, const Fault& fault) {
  if (fault.latency.count() == 0) return {};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(op.deadline - clock_.mono());
  const auto wait =
      std::clamp(fault.latency, std::chrono::milliseconds(0), std::max(left, std::chrono::milliseconds(0)));
  if (!clock_.sleep_for(wait, op.stop))
    return Error{.code = Errc::cancelled, .message = "stopped while the backend was slow"};
  return still_wanted(op, clock_, "a slow backend");
}

}  // namespace homeport::drivers
