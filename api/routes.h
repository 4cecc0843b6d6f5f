// The one table of what the service answers: method, pattern, who may, what it takes, and which function does it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "api/access.h"
#include "api/http_types.h"

namespace homeport::api {

class Api;
struct Call;
using CallPtr = std::shared_ptr<Call>;

// Where a handler runs.
// memory: on the I/O thread, from memory only, must not block; nullopt: `work` takes it.
// work: on the API's worker pool, may wait for the store; answers through the Call, now or later from any thread.
using MemoryHandler = std::optional<Response> (*)(Api&, const Request&, const policies::Principal&);
using WorkHandler = void (*)(const CallPtr&);
struct Handlers {
  MemoryHandler memory = nullptr;
  WorkHandler work = nullptr;
};
constexpr Handlers from_memory(MemoryHandler handler) {
  return {.memory = handler};
}
constexpr Handlers on_workers(WorkHandler handler) {
  return {.work = handler};
}
constexpr Handlers memory_first(MemoryHandler first, WorkHandler then) {
  return {.memory = first, .work = then};
}

// What an Idempotency-Key does. none: the request may be repeated anyway. kept: the answer is stored and replayed.
// secret: it was given once and is not stored; a repetition is refused with a hint.
enum class Replay { none, kept, secret };

// No member has a default: what is left out does not compile, so no route is open or unlimited by oversight.
struct RouteEntry {
  Method method;
  std::string_view pattern;
  Access access;
  Replay replay;
  std::string_view query;  // the parameters it takes, with blanks between
  std::size_t max_body;    // bytes; 0: as configured for the whole server
  bool always;             // also answered while the service starts or stands by
  Handlers handlers;
};

[[nodiscard]] std::span<const RouteEntry> route_table();

}  // namespace homeport::api
