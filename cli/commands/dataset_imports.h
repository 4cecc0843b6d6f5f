// Ways to dataset import beside a path: file systems of an array, and volumes that somebody wrote for a cluster.
#pragma once

#include <string>
#include <vector>

#include "cli/commands/registry.h"

namespace homeport::cli {

struct DatasetImportOptions {
  std::string name{};
  std::string backend{};
  std::string path{};
  std::string note{};
  bool read_write = false;
  bool from_array = false;
  std::string match{};
  std::string from_pv{};
  std::string volume{};
  std::vector<std::string> servers{};
  Mutation mutation{};
};

// One dataset that is to be: `whole` is a file system of an array.
struct DatasetWish {
  std::string name;
  std::string backend;
  std::string path;
  bool whole = false;
};
// The ordinary import, or its preview.
[[nodiscard]] Result<Outcome> import_dataset(Cli& cli, const DatasetWish& wish, const DatasetImportOptions& o);
[[nodiscard]] Result<ExitCode> show_imported(Cli& cli, const Outcome& outcome);

// The file systems of a backend, those whose names `match` (empty: all).
[[nodiscard]] Result<Json> file_systems_of(Cli& cli, const std::string& backend, const std::string& match);
[[nodiscard]] Result<ExitCode> import_from_array(Cli& cli, const DatasetImportOptions& o);
[[nodiscard]] Result<ExitCode> import_from_volumes(Cli& cli, const DatasetImportOptions& o);

// Several datasets as a plan {"datasets": [{dataset, backend, path, verdict, reason, why, remarks, …}]}: each that can
// be imported is previewed or imported, and the plan shown with what became of it.
[[nodiscard]] Result<ExitCode> carry_out(Cli& cli, Json plan, const DatasetImportOptions& o);

}  // namespace homeport::cli
