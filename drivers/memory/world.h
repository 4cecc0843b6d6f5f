// The state of one memory backend, and what happens to it. Everything here is called with the world's lock held.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/memory/memory_config.h"
#include "drivers/memory/volume.h"
#include "provisioner/base/op_context.h"

namespace homeport::drivers::memory {

struct StoredObject {
  Layout layout = Layout::directory;
  std::string pool;
  std::string name;
  std::string id;
  ObjectState state = ObjectState::live;
  std::shared_ptr<Volume> volume;
  std::optional<Bytes> quota{};
  std::optional<AccessPolicy> access{};
  std::optional<WallTime> trashed_at{};
  std::vector<OpenSession> sessions{};
  std::set<std::string> policies{};
};

struct StoredPool {
  MemoryPool config;
  std::string id;
  std::shared_ptr<Room> room;
  std::map<std::string, StoredObject> objects{};  // by name, live and trashed
};

struct StoredExport {
  MemoryExport config;
  std::string id;
  std::shared_ptr<Volume> volume;
};

// One snapshot of a space, a pool or an export: the frozen volumes by object (or export) id.
struct StoredSnapshot {
  Snapshot facts;
  std::map<std::string, std::shared_ptr<const Volume>> volumes{};
};

// What one call sent to the backend; handed to OpContext::calls once the lock is free.
using Calls = std::vector<std::string>;

struct Step {
  const OpContext& op;
  WallTime now;
  Calls& calls;
};

class World {
 public:
  World(MemoryConfig config, WallTime now);

  // Where a thing lies for clients: "/homes/hp-h-…".
  [[nodiscard]] static std::string path_of(const std::string& pool, const std::string& name);
  // Errors: not_found, with the pools there are.
  Result<StoredPool*> pool(Layout layout, const std::string& name);
  [[nodiscard]] StoredObject* by_id(const std::string& id);
  [[nodiscard]] Capabilities capabilities(Layout layout) const;

  // The object as the interface shows it. `key`: whose marker to read when the name does not say.
  [[nodiscard]] Object show(const StoredObject& stored, const std::optional<SpaceKey>& key = std::nullopt) const;
  [[nodiscard]] std::optional<Marker> marker(const SpaceKey& key) const;

  // An imported directory, found by id or by path below an export.
  struct Place {
    StoredExport* exported = nullptr;
    std::uint64_t inode = 0;
    std::string relative;  // "." for the export itself
  };
  [[nodiscard]] std::optional<Place> place_at(const std::string& path);
  [[nodiscard]] std::optional<Place> place_with_id(const std::string& id);
  [[nodiscard]] Object show(const Place& place, const std::optional<SpaceKey>& key) const;

  // What an ObjectRef names, after id, name and (for changes) marker were compared.
  enum class Proof { identity, marker };
  struct Named {
    StoredObject* object = nullptr;  // null: imported, or the pool itself
    std::optional<Place> place{};
    StoredPool* pool = nullptr;  // of the object, or the pool itself
  };
  Result<Named> resolve(const ObjectRef& ref, Proof proof);

  Result<Object> create(const Step& step, const CreateSpec& spec);
  Result<Object> update(const Step& step, const ObjectRef& ref, const Change& change);
  Result<void> set_access(const Step& step, const ObjectRef& ref, const AccessPolicy& policy);
  Result<Object> retire(const Step& step, const ObjectRef& ref);
  Result<Object> undelete(const Step& step, const ObjectRef& ref);
  Result<PurgeStep> purge(const Step& step, const ObjectRef& ref, const std::optional<Cursor>& from);

  Result<std::optional<Object>> find(const Lookup& lookup);
  Result<std::optional<Cursor>> scan(const Query& query, const std::optional<Cursor>& from, std::vector<Object>& page);

  Result<Snapshot> take_snapshot(const Step& step, const ObjectRef& ref, const std::string& name);
  Result<std::optional<Cursor>> list_snapshots(const ObjectRef& ref, const std::optional<Cursor>& from,
                                               std::vector<Snapshot>& page);
  Result<void> delete_snapshot(const Step& step, const ObjectRef& ref, const Snapshot& snapshot);
  Result<Object> overwrite(const Step& step, const ObjectRef& ref, const Snapshot& snapshot);
  Result<Object> clone(const Step& step, const ObjectRef& source, const std::optional<std::string>& snapshot,
                       const CreateSpec& target);
  // The volume a snapshot keeps of what `named` is. Errors: not_found.
  Result<std::shared_ptr<const Volume>> snapshot_volume(const Named& named, const std::string& name);

  MemoryConfig config;
  IdCounter ids;
  std::map<std::string, StoredPool> pools;
  std::map<std::string, StoredExport> exports;  // by path
  std::map<std::string, std::string> markers;   // by key, as JSON: root-only, in no directory of a user
  std::map<std::string, std::vector<StoredSnapshot>> snapshots;                // by scope, in the order they were taken
  std::unordered_map<std::string, std::pair<std::string, std::string>> index;  // id -> pool, name

 private:
  struct Scope {
    std::string name;                                                      // key in `snapshots`
    std::vector<std::pair<std::string, std::shared_ptr<Volume>>> volumes;  // what a snapshot of it freezes
    bool shared = false;  // of a pool or an export: one space must not delete it
  };
  void seed(StoredExport& into, const MemorySeed& seed, WallTime now);
  Result<void> check_create(const CreateSpec& spec);
  Result<void> check_quota(Layout layout, const StoredObject* object, std::optional<Bytes> quota, bool force) const;
  [[nodiscard]] bool nobody_elses(const StoredObject& object, const CreateSpec& spec) const;
  Result<Object> adopt(const Step& step, StoredObject& object, const CreateSpec& spec);
  Result<Object> insert(const Step& step, StoredPool& pool, const CreateSpec& spec, std::shared_ptr<Volume> volume);
  Result<void> converge(const Step& step, StoredObject& object, const Change& change);
  void write_marker(const Step& step, Marker marker, const std::string& id);
  Result<Named> resolve_import(const ObjectRef& ref, Proof proof);
  Result<Scope> scope_of(const ObjectRef& ref, const Named& named) const;
  [[nodiscard]] std::optional<SpaceKey> key_of(const std::string& name) const;
  [[nodiscard]] std::optional<SpaceKey> key_with_id(const std::string& id) const;
};

[[nodiscard]] Error not_what_stands(const ObjectRef& ref, std::string_view why);

}  // namespace homeport::drivers::memory
