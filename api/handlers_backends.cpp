#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_backend.h"

namespace homeport::api {
namespace {

using nlohmann::json;

json shown(Api& api, const store::BackendRecord& record) {
  auto& core = api.core();
  BackendFacts facts;
  if (auto running = core.backends().get(record.name)) facts.running = std::move(running).value();
  facts.trouble = core.backends().construction_error(record.name);
  if (auto used = core.administration().used_today(record.name)) facts.used = *used;
  return backend_json(record, facts);
}

Result<std::string> name_of(const CallPtr& call) {
  HOMEPORT_TRY(const auto name, Slug::parse(call->request.param("name")));
  return name.str();
}

Result<store::BackendRecord> record_of(const CallPtr& call) {
  HOMEPORT_TRY(const auto name, name_of(call));
  if (auto record = call->api.catalog().backend(name)) return std::move(*record);
  std::string known;
  for (const auto& backend : call->api.catalog().backends()) known += (known.empty() ? "" : ", ") + backend.name;
  return Error{.code = Errc::not_found,
               .message = "there is no backend '" + name + "'",
               .hint = known.empty() ? "none is configured: write one into the configuration's desired section"
                                     : "configured: " + known};
}

void answer_backend(const CallPtr& call, const store::BackendRecord& record) {
  call->reply(json_response(200, dump(shown(call->api, record))).with("ETag", revision_etag(record.revision)));
}

// pause, resume, drain, undrain: one use case, and the backend as it is then.
template <class Fn>
void change_backend(const CallPtr& call, Fn use_case) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto name, name_of(call));
    HOMEPORT_TRY(const auto record, use_case(call->api.core().administration(), name));
    answer_backend(call, record);
    return {};
  });
}

template <class Fn>
void change_without_body(const CallPtr& call, Fn use_case) {
  if (const auto empty = expect_no_body(call->request); !empty) return call->fail(empty.error());
  change_backend(call, use_case);
}

}  // namespace

void list_backends(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto page, page_params(call->request));
    const auto body = page_of(
        call->api.catalog().backends(), page, [](const auto& record) { return record.name; },
        [](const auto&) { return true; }, [&](const auto& record) { return shown(call->api, record); });
    call->reply_json(200, body);
    return {};
  });
}

void get_backend(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto record, record_of(call));
    answer_backend(call, record);
    return {};
  });
}

void probe_backend(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto record, record_of(call));
    call->api.core().administration().probe(call->caller(), record.name, [call](Result<drivers::ProbeReport> report) {
      if (!report) return call->fail(report.error());
      call->reply_json(200, probe_json(*report));
    });
    return {};
  });
}

void list_exports(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto record, record_of(call));
    call->api.core().datasets().discover(call->caller(), record.name,
                                         [call](Result<std::vector<core::DiscoveredExport>> found) {
                                           if (!found) return call->fail(found.error());
                                           json items = json::array();
                                           for (const auto& one : *found) items.push_back(export_json(one));
                                           call->reply_json(200, {{"items", std::move(items)}});
                                         });
    return {};
  });
}

void list_file_systems(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto record, record_of(call));
    call->api.core().list_file_systems(call->caller(), record.name,
                                       std::string(call->request.query("match").value_or("")),
                                       [call](Result<std::vector<core::ListedFileSystem>> found) {
                                         if (!found) return call->fail(found.error());
                                         json items = json::array();
                                         for (const auto& one : *found) items.push_back(file_system_json(one));
                                         call->reply_json(200, {{"items", std::move(items)}});
                                       });
    return {};
  });
}

void pause_backend(const CallPtr& call) {
  const auto text = read_body(call->request, [](DocReader& in) { return in.text("text"); });
  if (!text) return call->fail(text.error());
  change_backend(call, [&](core::Administration& admin, const std::string& name) {
    return admin.pause(call->caller(), name, *text);
  });
}

void resume_backend(const CallPtr& call) {
  change_without_body(
      call, [&](core::Administration& admin, const std::string& name) { return admin.resume(call->caller(), name); });
}

void drain_backend(const CallPtr& call) {
  change_without_body(call, [&](core::Administration& admin, const std::string& name) {
    return admin.set_drained(call->caller(), name, true);
  });
}

void undrain_backend(const CallPtr& call) {
  change_without_body(call, [&](core::Administration& admin, const std::string& name) {
    return admin.set_drained(call->caller(), name, false);
  });
}

}  // namespace homeport::api
