#include <algorithm>
#include <iterator>

#include "api/auth.h"
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

bool is_own(const core::Catalog& catalog, const std::string& space, const std::string& owner) {
  const auto known = catalog.space(space);
  return known && !owner.empty() && known->owner == owner;
}

// Of the spaces of one person, newest first.
Result<std::vector<store::OperationRecord>> list_own(core::Provisioner& core, const core::Operations::Filter& filter,
                                                     const std::string& owner) {
  std::vector<store::OperationRecord> out;
  for (const auto& space : core.catalog().spaces(true)) {
    if (space->owner != owner || (!filter.space.empty() && filter.space != space->key)) continue;
    auto of_space = filter;
    of_space.space = space->key;
    HOMEPORT_TRY(auto found, core.operations().list(of_space));
    out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
  if (out.size() > filter.limit) out.resize(filter.limit);
  return out;
}

// Somebody else's operation is as unknown to a person as one that never was.
Result<store::OperationRecord> find_operation(const CallPtr& call, const std::string& id) {
  auto found = call->api.core().operations().get(id);
  const auto only = bound_to(call->principal);
  if (!only || (found && is_own(call->api.catalog(), found->space, *only))) return found;
  return Error{.code = Errc::not_found,
               .message = "you have no operation '" + printable(id, 40) + "'",
               .hint = "`homeport operation list` shows yours"};
}

}  // namespace

void list_operations(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto filter, filter_of(call->request));
    const auto only = bound_to(call->principal);
    auto& core = call->api.core();
    HOMEPORT_TRY(const auto found, only ? list_own(core, filter, *only) : core.operations().list(filter));
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
    HOMEPORT_TRY(const auto operation, find_operation(call, id));
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
