#include "api/auth.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_home.h"
#include "api/wire_operation.h"
#include "api/wire_space.h"
#include "provisioner/core/owners.h"

namespace homeport::api {
namespace {

using nlohmann::json;

// The home {user} (a name, or a key of the person or of the home) and ?server= name; a name is checked before anybody
// looks for it.
Result<store::SpaceRecord> find_home(Api& api, const Request& request, const std::string& realm) {
  const auto user = request.param("user");
  const auto server = request.query("server").value_or("");
  if (!SpaceKey::parse(user)) {
    if (!UserKey::parse(user)) HOMEPORT_CHECK(UserName::parse(user));
    HOMEPORT_CHECK(ServerName::parse(server));
  }
  HOMEPORT_TRY(auto space, api.core().homes().get(realm, user, server));
  if (space.kind == SpaceKind::home) return space;
  return Error{.code = Errc::not_found,
               .message = space.key + " is a " + std::string(space_kind_name(space.kind)) + ", not a home",
               .hint = "GET /v1/spaces/" + space.key + " shows it"};
}

Result<HomeWish> read_put_body(const CallPtr& call) {
  HomeWish wish;
  if (!call->request.body.empty()) {
    HOMEPORT_TRY(wish, read_body(call->request, read_home_wish));
  }
  const auto server = call->request.query("server");
  if (server && !wish.server.empty() && *server != wish.server) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the parameter server and the member server differ",
                 .hint = "give it once",
                 .pointer = "/server"};
  }
  if (server) wish.server = std::string(*server);
  return wish;
}

void preview_home(const CallPtr& call, const core::HomeRequest& wanted) {
  auto& core = call->api.core();
  core.homes().preview_ensure(call->caller(), wanted, [call, wanted](Result<core::Preview> preview) {
    if (!preview) return call->fail(preview.error());
    const auto there = call->api.core().homes().get(wanted.realm, wanted.user.str(), wanted.server.str());
    call->reply_json(200, preview_json(*preview, there ? space_json(*there, call->api.catalog()) : json(nullptr)));
  });
}

Result<core::Homes::Resize> read_resize(const CallPtr& call) {
  HOMEPORT_TRY(const auto quota, read_body(call->request, [](DocReader& in) {
                 if (!in.has("quota")) in.missing("quota");
                 return in.optional_bytes("quota");
               }));
  HOMEPORT_TRY(const bool force, flag_param(call->request, "force"));
  HOMEPORT_TRY(const auto expected, if_match(call->request));
  return core::Homes::Resize{.quota = quota.value_or(Bytes{}), .force = force, .expected_revision = expected};
}

// Every change of an existing home: find it, then preview or do it.
void change_home(const CallPtr& call, std::string_view verb, const std::optional<core::Homes::Resize>& resize,
                 const std::function<Result<core::SpaceOutcome>(const store::SpaceRecord&)>& act) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto home, find_home(call->api, call->request, call->realm));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    if (!dry_run) {
      answer_outcome(call, act(home));
      return {};
    }
    const json now = space_json(home, call->api.catalog());
    call->api.core().homes().preview(call->caller(), home.key, verb, resize,
                                     [call, now](Result<core::Preview> preview) {
                                       if (!preview) return call->fail(preview.error());
                                       call->reply_json(200, preview_json(*preview, now));
                                     });
    return {};
  });
}

}  // namespace

std::optional<Response> list_homes(Api& api, const Request& request, const policies::Principal& principal) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto page, page_params(request));
    HOMEPORT_TRY(const auto realm, realm_of(request, principal, api.settings().realm));
    HOMEPORT_TRY(const auto state, state_param(request));
    const auto user = request.query("user");
    const std::string owner = user ? user_key_of(api.catalog(), realm, *user) : std::string();
    HOMEPORT_TRY(const bool dormant, flag_param(request, "dormant"));
    const bool one_realm = request.query("realm").has_value();
    const auto only = bound_to(principal);
    const auto now = api.parts().clock.now();
    const auto wanted = [&](const core::SpacePtr& space) {
      return (!only || space->owner == *only) && (!dormant || dormant_since(*space, api.catalog())) &&
             space->kind == SpaceKind::home && (state ? space->state == *state : is_listed(*space, now)) &&
             (owner.empty() || core::present_owner(api.catalog(), space->owner) == owner) &&
             (!one_realm || space->realm == realm);
    };
    return page_of(
        api.catalog().spaces(true), page, [](const auto& space) { return space->key; }, wanted,
        [&](const auto& space) { return space_json(*space, api.catalog(), principal); });
  });
}

std::optional<Response> get_home(Api& api, const Request& request, const policies::Principal& principal) {
  const auto home = [&]() -> Result<store::SpaceRecord> {
    HOMEPORT_TRY(const auto realm, realm_of(request, principal, api.settings().realm));
    return find_home(api, request, realm);
  }();
  if (!home) return problem_response(home.error(), request.request_id);
  return json_response(200, dump(space_json(*home, api.catalog(), principal)))
      .with("ETag", revision_etag(home->revision));
}

void put_home(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wish, read_put_body(call));
    HOMEPORT_TRY(auto wanted, home_request(wish, call->realm, call->request.param("user")));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    auto& core = call->api.core();
    identify(core.people(), call->caller(), std::move(wanted), [call, dry_run](Result<core::HomeRequest> known) {
      if (!known) return call->fail(known.error());
      if (dry_run) return preview_home(call, *known);
      answer_outcome(call, call->api.core().homes().ensure(call->caller(), *known), 201);
    });
    return {};
  });
}

void patch_home(const CallPtr& call) {
  const auto resize = read_resize(call);
  if (!resize) return call->fail(resize.error());
  change_home(call, "resize", *resize, [&](const store::SpaceRecord& home) {
    return call->api.core().homes().resize(call->caller(), home.key, *resize);
  });
}

void retire_home(const CallPtr& call) {
  if (const auto empty = expect_no_body(call->request); !empty) return call->fail(empty.error());
  const auto force = flag_param(call->request, "force");
  if (!force) return call->fail(force.error());
  change_home(call, "retire", std::nullopt, [&](const store::SpaceRecord& home) {
    return call->api.core().homes().retire(call->caller(), home.key, *force);
  });
}

void release_home(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const bool force, flag_param(call->request, "force"));
    HOMEPORT_TRY(const auto home, find_home(call->api, call->request, call->realm));
    answer_outcome(call, call->api.core().homes().release(call->caller(), home.key, force));
    return {};
  });
}

void claim_copy(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wish, read_body(call->request, read_copy_run));
    HOMEPORT_TRY(const auto home, find_home(call->api, call->request, call->realm));
    auto& homes = call->api.core().homes();
    HOMEPORT_TRY(const auto space, wish.leave ? homes.leave_copy(call->caller(), home.key, wish.run.run)
                                              : homes.claim_copy(call->caller(), home.key, wish.run));
    call->reply_json(200, space_json(space, call->api.catalog()));
    return {};
  });
}

void finish_copy(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    core::CopyEnd end;
    if (!call->request.body.empty()) {
      HOMEPORT_TRY(end, read_body(call->request, read_copy_end));
    }
    HOMEPORT_TRY(const auto home, find_home(call->api, call->request, call->realm));
    HOMEPORT_TRY(const auto done, call->api.core().homes().finish_copy(call->caller(), home.key, end));
    call->reply_json(200, space_json(done, call->api.catalog()));
    return {};
  });
}

void set_home_rights(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(auto change, read_body(call->request, [](DocReader& in) {
                   core::Homes::RightsChange out;
                   const auto flag = [&](std::string_view key, std::optional<bool>& into) {
                     if (in.has(key)) into = in.boolean(key, false);
                   };
                   flag("snapshot", out.snapshot);
                   flag("resize", out.resize);
                   flag("destroy", out.destroy);
                   return out;
                 }));
    HOMEPORT_TRY(change.expected_revision, if_match(call->request));
    HOMEPORT_TRY(const auto home, find_home(call->api, call->request, call->realm));
    HOMEPORT_TRY(const auto changed, call->api.core().homes().set_rights(call->caller(), home.key, change));
    call->reply_json(200, space_json(changed, call->api.catalog()));
    return {};
  });
}

void measure_home(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto home, find_home(call->api, call->request, call->realm));
    HOMEPORT_TRY(const auto asked, call->api.core().measures().ask(call->caller(), home.key));
    call->reply_json(200, space_json(asked, call->api.catalog()));
    return {};
  });
}

// Without ?wait=: a look goes on as long as the backend answers (fleet_plan.cpp), but not for ever.
constexpr std::chrono::hours kLongestPlan{1};

void plan_import(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(auto wanted, read_body(call->request, read_fleet_request));
    HOMEPORT_TRY(const auto wait, wait_param(call->request, kLongestPlan, std::chrono::seconds(600)));
    wanted.realm = call->realm;
    auto caller = call->caller();
    caller.deadline = call->api.parts().clock.mono() + wait;
    call->api.core().plan_fleet(caller, wanted, [call](Result<core::FleetPlan> plan) {
      if (!plan) return call->fail(plan.error());
      call->reply(json_response(200, fleet_plan_text(*plan)));
    });
    return {};
  });
}

void undelete_home(const CallPtr& call) {
  if (const auto empty = expect_no_body(call->request); !empty) return call->fail(empty.error());
  change_home(call, "undelete", std::nullopt, [&](const store::SpaceRecord& home) {
    return call->api.core().homes().undelete(call->caller(), home.key);
  });
}

void purge_home(const CallPtr& call) {
  const auto confirm = read_body(call->request, [](DocReader& in) { return in.text("confirm"); });
  if (!confirm) return call->fail(confirm.error());
  change_home(call, "purge", std::nullopt, [&](const store::SpaceRecord& home) {
    return call->api.core().homes().purge(call->caller(), home.key, *confirm);
  });
}

}  // namespace homeport::api
