// Where homes are copied from: what people call it, and what tells it from any other.
#pragma once

#include <functional>
#include <string>

#include "cli/tree_doors.h"

namespace homeport::cli {

struct SourceName {
  std::string label;  // "nb1:" before a path, for people
  std::string id;     // "machine 3f0c…", "NFS server 10.0.0.5", "source shelf-2": the same as long as the source is
  // Both with a path of it.
  [[nodiscard]] std::string words(const std::string& path) const { return label + path; }
  [[nodiscard]] std::string identity(const std::string& path) const { return id + ":" + path; }
};

// By --source-name. Errors: invalid_argument.
[[nodiscard]] Result<SourceName> named_source(const std::string& name);
// A machine's own disks, by a digest of its machine id (machine-id(5) asks not to show the id itself). Errors:
// failed_precondition where it has none: two such machines could not be told apart.
[[nodiscard]] Result<SourceName> machine_source(const std::string& host, const Result<std::string>& machine_id);
// What a server exports, by the address as it is configured.
[[nodiscard]] SourceName server_source(const std::string& label, const NfsAddress& address);

}  // namespace homeport::cli
