// Units of systemd.mount(5) and systemd.automount(5), and the binds of SystemdSpawner that show them to a notebook.
#include <nlohmann/json.hpp>

#include "provisioner/render/host_paths.h"
#include "provisioner/render/mount_options.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

// NAME_MAX of Linux; the longer of both suffixes is ".automount".
constexpr std::size_t kMaxUnitName = 255;
constexpr std::string_view kName = "systemd";

std::string what_of(const Mount& mount) {
  const auto* nfs = std::get_if<NfsMount>(&mount.source);
  return nfs != nullptr ? nfs_device(*nfs) : std::get<LocalMount>(mount.source).path;
}

std::string mount_section(const Mount& mount, const std::string& target) {
  std::string out = "[Mount]\nWhat=" + systemd_value(what_of(mount)) + "\nWhere=" + systemd_value(target) + "\n";
  if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) {
    return out + "Type=" + std::string(nfs_type(*nfs)) + "\nOptions=" + mount_option_text(mount) +
           ",_netdev\nTimeoutSec=30\n";
  }
  return out + "Type=none\nOptions=bind," + (is_read_only(mount) ? "ro" : "rw") + "\n";
}

std::string unit_section(const Mount& mount, std::string_view description) {
  std::string out = "[Unit]\nDescription=Homeport: " + std::string(description) + "\n";
  const auto* local = std::get_if<LocalMount>(&mount.source);
  if (local != nullptr) return out + "ConditionHost=" + systemd_value(local->host) + "\n\n";
  return out + "Wants=network-online.target\nAfter=network-online.target\n\n";
}

Result<std::string> units_of(const Mount& mount, const std::string& target, const std::string& user_key) {
  const auto what = what_of(mount);
  if (what.back() == '\\' || what.back() == ' ') {
    return cannot_express(kName, mount, "source", "it ends with a backslash or a blank, which a unit file loses",
                          "rename the directory, or use another format");
  }
  const auto stem = systemd_path_name(target);
  if (stem.size() + std::string_view(".automount").size() > kMaxUnitName) {
    return cannot_express(kName, mount, "id", "its unit would have a name of more than 255 bytes",
                          "choose a shorter host root");
  }
  const auto description = mount.id + " of " + user_key;
  return "# " + stem + ".mount\n" + unit_section(mount, description) + mount_section(mount, target) + "\n# " + stem +
         ".automount\n" + "[Unit]\nDescription=Homeport: " + description + ", mounted when looked at\n\n[Automount]\n" +
         "Where=" + systemd_value(target) + "\nTimeoutIdleSec=600\n\n[Install]\nWantedBy=multi-user.target\n";
}

}  // namespace

Result<std::string> render_systemd(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_TRY(const auto paths, HostPaths::of(spec, options));
  std::string out;
  for (const auto& mount : spec.mounts) {
    HOMEPORT_TRY(const auto units, units_of(mount, paths[mount], spec.subject.user_key));
    out += (out.empty() ? "" : "\n") + units;
  }
  return out;
}

Result<std::string> render_systemdspawner(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_TRY(const auto paths, HostPaths::of(spec, options));
  std::string binds;
  std::string read_only;
  for (const auto& mount : spec.mounts) {
    const auto* local = std::get_if<LocalMount>(&mount.source);
    const auto from = local != nullptr ? local->path : paths[mount];
    auto& words = is_read_only(mount) ? read_only : binds;
    words += (words.empty() ? "" : " ") + systemd_bind_word(from) + ":" + systemd_bind_word(mount.target);
  }
  nlohmann::json properties = nlohmann::json::object();
  // SystemdSpawner puts each value through str.format.
  if (!binds.empty()) properties["BindPaths"] = double_braces(binds);
  if (!read_only.empty()) properties["BindReadOnlyPaths"] = double_braces(read_only);
  nlohmann::json environment = nlohmann::json::object();
  for (const auto& [name, value] : spec.environment) environment[name] = value;
  return nlohmann::json{{"unit_extra_properties", properties}, {"environment", environment}}.dump(2) + "\n";
}

}  // namespace homeport::render
