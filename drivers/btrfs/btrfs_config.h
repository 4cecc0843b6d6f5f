// The btrfs section of a backend's configuration.
//
//   pools:    [{name: homes, layout: filesystem, loop: {file: /var/lib/homeport/homes.img, size: 100GiB},
//               mount: /srv/homeport/homes}]
//   client:   {host: lab1}                 # specs are binds on this host; its own name when left out
//   exporter: {server: lab1.example.org, state: /var/lib/homeport/exporter, …}   # or: specs are NFS mounts
//   exports:  {clients: [10.20.0.0/16], squash: root, version: "4.2"}            # with exporter
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/types.h"
#include "drivers/exporter/exporter_factory.h"

namespace homeport {
class DocReader;
}

namespace homeport::drivers::btrfs {

// A file of ours that is mounted by a loop device.
struct LoopFile {
  AbsolutePath file;
  Bytes size;
  bool preallocate = false;  // all of it is reserved on the host's disk at once
};

enum class WantedQuota { automatic, simple, full };

struct PoolConfig {
  std::string name;
  Layout layout = Layout::filesystem;
  // Exactly one of the three says where the bytes lie.
  std::optional<AbsolutePath> device{};
  std::optional<AbsolutePath> directory{};  // on a btrfs that somebody else mounts
  std::optional<LoopFile> loop{};
  std::optional<AbsolutePath> mount{};  // where device or loop are mounted
  std::string homes = "homes";          // the directory in the pool that holds the spaces
  WantedQuota quota = WantedQuota::automatic;
  std::string erase{};  // what may be erased: exactly the word that the refusal names
  [[nodiscard]] const AbsolutePath& top() const { return mount ? *mount : *directory; }
  // "device /dev/sdb", "file /var/lib/homeport/homes.img", "directory /srv/btrfs"
  [[nodiscard]] std::string where() const;
};

struct ExportsConfig {
  std::vector<std::string> clients{};  // who may mount each space
  Squash squash = Squash::root;
  std::string version = "4.2";  // what specs say
};

struct BtrfsConfig {
  std::vector<PoolConfig> pools{};
  std::string host{};                        // for local specs; empty: this machine's own name
  std::optional<ExporterConfig> exporter{};  // set: specs are NFS mounts
  ExportsConfig exports{};
};

// Strict: adds every problem it finds. Does not call finish(): the section has members that are not ours.
[[nodiscard]] BtrfsConfig read_btrfs_config(DocReader& section);

}  // namespace homeport::drivers::btrfs
