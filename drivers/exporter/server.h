// The NFS server behind the exporter: one of our own, or the site's.
#pragma once

#include <memory>
#include <string>

#include "drivers/exporter/exporter_factory.h"

namespace homeport::drivers::exporter {

// Threads: ready() and reload() by the exporter's one worker; describe() by any. Blocking: both, until op.deadline.
class Server {
 public:
  virtual ~Server() = default;
  // It runs, and has read the fragments that stood there when it started.
  virtual Result<void> ready(const OpContext& op) = 0;
  // It serves what the fragments say now.
  virtual Result<void> reload(const OpContext& op) = 0;
  // "runs as pid 77, started 3 times": for people.
  [[nodiscard]] virtual std::string describe() const = 0;
  // Does it end when this object does? Then nothing is served any more.
  [[nodiscard]] virtual bool ends_with_us() const = 0;
};

// `state` holds exports.d, logs, and what is needed to find the process again. `clock` outlives it.
std::unique_ptr<Server> make_own_server(const ExporterConfig& config, const ExportEndpoint& endpoint, Clock& clock);
std::unique_ptr<Server> make_site_server(const SiteServer& site, Clock& clock);

// What a log says from `offset` on. Empty when there is none.
[[nodiscard]] std::string log_from(const std::string& path, std::uint64_t offset);
[[nodiscard]] std::uint64_t log_size(const std::string& path);
// Waits until the log says that the exports were read again; what it complains of is an error.
Result<void> wait_for_reread(const OpContext& op, Clock& clock, const std::string& log, std::uint64_t offset);

}  // namespace homeport::drivers::exporter
