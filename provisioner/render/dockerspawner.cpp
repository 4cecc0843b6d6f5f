// What DockerSpawner and SwarmSpawner take, as JSON whose members are named like their traits.
//
// DockerSpawner puts the texts of a mount through str.format, but nothing that is nested in driver_config; braces are
// doubled accordingly. SwarmSpawner hands its extra_container_spec to the engine's API as it is, so that one is spelled
// as the API spells it.
#include <nlohmann/json.hpp>

#include "provisioner/render/mount_options.h"
#include "provisioner/render/object_names.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

using nlohmann::json;

json driver_options(const Mount& mount, const NfsMount& nfs) {
  return {
      {"type", "nfs"}, {"o", "addr=" + nfs.server + "," + mount_option_text(mount)}, {"device", ":" + nfs.export_path}};
}

json spawner_mount(const Mount& mount) {
  json out{{"target", double_braces(mount.target)}, {"read_only", is_read_only(mount)}};
  if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) {
    out["type"] = "volume";
    out["source"] = object_name(mount);
    out["no_copy"] = true;
    out["driver_config"] = {{"Name", "local"}, {"Options", driver_options(mount, *nfs)}};
  } else {
    out["type"] = "bind";
    out["source"] = double_braces(std::get<LocalMount>(mount.source).path);
  }
  return out;
}

json engine_mount(const Mount& mount, const NfsMount& nfs) {
  return {{"Type", "volume"},
          {"Source", object_name(mount)},
          {"Target", mount.target},
          {"ReadOnly", is_read_only(mount)},
          {"VolumeOptions",
           {{"NoCopy", true}, {"DriverConfig", {{"Name", "local"}, {"Options", driver_options(mount, nfs)}}}}}};
}

json groups_of(const Identity& identity) {
  json out = json::array();
  for (const auto gid : identity.supplemental_gids) out.push_back(std::to_string(gid));
  return out;
}

json environment_of(const MountSpec& spec) {
  json out = json::object();
  for (const auto& [name, value] : spec.environment) out[name] = value;
  return out;
}

}  // namespace

Result<std::string> render_dockerspawner(const MountSpec& spec, const RenderOptions& /*options*/) {
  json mounts = json::array();
  for (const auto& mount : spec.mounts) mounts.push_back(spawner_mount(mount));
  json out{{"mounts", std::move(mounts)},
           {"environment", environment_of(spec)},
           {"extra_host_config", json::object()},
           {"extra_create_kwargs", json::object()}};
  if (!spec.identity.supplemental_gids.empty()) out["extra_host_config"]["group_add"] = groups_of(spec.identity);
  if (states_ids(spec.identity)) out["extra_create_kwargs"]["user"] = docker_user(spec.identity);
  return out.dump(2) + "\n";
}

Result<std::string> render_swarmspawner(const MountSpec& spec, const RenderOptions& /*options*/) {
  json container{{"mounts", json::array()}};
  for (const auto& mount : spec.mounts) {
    const auto* nfs = std::get_if<NfsMount>(&mount.source);
    if (nfs == nullptr) {
      return cannot_express("swarmspawner", mount, "source.path", "a local source is on one host, a swarm has many",
                            "serve the space over NFS to a swarm");
    }
    container["mounts"].push_back(engine_mount(mount, *nfs));
  }
  if (states_ids(spec.identity)) container["user"] = docker_user(spec.identity);
  if (!spec.identity.supplemental_gids.empty()) container["groups"] = groups_of(spec.identity);
  return json{{"extra_container_spec", std::move(container)}, {"environment", environment_of(spec)}}.dump(2) + "\n";
}

}  // namespace homeport::render
