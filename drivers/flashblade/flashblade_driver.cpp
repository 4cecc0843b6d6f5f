#include "drivers/flashblade/flashblade_driver.h"

#include "drivers/flashblade/flashblade_driver_factory.h"
#include "drivers/flashblade/probe.h"
#include "drivers/flashblade/retired.h"
#include "drivers/flashblade/scan.h"
#include "drivers/flashblade/snapshots.h"
#include "drivers/flashblade/spaces.h"
#include "drivers/flashblade/trees.h"
#include "provisioner/base/doc_reader.h"

namespace homeport::drivers {
namespace flashblade {
namespace {

Error no_imports() {
  return Error{.code = Errc::unsupported,
               .message = "what stands on an array cannot be taken over through kind flashblade",
               .hint = "configure the array's data address as a backend of kind nfs beside it to import directories"};
}

}  // namespace

Result<ProbeReport> FlashbladeDriver::probe(const OpContext& op) {
  return probe_array(op, backend_);
}
Result<std::vector<Pool>> FlashbladeDriver::pools(const OpContext& op) {
  return measure_pools(op, backend_);
}
Result<std::optional<Cursor>> FlashbladeDriver::scan(const OpContext& op, const Query& query,
                                                     std::optional<Cursor> from, std::vector<Object>& page) {
  return scan_file_systems(op, backend_, query, from, page);
}
Result<std::optional<Object>> FlashbladeDriver::find(const OpContext& op, const Lookup& lookup) {
  if (lookup.path) return no_imports();
  HOMEPORT_CHECK(backend_.pool(lookup.layout, lookup.pool));
  HOMEPORT_CHECK(backend_.ready(op));
  return find_space(op, backend_, lookup);
}
Result<Object> FlashbladeDriver::create(const OpContext& op, const CreateSpec& spec) {
  return create_space(op, backend_, spec);
}
Result<Object> FlashbladeDriver::update(const OpContext& op, const ObjectRef& ref, const Change& change) {
  if (ref.imported) return no_imports();
  return update_space(op, backend_, ref, change);
}
Result<void> FlashbladeDriver::set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) {
  if (ref.imported) return no_imports();
  return set_space_access(op, backend_, ref, policy);
}
Result<Object> FlashbladeDriver::retire(const OpContext& op, const ObjectRef& ref) {
  if (ref.imported) return no_imports();
  return retire_space(op, backend_, ref);
}
Result<Object> FlashbladeDriver::undelete(const OpContext& op, const ObjectRef& ref) {
  if (ref.imported) return no_imports();
  return undelete_space(op, backend_, ref);
}
Result<PurgeStep> FlashbladeDriver::purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) {
  if (ref.imported) return no_imports();
  return purge_space(op, backend_, ref, from);
}

Result<MountSource> FlashbladeDriver::mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  HOMEPORT_CHECK(backend_.pool(ref.layout, ref.pool));
  const auto& client = backend_.config().client;
  const std::string version = view.nfs_version.empty() ? client.version : view.nfs_version;
  if (version != "3" && version != "4.1") {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(version, 20) + "' is not a version of NFS that a FlashBlade serves",
                 .hint = "use 3 or 4.1"};
  }
  HOMEPORT_TRY(const auto server, backend_.client_address(op));
  NfsSource source{.server = server,
                   .path = client.path_prefix + Backend::path_of(ref.name),
                   .version = version,
                   .port = client.port,
                   .fs_id = ref.id};
  if (version == "3") source.mount_port = client.mount_port;
  if (view.snapshot) {
    HOMEPORT_TRY(const auto fs, backend_.api().file_system_by_id(op, ref.id));
    if (!fs || fs->destroyed) return Error{.code = Errc::not_found, .message = "there is no file system " + ref.name};
    HOMEPORT_TRY(const auto directory, snapshot_directory(op, backend_, *fs, *view.snapshot));
    source.path += "/" + directory;
  }
  return MountSource(std::move(source));
}

Result<std::unique_ptr<Tree>> FlashbladeDriver::open_tree(const OpContext& op, const ObjectRef& ref,
                                                          const MountView& view) {
  if (ref.imported) return no_imports();
  return open_space_tree(op, backend_, ref, view);
}
Result<std::unique_ptr<Tree>> FlashbladeDriver::open_path(const OpContext& op, const AbsolutePath& path) {
  return open_array_path(op, backend_, path);
}

Result<Snapshot> FlashbladeDriver::take_snapshot(const OpContext& op, const ObjectRef& ref, const std::string& name) {
  return take_space_snapshot(op, backend_, ref, name);
}
Result<std::optional<Cursor>> FlashbladeDriver::list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                               std::optional<Cursor> from,
                                                               std::vector<Snapshot>& page) {
  return list_space_snapshots(op, backend_, ref, from, page);
}
Result<void> FlashbladeDriver::delete_snapshot(const OpContext& op, const ObjectRef& ref, const Snapshot& snapshot) {
  return delete_space_snapshot(op, backend_, ref, snapshot);
}
Result<Object> FlashbladeDriver::clone(const OpContext& op, const ObjectRef& source,
                                       const std::optional<std::string>& snapshot, const CreateSpec& target) {
  return clone_space(op, backend_, source, snapshot, target);
}
Result<Object> FlashbladeDriver::overwrite_from_snapshot(const OpContext& op, const ObjectRef& ref,
                                                         const Snapshot& snapshot) {
  return overwrite_space(op, backend_, ref, snapshot);
}

}  // namespace flashblade

void validate_flashblade_section(DocReader& section) {
  (void)flashblade::read_flashblade_config(section);
}

Result<std::unique_ptr<StorageDriver>> make_flashblade_driver(const std::string& backend, const nlohmann::json& section,
                                                              const DriverEnvironment& env) {
  const Document document{.root = section, .source = "backend " + backend};
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto config = flashblade::read_flashblade_config(in);
  if (!problems.none()) return problems.to_error();
  return std::unique_ptr<StorageDriver>(
      std::make_unique<flashblade::FlashbladeDriver>(backend, std::move(config), env));
}

}  // namespace homeport::drivers
