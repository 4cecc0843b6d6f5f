#include "api/wire_backend.h"

#include "api/wire_common.h"

namespace homeport::api {
namespace {

using nlohmann::json;

std::string state_word(const store::BackendRecord& record, const BackendFacts& facts,
                       const core::BackendHealth& health) {
  using core::Reachability;
  if (record.paused) return "paused";
  if (!facts.running) return "unreachable";
  if (health.management == Reachability::unreachable || health.data == Reachability::unreachable) return "unreachable";
  if (health.management == Reachability::ok || health.data == Reachability::ok) return "ok";
  return "unknown";
}

json layouts_json(const drivers::DriverInfo& info) {
  json layouts = json::object();
  for (const auto& [layout, can] : info.layouts) {
    layouts[std::string(drivers::layout_name(layout))] = {
        {"quota_class", std::string(drivers::quota_class_name(can.quota))},
        {"snapshots", can.snapshots},
        {"snapshots_per_space", can.snapshots_per_space},
        {"clones", can.clones},
        {"array_restore", can.array_restore},
        {"access_rules", can.access_rules},
        {"undelete", can.undelete},
        {"ownership", can.ownership},
        {"quota_granularity_bytes", can.quota_granularity.count()},
        {"max_objects", or_null(can.max_objects)},
        {"max_snapshots_per_object", or_null(can.max_snapshots_per_object)},
        {"max_snapshots", or_null(can.max_snapshots)},
        {"notes", can.notes}};
  }
  return layouts;
}

json pools_json(const core::BackendHealth& health) {
  json list = json::array();
  for (const auto& pool : health.pools) {
    const auto trouble = health.troubled.find(pool.name);
    list.push_back({{"name", pool.name},
                    {"layout", std::string(drivers::layout_name(pool.layout))},
                    {"writable", pool.writable},
                    {"trouble", trouble == health.troubled.end() ? json(nullptr) : json(trouble->second)},
                    {"capacity_bytes", bytes_json(pool.capacity)},
                    {"free_bytes", bytes_json(pool.free)},
                    {"free_files", or_null(pool.free_files)},
                    {"objects_left", or_null(pool.objects_left)},
                    {"snapshots_left", or_null(pool.snapshots_left)}});
  }
  return list;
}

json caps_json(const BackendFacts& facts) {
  const core::DailyCaps caps = facts.running ? facts.running->spec().caps : core::DailyCaps{};
  return {{"objects", or_null(caps.objects)}, {"bytes", bytes_json(caps.bytes)}, {"destroys", or_null(caps.destroys)}};
}

json queue_json(const BackendFacts& facts) {
  if (!facts.running) return {{"queued", 0}, {"workers", 0}};
  return {{"queued", facts.running->workers().queued()}, {"workers", facts.running->workers().threads()}};
}

json sample_lists(const core::ImportPreview& preview) {
  json owners = json::array();
  for (const auto& [who, entries] : preview.owners) {
    owners.push_back({{"uid", who.first}, {"gid", who.second}, {"entries", entries}});
  }
  json modes = json::array();
  for (const auto& [mode, entries] : preview.modes) {
    modes.push_back({{"mode", mode_text(mode)}, {"entries", entries}});
  }
  return {{"owners", std::move(owners)}, {"modes", std::move(modes)}};
}

}  // namespace

json backend_json(const store::BackendRecord& record, const BackendFacts& facts) {
  const core::BackendHealth health = facts.running ? facts.running->health() : core::BackendHealth{};
  const auto info = facts.running ? facts.running->driver().info() : std::make_shared<const drivers::DriverInfo>();
  const std::string& last_error = facts.running ? health.last_error : facts.trouble;
  return {
      {"name", record.name},
      {"kind", record.kind},
      {"mode", record.mode},
      {"state", state_word(record, facts, health)},
      {"paused", record.paused},
      {"pause_text", text_or_null(record.pause_text)},
      {"drained", record.drained},
      {"address", text_or_null(info->address)},
      {"provenance", provenance_name(record.provenance)},
      {"layouts", layouts_json(*info)},
      {"pools", pools_json(health)},
      {"caps", caps_json(facts)},
      {"used_today", {{"objects", facts.used.objects}, {"bytes", facts.used.bytes}, {"destroys", facts.used.destroys}}},
      {"queue", queue_json(facts)},
      {"last_error", text_or_null(last_error)},
      {"last_contact", time_json(health.last_contact)},
      {"facts", info->facts},
      {"revision", record.revision}};
}

json probe_json(const drivers::ProbeReport& report) {
  json checks = json::array();
  for (const auto& check : report.checks) {
    checks.push_back({{"name", check.name},
                      {"status", std::string(drivers::check_status_name(check.status))},
                      {"detail", check.detail},
                      {"hint", text_or_null(check.hint)}});
  }
  return {{"management_ok", report.management_ok}, {"data_ok", report.data_ok}, {"checks", std::move(checks)}};
}

json export_json(const core::DiscoveredExport& found) {
  return {{"path", found.exported.path},
          {"clients", found.exported.clients},
          {"imported_as", found.imported_as},
          {"pool", found.pool}};
}

json file_system_json(const core::ListedFileSystem& found) {
  const auto text = [](const std::string& one) { return one.empty() ? json() : json(one); };
  const auto& fs = found.file_system;
  return {{"name", fs.name},
          {"id", fs.id},
          {"path", fs.path},
          {"limit_bytes", bytes_json(fs.limit)},
          {"limit_holds", fs.limit_holds},
          {"used_bytes", bytes_json(fs.used)},
          {"own", fs.own},
          {"space", found.space ? json(found.space->key) : json()},
          {"space_name", found.space && found.space->kind == SpaceKind::dataset ? json(found.space->name) : json()},
          {"replaced", text(found.replaced)},
          {"reason", text(fs.refusal)},
          {"why", text(fs.why)},
          {"remarks", fs.remarks},
          {"open_to_all", text(fs.open_to_all)}};
}

json import_preview_json(const core::ImportPreview& preview) {
  const auto& seen = preview.inspection;
  const auto& counts = preview.counts;
  json lists = sample_lists(preview);
  json body = {{"path", preview.path},
               {"export", seen.export_path},
               {"backend_id", seen.id},
               {"owner", {{"uid", seen.owner.uid.value}, {"gid", seen.owner.gid.value}}},
               {"mode", mode_text(seen.mode)},
               {"read_only_for_us", seen.read_only_for_us},
               {"filesystem_used_bytes", bytes_json(seen.filesystem_used)},
               {"entries",
                {{"counted", counts.entries},
                 {"complete", counts.complete},
                 {"files", counts.files},
                 {"directories", counts.directories},
                 {"symlinks", counts.links},
                 {"other", counts.other}}},
               {"size", {{"bytes", counts.bytes}, {"complete", counts.complete}}},
               {"owners", std::move(lists["owners"])},
               {"modes", std::move(lists["modes"])},
               {"odd_names", counts.odd_names},
               {"readable_by", preview.readable_by},
               {"clients_can_write", preview.clients_can_write},
               {"clients", seen.clients_known ? json(seen.clients) : json(nullptr)},
               {"warnings", preview.warnings}};
  return {{"dry_run", true}, {"preview", std::move(body)}, {"calls", preview.calls}};
}

}  // namespace homeport::api
