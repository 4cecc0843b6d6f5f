#include "api/wire_snapshot.h"

#include "api/wire_common.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;

json hold_json(const store::SnapshotHold& hold) {
  return {{"id", hold.id},
          {"owner", hold.owner},
          {"by", hold.by},
          {"reason", text_or_null(hold.reason)},
          {"since", time_json(hold.since)},
          {"expires", time_json(hold.expires)}};
}

}  // namespace

json snapshot_json(const core::SnapshotInfo& snapshot, const core::Catalog& catalog) {
  const auto space = catalog.space(snapshot.space);
  const auto label = space ? space_label(*space, catalog) : snapshot.space;
  json holds = json::array();
  for (const auto& hold : snapshot.holds) holds.push_back(hold_json(hold));
  return {{"space", snapshot.space},
          {"space_label", label},
          {"ref", snapshot.space + "@" + (snapshot.label.empty() ? snapshot.name : snapshot.label)},
          {"name", snapshot.name},
          {"key", text_or_null(snapshot.key)},
          {"label", text_or_null(snapshot.label)},
          {"reason", text_or_null(snapshot.reason)},
          {"taken_by", text_or_null(snapshot.taken_by)},
          {"state", snapshot.state},
          {"ours", snapshot.ours},
          {"of_pool", snapshot.of_pool},
          {"backend_id", text_or_null(snapshot.backend_id)},
          {"taken_at", time_json(snapshot.taken_at)},
          {"unique_bytes", bytes_json(snapshot.unique_bytes)},
          {"holds", std::move(holds)}};
}

std::string snapshot_order(const core::SnapshotInfo& snapshot) {
  constexpr std::size_t kDigits = 20;
  const auto at = snapshot.taken_at.value_or(WallTime::max()).time_since_epoch().count();
  const auto digits = std::to_string(std::max<std::int64_t>(0, at));
  return std::string(kDigits - digits.size(), '0') + digits + "/" + snapshot.name;
}

}  // namespace homeport::api
