// One request on its way through a work handler: it owns everything until the answer is given.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "api/api.h"
#include "api/params.h"
#include "api/problem.h"
#include "provisioner/core/outcome.h"

namespace homeport::api {

// Threads: one handler works on it; reply() and fail() may come from any thread, once.
struct Call : std::enable_shared_from_this<Call> {
  Call(Api& a, Request&& r, Responder s) : api(a), request(std::move(r)), responder(std::move(s)) {}

  Api& api;
  Request request;
  Responder responder;
  policies::Principal principal{};
  std::string realm{};            // the one the request is about
  std::string idempotency_key{};  // empty: none
  Replay replay = Replay::none;
  bool replayed = false;

  // Who asks, for the use cases; `wait` is how long they wait.
  [[nodiscard]] core::Caller caller(std::chrono::milliseconds wait) const;
  // With the route's own waiting time: ?wait= or 30 s.
  [[nodiscard]] core::Caller caller() const { return caller(wait); }
  std::chrono::seconds wait{30};

  void reply(Response response);
  void reply_json(unsigned status, const nlohmann::json& body);
  void fail(const Error& error, std::optional<unsigned> status = std::nullopt);
};

// The end of a change of one space: what `outcome` is, or becomes within the time the caller waits.
// `created_status`: 201 where the call made something new.
void answer_outcome(const CallPtr& call, Result<core::SpaceOutcome> outcome, unsigned created_status = 200);
// Waits for an operation and answers with the space it is about; `status` when it succeeded.
void answer_operation(const CallPtr& call, const std::string& operation, unsigned status = 200);
// 202: the work goes on.
[[nodiscard]] Response pending_response(const store::OperationRecord& operation);
// Why an operation that has not succeeded keeps the caller from an answer. Precondition: it is parked or has ended.
[[nodiscard]] Error error_of(const store::OperationRecord& operation);

// Runs a handler that gives Result<void>: an error is the answer.
template <class Fn>
void guarded(const CallPtr& call, Fn fn) {
  Result<void> done = fn();
  if (!done) call->fail(done.error());
}

}  // namespace homeport::api
