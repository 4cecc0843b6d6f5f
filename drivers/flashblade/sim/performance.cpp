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

// What a real array said, where it was loaded.
Answer recorded_or(Call& call, Answer (*otherwise)(Call&)) {
  const auto found = call.world.recorded_answers.find(call.path);
  return found == call.world.recorded_answers.end() ? otherwise(call) : Answer(std::optional(found->second));
}

// The members of each protocol's own rates, as recorded.
constexpr std::array kNfsRates = {"accesses_per_sec",
                                  "aggregate_file_metadata_creates_per_sec",
                                  "aggregate_file_metadata_modifies_per_sec",
                                  "aggregate_file_metadata_reads_per_sec",
                                  "aggregate_other_per_sec",
                                  "aggregate_share_metadata_reads_per_sec",
                                  "aggregate_usec_per_file_metadata_create_op",
                                  "aggregate_usec_per_file_metadata_modify_op",
                                  "aggregate_usec_per_file_metadata_read_op",
                                  "aggregate_usec_per_other_op",
                                  "aggregate_usec_per_share_metadata_read_op",
                                  "creates_per_sec",
                                  "fsinfos_per_sec",
                                  "fsstats_per_sec",
                                  "getattrs_per_sec",
                                  "links_per_sec",
                                  "lookups_per_sec",
                                  "mkdirs_per_sec",
                                  "pathconfs_per_sec",
                                  "readdirpluses_per_sec",
                                  "readdirs_per_sec",
                                  "readlinks_per_sec",
                                  "reads_per_sec",
                                  "removes_per_sec",
                                  "renames_per_sec",
                                  "rmdirs_per_sec",
                                  "setattrs_per_sec",
                                  "symlinks_per_sec",
                                  "usec_per_access_op",
                                  "usec_per_create_op",
                                  "usec_per_fsinfo_op",
                                  "usec_per_fsstat_op",
                                  "usec_per_getattr_op",
                                  "usec_per_link_op",
                                  "usec_per_lookup_op",
                                  "usec_per_mkdir_op",
                                  "usec_per_pathconf_op",
                                  "usec_per_read_op",
                                  "usec_per_readdir_op",
                                  "usec_per_readdirplus_op",
                                  "usec_per_readlink_op",
                                  "usec_per_remove_op",
                                  "usec_per_rename_op",
                                  "usec_per_rmdir_op",
                                  "usec_per_setattr_op",
                                  "usec_per_symlink_op",
                                  "usec_per_write_op",
                                  "writes_per_sec"};
constexpr std::array kHttpRates = {"others_per_sec",        "read_dirs_per_sec",      "read_files_per_sec",
                                   "usec_per_other_op",     "usec_per_read_dir_op",   "usec_per_read_file_op",
                                   "usec_per_write_dir_op", "usec_per_write_file_op", "write_dirs_per_sec",
                                   "write_files_per_sec"};
constexpr std::array kS3Rates = {"others_per_sec",           "read_buckets_per_sec",     "read_objects_per_sec",
                                 "usec_per_other_op",        "usec_per_read_bucket_op",  "usec_per_read_object_op",
                                 "usec_per_write_bucket_op", "usec_per_write_object_op", "write_buckets_per_sec",
                                 "write_objects_per_sec"};

template <const auto& kNames>
Answer get_idle(Call& call) {
  Json item = {{"name", call.world.array.name}, {"id", call.world.array.id}};
  for (const char* rate : kNames) item[rate] = 0.0;
  item["time"] = call.world.now();
  return std::optional(list_envelope({}, {}, 1, Json::array({std::move(item)})));
}

template <const auto& kNames>
Answer recorded_or_idle(Call& call) {
  return recorded_or(call, get_idle<kNames>);
}

// Of things that there are none of here: connectors, buckets, connections without a link.
Answer get_none(Call& call) {
  return recorded_or(call, [](Call&) -> Answer { return std::optional(list_envelope({}, {}, 0, Json::array())); });
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
  const Params of_connections = {{"type"},       {"remote_names"}, {"remote_ids"}, {"ids"},
                                 {"start_time"}, {"end_time"},     {"resolution"}};
  operations.add("arrays/performance", "GET", {0, history, {}, get_array});
  operations.add("arrays/performance/replication", "GET",
                 {0, history, {}, [](Call& call) { return recorded_or(call, get_replication); }});
  operations.add("arrays/clients/performance", "GET",
                 {0, history, {}, [](Call& call) { return recorded_or(call, get_clients); }});
  operations.add("arrays/nfs-specific-performance", "GET", {0, history, {}, recorded_or_idle<kNfsRates>});
  operations.add("arrays/http-specific-performance", "GET", {0, history, {}, recorded_or_idle<kHttpRates>});
  operations.add("arrays/s3-specific-performance", "GET", {0, history, {}, recorded_or_idle<kS3Rates>});
  operations.add("hardware-connectors/performance", "GET", {3, history, {}, get_none});
  operations.add("buckets/performance", "GET", {0, history, {}, get_none});
  operations.add("buckets/s3-specific-performance", "GET", {0, history, {}, get_none});
  operations.add("array-connections/performance/replication", "GET", {0, of_connections, {}, get_none});
  for (const char* type : {"blades", "hardware"}) {
    add_family(
        operations,
        Family{
            .type = type, .what = "Hardware", .post = kNever, .patch = kNever, .remove = kNever, .has_context = false});
  }
  operations.add("file-systems/performance", "GET", {0, history, {}, get_file_systems});
}

}  // namespace homeport::fbsim
