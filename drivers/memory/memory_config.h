// What a memory backend is: pools, exports with a little content, and which powers it has. For tests and for trying
// things: nothing survives the process.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/types.h"

namespace homeport {
class DocReader;
}

namespace homeport::drivers {

struct MemoryPool {
  std::string name;
  Layout layout = Layout::directory;
  Bytes capacity{std::uint64_t{1} << 40U};
  std::optional<std::uint64_t> max_objects{};
};

// One entry of an export. Directories above it are made as needed.
struct MemorySeed {
  enum class Kind { file, directory, symlink, hard_link };
  std::string path;  // relative, "sets/a.txt"
  Kind kind = Kind::file;
  std::string content{};        // file: the bytes; symlink and hard_link: the target
  std::optional<Bytes> size{};  // file: sparse up to this size
  Owner owner{Uid{0}, Gid{0}};
  std::optional<std::uint32_t> mode{};  // nullopt: 0644 for files, 0755 for directories
};

struct MemoryExport {
  std::string path;  // "/data"
  bool read_only = false;
  std::vector<std::string> clients{};
  std::vector<MemorySeed> files{};
};

struct MemoryPolicy {
  std::string name;
  std::string kind;  // "snapshot" or "qos"
};

// pool: in layout directory the snapshots are the pool's. A filesystem's snapshots are always its own.
enum class SnapshotOwner { none, pool, space };

struct MemoryConfig {
  std::vector<MemoryPool> pools{{.name = "homes"}};
  QuotaClass quota = QuotaClass::hard;
  SnapshotOwner snapshots = SnapshotOwner::space;
  bool clones = true;
  bool access_rules = true;
  bool ownership = true;  // false: everything belongs to squash_owner
  Owner squash_owner{Uid{65534}, Gid{65534}};
  std::vector<MemoryExport> exports{};
  std::vector<MemoryPolicy> policies{};
  std::string replica_target{};  // empty: nothing is replicated
  std::string name_prefix = "hp-";
  // Page sizes, small enough in tests to turn pages.
  std::size_t scan_page = 500;
  std::size_t list_page = 256;
  std::size_t purge_step = 1000;
};

// Reads the members of a configuration section that this kind knows; adds a problem for each wrong one.
[[nodiscard]] MemoryConfig read_memory_config(DocReader& section);
// Of a section that was validated. Errors: invalid_argument.
[[nodiscard]] Result<MemoryConfig> memory_config_from_section(const nlohmann::json& section);

}  // namespace homeport::drivers
