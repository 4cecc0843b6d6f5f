#include "api/wire_hub.h"

#include "api/wire_common.h"

namespace homeport::api {
namespace {

using nlohmann::json;

json people_json(const std::vector<std::string>& keys, const core::Catalog& catalog) {
  json out = json::array();
  for (const auto& key : keys) out.push_back({{"user_key", key}, {"names", catalog.names_of(key)}});
  return out;
}

}  // namespace

json hub_look_json(const core::HubLook& look, const core::Catalog& catalog) {
  json missing = json::array();
  for (const auto& person : look.missing) {
    missing.push_back({{"user_key", person.user}, {"names", catalog.names_of(person.user)}, {"looks", person.looks}});
  }
  return {{"hub", look.hub},
          {"at", time_json(look.at)},
          {"dry_run", look.dry_run},
          {"outcome", std::string(core::hub_outcome_name(look.outcome))},
          {"text", text_or_null(look.text)},
          {"listed", look.listed},
          {"known", look.known},
          {"missing", std::move(missing)},
          {"gone", people_json(look.gone, catalog)},
          {"back", people_json(look.back, catalog)},
          {"recreated", people_json(look.recreated, catalog)}};
}

json hub_json(const core::HubPeople::State& hub, const core::Catalog& catalog) {
  const auto& settings = hub.settings;
  return {{"name", settings.name},
          {"realm", settings.realm},
          {"url", settings.address},
          {"lists_users", settings.lists_users},
          {"recreated", settings.recreated_is_same ? "same" : "hold"},
          {"reconcile_seconds", std::chrono::duration_cast<std::chrono::seconds>(settings.reconcile_every).count()},
          {"last_look", hub.last ? hub_look_json(*hub.last, catalog) : json(nullptr)}};
}

}  // namespace homeport::api
