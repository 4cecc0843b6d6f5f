#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_operation.h"

namespace homeport::api {
namespace {

using nlohmann::json;

using OperationResult = Result<store::OperationRecord>;
using Verb = OperationResult (core::Operations::*)(const core::Caller&, const std::string&);

void run_verb(const CallPtr& call, Verb verb) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    auto& operations = call->api.core().operations();
    HOMEPORT_TRY(const auto operation, (operations.*verb)(call->caller(), std::string(call->request.param("id"))));
    call->reply_json(200, operation_json(operation));
    return {};
  });
}

Result<core::Operations::Filter> filter_of(const Request& request) {
  HOMEPORT_TRY(const auto page, page_params(request));
  HOMEPORT_TRY(const bool parked, flag_param(request, "parked"));
  core::Operations::Filter filter{
      .space = std::string(request.query("space").value_or("")), .after = page.after, .limit = page.limit};
  if (const auto name = request.query("state")) {
    filter.state = store::operation_state_from_name(*name);
    if (!filter.state) {
      return Error{.code = Errc::invalid_argument,
                   .message = "'" + printable(*name, 40) + "' is no state of an operation",
                   .hint = "give running, waiting, parked, succeeded, failed or cancelled"};
    }
  }
  if (parked) filter.state = store::OperationState::parked;
  return filter;
}

}  // namespace

void list_operations(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto filter, filter_of(call->request));
    HOMEPORT_TRY(const auto found, call->api.core().operations().list(filter));
    json items = json::array();
    for (const auto& operation : found) items.push_back(operation_json(operation));
    json next = nullptr;
    if (found.size() == filter.limit) next = make_cursor(found.back().id);
    call->reply_json(200, {{"items", std::move(items)}, {"next", std::move(next)}});
    return {};
  });
}

void get_operation(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    const std::string id(call->request.param("id"));
    HOMEPORT_TRY(const auto operation, call->api.core().operations().get(id));
    const bool over = !store::is_open(operation.state) || operation.state == store::OperationState::parked;
    if (over || !call->request.query("wait")) {
      call->reply_json(200, operation_json(operation));
      return {};
    }
    call->api.core().operations().await(id, call->caller().deadline, [call](OperationResult ended) {
      if (!ended) return call->fail(ended.error());
      call->reply_json(200, operation_json(*ended));
    });
    return {};
  });
}

void retry_operation(const CallPtr& call) {
  run_verb(call, &core::Operations::retry);
}
void give_up_operation(const CallPtr& call) {
  run_verb(call, &core::Operations::give_up);
}
void cancel_operation(const CallPtr& call) {
  run_verb(call, &core::Operations::cancel);
}

}  // namespace homeport::api
