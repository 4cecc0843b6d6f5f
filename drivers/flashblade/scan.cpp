#include "drivers/flashblade/scan.h"

#include "drivers/flashblade/paging.h"

namespace homeport::drivers::flashblade {
namespace {

// Does what the first space made stand? A user whose rights were taken away sees an empty array, and so does one of
// another realm: where management shows nothing, what can be mounted is believed.
Result<bool> is_prepared(const OpContext& op, Backend& backend) {
  HOMEPORT_TRY(const auto admin, backend.api().file_system(op, backend.admin_name()));
  if (admin) return !admin->destroyed;
  return backend.mount(op, FileSystem{.id = {}, .name = backend.admin_name(), .nfs_v3 = true}, false).has_value();
}

}  // namespace

Result<std::optional<Cursor>> scan_file_systems(const OpContext& op, Backend& backend, const Query& query,
                                                const std::optional<Cursor>& from, std::vector<Object>& page) {
  HOMEPORT_CHECK(backend.pool(query.layout, query.pool));
  HOMEPORT_TRY(const auto token, token_of(from));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(const auto trash, backend.admin().trash(op));
  const auto destroyed = query.state == ObjectState::live ? std::optional(false) : std::nullopt;
  HOMEPORT_TRY(auto listed, backend.api().file_systems(op, backend.prefix(), destroyed, token, kPage));
  for (auto& fs : listed.items) {
    const auto key = key_of(backend, fs.name);
    if (!key) continue;
    const auto retired = trash.find(key->str());
    Standing standing{.fs = std::move(fs)};
    standing.record.shelf = retired == trash.end() ? Shelf::live : Shelf::trash;
    if (retired != trash.end()) standing.record.modified = retired->second;
    if ((query.state == ObjectState::live) != standing.live()) continue;
    page.push_back(object_of(backend, query.pool, *key, standing, {}));
  }
  return cursor_of(listed.next);
}

Result<std::vector<Pool>> measure_pools(const OpContext& op, Backend& backend) {
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(const auto space, backend.api().space(op));
  // An array with very many refuses to count them: then nobody knows how many are left.
  const auto snapshots = backend.api().count_snapshots(op);
  if (!snapshots && is_transient(snapshots.error().code)) return snapshots.error();
  HOMEPORT_TRY(const bool prepared, is_prepared(op, backend));
  std::vector<Pool> out;
  for (const auto& pool : backend.config().pools) {
    if (pool.layout != Layout::filesystem) continue;
    Pool one{.name = pool.name, .layout = Layout::filesystem, .prepared = prepared};
    one.capacity = Bytes{space.capacity};
    one.free = Bytes{space.capacity > space.used ? space.capacity - space.used : 0};
    if (snapshots) one.snapshots_left = *snapshots < kSnapshotsPerArray ? kSnapshotsPerArray - *snapshots : 0;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace homeport::drivers::flashblade
