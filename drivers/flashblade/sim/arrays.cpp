// /arrays and /arrays/space.
#include <algorithm>

#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/file_system.h"
#include "drivers/flashblade/sim/furnish.h"

namespace homeport::fbsim {
namespace {

const std::vector<Newer> kNewer = {{"smb_mode", 2},
                                   {"eradication_config", 5},
                                   {"product_type", 6},
                                   {"security_update", 7},
                                   {"encryption", 8},
                                   {"network_access_policy", 13},
                                   {"default_inbound_tls_policy", 17},
                                   {"context", 22}};

Json render_array(const World& world, int minor) {
  Json out = {{"name", world.array.name}, {"id", world.array.id}};
  out.update(world.array.fields);
  out["eradication_config"] = {{"manual_eradication", world.settings.manual_eradication},
                               {"eradication_delay", world.settings.eradication_delay_ms}};
  out["_as_of"] = world.now();
  out["context"] = world.array_reference();
  for (const auto& newer : kNewer) {
    if (newer.since > minor) erase_path(out, newer.path);
  }
  return out;
}

Answer one(Json item, const Call& call) {
  HOMEPORT_TRY(const auto page, parse_page(call, call.world.settings.max_page));
  const Probe probe = [&](const std::string& path) { return probe_json(item, path); };
  const bool shown = !page.filter || page.filter->matches(probe);
  Json items = Json::array();
  if (shown && !page.count_only && !page.total_only && page.offset == 0) items.push_back(item);
  return std::optional(list_envelope({}, {}, shown ? 1 : 0, std::move(items)));
}

Answer get_array(Call& call) {
  return one(render_array(call.world, call.minor), call);
}

Answer patch_array(Call& call) {
  World& world = call.world;
  if (const auto* idle = find_path(call.body, "idle_timeout"); idle != nullptr && !idle->is_null()) {
    const auto value = idle->get<std::int64_t>();
    if (value != 0 && (value < 300'000 || value > 10'800'000)) {
      return Refusal{"Idle timeout must be 0 or between 300000 and 10800000."};
    }
    // Whether it governs REST sessions is not published; here it does, once somebody sets it.
    world.settings.session_ms = value;
  }
  Json body = call.body;
  if (const auto name = text_of(body, "name"); !name.empty()) world.array.name = name;
  body.erase("name");
  merge_body(world.array.fields, body);
  return std::optional(items_of(Json::array({render_array(world, call.minor)})));
}

Answer get_space(Call& call) {
  World& world = call.world;
  const auto type = call.has("type") ? call.text("type") : "array";
  if (type != "array" && type != "file-system" && type != "object-store") {
    return Refusal{"Invalid value for query parameter: type"};
  }
  Space sum;
  for (const auto& [key, fs] : world.file_systems.order()) {
    const auto space = space_of(*fs);
    if (fs->destroyed) {
      sum.destroyed += space.unique + space.snapshots;
      sum.destroyed_logical += space.logical;
      continue;
    }
    sum.logical += space.logical;
    sum.unique += space.unique;
    sum.snapshots += space.snapshots;
    sum.provisioned += space.provisioned;
  }
  if (type == "object-store") sum = {};
  Json item = {{"name", world.array.name},
               {"id", world.array.id},
               {"time", world.now() / 30'000 * 30'000},
               {"capacity", world.settings.capacity},
               {"parity", 1.0},
               {"space", render_space(sum, call.minor)}};
  if (call.minor >= 22) item["context"] = world.array_reference();
  return one(std::move(item), call);
}

}  // namespace

void add_arrays(Operations& operations) {
  operations.add("arrays", "GET", {0, {}, {}, get_array});
  operations.add("arrays", "PATCH",
                 {0,
                  {},
                  {{"name", Kind::text},
                   {"banner", Kind::text},
                   {"idle_timeout", Kind::number},
                   {"ntp_servers", Kind::texts},
                   {"time_zone", Kind::text}},
                  patch_array});
  operations.add("arrays/space", "GET", {0, {{"type"}, {"start_time"}, {"end_time"}, {"resolution"}}, {}, get_space});
}

void furnish_array(World& world) {
  world.array.fields = {
      {"os", "Purity//FB"},
      {"revision", "4007aea5"},
      {"version", world.settings.purity_version},
      {"time_zone", "UTC"},
      {"banner", nullptr},
      {"idle_timeout", world.settings.session_ms},
      {"ntp_servers", Json::array()},
      {"smb_mode", "native"},
      {"product_type", "FlashBlade"},
      {"security_update", nullptr},
      {"encryption",
       {{"data_at_rest",
         {{"algorithms", Json::array({"AES-256-CTR"})}, {"entropy_source", "rdseed"}, {"enabled", true}}}}},
      {"network_access_policy", null_reference()},
      {"default_inbound_tls_policy", null_reference()}};
}

}  // namespace homeport::fbsim
