// An NFS export as a mounted directory without the kernel's NFS client: FUSE over libnfs, for tests whose machine has
// none. Each call is made as the process that asks, so the server's own permissions decide, as with a real mount.
//
//   nfs-fuse-for-tests NFS-URL DIRECTORY [-o OPTION…]     in the foreground, until it is unmounted or killed
//
// One thread: a context of libnfs 4.0.0 is not for several. Supplementary groups are not sent.
#define FUSE_USE_VERSION 31
#include <fcntl.h>
#include <fuse.h>
#include <nfsc/libnfs.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

namespace {

nfs_context* server = nullptr;

void as_caller() {
  const auto* caller = fuse_get_context();
  nfs_set_uid(server, static_cast<int>(caller->uid));
  nfs_set_gid(server, static_cast<int>(caller->gid));
}

// libnfs 4.0.0 gives ERANGE for NFS3ERR_DQUOT.
int result(int code) {
  return code == -ERANGE ? -EDQUOT : code;
}

nfsfh* handle_of(const fuse_file_info* info) {
  return reinterpret_cast<nfsfh*>(static_cast<std::uintptr_t>(info->fh));
}

void keep(nfsfh* handle, fuse_file_info* info) {
  info->fh = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(handle));
}

void convert(const nfs_stat_64& from, struct stat& to) {
  std::memset(&to, 0, sizeof to);
  to.st_ino = from.nfs_ino;
  to.st_mode = static_cast<mode_t>(from.nfs_mode);
  to.st_nlink = from.nfs_nlink;
  to.st_uid = static_cast<uid_t>(from.nfs_uid);
  to.st_gid = static_cast<gid_t>(from.nfs_gid);
  to.st_size = static_cast<off_t>(from.nfs_size);
  to.st_blksize = static_cast<blksize_t>(from.nfs_blksize);
  to.st_blocks = static_cast<blkcnt_t>(from.nfs_blocks);
  to.st_atim = {static_cast<time_t>(from.nfs_atime), static_cast<long>(from.nfs_atime_nsec)};
  to.st_mtim = {static_cast<time_t>(from.nfs_mtime), static_cast<long>(from.nfs_mtime_nsec)};
  to.st_ctim = {static_cast<time_t>(from.nfs_ctime), static_cast<long>(from.nfs_ctime_nsec)};
}

int get_attributes(const char* path, struct stat* out, fuse_file_info* info) {
  nfs_stat_64 status{};
  as_caller();
  const int code = info != nullptr ? nfs_fstat64(server, handle_of(info), &status) : nfs_lstat64(server, path, &status);
  if (code == 0) convert(status, *out);
  return result(code);
}

int read_directory(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
  nfsdir* directory = nullptr;
  as_caller();
  if (const int code = nfs_opendir(server, path, &directory); code != 0) return result(code);
  while (const auto* entry = nfs_readdir(server, directory)) {
    fill(buffer, entry->name, nullptr, 0, fuse_fill_dir_flags{});
  }
  nfs_closedir(server, directory);
  return 0;
}

int open_file(const char* path, fuse_file_info* info) {
  nfsfh* handle = nullptr;
  as_caller();
  const int code = nfs_open(server, path, info->flags & (O_ACCMODE | O_APPEND | O_TRUNC), &handle);
  if (code == 0) keep(handle, info);
  return result(code);
}

int create_file(const char* path, mode_t mode, fuse_file_info* info) {
  nfsfh* handle = nullptr;
  as_caller();
  const int flags = O_CREAT | (info->flags & (O_ACCMODE | O_EXCL | O_TRUNC));
  const int code = nfs_open2(server, path, flags, static_cast<int>(mode), &handle);
  if (code == 0) keep(handle, info);
  return result(code);
}

int read_file(const char*, char* buffer, std::size_t length, off_t offset, fuse_file_info* info) {
  return result(nfs_pread(server, handle_of(info), static_cast<std::uint64_t>(offset), length, buffer));
}

int write_file(const char*, const char* buffer, std::size_t length, off_t offset, fuse_file_info* info) {
  return result(nfs_pwrite(server, handle_of(info), static_cast<std::uint64_t>(offset), length, buffer));
}

int sync_file(const char*, int, fuse_file_info* info) {
  return result(nfs_fsync(server, handle_of(info)));
}

int flush_file(const char*, fuse_file_info* info) {
  return (info->flags & O_ACCMODE) == O_RDONLY ? 0 : result(nfs_fsync(server, handle_of(info)));
}

int close_file(const char*, fuse_file_info* info) {
  nfs_close(server, handle_of(info));
  return 0;
}

int truncate_file(const char* path, off_t length, fuse_file_info* info) {
  as_caller();
  const auto size = static_cast<std::uint64_t>(length);
  return result(info != nullptr ? nfs_ftruncate(server, handle_of(info), size) : nfs_truncate(server, path, size));
}

int make_directory(const char* path, mode_t mode) {
  as_caller();
  return result(nfs_mkdir2(server, path, static_cast<int>(mode)));
}

int remove_file(const char* path) {
  as_caller();
  return result(nfs_unlink(server, path));
}

int remove_directory(const char* path) {
  as_caller();
  return result(nfs_rmdir(server, path));
}

int rename_entry(const char* from, const char* to, unsigned flags) {
  if (flags != 0) return -EINVAL;
  as_caller();
  return result(nfs_rename(server, from, to));
}

int make_hard_link(const char* from, const char* to) {
  as_caller();
  return result(nfs_link(server, from, to));
}

int make_symlink(const char* from, const char* to) {
  as_caller();
  return result(nfs_symlink(server, from, to));
}

int read_link(const char* path, char* buffer, std::size_t size) {
  as_caller();
  return result(nfs_readlink(server, path, buffer, static_cast<int>(size)));
}

int change_mode(const char* path, mode_t mode, fuse_file_info*) {
  as_caller();
  return result(nfs_chmod(server, path, static_cast<int>(mode)));
}

int change_owner(const char* path, uid_t uid, gid_t gid, fuse_file_info*) {
  as_caller();
  return result(nfs_lchown(server, path, static_cast<int>(uid), static_cast<int>(gid)));
}

// UTIME_OMIT is taken for "now": libnfs sets both times or none.
int change_times(const char* path, const timespec times[2], fuse_file_info*) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  timeval values[2];
  for (int i = 0; i < 2; ++i) {
    const bool given = times[i].tv_nsec != UTIME_NOW && times[i].tv_nsec != UTIME_OMIT;
    const timespec& time = given ? times[i] : now;
    values[i] = {.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
  }
  as_caller();
  return result(nfs_lutimes(server, path, values));
}

int file_system(const char* path, struct statvfs* out) {
  as_caller();
  return result(nfs_statvfs(server, path, out));
}

void* begin(fuse_conn_info*, fuse_config* config) {
  config->attr_timeout = config->entry_timeout = 1;
  config->use_ino = 1;
  config->hard_remove = 1;
  return nullptr;
}

fuse_operations operations() {
  fuse_operations out{};
  out.init = begin;
  out.getattr = get_attributes;
  out.readdir = read_directory;
  out.open = open_file;
  out.create = create_file;
  out.read = read_file;
  out.write = write_file;
  out.fsync = sync_file;
  out.flush = flush_file;
  out.release = close_file;
  out.truncate = truncate_file;
  out.mkdir = make_directory;
  out.unlink = remove_file;
  out.rmdir = remove_directory;
  out.rename = rename_entry;
  out.link = make_hard_link;
  out.symlink = make_symlink;
  out.readlink = read_link;
  out.chmod = change_mode;
  out.chown = change_owner;
  out.utimens = change_times;
  out.statfs = file_system;
  return out;
}

bool connect_to(const char* address) {
  server = nfs_init_context();
  auto* url = nfs_parse_url_dir(server, address);
  if (url == nullptr || nfs_mount(server, url->server, url->path) != 0) {
    std::cerr << address << ": " << nfs_get_error(server) << '\n';
    return false;
  }
  nfs_destroy_url(url);
  nfs_set_dircache(server, 0);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: nfs-fuse-for-tests NFS-URL DIRECTORY [-o OPTION…]\n";
    return 2;
  }
  if (!connect_to(argv[1])) return 1;
  std::vector<char*> arguments{argv[0]};
  arguments.insert(arguments.end(), argv + 2, argv + argc);
  std::string foreground = "-f";
  std::string single = "-s";
  arguments.push_back(foreground.data());
  arguments.push_back(single.data());
  const auto calls = operations();
  return fuse_main(static_cast<int>(arguments.size()), arguments.data(), &calls, nullptr);
}
