// What an array sends about its objects, as far as we use it. Members that a version does not have are empty; a member
// of the wrong type is an error: it is not guessed at. Fields: REST 2.x, FileSystem, FileSystemSnapshot,
// NetworkInterface, Array, Space, UserQuota.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "drivers/flashblade/picked_json.h"
#include "provisioner/base/clock.h"

namespace homeport::drivers::flashblade {

struct FileSystem {
  std::string id;
  std::string name;
  std::optional<WallTime> created{};
  std::optional<std::uint64_t> provisioned{};  // nullopt: unlimited
  bool hard_limit = false;
  bool destroyed = false;
  std::optional<std::chrono::milliseconds> time_remaining{};  // until it is eradicated
  bool nfs_v3 = false;
  bool nfs_v4 = false;
  std::string rules{};          // as the array words them
  std::string export_policy{};  // its name; empty: rules count
  bool smb = false;
  bool http = false;
  bool writable = true;
  std::string promotion_status{};
  std::string source{};                 // the snapshot it was copied from
  bool eradication_forbidden = false;   // of this file system (2.15)
  std::optional<std::uint64_t> used{};  // space.virtual: written, before reduction, without snapshots

  [[nodiscard]] bool exported() const { return nfs_v3 || nfs_v4; }
  [[nodiscard]] bool operator==(const FileSystem&) const = default;
};
[[nodiscard]] Result<FileSystem> file_system_from(const nlohmann::json& item);
// What file_system_from() looks at.
[[nodiscard]] const MemberNames& file_system_members();

struct FileSystemSnapshot {
  std::string id;
  std::string name;  // SOURCE.SUFFIX
  std::string suffix;
  std::string owner_id{};  // of the file system that holds it
  std::string owner_name{};
  std::optional<WallTime> created{};
  bool destroyed = false;
};
[[nodiscard]] Result<FileSystemSnapshot> snapshot_from(const nlohmann::json& item);

struct NetworkInterface {
  std::string name;
  std::string address;
  bool enabled = true;
  std::vector<std::string> services{};
  std::vector<std::string> attached_servers{};
};
[[nodiscard]] Result<NetworkInterface> interface_from(const nlohmann::json& item);

struct ArrayFacts {
  std::string id;
  std::string name;
  std::string purity{};  // "4.1.2"
  std::optional<WallTime> as_of{};
  std::optional<std::chrono::milliseconds> eradication_delay{};
  std::string manual_eradication{};  // "all-enabled", "file-disabled", …; empty before 2.5
  [[nodiscard]] bool safe_mode() const {
    return manual_eradication == "file-disabled" || manual_eradication == "all-disabled";
  }
};
[[nodiscard]] Result<ArrayFacts> array_from(const nlohmann::json& item);

struct ArraySpace {
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;  // total_used, before 2.16 total_physical
};
[[nodiscard]] Result<ArraySpace> space_from(const nlohmann::json& item);

struct ExportRule {
  std::string client;
  bool writable = false;
  bool root = false;  // not squashed
};
struct ExportPolicy {
  std::string name;
  bool enabled = true;
  std::vector<ExportRule> rules{};
};
[[nodiscard]] Result<ExportPolicy> export_policy_from(const nlohmann::json& item);

struct ReplicaLinkItem {
  std::string id;
  std::string name{};      // of the local file system
  std::string local_id{};  // its id
  std::string remote{};    // the other array
  std::string remote_file_system{};
  std::string direction{};
  std::string status{};
  std::string detail{};
  std::vector<std::string> policies{};
  std::optional<std::chrono::milliseconds> lag{};
  std::optional<WallTime> recovery_point{};
};
[[nodiscard]] Result<ReplicaLinkItem> replica_link_from(const nlohmann::json& item);

struct QuotaEntry {
  std::string file_system;
  std::uint32_t id = 0;  // uid or gid
  std::uint64_t quota = 0;
  std::uint64_t usage = 0;
};
[[nodiscard]] Result<QuotaEntry> quota_from(const nlohmann::json& item, bool of_group);

}  // namespace homeport::drivers::flashblade
