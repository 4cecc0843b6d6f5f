#include "api/routes.h"

#include <array>

#include "api/handlers.h"
#include "api/handlers_restore.h"

namespace homeport::api {
namespace {

using policies::Action;

constexpr std::size_t kNoBody = 1U << 10U;
constexpr std::size_t kSmall = 64U << 10U;
constexpr std::size_t kConfigured = 0;

constexpr Access kService = Access::needs(Action::read_service);
constexpr Access kInventory = Access::needs(Action::read_inventory);
constexpr Access kAudit = Access::needs(Action::read_audit);
constexpr Access kSpecs = Access::checked_by_handler(Action::issue_spec);
constexpr Access kOwn = Access::needs_or_own(Action::read_inventory);
constexpr Access kSnapshotReads = Access::checked_by_handler(Action::read_inventory);
constexpr Access kSnapshots = Access::checked_by_handler(Action::keep_snapshots);
constexpr Access kSpaces = Access::needs(Action::manage_spaces);
constexpr Access kDestroy = Access::needs(Action::destroy_spaces);
constexpr Access kManage = Access::needs(Action::manage_service);
constexpr Access kTokens = Access::needs(Action::manage_tokens);

constexpr auto kGet = Method::get;
constexpr auto kPost = Method::post;
constexpr auto kPut = Method::put;
constexpr auto kPatch = Method::patch;
constexpr auto kDelete = Method::del;
constexpr auto kNone = Replay::none;
constexpr auto kKept = Replay::kept;
constexpr auto kSecret = Replay::secret;

// clang-format off
constexpr std::array kTable{
  // method, pattern, access, replay, query, max_body, always, handlers
  RouteEntry{kGet, "/healthz", Access::open(), kNone, "", kNoBody, true, from_memory(get_health)},
  RouteEntry{kGet, "/readyz", Access::open(), kNone, "", kNoBody, true, from_memory(get_readiness)},
  RouteEntry{kGet, "/metrics", Access::metrics(), kNone, "", kNoBody, true, on_workers(get_metrics)},
  RouteEntry{kGet, "/v1/openapi.json", Access::open(), kNone, "", kNoBody, true, from_memory(get_openapi)},
  RouteEntry{kGet, "/v1/version", Access::open(), kNone, "", kNoBody, true, from_memory(get_version)},
  RouteEntry{kGet, "/v1/doctor", kService, kNone, "", kNoBody, false, on_workers(get_doctor)},
  RouteEntry{kGet, "/v1/events", kInventory, kNone, "after", kNoBody, false, on_workers(get_events)},
  RouteEntry{kPost, "/v1/state/backup", kManage, kKept, "", kSmall, false, on_workers(backup_state)},
  RouteEntry{kPost, "/v1/state/restore", kManage, kKept, "", kSmall, false, on_workers(restore_state)},

  RouteEntry{kPost, "/v1/mountspecs", kSpecs, kNone, "wait realm", kSmall, false, memory_first(issue_spec_now, issue_spec_later)},
  RouteEntry{kGet, "/v1/mountspecs/{id}", kSpecs, kNone, "format mode namespace service host_root", kNoBody, false, on_workers(get_spec)},
  RouteEntry{kPost, "/v1/mountspecs/{id}/release", Access::checked_by_handler(Action::release_spec), kNone, "", kNoBody, false, on_workers(release_spec)},
  RouteEntry{kPost, "/v1/mountspecs/render", kService, kNone, "format mode namespace service host_root", kConfigured, false, from_memory(render_spec)},
  RouteEntry{kGet, "/v1/renderers", kService, kNone, "", kNoBody, false, from_memory(list_renderers)},

  RouteEntry{kGet, "/v1/homes", kOwn, kNone, "cursor dormant limit realm state user", kNoBody, false, from_memory(list_homes)},
  RouteEntry{kGet, "/v1/homes/{user}", Access::needs_person(Action::read_inventory), kNone, "realm server", kNoBody, false, from_memory(get_home)},
  RouteEntry{kPut, "/v1/homes/{user}", Access::needs_person(Action::ensure_home), kKept, "wait dry_run realm server", kSmall, false, on_workers(put_home)},
  RouteEntry{kPost, "/v1/homes:ensure", Access::needs(Action::ensure_home), kKept, "wait realm", kConfigured, false, on_workers(ensure_homes)},
  RouteEntry{kPatch, "/v1/homes/{user}", kSpaces, kKept, "wait dry_run realm server force", kSmall, false, on_workers(patch_home)},
  RouteEntry{kPost, "/v1/homes/{user}/retire", kSpaces, kKept, "wait dry_run realm server force", kNoBody, false, on_workers(retire_home)},
  RouteEntry{kPost, "/v1/homes/{user}/undelete", kSpaces, kKept, "wait dry_run realm server", kNoBody, false, on_workers(undelete_home)},
  RouteEntry{kPost, "/v1/homes/{user}/purge", kDestroy, kKept, "wait dry_run realm server", kSmall, false, on_workers(purge_home)},
  RouteEntry{kPost, "/v1/homes/{user}/release", kSpaces, kKept, "realm server force", kNoBody, false, on_workers(release_home)},
  RouteEntry{kPost, "/v1/homes/{user}/rights", kSpaces, kKept, "realm server", kSmall, false, on_workers(set_home_rights)},
  RouteEntry{kPost, "/v1/homes/{user}/measure", kSpaces, kKept, "realm server", kNoBody, false, on_workers(measure_home)},
  RouteEntry{kPost, "/v1/homes/{user}/copied", kSpaces, kKept, "realm server", kSmall, false, on_workers(finish_copy)},
  RouteEntry{kPost, "/v1/homes/{user}/copying", kSpaces, kNone, "realm server", kSmall, false, on_workers(claim_copy)},
  RouteEntry{kPost, "/v1/homes:plan-import", kSpaces, kNone, "wait realm", kConfigured, false, on_workers(plan_import)},
  RouteEntry{kGet, "/v1/users", kInventory, kNone, "cursor limit realm", kNoBody, false, from_memory(list_users)},
  RouteEntry{kGet, "/v1/users/{user}", Access::needs_person(Action::read_inventory), kNone, "realm", kNoBody, false, from_memory(get_user)},
  RouteEntry{kPost, "/v1/users/{user}/uid", kManage, kKept, "realm", kSmall, false, on_workers(set_uid)},
  RouteEntry{kPost, "/v1/users/{user}/rename", kManage, kKept, "realm", kSmall, false, on_workers(rename_user)},
  RouteEntry{kPost, "/v1/users/{user}/merge", kManage, kKept, "realm", kSmall, false, on_workers(merge_user)},
  RouteEntry{kPost, "/v1/users/{user}/keep", kManage, kKept, "realm", kNoBody, false, on_workers(keep_user)},

  RouteEntry{kGet, "/v1/datasets", kInventory, kNone, "cursor limit", kNoBody, false, from_memory(list_datasets)},
  RouteEntry{kGet, "/v1/datasets/{name}", kInventory, kNone, "", kNoBody, false, from_memory(get_dataset)},
  RouteEntry{kPut, "/v1/datasets/{name}", kSpaces, kKept, "wait dry_run", kSmall, false, on_workers(put_dataset)},
  RouteEntry{kPost, "/v1/datasets/{name}/release", kSpaces, kKept, "wait dry_run", kNoBody, false, on_workers(release_dataset)},
  RouteEntry{kPost, "/v1/datasets/{name}/grants", kSpaces, kKept, "realm", kSmall, false, on_workers(grant_dataset)},
  RouteEntry{kDelete, "/v1/datasets/{name}/grants/{kind}/{subject}", kSpaces, kKept, "realm", kNoBody, false, on_workers(withdraw_dataset)},
  RouteEntry{kPost, "/v1/datasets/{name}/clone", kSpaces, kKept, "wait dry_run realm", kSmall, false, on_workers(clone_dataset)},
  RouteEntry{kPost, "/v1/datasets/{name}/retire", kSpaces, kKept, "wait dry_run force", kNoBody, false, on_workers(retire_dataset)},
  RouteEntry{kPost, "/v1/datasets/{name}/undelete", kSpaces, kKept, "wait dry_run", kNoBody, false, on_workers(undelete_dataset)},
  RouteEntry{kPost, "/v1/datasets/{name}/purge", kDestroy, kKept, "wait dry_run", kSmall, false, on_workers(purge_dataset)},
  RouteEntry{kGet, "/v1/spaces", kInventory, kNone, "cursor limit kind state backend", kNoBody, false, from_memory(list_spaces)},
  RouteEntry{kGet, "/v1/spaces/{key}", kInventory, kNone, "", kNoBody, false, from_memory(get_space)},
  RouteEntry{kGet, "/v1/snapshots/{snapshot}/files", kSnapshots, kNone, "wait realm path cursor", kNoBody, false, on_workers(browse_snapshot)},
  RouteEntry{kGet, "/v1/versions", kSnapshots, kNone, "wait realm space path digest", kNoBody, false, on_workers(list_versions)},
  RouteEntry{kPost, "/v1/snapshots/{snapshot}/restore", kSnapshots, kKept, "wait realm", kSmall, false, on_workers(restore_files)},

  RouteEntry{kGet, "/v1/snapshots", kSnapshotReads, kNone, "cursor limit realm space wait", kNoBody, false, on_workers(list_snapshots)},
  RouteEntry{kPost, "/v1/snapshots", kSnapshots, kKept, "wait dry_run realm", kSmall, false, on_workers(take_snapshot)},
  RouteEntry{kGet, "/v1/snapshots/{snapshot}", kSnapshotReads, kNone, "realm wait", kNoBody, false, on_workers(get_snapshot)},
  RouteEntry{kDelete, "/v1/snapshots/{snapshot}", kSnapshots, kKept, "wait dry_run realm", kNoBody, false, on_workers(delete_snapshot)},
  RouteEntry{kPost, "/v1/snapshots/{snapshot}/holds", kSnapshots, kKept, "wait realm", kSmall, false, on_workers(hold_snapshot)},
  RouteEntry{kDelete, "/v1/snapshots/{snapshot}/holds/{hold}", kSnapshots, kKept, "wait realm", kNoBody, false, on_workers(release_snapshot)},
  RouteEntry{kPost, "/v1/snapshots/{snapshot}/overwrite", kDestroy, kKept, "wait dry_run realm force", kSmall, false, on_workers(overwrite_from_snapshot)},

  RouteEntry{kGet, "/v1/backends", kInventory, kNone, "cursor limit", kNoBody, false, on_workers(list_backends)},
  RouteEntry{kGet, "/v1/backends/{name}", kInventory, kNone, "", kNoBody, false, on_workers(get_backend)},
  RouteEntry{kPost, "/v1/backends/{name}/probe", kSpaces, kNone, "wait", kNoBody, false, on_workers(probe_backend)},
  RouteEntry{kGet, "/v1/backends/{name}/exports", kInventory, kNone, "wait", kNoBody, false, on_workers(list_exports)},
  RouteEntry{kGet, "/v1/backends/{name}/file-systems", kInventory, kNone, "match wait", kNoBody, false, on_workers(list_file_systems)},
  RouteEntry{kPost, "/v1/backends/{name}/pause", kManage, kKept, "", kSmall, false, on_workers(pause_backend)},
  RouteEntry{kPost, "/v1/backends/{name}/resume", kManage, kKept, "", kNoBody, false, on_workers(resume_backend)},
  RouteEntry{kPost, "/v1/backends/{name}/drain", kManage, kKept, "", kNoBody, false, on_workers(drain_backend)},
  RouteEntry{kPost, "/v1/backends/{name}/undrain", kManage, kKept, "", kNoBody, false, on_workers(undrain_backend)},

  RouteEntry{kGet, "/v1/operations", kOwn, kNone, "cursor limit state space parked", kNoBody, false, on_workers(list_operations)},
  RouteEntry{kGet, "/v1/operations/{id}", kOwn, kNone, "wait", kNoBody, false, on_workers(get_operation)},
  RouteEntry{kPost, "/v1/operations/{id}/retry", kSpaces, kKept, "", kNoBody, false, on_workers(retry_operation)},
  RouteEntry{kPost, "/v1/operations/{id}/give-up", kSpaces, kKept, "", kNoBody, false, on_workers(give_up_operation)},
  RouteEntry{kPost, "/v1/operations/{id}/cancel", kSpaces, kKept, "", kNoBody, false, on_workers(cancel_operation)},

  RouteEntry{kGet, "/v1/me", Access::needs(Action::read_self), kNone, "", kNoBody, false, from_memory(get_me)},
  RouteEntry{kGet, "/v1/hubs", kInventory, kNone, "", kNoBody, false, from_memory(list_hubs)},
  RouteEntry{kPost, "/v1/hubs/{name}/reconcile", kSpaces, kKept, "dry_run force", kNoBody, false, on_workers(reconcile_hub)},

  RouteEntry{kGet, "/v1/audit", kAudit, kNone, "limit cursor after subject", kNoBody, false, on_workers(list_audit)},
  RouteEntry{kGet, "/v1/audit/verify", kAudit, kNone, "", kNoBody, false, on_workers(verify_audit)},
  RouteEntry{kGet, "/v1/classes", kInventory, kNone, "cursor limit", kNoBody, false, from_memory(list_classes)},
  RouteEntry{kGet, "/v1/rules", kInventory, kNone, "", kNoBody, false, from_memory(list_rules)},
  RouteEntry{kPost, "/v1/plan", kManage, kNone, "", kConfigured, false, on_workers(plan_desired)},
  RouteEntry{kPost, "/v1/apply", kManage, kKept, "dry_run", kConfigured, false, on_workers(apply_desired)},

  RouteEntry{kGet, "/v1/tokens", kTokens, kNone, "cursor limit", kNoBody, false, from_memory(list_tokens)},
  RouteEntry{kPost, "/v1/tokens", kTokens, kSecret, "realm", kSmall, false, on_workers(create_token)},
  RouteEntry{kDelete, "/v1/tokens/{id}", kTokens, kKept, "", kNoBody, false, on_workers(revoke_token)},
  RouteEntry{kPost, "/v1/tokens/{id}/rotate", kTokens, kSecret, "", kNoBody, false, on_workers(rotate_token)},
};
// clang-format on

}  // namespace

std::span<const RouteEntry> route_table() {
  return kTable;
}

}  // namespace homeport::api
