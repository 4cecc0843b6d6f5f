// How commands get at files, which no HTTP interface carries. main() wires the drivers; tests bring their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "drivers/core/optional.h"

namespace homeport::cli {

// Threads: every method from any thread; an open tree is for one thread at a time, and ends before its door.
class TreeDoor {
 public:
  virtual ~TreeDoor() = default;
  virtual Result<std::unique_ptr<drivers::Tree>> open(const OpContext& op, const AbsolutePath& path,
                                                      bool for_writing) = 0;
};

struct NfsAddress {
  std::string server;
  std::optional<std::uint16_t> port{};        // nullopt: ask the server
  std::optional<std::uint16_t> mount_port{};  // nullopt: ask the server
};

struct TreeDoors {
  std::function<std::unique_ptr<TreeDoor>()> local;  // of this machine, for reading only
  std::function<std::unique_ptr<TreeDoor>(const NfsAddress&)> nfs;
  std::function<Result<std::string>()> machine_id;  // of this machine: machine-id(5)
};

}  // namespace homeport::cli
