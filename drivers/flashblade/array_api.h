// The calls of an array that this driver makes, typed. Every answered item is checked to be the one asked for: arrays
// ignore selectors that they do not know and then answer with everything.
//
// Threads, blocking, errors: as ArraySession. Changing calls are recorded in op.calls; under op.dry_run they are not
// sent and answer nullopt. "Missing" comes in many forms and is nullopt or success here, wherever that is said.
#pragma once

#include "drivers/flashblade/array_session.h"
#include "drivers/flashblade/wire.h"

namespace homeport::drivers::flashblade {

template <class T>
struct Listing {
  std::vector<T> items;
  std::optional<std::string> next{};  // continuation; nullopt: that was the last page
  std::optional<std::uint64_t> total{};
};

struct NewFileSystem {
  std::string name;
  std::optional<std::uint64_t> provisioned{};  // with a hard limit
  std::string rules;                           // never empty, never for everyone: the caller has checked
};

struct FileSystemChange {
  std::optional<std::optional<std::uint64_t>> provisioned{};  // set: with a hard limit, or unlimited
  bool ignore_usage = false;
  std::optional<bool> nfs{};  // both versions on, or off
  // One of the two at most. Setting one clears the other.
  std::optional<std::string> rules{};
  std::optional<std::string> export_policy{};
  std::optional<bool> destroyed{};  // alone when false: a destroyed file system takes nothing else
};

class ArrayApi {
 public:
  explicit ArrayApi(ArraySession& session) : session_(session) {}

  Result<RestVersion> version(const OpContext& op) { return session_.version(op); }
  Result<ArrayFacts> array(const OpContext& op);
  Result<ArraySpace> space(const OpContext& op);
  Result<std::vector<NetworkInterface>> interfaces(const OpContext& op);
  Result<std::optional<ExportPolicy>> export_policy(const OpContext& op, const std::string& name);

  // Live or destroyed; nullopt: missing.
  Result<std::optional<FileSystem>> file_system(const OpContext& op, const std::string& name);
  Result<std::optional<FileSystem>> file_system_by_id(const OpContext& op, const std::string& id);
  // By name, ignoring case. `prefix` is asked of the array and checked here. destroyed: nullopt for both.
  Result<Listing<FileSystem>> file_systems(const OpContext& op, const std::string& prefix,
                                           std::optional<bool> destroyed, const std::optional<std::string>& from,
                                           std::uint32_t limit);
  struct Made {
    FileSystem file_system;
    bool stood = false;  // the name was taken: this is what has it
  };
  // NFS v3 and v4.1 on, rules as given, SMB not exported. A reply that never came is read back by name.
  Result<std::optional<Made>> create_file_system(const OpContext& op, const NewFileSystem& wanted);
  // By id, which survives a rename and cannot hit a namesake.
  Result<std::optional<FileSystem>> change_file_system(const OpContext& op, const std::string& id,
                                                       const FileSystemChange& change);
  // Precondition: destroyed. Missing is success.
  Result<void> eradicate_file_system(const OpContext& op, const std::string& id);

  // Not the destroyed ones.
  Result<Listing<FileSystemSnapshot>> snapshots(const OpContext& op, const FileSystem& of,
                                                const std::optional<std::string>& from, std::uint32_t limit);
  Result<std::optional<FileSystemSnapshot>> snapshot(const OpContext& op, const FileSystem& of,
                                                     const std::string& suffix);
  // How many there are on the array, destroyed ones with them.
  Result<std::uint64_t> count_snapshots(const OpContext& op, const FileSystem* of = nullptr);
  // A name that stands is the snapshot that was asked for.
  Result<std::optional<FileSystemSnapshot>> take_snapshot(const OpContext& op, const FileSystem& of,
                                                          const std::string& suffix);
  // Of one file system, to every array. REST has no selector by its id: they are checked against it here.
  Result<std::vector<ReplicaLinkItem>> replica_links(const OpContext& op, const FileSystem& of);
  // The copy is not exported, also when it is promoted one day. One that stands gets the policy as well. Errors:
  // not_found (array, policy), failed_precondition (the connection is down).
  Result<void> make_replica_link(const OpContext& op, const FileSystem& of, const std::string& remote,
                                 const std::string& policy);
  // Attached already, or not attached any more, is success.
  Result<void> attach_link_policy(const OpContext& op, const FileSystem& of, const std::string& remote,
                                  const std::string& policy);
  Result<void> detach_link_policy(const OpContext& op, const FileSystem& of, const std::string& remote,
                                  const std::string& policy);

  // Missing is success.
  Result<void> destroy_snapshot(const OpContext& op, const std::string& id);
  Result<void> eradicate_snapshot(const OpContext& op, const std::string& id);
  // Puts a file system back to a snapshot of its own: the array takes only the newest.
  Result<void> overwrite(const OpContext& op, const FileSystem& target, const FileSystemSnapshot& from);
  // A new file system from a snapshot (since 2.25). Its promotion_status is "promoting" until the copy is done.
  Result<std::optional<Made>> copy_file_system(const OpContext& op, const NewFileSystem& wanted,
                                               const FileSystemSnapshot& from);

  enum class Who { user, group };
  Result<std::optional<QuotaEntry>> quota(const OpContext& op, const std::string& file_system, Who who,
                                          std::uint32_t id);
  // Makes it or changes it. Precondition: more than 0.
  Result<void> set_quota(const OpContext& op, const std::string& file_system, Who who, std::uint32_t id,
                         std::uint64_t bytes);
  // Missing is success.
  Result<void> remove_quota(const OpContext& op, const std::string& file_system, Who who, std::uint32_t id);

 private:
  // nullopt: under a dry run.
  Result<std::optional<nlohmann::json>> change(const OpContext& op, const ApiCall& call);
  Result<std::optional<Made>> make(const OpContext& op, const ApiCall& call, const std::string& name);

  ArraySession& session_;
};

}  // namespace homeport::drivers::flashblade
