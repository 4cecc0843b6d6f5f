// Who may mount a space, and the exports that follow from it. Without an exporter there is nothing to do: everything
// here succeeds and says nothing.
#pragma once

#include "drivers/btrfs/standing.h"

namespace homeport::drivers::btrfs {

// The rules of a space: its own where set_access() was called, else the configured ones. nullopt without an exporter.
Result<std::optional<AccessPolicy>> rules_of(const Backend& backend, const OpenPool& pool, const SpaceKey& key);
Result<void> write_rules(const OpContext& op, const Backend& backend, const OpenPool& pool, const SpaceKey& key,
                         const AccessPolicy& policy);
Result<void> forget_rules(const OpContext& op, const OpenPool& pool, const SpaceKey& key);

// Serves a live space; it is reachable when this returns.
Result<void> serve(const OpContext& op, Backend& backend, const OpenPool& pool, const SpaceKey& key,
                   const std::string& name);
Result<void> serve_snapshot(const OpContext& op, Backend& backend, const OpenPool& pool, const SpaceKey& key,
                            const std::string& name, const std::string& snapshot);
// Takes the space and its snapshots out of everybody's reach.
Result<void> hide(const OpContext& op, Backend& backend, const SpaceKey& key);
Result<void> hide_snapshot(const OpContext& op, Backend& backend, const SpaceKey& key, const std::string& snapshot);
// Serves every live space of the pool, in one go: after a start, whatever the exporter has forgotten.
Result<void> serve_all(const OpContext& op, Backend& backend, Pool& pool);

// What a client mounts: "/homes/hp-h-…".
[[nodiscard]] std::string export_path(const std::string& pool, const std::string& name);
[[nodiscard]] std::string snapshot_export_path(const std::string& pool, const std::string& name,
                                               const std::string& snapshot);

}  // namespace homeport::drivers::btrfs
