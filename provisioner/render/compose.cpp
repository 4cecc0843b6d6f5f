// A Compose file to be merged with the site's own, which names the image: `-f compose.yaml -f homeport.yaml`. Every
// scalar is quoted; `$` is doubled, since Compose substitutes variables in every value.
#include <algorithm>

#include "provisioner/render/mount_options.h"
#include "provisioner/render/object_names.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

std::string value(std::string_view text) {
  return yaml_quote(compose_literal(text));
}

// The Compose specification: [a-zA-Z0-9._-]+.
Result<void> check_service(const std::string& name) {
  const auto usual = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!name.empty() && std::all_of(name.begin(), name.end(), usual)) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(name, 80) + "' is not the name of a Compose service",
               .hint = "letters, digits, '.', '_' and '-'"};
}

void add_identity(std::string& out, const Identity& identity) {
  if (states_ids(identity)) out += "    user: " + value(docker_user(identity)) + "\n";
  if (identity.supplemental_gids.empty()) return;
  out += "    group_add:\n";
  for (const auto gid : identity.supplemental_gids) out += "      - " + value(std::to_string(gid)) + "\n";
}

std::string service_volume(const Mount& mount) {
  const auto* local = std::get_if<LocalMount>(&mount.source);
  std::string out = "      - type: " + value(local != nullptr ? "bind" : "volume") + "\n";
  out += "        source: " + value(local != nullptr ? local->path : mount.id) + "\n";
  out += "        target: " + value(mount.target) + "\n";
  out += std::string("        read_only: ") + (is_read_only(mount) ? "true" : "false") + "\n";
  if (local == nullptr) out += "        volume:\n          nocopy: true\n";
  return out;
}

std::string named_volume(const Mount& mount, const NfsMount& nfs) {
  return "  " + value(mount.id) + ":\n    name: " + value(object_name(mount)) + "\n    driver: \"local\"\n" +
         "    driver_opts:\n      type: \"nfs\"\n      o: " +
         value("addr=" + nfs.server + "," + mount_option_text(mount)) +
         "\n      device: " + value(":" + nfs.export_path) + "\n";
}

}  // namespace

Result<std::string> render_compose(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_CHECK(check_service(options.compose_service));
  std::string out = "services:\n  " + yaml_quote(options.compose_service) + ":\n";
  add_identity(out, spec.identity);
  if (!spec.environment.empty()) out += "    environment:\n";
  for (const auto& [name, text] : spec.environment) out += "      " + yaml_quote(name) + ": " + value(text) + "\n";
  out += spec.mounts.empty() ? "    volumes: []\n" : "    volumes:\n";
  std::string volumes;
  for (const auto& mount : spec.mounts) {
    out += service_volume(mount);
    if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) volumes += named_volume(mount, *nfs);
  }
  return out + (volumes.empty() ? "" : "volumes:\n" + volumes);
}

}  // namespace homeport::render
