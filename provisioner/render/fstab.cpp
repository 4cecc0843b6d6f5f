// fstab(5) lines of one person, between marker comments that say whose they are. Mounts go to ROOT/USER_KEY/MOUNT_ID.
#include "provisioner/render/host_paths.h"
#include "provisioner/render/mount_options.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

// A host must come up although a file server is away: nofail, and mounted when somebody first looks.
constexpr std::string_view kHostOptions = "nofail,_netdev,x-systemd.automount";
constexpr std::string_view kLocalHostOptions = "nofail,x-systemd.automount";

std::string line_of(const Mount& mount, const std::string& target) {
  if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) {
    return fstab_field(nfs_device(*nfs)) + " " + fstab_field(target) + " " + std::string(nfs_type(*nfs)) + " " +
           mount_option_text(mount) + "," + std::string(kHostOptions) + " 0 0\n";
  }
  const auto& local = std::get<LocalMount>(mount.source);
  return "# only on host " + local.host + "\n" + fstab_field(local.path) + " " + fstab_field(target) + " none bind," +
         (is_read_only(mount) ? "ro," : "rw,") + std::string(kLocalHostOptions) + " 0 0\n";
}

}  // namespace

Result<std::string> render_fstab(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_TRY(const auto paths, HostPaths::of(spec, options));
  const auto& key = spec.subject.user_key;
  std::string out = "# BEGIN homeport " + key + " (written by homeport; changes between the markers are lost)\n";
  for (const auto& mount : spec.mounts) out += line_of(mount, paths[mount]);
  return out + "# END homeport " + key + "\n";
}

}  // namespace homeport::render
