// What a server's refusals mean here. One function per protocol; nothing else in the project looks at these numbers.
#pragma once

#include <string>

#include "provisioner/base/error.h"

namespace homeport::drivers::nfs {

// `status` is an nfsstat3 (RFC 1813 section 2.6) other than NFS3_OK. `what` names the call: "MKDIR /export/homes/x".
[[nodiscard]] Error nfs_error(int status, const std::string& what);
// `status` is a mountstat3 (RFC 1813 section 5.1.5) other than MNT3_OK.
[[nodiscard]] Error mount_error(int status, const std::string& export_path);

// The server no longer knows a handle: what it named is gone or stands elsewhere now.
[[nodiscard]] bool is_stale(const Error& error);
[[nodiscard]] bool is_unsupported(const Error& error);  // the server does not have this procedure
// The server answered READDIRPLUS with NFS3ERR_BAD_COOKIE: the directory changed, begin again.
[[nodiscard]] bool is_bad_cookie(const Error& error);
// The server's trouble with this one file or directory: another may be fine.
[[nodiscard]] bool is_of_one_entry(const Error& error);
// The server refused for want of rights (ACCES or PERM), rather than because the export is read-only.
[[nodiscard]] bool is_refusal(const Error& error);

// The lines an admin puts on the server so that we can do our work there.
[[nodiscard]] std::string export_line_hint(const std::string& export_path, const std::string& client);

}  // namespace homeport::drivers::nfs
