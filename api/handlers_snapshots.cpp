// {snapshot} is SPACE@SNAPSHOT in one part of the path, its slashes written %2F: "home%2Falice@before", or a space's
// key and @.
#include "api/auth.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_operation.h"
#include "api/wire_snapshot.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;
using policies::Action;

constexpr const char* kNobody = "u-0000000000000000";

// May the caller do `action` with what was found? A person is told the same of another's and of what does not exist.
template <class T, class OwnerOf>
Result<T> allowed(const CallPtr& call, Action action, Result<T> found, OwnerOf owner_of) {
  const auto only = bound_to(call->principal);
  if (only && only->empty()) return no_home_yet(call->principal);
  std::string owner = found ? owner_of(*found) : std::string();
  if (only && owner.empty()) owner = kNobody;
  const auto may = policies::authorize(call->principal, action, {.user_key = owner});
  if (!may) {
    const auto subject = found && !only ? owner : std::string("snapshots");
    call->api.audit_refusal(call->principal, std::string(policies::action_name(action)), subject, may.error());
    return may.error();
  }
  return found;
}

Result<core::SnapshotName> snapshot_of(const CallPtr& call, Action action) {
  return allowed(call, action, call->api.core().snapshots().parse(call->realm, call->request.param("snapshot")),
                 [](const core::SnapshotName& name) { return name.space.owner; });
}

Result<store::SpaceRecord> space_of(const CallPtr& call, Action action, std::string_view text) {
  return allowed(call, action, call->api.core().homes().resolve(call->realm, text),
                 [](const store::SpaceRecord& space) { return space.owner; });
}

void answer_info(const CallPtr& call, const Result<core::SnapshotInfo>& info) {
  if (!info) return call->fail(info.error());
  call->reply_json(200, snapshot_json(*info, call->api.catalog()));
}

std::function<void(Result<core::SnapshotInfo>)> with_info(const CallPtr& call) {
  return [call](const Result<core::SnapshotInfo>& info) { answer_info(call, info); };
}

// The snapshot as its record says after `operation`.
void answer_record(const CallPtr& call, const core::SnapshotOutcome& outcome, unsigned status,
                   const std::string& operation) {
  auto& core = call->api.core();
  const auto space = call->api.catalog().space(outcome.snapshot.space);
  if (!space) return call->fail(Error{.code = Errc::not_found, .message = "the space of this snapshot is gone"});
  const auto record = core.snapshots().recorded(*space, outcome.snapshot.key);
  if (!record) return call->fail(record.error());
  const auto info = core.snapshots().info_of(*space, record->value_or(outcome.snapshot));
  Response response = json_response(status, dump(snapshot_json(info, call->api.catalog())));
  if (!operation.empty()) response.with("Homeport-Operation", operation);
  call->reply(std::move(response));
}

void answer_snapshot(const CallPtr& call, const Result<core::SnapshotOutcome>& outcome, unsigned created_status) {
  if (!outcome) return call->fail(outcome.error());
  const unsigned status = outcome->created ? created_status : 200;
  if (!outcome->operation) return answer_record(call, *outcome, status, {});
  call->api.core().operations().await(
      *outcome->operation, call->caller().deadline,
      [call, status, outcome = *outcome](Result<store::OperationRecord> ended) {
        if (!ended) return call->fail(ended.error());
        if (ended->state == store::OperationState::succeeded) return answer_record(call, outcome, status, ended->id);
        if (store::is_open(ended->state) && ended->state != store::OperationState::parked)
          return call->reply(pending_response(*ended));
        call->fail(error_of(*ended));
      });
}

std::function<void(Result<core::Preview>)> with_preview(const CallPtr& call, json now) {
  return [call, now = std::move(now)](Result<core::Preview> preview) {
    if (!preview) return call->fail(preview.error());
    call->reply_json(200, preview_json(*preview, now));
  };
}

struct TakeBody {
  std::string space;
  core::Snapshots::Take take;
};

}  // namespace

void list_snapshots(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto page, page_params(call->request));
    const auto text = call->request.query("space");
    if (!text) {
      return Error{.code = Errc::invalid_argument,
                   .message = "whose snapshots are wanted is not said",
                   .hint = "give space=home/NAME, dataset/NAME or a key"};
    }
    HOMEPORT_TRY(const auto space, space_of(call, Action::read_inventory, *text));
    call->api.core().snapshots().list(call->caller(), space.key, [call, page](Result<core::SnapshotList> list) {
      if (!list) return call->fail(list.error());
      json body = page_of(
          list->items, page, [](const auto& one) { return snapshot_order(one); }, [](const auto&) { return true; },
          [&](const auto& one) { return snapshot_json(one, call->api.catalog()); });
      body["notes"] = list->notes;
      call->reply_json(200, body);
    });
    return {};
  });
}

void take_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto body, read_body(call->request, [](DocReader& in) {
                   return TakeBody{.space = in.text("space"),
                                   .take = {.label = in.text("label", ""), .reason = in.text("reason", "")}};
                 }));
    HOMEPORT_TRY(const auto space, space_of(call, Action::keep_snapshots, body.space));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    auto& snapshots = call->api.core().snapshots();
    if (dry_run) {
      snapshots.preview_take(call->caller(), space.key,
                             with_preview(call, space_json(space, call->api.catalog(), call->principal)));
    } else {
      answer_snapshot(call, snapshots.take(call->caller(), space.key, body.take), 201);
    }
    return {};
  });
}

void get_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, snapshot_of(call, Action::read_inventory));
    call->api.core().snapshots().show(call->caller(), wanted, with_info(call));
    return {};
  });
}

void delete_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto wanted, snapshot_of(call, Action::keep_snapshots));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    auto& snapshots = call->api.core().snapshots();
    if (dry_run) {
      snapshots.preview_remove(call->caller(), wanted,
                               with_preview(call, space_json(wanted.space, call->api.catalog(), call->principal)));
    } else {
      snapshots.remove(call->caller(), wanted,
                       [call](const Result<core::SnapshotOutcome>& outcome) { answer_snapshot(call, outcome, 200); });
    }
    return {};
  });
}

void hold_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, snapshot_of(call, Action::keep_snapshots));
    HOMEPORT_TRY(const auto hold, read_body(call->request, [](DocReader& in) {
                   core::Snapshots::Hold out{.owner = in.text("owner", ""), .reason = in.text("reason", "")};
                   if (in.has("expires")) out.expires = in.required("expires", &parse_time);
                   return out;
                 }));
    call->api.core().snapshots().hold(call->caller(), wanted, hold, with_info(call));
    return {};
  });
}

void release_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto wanted, snapshot_of(call, Action::keep_snapshots));
    call->api.core().snapshots().release(call->caller(), wanted, std::string(call->request.param("hold")),
                                         with_info(call));
    return {};
  });
}

void overwrite_from_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto confirm, read_body(call->request, [](DocReader& in) { return in.text("confirm", ""); }));
    HOMEPORT_TRY(const auto wanted, call->api.core().snapshots().parse(call->realm, call->request.param("snapshot")));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    HOMEPORT_TRY(const bool force, flag_param(call->request, "force"));
    auto& snapshots = call->api.core().snapshots();
    if (dry_run) {
      snapshots.preview_overwrite(call->caller(), wanted,
                                  with_preview(call, space_json(wanted.space, call->api.catalog())));
    } else {
      snapshots.overwrite(call->caller(), {.source = wanted, .confirm = confirm, .force = force},
                          [call](Result<core::SpaceOutcome> outcome) { answer_outcome(call, std::move(outcome)); });
    }
    return {};
  });
}

}  // namespace homeport::api
