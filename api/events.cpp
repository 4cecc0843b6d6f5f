#include "api/events.h"

#include <algorithm>

#include "api/wire_admin.h"
#include "api/wire_common.h"
#include "provisioner/base/log.h"

namespace homeport::api {

Result<std::uint64_t> EventPump::latest() const {
  // "Is there anything after n" is false from the newest on: doubling, then halving, finds it in few small reads.
  const auto any_after = [this](std::uint64_t n) -> Result<bool> {
    HOMEPORT_TRY(const auto found, source_(n, 1));
    return !found.empty();
  };
  std::uint64_t high = 1;
  std::uint64_t low = 0;
  while (true) {
    HOMEPORT_TRY(const bool more, any_after(high - 1));
    if (!more) break;
    low = high;
    high *= 2;
  }
  // low: there is something at or after it (or it is 0); at high there is nothing.
  while (low + 1 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    HOMEPORT_TRY(const bool more, any_after(middle - 1));
    (more ? low : high) = middle;
  }
  return low;
}

Result<void> EventPump::admits() const {
  const std::lock_guard lock(mutex_);
  if (!closed_ && subscribers_.size() < kMaxStreams) return {};
  return Error{.code = Errc::unavailable,
               .message = closed_ ? "the service is stopping" : "too many event streams are open",
               .hint = "come back in a moment, with Last-Event-ID",
               .retry_after = std::chrono::seconds(5)};
}

void EventPump::add(EventStream stream, std::uint64_t after, std::function<bool()> still_allowed) {
  Subscriber subscriber{.stream = std::move(stream), .still_allowed = std::move(still_allowed), .after = after};
  // An event stream's head reaches the client with its first bytes.
  if (!subscriber.stream.send(": open\n\n") || !feed(subscriber)) return;
  const std::lock_guard lock(mutex_);
  if (!closed_) subscribers_.push_back(std::move(subscriber));
}

bool EventPump::feed(Subscriber& subscriber) const {
  if (!subscriber.still_allowed()) {
    subscriber.stream.close();
    return false;
  }
  const auto changes = source_(subscriber.after, kBatch);
  if (!changes) {
    log::warning("events cannot be read", {{"why", changes.error().to_string()}});
    return subscriber.stream.is_open();
  }
  std::string text;
  if (subscriber.first && subscriber.after > 0 && !changes->empty() && changes->front().seq > subscriber.after + 1) {
    text += format_event({}, "gap", dump({{"after", subscriber.after}, {"first", changes->front().seq}}));
  }
  subscriber.first = false;
  for (const auto& change : *changes) {
    text += format_event(std::to_string(change.seq), "change", dump(event_json(change)));
    subscriber.after = change.seq;
  }
  return text.empty() ? subscriber.stream.is_open() : subscriber.stream.send(text);
}

void EventPump::pump() {
  std::vector<Subscriber> working;
  {
    const std::lock_guard lock(mutex_);
    working.swap(subscribers_);
  }
  std::erase_if(working, [this](Subscriber& subscriber) { return !feed(subscriber); });
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  std::move(working.begin(), working.end(), std::back_inserter(subscribers_));
}

void EventPump::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& subscriber : subscribers_) subscriber.stream.close();
  subscribers_.clear();
}

std::size_t EventPump::open() const {
  const std::lock_guard lock(mutex_);
  return subscribers_.size();
}

}  // namespace homeport::api
