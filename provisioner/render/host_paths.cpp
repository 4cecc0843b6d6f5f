#include "provisioner/render/host_paths.h"

namespace homeport::render {

Result<HostPaths> HostPaths::of(const MountSpec& spec, const RenderOptions& options) {
  const auto root = AbsolutePath::parse(options.host_root);
  if (!root) {
    return Error{.code = Errc::invalid_argument,
                 .message = "host root: " + root.error().message,
                 .hint = "name the directory for mounts on hosts, for example /srv/homeport"};
  }
  return HostPaths(*root / spec.subject.user_key);
}

std::string_view nfs_type(const NfsMount& nfs) {
  return nfs.version == "3" ? "nfs" : "nfs4";
}

}  // namespace homeport::render
