// Spaces that are directories of a pool's file system, and what is imported: the NFS driver's work, over the array's
// data address. Added here: the pool's file system itself, and limits by the array's quotas of users and groups.
//
// An array counts a user over the whole file system. So one space at most may bear the limit of a uid (of a gid for
// group shares) in a pool; POOL/.homeport/quotas/u4242 names it, from its create to its purge.
//
// Threads: every method from any thread.
#pragma once

#include <memory>
#include <set>

#include "drivers/flashblade/backend.h"

namespace homeport::drivers::flashblade {

class Directories {
 public:
  Directories(Backend& backend, const DriverEnvironment& env) : backend_(backend), env_(env) {}

  // The NFS driver over the array's data address.
  Result<StorageDriver*> nfs(const OpContext& op);
  Result<std::vector<Pool>> pools(const OpContext& op);
  Result<std::optional<Object>> find(const OpContext& op, const Lookup& lookup);
  Result<Object> create(const OpContext& op, const CreateSpec& spec);
  Result<Object> update(const OpContext& op, const ObjectRef& ref, const Change& change);
  Result<MountSource> mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view);
  // The file system's snapshots that hold the space; none of them is its own.
  Result<std::optional<Cursor>> list_snapshots(const OpContext& op, const ObjectRef& ref,
                                               const std::optional<Cursor>& from, std::vector<Snapshot>& page);
  Result<PurgeStep> purge(const OpContext& op, const ObjectRef& ref, const std::optional<Cursor>& from);

 private:
  struct Holder {
    ArrayApi::Who who;
    std::uint32_t id;
    [[nodiscard]] std::string file() const { return (who == ArrayApi::Who::user ? "u" : "g") + std::to_string(id); }
    [[nodiscard]] std::string words() const {
      return (who == ArrayApi::Who::user ? "uid " : "gid ") + std::to_string(id);
    }
    friend bool operator==(const Holder&, const Holder&) = default;
  };
  static Holder holder_of(const SpaceKey& key, Owner owner);
  // The pool's file system, made where nothing was made in the pool before. nullopt: a dry run would make it.
  Result<std::optional<FileSystem>> file_system(const OpContext& op, const PoolConfig& pool, bool may_make);
  // Whose limit it is: the key in the holder's file; nullopt: nobody's.
  Result<std::optional<std::string>> bearer(const OpContext& op, Tree& tree, const Holder& holder);
  // Refused when the space that bears the limit stands, live or in the trash.
  // A young claim whose space is not there yet is unavailable.
  Result<void> check_free(const OpContext& op, const PoolConfig& pool, Tree& tree, const std::string& standing,
                          const Holder& holder);
  static Error bears_already(const Holder& holder, const PoolConfig& pool, const std::string& space, bool trashed);
  Result<void> claim(const OpContext& op, const PoolConfig& pool, Tree& tree, const Holder& holder,
                     const SpaceKey& key);
  Result<void> drop(const OpContext& op, const PoolConfig& pool, Tree& tree, const Holder& holder, const SpaceKey& key);
  Result<void> add_quota(const OpContext& op, Object& object);

  Backend& backend_;
  const DriverEnvironment env_;
  Guarded<std::shared_ptr<StorageDriver>> nfs_;
  Guarded<std::set<std::string>> checked_;  // pools whose file system was seen
};

}  // namespace homeport::drivers::flashblade
