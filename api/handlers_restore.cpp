// {snapshot} is SPACE@SNAPSHOT in one part of the path, as in handlers_snapshots.cpp.
#include "api/handlers_restore.h"

#include "api/auth.h"
#include "api/call.h"
#include "api/wire_operation.h"
#include "api/wire_restore.h"

namespace homeport::api {
namespace {

constexpr const char* kNobody = "u-0000000000000000";

// May the caller look into the files of what was found? A person is told the same of another's and of what does not
// exist.
template <class T, class OwnerOf>
Result<T> allowed(const CallPtr& call, Result<T> found, OwnerOf owner_of) {
  const auto only = bound_to(call->principal);
  if (only && only->empty()) return no_home_yet(call->principal);
  std::string owner = found ? owner_of(*found) : std::string();
  if (only && owner.empty()) owner = kNobody;
  HOMEPORT_CHECK(policies::authorize(call->principal, policies::Action::keep_snapshots, {.user_key = owner}));
  return found;
}

core::SnapshotParts parts_of(Api& api) {
  auto& core = api.core();
  return {.store = api.parts().store,
          .catalog = core.catalog(),
          .backends = core.backends(),
          .operations = core.operations(),
          .homes = core.homes(),
          .snapshots = core.snapshots(),
          .clock = api.parts().clock,
          .flush_sessions = [&core] { return core.logins().flush(); }};
}

Result<core::SnapshotName> snapshot_of(const CallPtr& call) {
  return allowed(call, call->api.core().snapshots().parse(call->realm, call->request.param("snapshot")),
                 [](const core::SnapshotName& name) { return name.space.owner; });
}

Result<store::SpaceRecord> space_of(const CallPtr& call) {
  return allowed(call, call->api.core().homes().resolve(call->realm, call->request.query("space").value_or("")),
                 [](const store::SpaceRecord& space) { return space.owner; });
}

Result<trees::TreePath> path_param(const Request& request) {
  auto path = trees::TreePath::parse(request.query("path").value_or(""));
  if (path) return path;
  auto error = std::move(path).error();
  error.pointer = "/path";
  return error;
}

Result<std::optional<drivers::Cursor>> place_param(const Request& request) {
  const auto cursor = request.query("cursor");
  if (!cursor) return std::optional<drivers::Cursor>{};
  HOMEPORT_TRY(auto place, read_cursor(*cursor));
  return std::optional(std::move(place));
}

void answer_restore(const CallPtr& call, const std::string& operation) {
  call->api.core().operations().await(operation, call->caller().deadline, [call](Result<store::OperationRecord> ended) {
    if (!ended) return call->fail(ended.error());
    if (ended->state == store::OperationState::succeeded) return call->reply_json(200, restored_json(*ended));
    if (store::is_open(ended->state) && ended->state != store::OperationState::parked)
      return call->reply(pending_response(*ended));
    call->fail(error_of(*ended));
  });
}

}  // namespace

void browse_snapshot(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, snapshot_of(call));
    HOMEPORT_TRY(const auto path, path_param(call->request));
    HOMEPORT_TRY(auto from, place_param(call->request));
    core::browse(parts_of(call->api), call->caller(), wanted, path, std::move(from),
                 [call, path](Result<core::DirectoryPage> page) {
                   if (!page) return call->fail(page.error());
                   call->reply_json(200, directory_json(*page, path));
                 });
    return {};
  });
}

void list_versions(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto space, space_of(call));
    HOMEPORT_TRY(const auto path, path_param(call->request));
    HOMEPORT_TRY(const bool digest, flag_param(call->request, "digest"));
    if (path.is_root()) {
      return Error{.code = Errc::invalid_argument,
                   .message = "no path is given",
                   .hint = "name a file or a folder with ?path=",
                   .pointer = "/path"};
    }
    core::versions(parts_of(call->api), call->caller(), space, path, digest,
                   [call, path, key = space.key](Result<core::FileVersions> found) {
                     if (!found) return call->fail(found.error());
                     call->reply_json(200, versions_json(key, *found, path));
                   });
    return {};
  });
}

void restore_files(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(auto source, snapshot_of(call));
    HOMEPORT_TRY(const auto wish, read_body(call->request, read_restore_wish));
    const core::RestoreRequest wanted{.source = std::move(source),
                                      .path = wish.path,
                                      .way = wish.way,
                                      .into = wish.to,
                                      .force = wish.force,
                                      .without_safety = !wish.safety_snapshot};
    core::restore(parts_of(call->api), call->caller(), wanted, [call](Result<core::SpaceOutcome> outcome) {
      if (!outcome) return call->fail(outcome.error());
      answer_restore(call, outcome->operation.value_or(""));
    });
    return {};
  });
}

}  // namespace homeport::api
