// Directories of this host made available to other hosts: what a driver asks whose pool lies on Homeport's own machine.
//
// Threads: every method from any thread. Blocking: until the other side serves what was asked, at longest until
// op.deadline; calls of several threads are served together. endpoint() and limits() never block.
// Idempotence: put() of what is served already and withdraw() of what is not there succeed and disturb nobody.
// Dry run: nothing is changed; op.calls says what would have been.
// Errors: invalid_argument (a name or a client that cannot be written), out_of_capacity (more exports than the server
//   can have), unavailable (it does not run, or did not take it), timed_out, cancelled.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/core/types.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"

namespace homeport::drivers {

struct HostExport {
  std::string name;               // whoever asks chooses it, once: letters, digits, '-', '_', '.', '@', at most 120
  AbsolutePath directory;         // on this host; must exist
  AbsolutePath path;              // what clients mount
  std::vector<AccessRule> rules;  // first match wins; who matches none is refused; empty: nobody
  bool read_only = false;         // whatever the rules say
};

struct ExportEndpoint {
  std::string server;  // what clients put into a mount
  std::uint16_t port = 2049;
  std::optional<std::uint16_t> mount_port{};  // where NFSv3 is served
  std::vector<std::string> versions{};        // "3", "4.1", "4.2"
};

struct ExportLimits {
  std::size_t exports = 0;           // as many at once
  std::vector<std::string> notes{};  // sentences for people: what to know about so many
};

class Exporter {
 public:
  virtual ~Exporter() = default;

  // Served under the same path with the same handles until withdrawn, also after a restart of either side. A name that
  // is served gets the new rules; one that lies in another directory now is a mistake of the caller's, and the old one
  // is withdrawn first.
  virtual Result<void> put(const OpContext& op, std::span<const HostExport> exports) = 0;
  // When it returns nobody reaches the directories through these names, and the host's own hold on them is gone.
  virtual Result<void> withdraw(const OpContext& op, std::span<const std::string> names) = 0;
  // What was put and not withdrawn, in the order of names.
  virtual Result<std::vector<HostExport>> list(const OpContext& op) = 0;
  // Errors: unavailable while the ports are not known yet (never started).
  [[nodiscard]] virtual Result<ExportEndpoint> endpoint() const = 0;
  [[nodiscard]] virtual ExportLimits limits() const = 0;
  // Starts what has to run, and says what was found.
  virtual std::vector<ProbeCheck> check(const OpContext& op) = 0;
};

}  // namespace homeport::drivers
