#include "api/wire_operation.h"

#include "api/wire_common.h"

namespace homeport::api {
namespace {

using nlohmann::json;

std::string action_word(core::PlannedChange::Action action) {
  using Action = core::PlannedChange::Action;
  switch (action) {
    case Action::create: return "create";
    case Action::update: return "update";
    case Action::remove: return "delete";
    case Action::keep: return "keep";
    case Action::wait: return "wait";
    case Action::blocked: return "blocked";
  }
  return "keep";
}

}  // namespace

json operation_json(const store::OperationRecord& operation) {
  json steps = json::array();
  for (const auto& step : operation.steps) {
    steps.push_back(
        {{"name", step.name}, {"done", step.done}, {"at", time_json(step.at)}, {"detail", text_or_null(step.detail)}});
  }
  json failure = nullptr;
  if (operation.failure) {
    failure = {{"code", operation.failure->code},
               {"message", operation.failure->message},
               {"hint", text_or_null(operation.failure->hint)}};
  }
  return {{"id", operation.id},
          {"kind", operation.kind},
          {"state", std::string(store::operation_state_name(operation.state))},
          {"space", text_or_null(operation.space)},
          {"backend", text_or_null(operation.backend)},
          {"principal", operation.principal},
          {"request_id", text_or_null(operation.request_id)},
          {"plan", operation.plan},
          {"steps", std::move(steps)},
          {"attempts", operation.attempts},
          {"next_try", time_json(operation.next_try)},
          {"failure", std::move(failure)},
          {"progress",
           {{"done", operation.progress_done},
            {"total", or_null(operation.progress_total)},
            {"unit", text_or_null(operation.progress_unit)}}},
          {"calls", operation.calls},
          {"created_at", time_json(operation.created_at)},
          {"updated_at", time_json(operation.updated_at)},
          {"finished_at", time_json(operation.finished_at)}};
}

Error failure_of(const store::OperationRecord& operation) {
  const auto& failure = *operation.failure;
  return Error{
      .code = errc_from_name(failure.code).value_or(Errc::internal), .message = failure.message, .hint = failure.hint};
}

json preview_json(const core::Preview& preview, json result) {
  json home = nullptr;
  if (const auto& h = preview.home) {
    home = {{"class", h->klass},
            {"backend", h->backend},
            {"pool", text_or_null(h->pool)},
            {"uid", h->owner ? json(h->owner->uid.value) : json(nullptr)},
            {"gid", h->owner ? json(h->owner->gid.value) : json(nullptr)},
            {"quota_bytes", h->quota ? json(h->quota->count()) : json(nullptr)}};
  }
  return {{"dry_run", true},        {"steps", preview.steps},  {"calls", preview.calls},
          {"notes", preview.notes}, {"home", std::move(home)}, {"result", std::move(result)}};
}

json change_json(const core::PlannedChange& change) {
  return {
      {"action", action_word(change.action)}, {"what", change.what}, {"name", change.name}, {"detail", change.detail}};
}

json changes_json(const std::vector<core::PlannedChange>& changes) {
  json list = json::array();
  for (const auto& change : changes) list.push_back(change_json(change));
  return {{"changes", std::move(list)}};
}

}  // namespace homeport::api
