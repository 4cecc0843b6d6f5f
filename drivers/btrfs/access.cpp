#include "drivers/btrfs/access.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <nlohmann/json.hpp>

namespace homeport::drivers::btrfs {
namespace {

using nlohmann::json;

std::string_view squash_name(Squash squash) {
  switch (squash) {
    case Squash::none: return "none";
    case Squash::root: return "root";
    case Squash::all: return "all";
  }
  return "root";
}

json to_json(const AccessPolicy& policy) {
  json rules = json::array();
  for (const auto& rule : policy.rules) {
    rules.push_back({{"client", rule.client},
                     {"permission", rule.permission == Permission::rw ? "rw" : "ro"},
                     {"squash", squash_name(rule.squash)},
                     {"anonymous_uid", rule.anonymous.uid.value},
                     {"anonymous_gid", rule.anonymous.gid.value},
                     {"security", rule.security}});
  }
  return {{"version", 1}, {"rules", std::move(rules)}};
}

Result<AccessPolicy> from_json(const std::string& text, const std::string& path) {
  const json doc = json::parse(text, nullptr, false);
  if (!doc.is_object() || doc.value("version", 0) != 1 || !doc.contains("rules") || !doc["rules"].is_array()) {
    return Error{.code = Errc::failed_precondition,
                 .message = path + " cannot be read: who may mount the space is not known",
                 .hint = "remove the file to go back to the configured rules"};
  }
  AccessPolicy out;
  for (const auto& item : doc["rules"]) {
    const std::string squash = item.value("squash", "root");
    out.rules.push_back(
        {.client = item.value("client", ""),
         .permission = item.value("permission", "ro") == "rw" ? Permission::rw : Permission::ro,
         .squash = squash == "none"  ? Squash::none
                   : squash == "all" ? Squash::all
                                     : Squash::root,
         .anonymous = Owner{Uid{item.value("anonymous_uid", 65534U)}, Gid{item.value("anonymous_gid", 65534U)}},
         .security = item.value("security", "sys")});
  }
  return out;
}

AccessPolicy configured(const ExportsConfig& exports) {
  AccessPolicy out;
  for (const auto& client : exports.clients)
    out.rules.push_back({.client = client, .permission = Permission::rw, .squash = exports.squash});
  return out;
}

std::string snapshot_export_name(const SpaceKey& key, const std::string& snapshot) {
  return key.str() + "@" + snapshot;
}

Result<HostExport> live_export(const Backend& backend, const OpenPool& pool, const SpaceKey& key,
                               const std::string& name) {
  HOMEPORT_TRY(auto rules, rules_of(backend, pool, key));
  HOMEPORT_TRY(auto directory, AbsolutePath::parse(pool.homes->of(name)));
  HOMEPORT_TRY(auto path, AbsolutePath::parse(export_path(pool.config->name, name)));
  return HostExport{
      .name = key.str(), .directory = std::move(directory), .path = std::move(path), .rules = rules->rules};
}

}  // namespace

std::string export_path(const std::string& pool, const std::string& name) {
  return "/" + pool + "/" + name;
}
std::string snapshot_export_path(const std::string& pool, const std::string& name, const std::string& snapshot) {
  return "/.snapshots/" + pool + "/" + name + "/" + snapshot;
}

Result<std::optional<AccessPolicy>> rules_of(const Backend& backend, const OpenPool& pool, const SpaceKey& key) {
  if (!backend.exports()) return std::optional<AccessPolicy>();
  HOMEPORT_TRY(const auto text, small_file(pool.admin->access, marker_name(key)));
  if (!text) return std::optional(configured(backend.config().exports));
  HOMEPORT_TRY(auto policy, from_json(*text, pool.admin->access.of(marker_name(key))));
  return std::optional(std::move(policy));
}

Result<void> write_rules(const OpContext& op, const Backend& backend, const OpenPool& pool, const SpaceKey& key,
                         const AccessPolicy& policy) {
  for (const auto& rule : policy.rules) {
    if (is_export_client(rule.client)) continue;
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(rule.client, 60) + "' is not a client",
                 .hint = "an address, a network, a host name or @netgroup"};
  }
  const auto name = marker_name(key);
  if (!announce(op, "WRITE " + pool.admin->access.of(name))) return {};
  return replace_file(backend, pool.admin->access, name, to_json(policy).dump() + "\n", std::nullopt);
}

Result<void> forget_rules(const OpContext& op, const OpenPool& pool, const SpaceKey& key) {
  const auto name = marker_name(key);
  if (::faccessat(pool.admin->access.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!announce(op, "REMOVE " + pool.admin->access.of(name))) return {};
  if (::unlinkat(pool.admin->access.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return from_errno(errno, "removing " + pool.admin->access.of(name));
  return {};
}

Result<void> serve(const OpContext& op, Backend& backend, const OpenPool& pool, const SpaceKey& key,
                   const std::string& name) {
  if (backend.exporter() == nullptr) return {};
  HOMEPORT_TRY(const auto item, live_export(backend, pool, key, name));
  return backend.exporter()->put(op, std::span(&item, 1));
}

Result<void> serve_snapshot(const OpContext& op, Backend& backend, const OpenPool& pool, const SpaceKey& key,
                            const std::string& name, const std::string& snapshot) {
  if (backend.exporter() == nullptr) return {};
  HOMEPORT_TRY(auto item, live_export(backend, pool, key, name));
  item.name = snapshot_export_name(key, snapshot);
  HOMEPORT_TRY(item.directory, AbsolutePath::parse(pool.admin->snapshots.of(name) + "/" + snapshot));
  HOMEPORT_TRY(item.path, AbsolutePath::parse(snapshot_export_path(pool.config->name, name, snapshot)));
  item.read_only = true;
  return backend.exporter()->put(op, std::span(&item, 1));
}

Result<void> hide(const OpContext& op, Backend& backend, const SpaceKey& key) {
  if (backend.exporter() == nullptr) return {};
  HOMEPORT_TRY(const auto all, backend.exporter()->list(op));
  std::vector<std::string> names;
  for (const auto& item : all) {
    if (item.name == key.str() || item.name.starts_with(key.str() + "@")) names.push_back(item.name);
  }
  if (names.empty()) return {};
  return backend.exporter()->withdraw(op, names);
}

Result<void> hide_snapshot(const OpContext& op, Backend& backend, const SpaceKey& key, const std::string& snapshot) {
  if (backend.exporter() == nullptr) return {};
  const std::string name = snapshot_export_name(key, snapshot);
  return backend.exporter()->withdraw(op, std::span(&name, 1));
}

Result<void> serve_all(const OpContext& op, Backend& backend, Pool& pool) {
  if (backend.exporter() == nullptr) return {};
  const std::unique_lock lock(pool.everything());  // nothing is retired between the look and the answer
  HOMEPORT_TRY(const auto opened, backend.open(op, pool, Make::no));
  if (!opened || !opened->prepared()) return {};
  HOMEPORT_TRY(const auto listing, open_folder(opened->root.get(), opened->root.path, opened->config->homes));
  const int copy = ::fcntl(listing.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return from_errno(errno, "listing " + listing.path);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), &::closedir);
  if (!stream) {
    const int code = errno;
    ::close(copy);
    return from_errno(code, "listing " + listing.path);
  }
  std::vector<HostExport> exports;
  while (const dirent* one = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
    const std::string name(static_cast<const char*>(one->d_name));
    const auto key = backend.key_of(name);
    if (!key) continue;
    HOMEPORT_TRY(const auto marker, read_marker(*opened, *key));
    if (!marker.marker) continue;  // not ours, or not finished: it is served when it is
    HOMEPORT_TRY(auto item, live_export(backend, *opened, *key, name));
    exports.push_back(std::move(item));
  }
  return backend.exporter()->put(op, exports);
}

}  // namespace homeport::drivers::btrfs
