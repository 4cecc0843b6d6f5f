// Entries of an autofs(5) direct map: KEY -OPTIONS LOCATION.
//
// An entry is one line: blanks divide it, '&' is the key, '$NAME' a variable, '#' begins a comment; a backslash takes
// any of that away.
#include "provisioner/render/host_paths.h"
#include "provisioner/render/mount_options.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

std::string entry_of(const Mount& mount, const std::string& target) {
  if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) {
    return autofs_word(target) + " -fstype=" + std::string(nfs_type(*nfs)) + "," + mount_option_text(mount) + " " +
           autofs_word(nfs_device(*nfs)) + "\n";
  }
  const auto& local = std::get<LocalMount>(mount.source);
  return "# only on host " + local.host + "\n" + autofs_word(target) + " -fstype=bind," +
         (is_read_only(mount) ? "ro" : "rw") + " :" + autofs_word(local.path) + "\n";
}

}  // namespace

Result<std::string> render_autofs(const MountSpec& spec, const RenderOptions& options) {
  HOMEPORT_TRY(const auto paths, HostPaths::of(spec, options));
  std::string out;
  for (const auto& mount : spec.mounts) out += entry_of(mount, paths[mount]);
  return out;
}

}  // namespace homeport::render
