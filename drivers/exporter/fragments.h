// Exports as text: what Ganesha reads, and what this folder remembers of them. Nothing gets into a fragment that is
// not checked here or by a type.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "drivers/exporter/exporter_factory.h"

namespace homeport::drivers::exporter {

// Export_Id has 16 bits, and 0 is the pseudo root's.
inline constexpr std::uint32_t kMostIds = 65535;

struct Item {
  HostExport what;
  std::uint16_t id = 0;
};
using Items = std::map<std::string, Item>;  // by name

struct Remembered {
  Items items{};
  std::uint16_t last_id = 0;  // ids go round, so that one is not given again soon: servers and clients remember
};

[[nodiscard]] std::string to_json(const Remembered& state);
Result<Remembered> from_json(const std::string& text, const std::string& path);

// Errors: invalid_argument for a name or a client that cannot be written.
Result<void> check(const HostExport& item);
// nullopt: all are taken.
[[nodiscard]] std::optional<std::uint16_t> free_id(const Remembered& state);
[[nodiscard]] bool same(const HostExport& a, const HostExport& b);

// `path`: where the export is bound.
[[nodiscard]] std::string fragment(const ExporterConfig& config, const Item& item, const std::string& path);
// The whole configuration of a server of our own.
[[nodiscard]] std::string configuration(const ExporterConfig& config, const ExportEndpoint& endpoint,
                                        const std::string& state);

}  // namespace homeport::drivers::exporter
