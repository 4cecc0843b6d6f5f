#include <nlohmann/json.hpp>

#include "provisioner/base/digest.h"
#include "provisioner/render/spec_json.h"
#include "provisioner/render/spec_words.h"

namespace homeport::render {
namespace {

using nlohmann::json;

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

template <class T>
json number_or_null(const std::optional<T>& number) {
  return number ? json(*number) : json(nullptr);
}

json time_or_null(const std::optional<WallTime>& time) {
  return time ? json(format_time(*time)) : json(nullptr);
}

json notice_to_json(const Notice& notice) {
  return {{"code", notice.code},
          {"level", word_of(kLevelWords, notice.level)},
          {"text", notice.text},
          {"url", text_or_null(notice.url)}};
}

json subject_to_json(const Subject& subject) {
  return {{"hub", subject.hub},
          {"user", subject.user},
          {"user_key", subject.user_key},
          {"server", subject.server},
          {"server_key", subject.server_key},
          {"groups", subject.groups},
          {"purpose", word_of(kPurposeWords, subject.purpose)}};
}

json identity_to_json(const Identity& identity) {
  const bool stated = identity.mode == IdentityMode::native || identity.uid != 0;
  return {{"mode", word_of(kIdentityWords, identity.mode)},
          {"uid", stated ? json(identity.uid) : json(nullptr)},
          {"gid", stated ? json(identity.gid) : json(nullptr)},
          {"supplemental_gids", identity.supplemental_gids},
          {"user_name", identity.user_name},
          {"umask", identity.umask}};
}

json quota_to_json(const std::optional<MountQuota>& quota) {
  if (!quota) return nullptr;
  return {{"limit_bytes", quota->limit_bytes == 0 ? json(nullptr) : json(quota->limit_bytes)},
          {"used_bytes", number_or_null(quota->used_bytes)},
          {"class", quota->quota_class},
          {"hard", quota->quota_class == "hard"},
          {"as_of", time_or_null(quota->as_of)}};
}

json lifetime_to_json(const std::optional<Lifetime>& lifetime) {
  if (!lifetime) return nullptr;
  return {{"expires_at", time_or_null(lifetime->expires_at)},
          {"purge_after_days", number_or_null(lifetime->purge_after_days)},
          {"snapshot", text_or_null(lifetime->snapshot)},
          {"immutable", lifetime->immutable}};
}

json mount_to_json(const Mount& mount) {
  return {{"id", mount.id},
          {"kind", word_of(kKindWords, mount.kind)},
          {"target", mount.target},
          {"access", word_of(kAccessWords, mount.access)},
          {"required", mount.required},
          {"source", source_to_json(mount.source)},
          {"nfs", nfs_options_to_json(mount.nfs)},
          {"parent", text_or_null(mount.parent)},
          {"mountpoint_ready", mount.mountpoint_ready},
          {"quota", quota_to_json(mount.quota)},
          {"lifetime", lifetime_to_json(mount.lifetime)}};
}

// What the digest covers; to_json adds the rest.
json covered_to_json(const MountSpec& spec) {
  json mounts = json::array();
  for (const auto& mount : spec.mounts) mounts.push_back(mount_to_json(mount));
  json links = json::array();
  for (const auto& link : spec.links) links.push_back({{"at", link.at}, {"to", link.to}});
  return {{"schema", kSchema},
          {"subject", subject_to_json(spec.subject)},
          {"identity", identity_to_json(spec.identity)},
          {"mounts", std::move(mounts)},
          {"links", std::move(links)},
          {"environment", spec.environment}};
}

std::string digest_of(json covered) {
  for (auto& mount : covered["mounts"]) {
    auto& quota = mount["quota"];
    if (!quota.is_object()) continue;
    quota.erase("used_bytes");
    quota.erase("as_of");
  }
  // Broken UTF-8 never gets past validate(); here it must not throw either.
  return "sha256:" + sha256_hex(covered.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

json nfs_options_to_json(const std::optional<NfsOptions>& options) {
  if (!options) return nullptr;
  return {{"transport", "tcp"},
          {"hard", options->hard},
          {"timeo", options->timeo},
          {"retrans", options->retrans},
          {"rsize", number_or_null(options->rsize)},
          {"wsize", number_or_null(options->wsize)},
          {"nconnect", number_or_null(options->nconnect)},
          {"nolock", options->nolock},
          {"noresvport", options->noresvport},
          {"noatime", options->noatime},
          {"nosuid", options->nosuid},
          {"nodev", options->nodev},
          {"noexec", options->noexec},
          {"sec", options->sec}};
}

json source_to_json(const Source& source) {
  if (const auto* nfs = std::get_if<NfsMount>(&source)) {
    return {{"type", "nfs"},
            {"server", nfs->server},
            {"export", nfs->export_path},
            {"version", nfs->version},
            {"port", number_or_null(nfs->port)},
            {"mount_port", number_or_null(nfs->mount_port)},
            {"fs_id", text_or_null(nfs->fs_id)}};
  }
  const auto& local = std::get<LocalMount>(source);
  return {{"type", "local"}, {"host", local.host}, {"path", local.path}};
}

json to_json(const MountSpec& spec) {
  json out = covered_to_json(spec);
  json notices = json::array();
  for (const auto& notice : spec.notices) notices.push_back(notice_to_json(notice));
  out["digest"] = digest_of(out);
  out["spec_id"] = text_or_null(spec.spec_id);
  out["issued_at"] = format_time(spec.issued_at);
  out["valid_until"] = format_time(spec.valid_until);
  out["state"] = word_of(kStateWords, spec.state);
  out["status_hint"] = number_or_null(spec.status_hint);
  out["notices"] = std::move(notices);
  out["labels"] = spec.labels;
  return out;
}

std::string digest(const MountSpec& spec) {
  return digest_of(covered_to_json(spec));
}

}  // namespace homeport::render
