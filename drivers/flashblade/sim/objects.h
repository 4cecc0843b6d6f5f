// The objects of the array. File systems and snapshots come in tens of thousands and have types of their own; the rest
// is kept as the documents that are answered.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "drivers/flashblade/sim/json.h"
#include "drivers/flashblade/sim/table.h"

namespace homeport::fbsim {

using Millis = std::int64_t;  // since the epoch; 0: never

struct Source {  // where data came from
  std::string id{};
  std::string name{};
  std::string type{};      // "file-systems", "file-system-snapshots"
  std::string location{};  // id of another array; empty: this one
};

struct FileSystem;

struct Snapshot : Resource {
  Millis created = 0;
  std::string suffix{};
  FileSystem* owner = nullptr;  // outlives it
  Source source{};
  std::string policy{};  // id of the policy that took it
  bool destroyed = false;
  bool destroyed_with_owner = false;  // comes back with it
  Millis eradicate_at = 0;
  std::uint64_t captured = 0;  // logical bytes
  std::uint64_t sequence = 0;  // of creation: `created` may be the same for two
};

struct Account {  // of a user or group in one file system
  std::uint64_t usage = 0;
  std::uint64_t quota = 0;  // 0: none of its own
};

struct RecordedSpace {  // of a real array; holds as long as nothing was written
  std::uint64_t logical = 0;
  std::uint64_t unique = 0;
  std::uint64_t snapshots = 0;
};

struct FileSystem : Resource {
  Millis created = 0;
  std::uint64_t provisioned = 0;  // 0: unlimited
  std::uint64_t used = 0;         // logical bytes
  std::uint64_t user_quota = 0;
  std::uint64_t group_quota = 0;
  bool hard_limit = false;
  bool fast_remove = false;
  bool snapshot_directory = true;
  bool v3 = false;
  bool v41 = false;
  bool smb = false;
  bool smb_continuous = true;
  bool http = false;
  bool safeguard_acls = true;
  bool writable = true;
  bool demoted_wanted = false;
  std::string promotion = "promoted";
  Millis promoted_at = 0;  // while a copy runs
  std::string access_style = "shared";
  std::string group_ownership = "creator";
  std::string eradication_mode = "permission-based";
  std::string rules{};
  std::string export_policy{};  // ids; empty: none
  std::string smb_client_policy{};
  std::string smb_share_policy{};
  std::string qos_policy{};
  std::string storage_class{};
  Source source{};
  RecordedSpace recorded{};
  bool destroyed = false;
  bool delete_link = false;  // with eradication
  Millis eradicate_at = 0;
  std::vector<Snapshot*> snapshots{};   // in order of creation
  std::vector<std::string> policies{};  // ids of snapshot policies
  std::vector<std::string> exports{};   // ids of its export objects
  std::map<std::uint32_t, Account> users{};
  std::map<std::uint32_t, Account> groups{};
};

struct Document : Resource {
  Json fields = Json::object();  // without name and id
};

}  // namespace homeport::fbsim
