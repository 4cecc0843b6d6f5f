// Directories of any NFS server as trees, for tools that work on a server without a backend of the service.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "drivers/core/optional.h"

namespace homeport::drivers {

namespace nfs {
class Backend;
}

// Speaks NFSv3 as uid 0. Threads: every method from any thread; an open tree is for one thread at a time.
class NfsServer {
 public:
  struct Address {
    std::string server;
    std::optional<std::uint16_t> nfs_port{};             // nullopt: ask the portmapper, else 2049
    std::optional<std::uint16_t> mount_port{};           // nullopt: ask the portmapper
    std::optional<std::chrono::milliseconds> timeout{};  // longest silence within one call; nullopt: 10 s
  };
  // No contact yet. `clock` must outlive it, and it every tree that it opened.
  NfsServer(Address address, Clock& clock);
  ~NfsServer();
  NfsServer(const NfsServer&) = delete;
  NfsServer& operator=(const NfsServer&) = delete;

  enum class For { reading, writing };
  // A directory at or below an export. Errors: not_found, failed_precondition (no directory, a link on the way).
  Result<std::unique_ptr<Tree>> open(const OpContext& op, const AbsolutePath& path, For what);
  // What the server gives for mounting exactly `path`: for servers with very many exports, whose list is not asked for.
  // The tree keeps its connection (one, unless `connections` says more) and closes it with itself; its calls may come
  // from any thread. `clock` must outlive it. Errors: as MNT answers them: not_found, permission_denied.
  static Result<std::unique_ptr<Tree>> open_mounted(const OpContext& op, const Address& address, Clock& clock,
                                                    const AbsolutePath& path, std::uint32_t connections = 1);

 private:
  std::unique_ptr<nfs::Backend> backend_;
};

}  // namespace homeport::drivers
