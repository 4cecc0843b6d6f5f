// Operations, second part: what people ask of an operation.
#include <algorithm>
#include <utility>

#include "provisioner/core/operation_rows.h"
#include "provisioner/core/operations.h"

namespace homeport::core {

using store::OperationRecord;
using store::OperationState;

store::AuditEntry audit_of(const OperationRecord& op, std::string_view outcome, WallTime now) {
  return {.at = now,
          .principal = op.principal,
          .action = op.kind,
          .subject = op.space,
          .outcome = std::string(outcome),
          .detail = {},
          .operation = op.id};
}

Result<OperationRecord> read_operation(store::Store& store, const std::string& id) {
  std::optional<OperationRecord> found;
  HOMEPORT_CHECK(store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(found, store::get<OperationRecord>(tx, id));
    return {};
  }));
  if (found) return std::move(*found);
  return Error{.code = Errc::not_found,
               .message = "there is no operation '" + printable(id, 40) + "'",
               .hint = "`homeport operation list` shows them"};
}

namespace {

OperationRecord unreadable(const store::DamagedRow& row) {
  OperationRecord op{.id = row.key, .kind = "unknown", .space = {}, .backend = {}, .principal = {}};
  op.state = OperationState::parked;
  op.failure = store::FailureRecord{
      .code = std::string(errc_name(row.error.code)), .message = row.error.message, .hint = row.error.hint};
  return op;
}

}  // namespace

Result<OperationRecord> Operations::get(const std::string& id) const {
  return read_operation(store_, id);
}

Result<std::vector<OperationRecord>> Operations::list(const Filter& filter) const {
  std::vector<OperationRecord> out;
  HOMEPORT_CHECK(store_.read([&](store::ReadTransaction& tx) -> Result<void> {
    store::ListQuery query;
    if (!filter.space.empty()) {
      query = {.column = "space", .value = filter.space};
    } else if (filter.state) {
      query = {.column = "state", .value = std::string(store::operation_state_name(*filter.state))};
    } else if (filter.open_only) {
      query = {.column = "open", .value = "1"};
    }
    std::vector<store::DamagedRow> damaged;
    HOMEPORT_TRY(out, store::list<OperationRecord>(tx, query, damaged));
    for (const auto& row : damaged) out.push_back(unreadable(row));
    return {};
  }));
  std::erase_if(out, [&](const OperationRecord& op) {
    return (filter.state && op.state != *filter.state) || (filter.open_only && !store::is_open(op.state)) ||
           (!filter.after.empty() && op.id >= filter.after);
  });
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
  if (out.size() > filter.limit) out.resize(filter.limit);
  return out;
}

Result<OperationRecord> Operations::request(const Caller& caller, const std::string& id, std::string_view action,
                                            const std::function<Result<void>(OperationRecord&)>& change) {
  std::optional<OperationRecord> result;
  HOMEPORT_CHECK(store_.write(action, [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto op, store::get<OperationRecord>(tx, id));
    if (!op) return Error{.code = Errc::not_found, .message = "there is no operation '" + printable(id, 40) + "'"};
    HOMEPORT_CHECK(change(*op));
    op->updated_at = clock_.now();
    HOMEPORT_CHECK(store::put(tx, *op));
    result = *op;
    auto entry = audit_of(*op, "ok", op->updated_at);
    entry.principal = caller.principal.id;
    entry.action = "operation." + std::string(action);
    return tx.append_audit(entry);
  }));
  start(id);
  return std::move(*result);
}

Result<OperationRecord> Operations::retry(const Caller& caller, const std::string& id) {
  return request(caller, id, "retry", [&](OperationRecord& op) -> Result<void> {
    if (!store::is_open(op.state)) {
      return Error{
          .code = Errc::failed_precondition,
          .message = "operation " + id + " has ended (" + std::string(store::operation_state_name(op.state)) + ")",
          .hint = "ask for the change itself again"};
    }
    op.state = OperationState::waiting;
    op.next_try = clock_.now();
    return {};
  });
}

Result<void> Operations::withdraw(const std::string& operation_id, const Error& why) {
  HOMEPORT_TRY(const auto op, read_operation(store_, operation_id));
  HOMEPORT_CHECK(refuse(op, why, OperationState::failed));
  return {};
}

void Operations::count_outcome(const std::string& kind, std::string_view outcome) {
  metrics_
      .counter("homeport_operations_total", "Operations that ended or were parked, by kind and outcome.",
               {{"kind", kind}, {"outcome", std::string(outcome)}})
      .add();
}

void Operations::try_waiting() {
  constexpr std::size_t kAll = 1'000'000;
  const auto waiting = list({.state = OperationState::waiting, .limit = kAll});
  if (!waiting) return;  // each has its own time
  for (const auto& op : *waiting) look_again(op.id, std::chrono::milliseconds(0));
}

Result<OperationRecord> Operations::give_up(const Caller& caller, const std::string& id) {
  HOMEPORT_TRY(auto op, get(id));
  if (op.state != OperationState::parked && op.state != OperationState::waiting) {
    return Error{.code = Errc::failed_precondition,
                 .message = "operation " + id + " is " + std::string(store::operation_state_name(op.state)) +
                            "; only a parked or waiting one can be given up",
                 .hint = "`homeport operation cancel " + id + "` asks a running one to stop"};
  }
  {
    const std::lock_guard lock(mutex_);
    if (!running_.insert(id).second) {
      return Error{.code = Errc::conflict,
                   .message = "operation " + id + " is being tried right now",
                   .hint = "try again in a moment"};
    }
  }
  auto closed = close_given_up(caller, std::move(op));
  release(id);
  if (closed) wake_waiters(*closed);
  return closed;
}

Result<OperationRecord> Operations::close_given_up(const Caller& caller, OperationRecord op) {
  // Tried once, it may have been done, and the answer lost.
  const bool untried = op.attempts == 0 && !op.failure;
  op.principal = caller.principal.id;
  const Error given{
      .code = Errc::failed_precondition,
      .message = "given up by an admin" + (op.failure ? " after: " + op.failure->message : std::string()),
      .hint = "what may stand on the backend under " + op.plan.value("backend_name", op.space) + " was left alone"};
  return refuse(op, given, OperationState::failed, !untried);
}

Result<OperationRecord> Operations::cancel(const Caller& caller, const std::string& id) {
  return request(caller, id, "cancel", [&](OperationRecord& op) -> Result<void> {
    if (!store::is_open(op.state)) {
      return Error{.code = Errc::failed_precondition, .message = "operation " + id + " has ended already"};
    }
    const bool touched = std::any_of(op.steps.begin(), op.steps.end(), [](const auto& s) { return s.done; });
    if (touched || !operation_kind(op.kind).cancellable) {
      return Error{.code = Errc::failed_precondition,
                   .message = "operation " + id + " has gone too far to be cancelled",
                   .hint = "let it finish, then undo it (retire, undelete, resize)"};
    }
    op.cancel_requested = true;
    return {};
  });
}

}  // namespace homeport::core
