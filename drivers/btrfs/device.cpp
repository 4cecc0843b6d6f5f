#include "drivers/btrfs/device.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "drivers/btrfs/fs_calls.h"
#include "provisioner/base/child_process.h"
#include "provisioner/base/descriptor.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::btrfs {
namespace {

constexpr const char* kMkfs = "/usr/sbin/mkfs.btrfs";
constexpr std::chrono::seconds kMkfsLimit{60};
constexpr std::size_t kMiB = std::size_t{1} << 20U;

struct ProbeEnd {
  void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, ProbeEnd>;

std::string value_of(blkid_probe probe, const char* name) {
  const char* text = nullptr;
  if (blkid_probe_lookup_value(probe, name, &text, nullptr) != 0 || text == nullptr) return {};
  return text;
}

Result<std::uint64_t> size_of(int fd, const struct stat& status, const std::string& path) {
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  std::uint64_t bytes = 0;
  if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) return from_errno(errno, "measuring " + path);
  return bytes;
}

Result<bool> zeros_at(int fd, std::uint64_t offset, std::uint64_t bytes, const std::string& path) {
  std::vector<char> block(std::min<std::uint64_t>(kMiB, bytes - std::min(offset, bytes)));
  const auto got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(offset));
  if (got < 0) return from_errno(errno, "reading " + path);
  return std::all_of(block.begin(), block.begin() + got, [](char c) { return c == 0; });
}

// Fields of a line of mountinfo come with blanks as \040.
std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool octal = text[i] == '\\' && i + 3 < text.size();
    if (!octal) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

struct MountLine {
  std::string directory;
  std::string device;
};

std::vector<MountLine> mounts() {
  std::vector<MountLine> out;
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash));
    std::istringstream back(line.substr(dash + 3));
    std::string skip;
    MountLine one;
    front >> skip >> skip >> skip >> skip >> one.directory;
    back >> skip >> one.device;
    one.directory = unescape(one.directory);
    one.device = unescape(one.device);
    out.push_back(std::move(one));
  }
  return out;
}

dev_t device_number(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode) ? status.st_rdev : 0;
}

// The loop device of a file, where it has one.
std::optional<std::string> loop_of(const struct stat& file) {
  const std::unique_ptr<DIR, int (*)(DIR*)> devices(::opendir("/sys/block"), &::closedir);
  if (!devices) return std::nullopt;
  while (const dirent* one = ::readdir(devices.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
    const std::string name(static_cast<const char*>(one->d_name));
    if (!name.starts_with("loop")) continue;
    const Descriptor loop(::open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    loop_info64 info{};
    if (loop.get() < 0 || ::ioctl(loop.get(), LOOP_GET_STATUS64, &info) != 0) continue;
    if (info.lo_device == file.st_dev && info.lo_inode == file.st_ino) return "/dev/" + name;
  }
  return std::nullopt;
}

bool is_empty_directory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(path.c_str()), &::closedir);
  if (!stream) return false;
  while (const dirent* one = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
    const std::string_view name(static_cast<const char*>(one->d_name));
    if (name != "." && name != "..") return false;
  }
  return true;
}

Result<void> make_directories(const std::string& path) {
  for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const bool made = ::mkdir(part.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return from_errno(errno, "making " + part);
    // The umask of a service takes away what people need to pass on the way to their homes.
    if (made && ::chmod(part.c_str(), 0755) != 0) return from_errno(errno, "making " + part);
    if (slash == std::string::npos) return {};
  }
}

}  // namespace

std::string Contents::summary() const {
  std::string out = Bytes{bytes}.to_string();
  if (type.empty()) {
    out += blank ? ", blank" : ", no signature that is known, but not blank";
  } else {
    out += ", " + type + (label.empty() ? "" : " '" + printable(label, 60) + "'") + (uuid.empty() ? "" : ", " + uuid);
  }
  if (!mounted_at.empty()) out += ", mounted at " + printable(mounted_at);
  return out;
}

std::string Contents::erase_word() const {
  if (type.empty()) return "unknown:" + std::to_string(bytes);
  return type + ":" + (uuid.empty() ? std::to_string(bytes) : uuid);
}

Result<Contents> contents_of(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return from_errno(errno, "opening " + path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return from_errno(errno, "looking at " + path);
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return Error{.code = Errc::failed_precondition,
                 .message = path + " is neither a block device nor a file",
                 .hint = "a directory on a mounted btrfs is written as directory:"};
  }
  Contents out;
  HOMEPORT_TRY(out.bytes, size_of(fd.get(), status, path));
  if (out.bytes == 0) return out;
  const Probe probe(blkid_new_probe());
  if (!probe || blkid_probe_set_device(probe.get(), fd.get(), 0, 0) != 0) {
    return Error{.code = Errc::unavailable, .message = "cannot look for signatures on " + path};
  }
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
  blkid_probe_enable_partitions(probe.get(), 1);
  const int found = blkid_do_safeprobe(probe.get());
  if (found == 0) {
    out.type = value_of(probe.get(), "TYPE");
    if (out.type.empty()) out.type = value_of(probe.get(), "PTTYPE");
    out.uuid = value_of(probe.get(), "UUID");
    out.label = value_of(probe.get(), "LABEL");
  }
  // -2: more than one signature. Not blank, whatever they are.
  if (found == -2) out.type = "several-signatures";
  if (found < 0 && found != -2) return Error{.code = Errc::unavailable, .message = "cannot read " + path};
  HOMEPORT_TRY(const bool front, zeros_at(fd.get(), 0, out.bytes, path));
  HOMEPORT_TRY(const bool back,
               zeros_at(fd.get(), out.bytes - std::min<std::uint64_t>(kMiB, out.bytes), out.bytes, path));
  out.blank = out.type.empty() && front && back;
  const auto number = status.st_rdev;
  for (const auto& mount : mounts()) {
    const auto of = device_number(mount.device);
    if (S_ISBLK(status.st_mode) && of != 0 && of == number) out.mounted_at = mount.directory;
  }
  return out;
}

Result<bool> size_file(const std::string& path, Bytes size, bool preallocate) {
  const auto slash = path.rfind('/');
  if (slash != 0) HOMEPORT_CHECK(make_directories(path.substr(0, slash)));
  const Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) return from_errno(errno, "opening " + path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return from_errno(errno, "looking at " + path);
  const bool larger = static_cast<std::uint64_t>(status.st_size) < size.count();
  const auto wanted = static_cast<off_t>(size.count());
  if (preallocate) {
    const bool holes = static_cast<std::uint64_t>(status.st_blocks) * 512 < size.count();
    if (holes && ::fallocate(fd.get(), 0, 0, wanted) != 0) {
      auto error = from_errno(errno, "reserving " + size.to_string() + " for " + path);
      if (error.code == Errc::out_of_capacity)
        error.hint = "the host's disk has no room for it: ask for a smaller pool";
      return error;
    }
  } else if (larger && ::ftruncate(fd.get(), wanted) != 0) {
    return from_errno(errno, "growing " + path);
  }
  if (larger && ::fsync(fd.get()) != 0) return from_errno(errno, "syncing " + path);
  return larger;
}

Result<void> make_filesystem(const std::string& path, const std::string& label) {
  const auto ended = run_to_end({.words = {kMkfs, "-f", "-q", "-L", label, path},
                                 .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}},
                                kMkfsLimit);
  if (!ended) {
    auto error = ended.error();
    if (error.code == Errc::not_found) error.hint = "install btrfs-progs";
    return error;
  }
  if (ended->status != 0) {
    return Error{.code = Errc::unavailable,
                 .message = "mkfs.btrfs refused " + path + ": " + printable(ended->output, 400)};
  }
  log::info("btrfs_filesystem_made", {{"device", path}, {"label", label}});
  return {};
}

Result<Loop> attach_loop(const std::string& file) {
  const Descriptor backing(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (backing.get() < 0) return from_errno(errno, "opening " + file);
  struct stat status {};
  if (::fstat(backing.get(), &status) != 0) return from_errno(errno, "looking at " + file);
  if (const auto standing = loop_of(status)) {
    auto held = std::make_unique<Descriptor>(::open(standing->c_str(), O_RDWR | O_CLOEXEC));
    if (held->get() >= 0) return Loop{.device = *standing, .held = std::move(held)};
  }
  const Descriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (control.get() < 0) {
    auto error = from_errno(errno, "opening /dev/loop-control");
    error.hint = "this machine (or container) offers no loop devices: use device: or directory:";
    return error;
  }
  constexpr int kAttempts = 16;  // somebody else may take the free one first
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return from_errno(errno, "asking for a loop device");
    const std::string name = "/dev/loop" + std::to_string(number);
    auto loop = std::make_unique<Descriptor>(::open(name.c_str(), O_RDWR | O_CLOEXEC));
    if (loop->get() < 0) return from_errno(errno, "opening " + name);
    loop_config config{};
    config.fd = static_cast<__u32>(backing.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    std::strncpy(reinterpret_cast<char*>(config.info.lo_file_name), file.c_str(), LO_NAME_SIZE - 1);
    if (::ioctl(loop->get(), LOOP_CONFIGURE, &config) == 0) return Loop{.device = name, .held = std::move(loop)};
    if (errno != EBUSY) return from_errno(errno, "attaching " + file + " to " + name);
  }
  return Error{.code = Errc::unavailable, .message = "no loop device stays free for " + file};
}

Result<void> refresh_loop(const std::string& loop) {
  const Descriptor fd(::open(loop.c_str(), O_RDWR | O_CLOEXEC));
  if (fd.get() < 0) return from_errno(errno, "opening " + loop);
  if (::ioctl(fd.get(), LOOP_SET_CAPACITY, 0) != 0) return from_errno(errno, "growing " + loop);
  return {};
}

Result<void> mount_btrfs(const std::string& device, const std::string& directory) {
  HOMEPORT_CHECK(make_directories(directory));
  if (!is_empty_directory(directory)) {
    return Error{.code = Errc::failed_precondition,
                 .message = directory + " is not an empty directory: mounting there would hide what lies in it",
                 .hint = "give the pool a mount: of its own"};
  }
  if (::mount(device.c_str(), directory.c_str(), "btrfs", MS_NOSUID | MS_NODEV | MS_NOATIME, "") == 0) return {};
  const int code = errno;
  auto error = from_errno(code, "mounting " + device + " at " + directory);
  if (code == EEXIST || code == EBUSY) {
    error.code = Errc::failed_precondition;
    error.hint = "the same filesystem is in use elsewhere on this machine";
  }
  if (code == ENODEV) {
    error.code = Errc::unsupported;
    error.hint = "this kernel has no btrfs";
  }
  return error;
}

Result<void> unmount(const std::string& directory) {
  if (::umount2(directory.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL) return {};
  return from_errno(errno, "unmounting " + directory);
}

Result<std::optional<std::string>> mounted_device(const std::string& directory) {
  std::optional<std::string> out;
  for (auto& mount : mounts()) {
    if (mount.directory == directory) out = std::move(mount.device);  // the last one lies on top
  }
  return out;
}

Result<Room> room_around(const std::string& path) {
  struct statvfs state {};
  if (::statvfs(path.c_str(), &state) != 0) return from_errno(errno, "measuring the disk of " + path);
  return Room{.total = std::uint64_t{state.f_blocks} * state.f_frsize,
              .free = std::uint64_t{state.f_bavail} * state.f_frsize};
}

Result<FileSize> file_size(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return from_errno(errno, "looking at " + path);
  return FileSize{.size = static_cast<std::uint64_t>(status.st_size),
                  .allocated = static_cast<std::uint64_t>(status.st_blocks) * 512};
}

}  // namespace homeport::drivers::btrfs
