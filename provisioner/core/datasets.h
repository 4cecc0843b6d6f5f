// Datasets: what stands on a server already and is handed to people, usually read-only. Never renamed, never deleted.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/core/homes.h"

namespace homeport::core {

struct ImportRequest {
  std::string realm = "default";
  Slug name;
  Slug backend;
  AbsolutePath path;
  bool read_only = true;
  std::string note{};
  // filesystem: a whole file system of an array, whoever made it (drivers/core/inventory.h).
  drivers::Layout layout = drivers::Layout::directory;
};

struct DiscoveredExport {
  drivers::Export exported;
  std::vector<std::string> imported_as{};  // names of datasets at or below it
  bool pool = false;                       // homes are made in it
};

// A look before importing: a bounded sample, never the whole of a petabyte.
struct ImportPreview {
  std::string path;
  drivers::ExportDiscovery::Inspection inspection{};
  struct Counts {
    std::uint64_t entries = 0, files = 0, directories = 0, links = 0, other = 0, bytes = 0, odd_names = 0;
    bool complete = false;
  } counts{};
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> owners{};  // (uid, gid) -> entries
  std::map<std::uint32_t, std::uint64_t> modes{};                             // permission bits -> entries
  std::string readable_by{};        // "everyone", "uid 0 and group 100 only", …: the root directory's mode in words
  std::string clients_can_write{};  // "no: the export is read-only for us", …
  std::vector<std::string> warnings{};
  std::vector<std::string> calls{};  // what the import itself would send
};

class Datasets {
 public:
  Datasets(Homes::Parts parts, Homes& homes) : p_(std::move(parts)), homes_(homes) {}

  void discover(const Caller& caller, std::string_view backend,
                std::function<void(Result<std::vector<DiscoveredExport>>)> done);
  void preview(const Caller& caller, const ImportRequest& request, std::function<void(Result<ImportPreview>)> done);
  // Idempotent for the same backend, path and access. Errors: already_exists (the name is used for something else).
  Result<SpaceOutcome> import(const Caller& caller, const ImportRequest& request);
  [[nodiscard]] Result<store::SpaceRecord> get(std::string_view name) const;
  [[nodiscard]] std::vector<SpacePtr> list() const;
  // Forgets the record and its grants; touches nothing on the backend.
  Result<SpaceOutcome> release(const Caller& caller, std::string_view name);

  struct Subject {
    std::string kind;    // user | group | everyone
    std::string name{};  // as people write it; empty for everyone
    std::string realm = "default";
  };
  Result<store::GrantRecord> grant(const Caller& caller, std::string_view name, const Subject& subject,
                                   std::string_view access);
  // Errors: not_found when nobody was granted that (a slip in a name must not look like success).
  Result<void> withdraw(const Caller& caller, std::string_view name, const Subject& subject);
  [[nodiscard]] std::vector<store::GrantRecord> grants(std::string_view name) const;

 private:
  Homes::Parts p_;
  Homes& homes_;
};

}  // namespace homeport::core
