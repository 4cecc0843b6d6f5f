#include "api/call.h"

#include "api/wire_common.h"
#include "api/wire_operation.h"
#include "api/wire_space.h"
#include "provisioner/base/log.h"

namespace homeport::api {
namespace {

// What is stored of an answer, then given. Blocking.
void store_and_send(const CallPtr& call, Response response) {
  auto& idempotency = call->api.idempotency();
  const auto& principal = call->principal.id;
  const bool keep = response.status < 400;
  const std::string body = call->replay == Replay::secret ? "{}" : std::string(response.text());
  const auto stored =
      keep ? idempotency.finish(principal, call->idempotency_key, response.status, body, response.content_type)
           : idempotency.abandon(principal, call->idempotency_key);
  if (!stored) log::warning("the answer of an idempotency key was not stored", {{"why", stored.error().to_string()}});
  call->responder.send(std::move(response));
}

Response space_response(const CallPtr& call, const store::SpaceRecord& space, unsigned status,
                        const std::string& operation) {
  Response response = json_response(status, dump(space_json(space, call->api.catalog())));
  response.with("ETag", revision_etag(space.revision));
  if (!operation.empty()) response.with("Homeport-Operation", operation);
  return response;
}

void answer_finished(const CallPtr& call, const store::OperationRecord& operation, unsigned status) {
  if (operation.state == store::OperationState::succeeded) {
    const auto space = call->api.catalog().space(operation.space);
    if (space) return call->reply(space_response(call, *space, status, operation.id));
    return call->fail(Error{.code = Errc::internal,
                            .message = "operation " + operation.id + " ended, but its space cannot be read",
                            .hint = "look at GET /v1/doctor"});
  }
  if (store::is_open(operation.state) && operation.state != store::OperationState::parked) {
    return call->reply(pending_response(operation));
  }
  call->fail(error_of(operation));
}

}  // namespace

core::Caller Call::caller(std::chrono::milliseconds time) const {
  return core::Caller{
      .principal = principal, .request_id = request.request_id, .deadline = api.parts().clock.mono() + time};
}

void Call::reply(Response response) {
  if (replayed) response.with("Idempotent-Replay", "true");
  if (idempotency_key.empty()) return responder.send(std::move(response));
  // The caller may be a thread that must not wait for the store; when the pool is full it has to.
  auto self = shared_from_this();
  auto shared = std::make_shared<Response>(std::move(response));
  auto queued =
      api.parts().workers.submit([self, shared](const std::stop_token&) { store_and_send(self, std::move(*shared)); });
  if (!queued) store_and_send(self, std::move(*shared));
}

void Call::reply_json(unsigned status, const nlohmann::json& body) {
  reply(json_response(status, dump(body)));
}

void Call::fail(const Error& error, std::optional<unsigned> status) {
  if (error.code == Errc::internal) {
    log::error("request failed", {{"request_id", request.request_id}, {"why", error.to_string()}});
  }
  reply(problem_response(error, request.request_id, status));
}

Response pending_response(const store::OperationRecord& operation) {
  Response response = json_response(202, dump({{"operation", operation_json(operation)}}));
  response.with("Location", "/v1/operations/" + operation.id).with("Retry-After", "2");
  return response.with("Homeport-Operation", operation.id);
}

Error error_of(const store::OperationRecord& operation) {
  if (operation.state == store::OperationState::parked) {
    const std::string why = operation.failure ? ": " + operation.failure->message : std::string();
    std::string first = operation.failure ? operation.failure->hint : std::string();
    if (!first.empty()) first += "; ";
    return Error{.code = Errc::failed_precondition,
                 .message = "operation " + operation.id + " waits for an admin" + why,
                 .hint = first + "`homeport operation show " + operation.id +
                         "` says what happened; then retry it or give it up"};
  }
  if (operation.failure) return failure_of(operation);
  if (operation.state == store::OperationState::cancelled) {
    return Error{.code = Errc::cancelled,
                 .message = "operation " + operation.id + " was cancelled",
                 .hint = "ask again to start a new one"};
  }
  return Error{.code = Errc::internal, .message = "operation " + operation.id + " ended without saying why"};
}

void answer_operation(const CallPtr& call, const std::string& operation, unsigned status) {
  call->api.core().operations().await(operation, call->caller().deadline,
                                      [call, status](Result<store::OperationRecord> ended) {
                                        if (!ended) return call->fail(ended.error());
                                        answer_finished(call, *ended, status);
                                      });
}

void answer_outcome(const CallPtr& call, Result<core::SpaceOutcome> outcome, unsigned created_status) {
  if (!outcome) {
    const bool precondition =
        outcome.error().code == Errc::conflict && call->request.find_header("If-Match") != nullptr;
    return call->fail(outcome.error(), precondition ? std::optional<unsigned>(412) : std::nullopt);
  }
  const unsigned status = outcome->created ? created_status : 200;
  if (outcome->operation) return answer_operation(call, *outcome->operation, status);
  call->reply(space_response(call, outcome->space, status, {}));
}

}  // namespace homeport::api
