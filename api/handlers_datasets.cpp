#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_backend.h"
#include "api/wire_home.h"
#include "api/wire_operation.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;

json with_grants(const store::SpaceRecord& dataset, const core::Catalog& catalog) {
  json out = space_json(dataset, catalog);
  json grants = json::array();
  for (const auto& grant : catalog.grants_of(dataset.key)) grants.push_back(grant_json(grant, catalog));
  out["grants"] = std::move(grants);
  return out;
}

Result<store::SpaceRecord> find_dataset(Api& api, std::string_view name) {
  if (!SpaceKey::parse(name)) HOMEPORT_CHECK(Slug::parse(name));
  return api.core().datasets().get(name);
}

Result<core::ImportRequest> read_import(const CallPtr& call) {
  struct Body {
    std::optional<Slug> backend;
    std::optional<AbsolutePath> path;
    bool read_only;
    std::string note;
    drivers::Layout layout;
  };
  HOMEPORT_TRY(auto name, Slug::parse(call->request.param("name")));
  HOMEPORT_TRY(auto body, read_body(call->request, [](DocReader& in) {
                 return Body{.backend = in.required("backend", &Slug::parse),
                             .path = in.required("path", &AbsolutePath::parse),
                             .read_only = in.boolean("read_only", true),
                             .note = in.text("note", ""),
                             .layout = read_layout(in)};
               }));
  return core::ImportRequest{.realm = call->realm,
                             .name = std::move(name),
                             .backend = std::move(*body.backend),
                             .path = std::move(*body.path),
                             .read_only = body.read_only,
                             .note = std::move(body.note),
                             .layout = body.layout};
}

// The subject of a grant as people write it; names are parsed here.
Result<core::Datasets::Subject> subject_of(const std::string& kind, const std::string& name, const std::string& realm) {
  core::Datasets::Subject subject{.kind = kind, .realm = realm};
  if (kind == "user") {
    HOMEPORT_TRY(const auto user, UserName::parse(name));
    subject.name = user.str();
  } else if (kind == "group") {
    HOMEPORT_TRY(const auto group, GroupName::parse(name));
    subject.name = group.str();
  } else if (kind != "everyone") {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(kind, 40) + "' is no kind of subject",
                 .hint = "give user, group or everyone"};
  } else if (!name.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "everyone has no name",
                 .hint = "leave the subject out, or name a user or a group"};
  }
  return subject;
}

core::Preview release_preview(const store::SpaceRecord& dataset) {
  return core::Preview{.steps = {"forget the dataset and its grants; nothing on the backend is touched"},
                       .calls = {},
                       .notes = {"nothing at " + dataset.path + " is changed; sessions that mount it keep it"}};
}

}  // namespace

std::optional<Response> list_datasets(Api& api, const Request& request, const policies::Principal&) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto page, page_params(request));
    return page_of(
        api.catalog().spaces(), page, [](const auto& space) { return space->key; },
        [](const auto& space) { return space->kind == SpaceKind::dataset; },
        [&](const auto& space) { return space_json(*space, api.catalog()); });
  });
}

std::optional<Response> get_dataset(Api& api, const Request& request, const policies::Principal&) {
  const auto dataset = find_dataset(api, request.param("name"));
  if (!dataset) return problem_response(dataset.error(), request.request_id);
  return json_response(200, dump(with_grants(*dataset, api.catalog()))).with("ETag", revision_etag(dataset->revision));
}

void put_dataset(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, read_import(call));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    auto& datasets = call->api.core().datasets();
    if (dry_run) {
      datasets.preview(call->caller(), wanted, [call](Result<core::ImportPreview> preview) {
        if (!preview) return call->fail(preview.error());
        call->reply_json(200, import_preview_json(*preview));
      });
    } else {
      answer_outcome(call, datasets.import(call->caller(), wanted), 201);
    }
    return {};
  });
}

void release_dataset(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto dataset, find_dataset(call->api, call->request.param("name")));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    if (dry_run) {
      call->reply_json(200, preview_json(release_preview(dataset), space_json(dataset, call->api.catalog())));
    } else {
      answer_outcome(call, call->api.core().datasets().release(call->caller(), call->request.param("name")));
    }
    return {};
  });
}

void grant_dataset(const CallPtr& call) {
  struct Body {
    std::string kind;
    std::string name;
    std::string access;
  };
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto dataset, find_dataset(call->api, call->request.param("name")));
    HOMEPORT_TRY(const auto body, read_body(call->request, [](DocReader& in) {
                   return Body{.kind = in.choice("subject_kind", {"user", "group", "everyone"}),
                               .name = in.text("subject", ""),
                               .access = in.choice("access", {"ro", "rw"}, "ro")};
                 }));
    HOMEPORT_TRY(const auto subject, subject_of(body.kind, body.name, call->realm));
    HOMEPORT_TRY(const auto grant,
                 call->api.core().datasets().grant(call->caller(), dataset.name, subject, body.access));
    call->reply_json(200, grant_json(grant, call->api.catalog()));
    return {};
  });
}

void withdraw_dataset(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto dataset, find_dataset(call->api, call->request.param("name")));
    const std::string kind(call->request.param("kind"));
    std::string name(call->request.param("subject"));
    // A path cannot have an empty part: for everyone something has to stand there.
    if (kind == "everyone" && (name == "-" || name == "everyone")) name.clear();
    HOMEPORT_TRY(const auto subject, subject_of(kind, name, call->realm));
    HOMEPORT_CHECK(call->api.core().datasets().withdraw(call->caller(), dataset.name, subject));
    call->reply(Response{.status = 204});
    return {};
  });
}

std::optional<Response> list_spaces(Api& api, const Request& request, const policies::Principal&) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto page, page_params(request));
    HOMEPORT_TRY(const auto state, state_param(request));
    const auto backend = request.query("backend");
    const auto kind_name = request.query("kind");
    const auto kind = kind_name ? space_kind_from_name(*kind_name) : std::nullopt;
    if (kind_name && !kind) {
      return Error{.code = Errc::invalid_argument,
                   .message = "'" + printable(*kind_name, 40) + "' is no kind of space",
                   .hint = "give home, dataset, group or scratch"};
    }
    const auto now = api.parts().clock.now();
    const auto wanted = [&](const core::SpacePtr& space) {
      return (!kind || space->kind == *kind) && (state ? space->state == *state : is_listed(*space, now)) &&
             (!backend || space->backend == *backend);
    };
    return page_of(
        api.catalog().spaces(true), page, [](const auto& space) { return space->key; }, wanted,
        [&](const auto& space) { return space_json(*space, api.catalog()); });
  });
}

std::optional<Response> get_space(Api& api, const Request& request, const policies::Principal&) {
  const auto found = [&]() -> Result<store::SpaceRecord> {
    const auto key = request.param("key");
    HOMEPORT_CHECK(SpaceKey::parse(key));
    return api.core().homes().resolve(api.settings().realm, key);
  }();
  if (!found) return problem_response(found.error(), request.request_id);
  return json_response(200, dump(space_json(*found, api.catalog()))).with("ETag", revision_etag(found->revision));
}

}  // namespace homeport::api
