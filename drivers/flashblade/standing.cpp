#include "drivers/flashblade/standing.h"

#include "drivers/flashblade/export_rules.h"

namespace homeport::drivers::flashblade {
namespace {

Error mismatch(const ObjectRef& ref, const std::string& why) {
  return Error{
      .code = Errc::failed_precondition,
      .message = "what stands as " + printable(ref.name) + " is not space " + ref.key.str() + ": " + why,
      .hint = ref.imported
                  ? "nothing was touched; if it was put there on purpose, release the space and import it again"
                  : "nothing was touched; compare the array with `homeport operation list --parked` and `homeport "
                    "doctor`"};
}

std::string marker_trouble(const ObjectRef& ref, const MarkerRecord& record, MarkerRule rule) {
  if (record.shelf == Shelf::none) return rule == MarkerRule::must_match ? "its marker is missing" : "";
  if (!record.marker) return rule == MarkerRule::must_match ? "its marker cannot be read: " + record.broken : "";
  if (record.marker->key != ref.key) return "its marker is for " + record.marker->key.str();
  if (record.marker->id != ref.id) return "its marker is for a file system with id " + record.marker->id;
  return "";
}

}  // namespace

Result<std::optional<Standing>> verify(const OpContext& op, Backend& backend, const ObjectRef& ref, MarkerRule rule) {
  if (!ref.imported && ref.name != backend.prefix() + ref.key.str())
    return mismatch(ref, "its name is not the one made for its key");
  HOMEPORT_TRY(auto fs, backend.api().file_system_by_id(op, ref.id));
  if (!fs) {
    HOMEPORT_TRY(const auto namesake, backend.api().file_system(op, ref.name));
    if (namesake) {
      return mismatch(ref, "its id is " + namesake->id + ", not " + printable(ref.id, 60) +
                               (ref.imported ? "; the one that was imported is gone from the array" : ""));
    }
    return std::optional<Standing>();
  }
  if (fs->name != ref.name) {
    return mismatch(ref, "the file system with its id is called " + printable(fs->name, 80) +
                             " on the array; if it was renamed there, give it its name back");
  }
  HOMEPORT_TRY(auto record, backend.admin().read(op, ref.key));
  if (const auto trouble = marker_trouble(ref, record, rule); !trouble.empty()) return mismatch(ref, trouble);
  return std::optional<Standing>(Standing{.fs = *std::move(fs), .record = std::move(record)});
}

Error gone(const ObjectRef& ref) {
  return Error{.code = Errc::not_found,
               .message = "the array has no file system " + printable(ref.name) + " with id " + printable(ref.id, 60) +
                          ", live or destroyed",
               .hint = "if it was eradicated there, it can only come back from a backup"};
}

Object object_of(const Backend& backend, const std::string& pool, const SpaceKey& key, const Standing& standing,
                 const EntryAttributes& root) {
  const auto& fs = standing.fs;
  Object object{.ref = {.layout = Layout::filesystem,
                        .pool = pool,
                        .key = key,
                        .name = fs.name,
                        .id = fs.id,
                        .imported = fs.name != backend.prefix() + key.str()},
                .state = standing.live() ? ObjectState::live : ObjectState::trashed,
                .path = Backend::path_of(fs.name),
                .owner = Owner{root.uid, root.gid},
                .mode = root.mode,
                .marker = standing.record.marker};
  if (!standing.live()) {
    object.path += fs.destroyed ? " (destroyed, not exported)" : " (exported to Homeport alone)";
    if (standing.record.shelf == Shelf::trash) object.trashed_at = standing.record.modified;
  }
  if (fs.provisioned && fs.hard_limit) object.quota = Bytes{*fs.provisioned};
  if (fs.used) {
    object.usage = Usage{.bytes = Bytes{*fs.used}, .basis = UsageBasis::exact, .as_of = backend.clock().now()};
  }
  // What an export policy says is the array's; rules are of this file system.
  if (fs.export_policy.empty()) object.access = policy_of(fs.rules, backend.config().exports.homeport);
  return object;
}

Result<Object> to_object(const OpContext& op, Backend& backend, const std::string& pool, const SpaceKey& key,
                         const Standing& standing) {
  EntryAttributes root;
  if (!standing.fs.destroyed) {
    HOMEPORT_TRY(const auto tree, backend.mount(op, standing.fs, false));
    root = tree->root().attributes;
  }
  return object_of(backend, pool, key, standing, root);
}

Result<std::optional<Object>> find_space(const OpContext& op, Backend& backend, const Lookup& lookup) {
  if (!lookup.id && !lookup.name) {
    return Error{.code = Errc::invalid_argument, .message = "a look-up needs an id, a name or a path"};
  }
  HOMEPORT_TRY(auto fs, lookup.id ? backend.api().file_system_by_id(op, *lookup.id)
                                  : backend.api().file_system(op, *lookup.name));
  if (!fs) return std::optional<Object>();
  auto key = lookup.key;
  if (!key && lookup.name) key = key_of(backend, *lookup.name);
  if (!key) key = key_of(backend, fs->name);
  if (!key) return std::optional<Object>();  // nothing says whose it is
  Standing standing{.fs = *std::move(fs)};
  HOMEPORT_TRY(standing.record, backend.admin().read(op, *key));
  HOMEPORT_TRY(auto object, to_object(op, backend, lookup.pool, *key, standing));
  return std::optional<Object>(std::move(object));
}

}  // namespace homeport::drivers::flashblade
