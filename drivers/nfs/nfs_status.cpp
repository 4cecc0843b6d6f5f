#include "drivers/nfs/nfs_status.h"

#include <nfsc/libnfs.h>
// After libnfs.h, which they need.
#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-zdr.h>

#include <array>
#include <string_view>

namespace homeport::drivers::nfs {
namespace {

struct Meaning {
  int status;
  std::string_view name;
  Errc code;
  std::string_view words;
  std::string_view hint;
};

constexpr std::string_view kWritable = "make the export read-write for this host";

constexpr std::array<Meaning, 29> kNfs{{
    {NFS3ERR_PERM, "NFS3ERR_PERM", Errc::permission_denied, "the server does not permit it", ""},
    {NFS3ERR_NOENT, "NFS3ERR_NOENT", Errc::not_found, "there is no such name", ""},
    {NFS3ERR_IO, "NFS3ERR_IO", Errc::unavailable, "the server had an input/output error",
     "look at the server's own log"},
    {NFS3ERR_NXIO, "NFS3ERR_NXIO", Errc::unavailable, "the server's device is gone", "look at the server's own log"},
    {NFS3ERR_ACCES, "NFS3ERR_ACCES", Errc::permission_denied, "access is denied", ""},
    {NFS3ERR_EXIST, "NFS3ERR_EXIST", Errc::already_exists, "the name is taken", ""},
    {NFS3ERR_XDEV, "NFS3ERR_XDEV", Errc::failed_precondition,
     "it lies across a filesystem border: another filesystem is mounted there",
     "export that filesystem by itself; a pool's directory and the administrative directory belong on one"},
    {NFS3ERR_NODEV, "NFS3ERR_NODEV", Errc::unavailable, "the server's device is gone", "look at the server's own log"},
    {NFS3ERR_NOTDIR, "NFS3ERR_NOTDIR", Errc::failed_precondition, "that is not a directory", ""},
    {NFS3ERR_ISDIR, "NFS3ERR_ISDIR", Errc::failed_precondition, "that is a directory", ""},
    {NFS3ERR_INVAL, "NFS3ERR_INVAL", Errc::invalid_argument, "the server calls an argument invalid", ""},
    {NFS3ERR_FBIG, "NFS3ERR_FBIG", Errc::out_of_capacity, "the file would be too large for the server", ""},
    {NFS3ERR_NOSPC, "NFS3ERR_NOSPC", Errc::out_of_capacity, "the filesystem is full",
     "free or add space on the server"},
    {NFS3ERR_ROFS, "NFS3ERR_ROFS", Errc::permission_denied, "the export is read-only", kWritable},
    {NFS3ERR_MLINK, "NFS3ERR_MLINK", Errc::out_of_capacity,
     "it has as many names, or holds as many directories, as the server allows", ""},
    {NFS3ERR_NAMETOOLONG, "NFS3ERR_NAMETOOLONG", Errc::invalid_argument, "the name is too long for the server", ""},
    {NFS3ERR_NOTEMPTY, "NFS3ERR_NOTEMPTY", Errc::failed_precondition, "the directory is not empty", ""},
    {NFS3ERR_DQUOT, "NFS3ERR_DQUOT", Errc::over_quota, "the server's quota is used up",
     "raise the quota on the server"},
    {NFS3ERR_STALE, "NFS3ERR_STALE", Errc::not_found, "what the handle named is gone", ""},
    {NFS3ERR_REMOTE, "NFS3ERR_REMOTE", Errc::failed_precondition, "the server reached too many levels of remote", ""},
    {NFS3ERR_BADHANDLE, "NFS3ERR_BADHANDLE", Errc::not_found, "the server does not know the handle", ""},
    {NFS3ERR_NOT_SYNC, "NFS3ERR_NOT_SYNC", Errc::conflict, "somebody changed it meanwhile", ""},
    {NFS3ERR_BAD_COOKIE, "NFS3ERR_BAD_COOKIE", Errc::conflict, "the directory changed while it was read", ""},
    {NFS3ERR_NOTSUPP, "NFS3ERR_NOTSUPP", Errc::failed_precondition, "the server does not support it", ""},
    {NFS3ERR_TOOSMALL, "NFS3ERR_TOOSMALL", Errc::internal, "the answer did not fit", ""},
    {NFS3ERR_SERVERFAULT, "NFS3ERR_SERVERFAULT", Errc::unavailable, "the server failed",
     "look at the server's own log"},
    {NFS3ERR_BADTYPE, "NFS3ERR_BADTYPE", Errc::failed_precondition, "the server does not have that type of file", ""},
    {NFS3ERR_JUKEBOX, "NFS3ERR_JUKEBOX", Errc::unavailable, "the server asks to come back later", ""},
    {0, "", Errc::internal, "the server answered with a status nobody defined", ""},
}};

constexpr std::array<Meaning, 10> kMount{{
    {MNT3ERR_PERM, "MNT3ERR_PERM", Errc::permission_denied, "the server does not permit it", ""},
    {MNT3ERR_NOENT, "MNT3ERR_NOENT", Errc::not_found, "the server has no such path",
     "compare with what it exports (showmount -e)"},
    {MNT3ERR_IO, "MNT3ERR_IO", Errc::unavailable, "the server had an input/output error",
     "look at the server's own log"},
    {MNT3ERR_ACCES, "MNT3ERR_ACCES", Errc::permission_denied, "the server's rule does not list this host", ""},
    {MNT3ERR_NOTDIR, "MNT3ERR_NOTDIR", Errc::failed_precondition, "that is not a directory", ""},
    {MNT3ERR_INVAL, "MNT3ERR_INVAL", Errc::invalid_argument, "the server calls the path invalid", ""},
    {MNT3ERR_NAMETOOLONG, "MNT3ERR_NAMETOOLONG", Errc::invalid_argument, "the path is too long for the server", ""},
    {MNT3ERR_NOTSUPP, "MNT3ERR_NOTSUPP", Errc::failed_precondition, "the server does not support it", ""},
    {MNT3ERR_SERVERFAULT, "MNT3ERR_SERVERFAULT", Errc::unavailable, "the server failed",
     "look at the server's own log"},
    {0, "", Errc::internal, "the server answered with a status nobody defined", ""},
}};

template <std::size_t N>
Error error_from(const std::array<Meaning, N>& table, int status, const std::string& what) {
  const Meaning* meaning = &table.back();
  for (const auto& known : table) {
    if (known.status == status) meaning = &known;
  }
  return Error{.code = meaning->code,
               .message = what + ": " + std::string(meaning->words),
               .hint = std::string(meaning->hint),
               .upstream = Upstream{.system = "nfs", .status = status, .detail = std::string(meaning->name)}};
}

bool has_status(const Error& error, int status) {
  return error.upstream && error.upstream->system == "nfs" && error.upstream->status == status;
}

}  // namespace

Error nfs_error(int status, const std::string& what) {
  return error_from(kNfs, status, what);
}

Error mount_error(int status, const std::string& export_path) {
  Error error = error_from(kMount, status, "MNT " + export_path);
  error.upstream->system = "mount";
  if (status == MNT3ERR_ACCES) {
    error.hint =
        "add this host to the rule of export " + export_path + ": " + export_line_hint(export_path, "THIS-HOST");
  }
  return error;
}

bool is_stale(const Error& error) {
  return has_status(error, NFS3ERR_STALE) || has_status(error, NFS3ERR_BADHANDLE);
}
bool is_unsupported(const Error& error) {
  return has_status(error, NFS3ERR_NOTSUPP);
}
bool is_bad_cookie(const Error& error) {
  return has_status(error, NFS3ERR_BAD_COOKIE);
}
bool is_of_one_entry(const Error& error) {
  return has_status(error, NFS3ERR_IO) || has_status(error, NFS3ERR_XDEV) || is_refusal(error);
}
bool is_refusal(const Error& error) {
  return has_status(error, NFS3ERR_ACCES) || has_status(error, NFS3ERR_PERM);
}

std::string export_line_hint(const std::string& export_path, const std::string& client) {
  return "in /etc/exports (Linux): " + export_path + " " + client +
         "(rw,sync,no_root_squash,no_subtree_check); in ganesha.conf: EXPORT { … Pseudo = " + export_path +
         "; CLIENT { Clients = " + client +
         "; Access_Type = RW; Squash = No_Root_Squash; Protocols = 3, 4; SecType = sys; } }";
}

}  // namespace homeport::drivers::nfs
