// A backend, its probe and its exports as replies show them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "provisioner/core/administration.h"
#include "provisioner/core/array_look.h"
#include "provisioner/core/datasets.h"

namespace homeport::api {

// What of a backend lies outside its record. `running` is null when it could not be made; then `trouble` says why.
struct BackendFacts {
  core::BackendPtr running{};
  std::string trouble{};
  core::Administration::UsedToday used{};
};
[[nodiscard]] nlohmann::json backend_json(const store::BackendRecord& record, const BackendFacts& facts);
[[nodiscard]] nlohmann::json probe_json(const drivers::ProbeReport& report);
[[nodiscard]] nlohmann::json export_json(const core::DiscoveredExport& found);
[[nodiscard]] nlohmann::json file_system_json(const core::ListedFileSystem& found);
[[nodiscard]] nlohmann::json import_preview_json(const core::ImportPreview& preview);

}  // namespace homeport::api
