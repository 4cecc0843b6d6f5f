// PersistentVolumes that somebody wrote by hand for data that stands: what is usually wrong with them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/kubernetes_dump.h"

namespace homeport::cli {

// What is known of the file system behind the volume, where an array tells.
struct BehindVolume {
  std::optional<std::uint64_t> limit{};
  std::optional<std::uint64_t> used{};
};

// One sentence each, with what to write instead; in the order of how much damage they do.
[[nodiscard]] std::vector<std::string> mistakes_in(const DumpedVolume& volume, const std::vector<DumpedClaim>& claims,
                                                   bool read_only, const BehindVolume& behind);
// "50Gi", "1T", "1048576": as Kubernetes reads a quantity; nullopt: it does not.
[[nodiscard]] std::optional<std::uint64_t> quantity_bytes(const std::string& text);

}  // namespace homeport::cli
