#include "api/wire_space.h"

#include "api/wire_common.h"
#include "provisioner/core/owners.h"

namespace homeport::api {
namespace {

using nlohmann::json;

std::string display_name(const store::SpaceRecord& space, const core::Catalog& catalog) {
  if (space.kind != SpaceKind::home && space.kind != SpaceKind::scratch) return space.name;
  const auto names = core::owner_names(catalog, space);
  return names.empty() ? space.owner : names.front();
}

json usage_json(const std::optional<store::UsageRecord>& usage) {
  if (!usage) return nullptr;
  return {{"bytes", usage->bytes},
          {"files", or_null(usage->files)},
          {"basis", usage->basis},
          {"as_of", time_json(usage->as_of)}};
}

json measure_json(const Boxed<store::MeasureRecord>& measure) {
  if (!measure) return nullptr;
  return {{"since", time_json(measure->since)},
          {"entries", measure->entries},
          {"given_up", measure->why.empty() ? json(nullptr) : json(measure->why)}};
}

json recreated_json(const Boxed<store::RecreatedRecord>& account) {
  if (!account) return nullptr;
  return {{"hub", account->hub},
          {"name", account->name},
          {"seen_at", time_json(account->seen_at)},
          {"created", time_json(account->created)}};
}

json claim_json(const std::optional<store::CopyClaimRecord>& claim) {
  if (!claim) return nullptr;
  return {{"by", claim->by},
          {"since", time_json(claim->since)},
          {"renewed", time_json(claim->renewed)},
          {"until", time_json(claim->until)}};
}

json owner_json(const store::SpaceRecord& space, const core::Catalog& catalog) {
  if (space.owner.empty()) return nullptr;
  return {{"user_key", space.owner}, {"names", core::owner_names(catalog, space)}};
}

}  // namespace

std::string space_label(const store::SpaceRecord& space, const core::Catalog& catalog) {
  std::string label = std::string(space_kind_name(space.kind)) + "/" + display_name(space, catalog);
  if (space.kind == SpaceKind::home && !space.name.empty()) label += "/" + space.name;
  return label;
}

std::optional<WallTime> dormant_since(const store::SpaceRecord& space, const core::Catalog& catalog) {
  const auto owner = space.owner.empty() ? nullptr : catalog.user(space.owner);
  return owner ? owner->dormant_since : std::nullopt;
}

bool is_listed(const store::SpaceRecord& space, WallTime now) {
  return !space.label().empty() || (space.state == store::SpaceState::purged && space.recoverable_until > now);
}

json space_json(const store::SpaceRecord& space, const core::Catalog& catalog, const policies::Principal& reader) {
  json out = space_json(space, catalog);
  if (reader.scope == policies::Scope::user_self) out["note"] = "";
  return out;
}

json space_json(const store::SpaceRecord& space, const core::Catalog& catalog) {
  return {{"key", space.key},
          {"kind", std::string(space_kind_name(space.kind))},
          {"state", std::string(store::space_state_name(space.state))},
          {"name", display_name(space, catalog)},
          {"server", space.kind == SpaceKind::home ? json(space.name) : json(nullptr)},
          {"label", space_label(space, catalog)},
          {"owner", owner_json(space, catalog)},
          {"realm", text_or_null(space.realm)},
          {"backend", space.backend},
          {"layout", space.layout},
          {"pool", text_or_null(space.pool)},
          {"backend_name", space.backend_name},
          {"backend_id", text_or_null(space.backend_id)},
          {"path", text_or_null(space.path)},
          {"imported", space.imported},
          {"rights",
           {{"read", space.rights.read},
            {"snapshot", space.rights.snapshot},
            {"resize", space.rights.resize},
            {"destroy", space.rights.destroy}}},
          {"class", text_or_null(space.klass)},
          {"quota",
           {{"limit_bytes", or_null(space.quota_bytes)},
            {"wanted_bytes", or_null(space.quota_wanted)},
            {"class", space.quota_class},
            {"reason", text_or_null(space.quota_reason)}}},
          {"usage", usage_json(space.usage)},
          {"measure", measure_json(space.measure)},
          {"uid", space.uid},
          {"gid", space.gid},
          {"mode", mode_text(space.mode)},
          {"read_only", space.read_only},
          {"source", space.source.empty() ? json() : json::parse(space.source, nullptr, false)},
          {"created_at", time_json(space.created_at)},
          {"retired_at", time_json(space.retired_at)},
          {"purge_after", time_json(space.purge_after)},
          {"recoverable_until", time_json(space.recoverable_until)},
          {"dormant_since", time_json(dormant_since(space, catalog))},
          {"operation", or_null(catalog.open_operation(space.key))},
          {"note", space.note},
          {"copying", or_null(space.copying.to_optional())},
          {"copying_by", claim_json(space.copy_claim.to_optional())},
          {"revision", space.revision}};
}

json user_json(const store::UserRecord& user, const core::Catalog& catalog) {
  return {{"user_key", user.key},
          {"realm", user.realm},
          {"names", catalog.names_of(user.key)},
          {"uid", or_null(user.uid)},
          {"gid", or_null(user.gid)},
          {"created_at", time_json(user.created_at)},
          {"dormant_since", time_json(user.dormant_since)},
          {"recreated", recreated_json(user.recreated)},
          {"gids", user.gids},
          {"groups", user.groups},
          {"identity_source", or_null(user.identity_source)},
          {"merged_into", or_null(user.merged_into)},
          {"revision", user.revision}};
}

json grant_json(const store::GrantRecord& grant, const core::Catalog& catalog) {
  json subject = text_or_null(grant.subject);
  if (grant.subject_kind == "user") {
    const auto names = catalog.names_of(grant.subject);
    if (!names.empty()) subject = names.front();
  }
  return {{"subject_kind", grant.subject_kind},
          {"subject", std::move(subject)},
          {"realm", text_or_null(grant.realm)},
          {"access", grant.access},
          {"provenance", provenance_name(grant.provenance)},
          {"created_at", time_json(grant.created_at)}};
}

}  // namespace homeport::api
