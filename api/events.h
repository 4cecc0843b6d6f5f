// Server-sent events: the store's change feed, handed to every open stream.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "api/responder.h"
#include "provisioner/base/result.h"
#include "provisioner/store/store.h"

namespace homeport::api {

// Threads: every method from any thread. Blocking: pump() and latest() read the store.
class EventPump {
 public:
  static constexpr std::size_t kMaxStreams = 64;
  static constexpr std::size_t kBatch = 500;  // changes per stream and pump
  using Source = std::function<Result<std::vector<store::Change>>(std::uint64_t after, std::size_t limit)>;

  explicit EventPump(Source source) : source_(std::move(source)) {}

  // The newest sequence number there is; 0: none yet.
  [[nodiscard]] Result<std::uint64_t> latest() const;
  // Everything after `after` will be sent, in order, an event "change" each with the sequence number as its id. Where
  // changes between were dropped meanwhile, an event "gap" {after, first} says so first: read everything again.
  // Errors: unavailable when too many are open, or while stopping.
  [[nodiscard]] Result<void> admits() const;
  // `still_allowed` is asked before anything is sent: may whoever opened the stream still read it? From its first no on
  // the stream is closed. It must not block.
  void add(EventStream stream, std::uint64_t after, std::function<bool()> still_allowed);
  void pump();
  void close();
  [[nodiscard]] std::size_t open() const;

 private:
  struct Subscriber {
    EventStream stream;
    std::function<bool()> still_allowed;
    std::uint64_t after = 0;
    bool first = true;
  };
  [[nodiscard]] bool feed(Subscriber& subscriber) const;

  const Source source_;
  mutable std::mutex mutex_;
  std::vector<Subscriber> subscribers_;  // under mutex_
  bool closed_ = false;                  // under mutex_
};

}  // namespace homeport::api
