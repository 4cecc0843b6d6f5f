// Where a pool's bytes lie: a block device or a file of ours. Looking at what it holds, making a filesystem, mounting.
//
// Threads: any; two calls about one device at the same time are the caller's mistake. Blocking: as the kernel does;
// making a filesystem runs mkfs.btrfs, once in a pool's life, for a minute at most.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/core/types.h"
#include "provisioner/base/descriptor.h"
#include "provisioner/base/result.h"

namespace homeport::drivers::btrfs {

// What a device or file holds, as far as its signatures say.
struct Contents {
  std::string type{};  // "btrfs", "ext4", "dos" (a partition table), "LVM2_member"; empty: nothing known
  std::string uuid{};
  std::string label{};
  std::uint64_t bytes = 0;                    // of the device or file
  bool blank = true;                          // no signature, and the first and last MiB are zeros
  std::string mounted_at{};                   // where something of it is mounted; empty: nowhere
  [[nodiscard]] std::string summary() const;  // one line for people
  // What an admin writes to have it erased: names what is there, so that it fits nothing else.
  [[nodiscard]] std::string erase_word() const;
};
// Errors: not_found, permission_denied, failed_precondition (neither a block device nor a file).
Result<Contents> contents_of(const std::string& path);

// Makes the sparse (or preallocated) file of a new pool, or makes it larger; a smaller size than it has is left alone.
// True: it is larger now. Errors: out_of_capacity when the host's disk has no room for a preallocated one.
Result<bool> size_file(const std::string& path, Bytes size, bool preallocate);

Result<void> make_filesystem(const std::string& path, const std::string& label);

// The loop device of a file, attached now if it was not. It goes by itself when nothing has it open any more: `held`
// keeps it until the filesystem is mounted, and unmounting lets it go.
struct Loop {
  std::string device;
  std::unique_ptr<Descriptor> held;
};
Result<Loop> attach_loop(const std::string& file);
// Tells the loop device that its file is larger.
Result<void> refresh_loop(const std::string& loop);

// Refuses a directory that is not empty: what lies in it would be hidden. Made where it is missing.
Result<void> mount_btrfs(const std::string& device, const std::string& directory);
// Errors: failed_precondition while something uses it.
Result<void> unmount(const std::string& directory);

// The device that is mounted there, from /proc/self/mountinfo; nullopt: none.
Result<std::optional<std::string>> mounted_device(const std::string& directory);

// Room on the filesystem that holds `path`: total and free for us.
struct Room {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};
Result<Room> room_around(const std::string& path);
// Bytes that a file occupies, and its size.
struct FileSize {
  std::uint64_t size = 0;
  std::uint64_t allocated = 0;
};
Result<FileSize> file_size(const std::string& path);

}  // namespace homeport::drivers::btrfs
