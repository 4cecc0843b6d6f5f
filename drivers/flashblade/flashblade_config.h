// The flashblade section of a backend's configuration. README.md shows all of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/types.h"
#include "drivers/flashblade/array_session.h"

namespace homeport {
class DocReader;
}

namespace homeport::drivers::flashblade {

// What Homeport itself mounts over NFSv3.
struct DataConfig {
  std::string address{};  // empty: found among the array's network interfaces
  std::optional<std::uint16_t> nfs_port{};
  std::optional<std::uint16_t> mount_port{};
  std::chrono::milliseconds timeout{10'000};
  std::uint32_t connections = 8;  // to the administrative file system
  std::string path_prefix{};      // before "/FILE-SYSTEM"; empty on an array
};

// What notebooks mount.
struct ClientConfig {
  std::string server{};  // empty: the data address
  std::string version = "4.1";
  std::optional<std::uint16_t> port{};
  std::optional<std::uint16_t> mount_port{};
  std::string path_prefix{};
};

struct ExportConfig {
  std::vector<std::string> homeport{};  // the hosts that Homeport runs on: root, always
  std::vector<std::string> clients{};   // read-write with root squashed
  std::string policy{};                 // or an export policy of the array
};

struct PoolConfig {
  std::string name;
  Layout layout = Layout::filesystem;
  std::string file_system{};        // layout directory: which holds the spaces
  std::string directory = "homes";  // below it
};

struct FlashbladeConfig {
  ManagementConfig management;
  DataConfig data{};
  ClientConfig client{};
  ExportConfig exports{};
  std::vector<PoolConfig> pools{};
  std::string administrative{};  // the file system that holds the markers; empty: PREFIX + "admin"
  bool eradicate = false;        // purge takes the last chance too
};

// Strict: adds every problem it finds. Does not call finish(): the section has members that are not ours.
[[nodiscard]] FlashbladeConfig read_flashblade_config(DocReader& section);

}  // namespace homeport::drivers::flashblade
