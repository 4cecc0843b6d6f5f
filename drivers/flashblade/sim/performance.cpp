// Rates and latencies: nobody reads or writes through the simulator's REST side, so an idle array's numbers, with the
// members and rules of real answers.
#include <algorithm>
#include <array>

#include "drivers/flashblade/sim/family.h"

namespace homeport::fbsim {
namespace {

constexpr std::array kRates = {"bytes_per_op",       "bytes_per_read",      "bytes_per_write",   "others_per_sec",
                               "read_bytes_per_sec", "reads_per_sec",       "usec_per_other_op", "usec_per_read_op",
                               "usec_per_write_op",  "write_bytes_per_sec", "writes_per_sec"};

Json idle(Json name, Json id, Millis time) {
  Json out = {{"name", std::move(name)}, {"id", std::move(id)}};
  for (const char* rate : kRates) out[rate] = 0.0;
  out["time"] = time;
  return out;
}

Or<void> check_protocol(Call& call, std::initializer_list<std::string_view> allowed) {
  const auto protocol = folded(call.text("protocol"));
  if (!call.has("protocol") || std::find(allowed.begin(), allowed.end(), protocol) != allowed.end()) return {};
  return Refusal{"Invalid value for query parameter: protocol"};
}

Json envelope(Json items, Millis time) {
  Json out;
  out["total"] = Json::array({idle(nullptr, nullptr, time)});
  out["continuation_token"] = nullptr;
  out["total_item_count"] = items.size();
  out["items"] = std::move(items);
  return out;
}

// What a real array said, where it was loaded. Nothing else is known about these.
Answer get_recorded(Call& call) {
  const auto found = call.world.recorded_answers.find(call.path);
  if (found == call.world.recorded_answers.end()) return Refusal{"Resource does not exist.", call.path, 404};
  return std::optional(found->second);
}

Answer recorded_or(Call& call, Answer (*otherwise)(Call&)) {
  return call.world.recorded_answers.contains(call.path) ? get_recorded(call) : otherwise(call);
}

Answer get_array(Call& call) {
  HOMEPORT_CHECK(check_protocol(call, {"all", "nfs", "smb", "http", "s3"}));
  auto item = idle(call.world.array.name, call.world.array.id, call.world.now());
  return std::optional(list_envelope({}, {}, 1, Json::array({std::move(item)})));
}

Answer get_file_systems(Call& call) {
  World& world = call.world;
  HOMEPORT_CHECK(check_protocol(call, {"all", "nfs", "smb"}));
  HOMEPORT_TRY(const auto found, select(call, world.file_systems, "File system"));
  if (found.objects.size() > world.settings.max_performance_names) {
    return Refusal{"Too many names: at most " + std::to_string(world.settings.max_performance_names) + " are allowed."};
  }
  const Millis time = world.now() / 30'000 * 30'000;
  Json items = Json::array();
  for (const auto* fs : found.objects) items.push_back(idle(fs->name, fs->id, time));
  for (const auto& [key, fs] : world.file_systems.order()) {
    if (found.selected || fs->destroyed) continue;
    items.push_back(idle(fs->name, fs->id, time));
  }
  return std::optional(envelope(std::move(items), time));
}

Answer get_clients(Call& call) {
  HOMEPORT_CHECK(check_protocol(call, {"nfs", "s3"}));
  return std::optional(envelope(Json::array(), call.world.now()));
}

Answer get_replication(Call& call) {
  const Json none = {{"received_bytes_per_sec", 0.0}, {"transmitted_bytes_per_sec", 0.0}};
  Json continuous = none;
  continuous["object_backlog"] = {
      {"bytes_count", 0}, {"delete_ops_count", 0}, {"other_ops_count", 0}, {"put_ops_count", 0}};
  Json item = {{"name", call.world.array.name}, {"id", call.world.array.id}, {"aggregate", none},
               {"continuous", continuous},      {"periodic", none},          {"time", call.world.now()}};
  return std::optional(list_envelope({}, {}, 1, Json::array({std::move(item)})));
}

}  // namespace

void add_performance(Operations& operations) {
  const Params history = {{"protocol"}, {"start_time"}, {"end_time"}, {"resolution"}};
  operations.add("arrays/performance", "GET", {0, history, {}, get_array});
  operations.add("arrays/performance/replication", "GET",
                 {0, history, {}, [](Call& call) { return recorded_or(call, get_replication); }});
  operations.add("arrays/clients/performance", "GET",
                 {0, history, {}, [](Call& call) { return recorded_or(call, get_clients); }});
  operations.add("arrays/nfs-specific-performance", "GET", {0, history, {}, get_recorded});
  operations.add("arrays/http-specific-performance", "GET", {0, history, {}, get_recorded});
  operations.add("hardware-connectors/performance", "GET", {3, history, {}, get_recorded});
  for (const char* type : {"blades", "hardware"}) {
    add_family(
        operations,
        Family{
            .type = type, .what = "Hardware", .post = kNever, .patch = kNever, .remove = kNever, .has_context = false});
  }
  operations.add("file-systems/performance", "GET", {0, history, {}, get_file_systems});
}

}  // namespace homeport::fbsim
