#include "api/auth.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_common.h"
#include "api/wire_hub.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;

json homes_of(Api& api, const policies::Principal& person) {
  json homes = json::array();
  if (person.user_key.empty()) return homes;
  for (const auto& space : api.catalog().spaces()) {
    if (space->kind != SpaceKind::home || space->owner != person.user_key) continue;
    homes.push_back(space_json(*space, api.catalog(), person));
  }
  return homes;
}

json person_json(Api& api, const policies::Principal& person) {
  const auto known = person.user_key.empty() ? nullptr : api.catalog().user(person.user_key);
  json out{{"name", person.user}, {"groups", person.groups}, {"user_key", nullptr},
           {"uid", nullptr},      {"gid", nullptr},          {"dormant_since", nullptr}};
  if (!known) return out;
  out["user_key"] = known->key;
  out["uid"] = or_null(known->uid);
  out["gid"] = or_null(known->gid);
  out["dormant_since"] = time_json(known->dormant_since);
  return out;
}

}  // namespace

std::optional<Response> get_me(Api& api, const Request&, const policies::Principal& principal) {
  const bool person = bound_to(principal).has_value();
  const json credential{{"id", principal.id},
                        {"scope", std::string(policies::scope_name(principal.scope))},
                        {"hub", text_or_null(principal.hub)},
                        {"realm", text_or_null(principal.realm)}};
  return json_response(200, dump({{"credential", credential},
                                  {"user", person ? person_json(api, principal) : json(nullptr)},
                                  {"homes", person ? homes_of(api, principal) : json::array()}}));
}

std::optional<Response> list_hubs(Api& api, const Request&, const policies::Principal&) {
  json items = json::array();
  for (const auto& hub : api.core().hub_people().hubs()) items.push_back(hub_json(hub, api.catalog()));
  return json_response(200, dump({{"items", std::move(items)}}));
}

void reconcile_hub(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    HOMEPORT_TRY(const bool force, flag_param(call->request, "force"));
    const core::HubPeople::Request wanted{
        .hub = std::string(call->request.param("name")), .dry_run = dry_run, .force = force};
    call->api.core().hub_people().reconcile(call->caller(), wanted, [call](Result<core::HubLook> look) {
      if (!look) return call->fail(look.error());
      call->reply_json(200, hub_look_json(*look, call->api.catalog()));
    });
    return {};
  });
}

}  // namespace homeport::api
