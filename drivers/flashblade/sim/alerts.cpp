#include "drivers/flashblade/sim/alerts.h"

#include "drivers/flashblade/sim/family.h"

namespace homeport::fbsim {

void raise_alert(World& world, int code, const char* severity, const char* component_type, const std::string& component,
                 const std::string& summary) {
  auto& table = world.table("alerts");
  for (const auto& [key, alert] : table.order()) {
    if (alert->fields["code"] != code || text_of(alert->fields, "component_name") != component) continue;
    if (text_of(alert->fields, "state") != "open") continue;
    alert->fields["updated"] = world.now();
    alert->fields["severity"] = severity;
    alert->fields["summary"] = summary;
    return;
  }
  const auto index = table.size() + 1;
  insert_document(world, "alerts", std::to_string(index),
                  Json{{"index", index},
                       {"flagged", true},
                       {"code", code},
                       {"severity", severity},
                       {"component_name", component},
                       {"component_type", component_type},
                       {"state", "open"},
                       {"created", world.now()},
                       {"updated", world.now()},
                       {"notified", world.now()},
                       {"summary", summary},
                       {"description", summary},
                       {"knowledge_base_url", "https://support.purestorage.com/?cid=Alert_" + std::to_string(code)},
                       {"action", nullptr},
                       {"variables", Json::object()}});
}

void add_alerts(Operations& operations) {
  Family family{.type = "alerts", .what = "Alert", .post = kNever, .remove = kNever, .has_context = false};
  family.patch_fields = {{"flagged", Kind::boolean}};
  family.newer = {{"duration", 20}};
  family.finish = [](World& world, const Document& document, int, Json& item) {
    item["duration"] = document.fields["updated"].is_null()
                           ? Json(nullptr)
                           : Json(world.now() - document.fields.value("created", world.now()));
  };
  add_family(operations, family);
}

}  // namespace homeport::fbsim
