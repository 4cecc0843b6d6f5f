// Shell commands that mount a spec by hand, and those that take it away again. Repeating them changes nothing.
#include "provisioner/render/host_paths.h"
#include "provisioner/render/mount_options.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

std::string mount_line(const Mount& mount, const std::string& target) {
  const auto at = shell_quote(target);
  const auto made = "install -d -m 0755 -- " + at + " && ";
  if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) {
    const auto device = shell_quote(nfs_device(*nfs));
    // Something else that is mounted there is covered, not taken for this one.
    return made + "{ [ \"$(findmnt -n -f -o SOURCE --mountpoint " + at + ")\" = " + device + " ] || mount -t " +
           std::string(nfs_type(*nfs)) + " -o " + mount_option_text(mount) + " -- " + device + " " + at + "; }\n";
  }
  const auto& local = std::get<LocalMount>(mount.source);
  const auto source = shell_quote(local.path);
  std::string line = "# only on host " + local.host + "\n" + made + "{ [ " + source + " -ef " + at +
                     " ] || mount --bind -- " + source + " " + at + "; }";
  // mount(8): a bind takes the options of its source; ro needs a second call.
  if (is_read_only(mount)) line += " && mount -o remount,bind,ro -- " + at;
  return line + "\n";
}

}  // namespace

Result<std::string> render_mount(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_TRY(const auto paths, HostPaths::of(spec, options));
  std::string out;
  for (const auto& mount : spec.mounts) out += mount_line(mount, paths[mount]);
  return out;
}

Result<std::string> render_umount(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_TRY(const auto paths, HostPaths::of(spec, options));
  std::string out;
  for (auto mount = spec.mounts.rbegin(); mount != spec.mounts.rend(); ++mount) {
    const auto at = shell_quote(paths[*mount]);
    out += "! mountpoint -q -- " + at + " || umount -- " + at + "\n";
  }
  return out;
}

}  // namespace homeport::render
