#include "api/call.h"
#include "api/handlers.h"
#include "api/wire_operation.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;

struct CloneBody {
  std::string from;
  bool read_only;
  std::string note;
};

// SPACE or SPACE@SNAPSHOT.
Result<core::SnapshotName> source_of(const CallPtr& call, const std::string& from) {
  auto& core = call->api.core();
  if (auto space = core.homes().resolve(call->realm, from))
    return core::SnapshotName{.space = std::move(*space), .snapshot = {}};
  if (from.find('@') != std::string::npos) return core.snapshots().parse(call->realm, from);
  return core.homes().resolve(call->realm, from).error();
}

// Every change of a dataset that stands: find it, then preview or do it.
void change_dataset(const CallPtr& call, std::string_view verb,
                    const std::function<Result<core::SpaceOutcome>(const store::SpaceRecord&)>& act) {
  guarded(call, [&]() -> Result<void> {
    const auto name = call->request.param("name");
    if (!SpaceKey::parse(name)) HOMEPORT_CHECK(Slug::parse(name));
    HOMEPORT_TRY(const auto dataset, call->api.core().datasets().get(name));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    if (!dry_run) {
      answer_outcome(call, act(dataset));
      return {};
    }
    const json now = space_json(dataset, call->api.catalog());
    call->api.core().homes().preview(call->caller(), dataset.key, verb, std::nullopt,
                                     [call, now](Result<core::Preview> preview) {
                                       if (!preview) return call->fail(preview.error());
                                       call->reply_json(200, preview_json(*preview, now));
                                     });
    return {};
  });
}

}  // namespace

void clone_dataset(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(auto name, Slug::parse(call->request.param("name")));
    HOMEPORT_TRY(const auto body, read_body(call->request, [](DocReader& in) {
                   return CloneBody{.from = in.text("from"),
                                    .read_only = in.boolean("read_only", true),
                                    .note = in.text("note", "")};
                 }));
    HOMEPORT_TRY(auto source, source_of(call, body.from));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    const core::Snapshots::Clone wanted{.source = std::move(source),
                                        .name = std::move(name),
                                        .realm = call->realm,
                                        .read_only = body.read_only,
                                        .note = body.note};
    auto& snapshots = call->api.core().snapshots();
    if (dry_run) {
      const json from = space_json(wanted.source.space, call->api.catalog());
      snapshots.preview_clone(call->caller(), wanted, [call, from](Result<core::Preview> preview) {
        if (!preview) return call->fail(preview.error());
        call->reply_json(200, preview_json(*preview, from));
      });
    } else {
      snapshots.clone(call->caller(), wanted,
                      [call](Result<core::SpaceOutcome> outcome) { answer_outcome(call, std::move(outcome), 201); });
    }
    return {};
  });
}

void retire_dataset(const CallPtr& call) {
  if (const auto empty = expect_no_body(call->request); !empty) return call->fail(empty.error());
  const auto force = flag_param(call->request, "force");
  if (!force) return call->fail(force.error());
  change_dataset(call, "retire", [&](const store::SpaceRecord& dataset) {
    return call->api.core().homes().retire(call->caller(), dataset.key, *force);
  });
}

void undelete_dataset(const CallPtr& call) {
  if (const auto empty = expect_no_body(call->request); !empty) return call->fail(empty.error());
  change_dataset(call, "undelete", [&](const store::SpaceRecord& dataset) {
    return call->api.core().homes().undelete(call->caller(), dataset.key);
  });
}

void purge_dataset(const CallPtr& call) {
  const auto confirm = read_body(call->request, [](DocReader& in) { return in.text("confirm"); });
  if (!confirm) return call->fail(confirm.error());
  change_dataset(call, "purge", [&](const store::SpaceRecord& dataset) {
    return call->api.core().homes().purge(call->caller(), dataset.key, *confirm);
  });
}

}  // namespace homeport::api
