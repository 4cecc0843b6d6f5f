// home import --copy --from SOURCE: homes of this machine's disks, or of another backend, are copied into new homes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands/registry.h"
#include "cli/roster.h"

namespace homeport::cli {

struct CopyOptions {
  bool copy = false;
  std::string from{};  // "/home", or "BACKEND:/export/home"
  std::string source_name{};
  // The address of the target's server as this machine reaches it, where it is not the one that clients mount.
  std::string nfs_server{};
  std::optional<std::uint16_t> nfs_port{};
  std::optional<std::uint16_t> mount_port{};

  [[nodiscard]] bool any() const {
    return copy || !from.empty() || !source_name.empty() || !nfs_server.empty() || nfs_port.has_value() ||
           mount_port.has_value();
  }
};
void add_copy_options(CLI::App* app, CopyOptions& options);

struct CopyJob {
  std::string backend;
  std::string match;  // where a home lies below the source
  std::string klass{};
  std::string hub{};
  std::vector<std::string> names{};
  std::optional<std::vector<RosterLine>> map{};  // in place of `match`
  bool allow_similar = false;
  std::uint32_t system_below = 1000;
  CopyOptions options{};
  Mutation mutation{};
};
// The exit code is `partial` when some homes are copied and some are not, else that of the first one that is not.
[[nodiscard]] Result<ExitCode> copy_homes(Cli& cli, const CopyJob& job);

}  // namespace homeport::cli
