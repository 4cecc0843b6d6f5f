// NFS sources as mount(8) spells them. Internal to this folder.
#pragma once

#include <string>
#include <vector>

#include "provisioner/render/mount_spec.h"

namespace homeport::render {

// "192.0.2.10:/export", "[2001:db8::1]:/export".
[[nodiscard]] std::string nfs_device(const NfsMount& nfs);
// mount_option_words, joined by commas. No word contains a comma: validated servers and typed options have none.
[[nodiscard]] std::string mount_option_text(const Mount& mount);
// Which members of source and nfs a mount without options would lose, because they differ from what the Linux NFS
// client does by itself (nfs(5): 4.2 first, hard, timeo 600, retrans 2, sizes and transport negotiated, sec sys).
[[nodiscard]] std::vector<std::string> members_unlike_linux(const NfsMount& nfs, const NfsOptions& options);

}  // namespace homeport::render
