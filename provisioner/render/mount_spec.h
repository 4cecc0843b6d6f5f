// The mount spec: the neutral, versioned document a spawner gets. Schema "mountspec/1", published as
// provisioner/render/mountspec-1.schema.json. Values only: no I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/names.h"
#include "provisioner/base/result.h"

namespace homeport::render {

enum class SpecState { ready, degraded, blocked };
enum class NoticeLevel { info, warn, error };
struct Notice {
  std::string code;
  NoticeLevel level = NoticeLevel::info;
  std::string text;  // plain, at most 300 characters
  std::string url{};
};

enum class Purpose { interactive, dashboard, batch, rescue };
struct Subject {
  std::string hub;
  std::string user;  // as the hub names them; display only
  std::string user_key;
  std::string server{};
  std::string server_key{};  // "s-" and 8 hex digits of the server name's digest; "s-0" for the default server
  std::vector<std::string> groups{};
  Purpose purpose = Purpose::interactive;
};

enum class IdentityMode { squash, native };
struct Identity {
  IdentityMode mode = IdentityMode::native;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> supplemental_gids{};  // at most 16
  std::string user_name = "jovyan";                // [a-z_][a-z0-9_-]{0,31}
  std::string umask = "0022";
};

enum class MountKind { home, dataset, group, scratch, snapshot };
enum class MountAccess { ro, rw };

// DESIGN section 5: `nfs` {server, export, version, port, mount_port} or `local` {host, path}.
struct NfsMount {
  std::string server;       // name or address, IPv6 without brackets
  std::string export_path;  // JSON "export"
  std::string version;      // "3", "4.1", "4.2"
  std::optional<std::uint16_t> port{};
  std::optional<std::uint16_t> mount_port{};  // version 3 only
  std::string fs_id{};
};
struct LocalMount {
  std::string host;
  std::string path;
};
using Source = std::variant<NfsMount, LocalMount>;

// Typed, no free text. Only for nfs sources.
struct NfsOptions {
  bool hard = true;
  std::uint32_t timeo = 600;
  std::uint32_t retrans = 2;
  std::optional<std::uint32_t> rsize{};
  std::optional<std::uint32_t> wsize{};
  std::optional<std::uint32_t> nconnect{};  // 1..16
  bool nolock = false;                      // version 3 only
  bool noresvport = false;
  bool noatime = false;
  bool nosuid = true;
  bool nodev = true;
  bool noexec = false;
  std::string sec = "sys";  // sys | krb5 | krb5i | krb5p
  friend bool operator==(const NfsOptions&, const NfsOptions&) = default;
};

struct MountQuota {
  std::uint64_t limit_bytes = 0;
  std::optional<std::uint64_t> used_bytes{};
  std::string quota_class = "none";  // hard | cooperative | measured | none; "hard" in the document is class == hard
  std::optional<WallTime> as_of{};
};
struct Lifetime {
  std::optional<WallTime> expires_at{};
  std::optional<std::uint32_t> purge_after_days{};
  std::string snapshot{};
  bool immutable = false;
};

struct Mount {
  std::string id;  // [a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?, unique
  MountKind kind = MountKind::home;
  std::string target;  // absolute, normalised
  MountAccess access = MountAccess::ro;
  bool required = true;
  Source source;
  std::optional<NfsOptions> nfs{};
  std::string parent{};           // id of the mount this target lies in; empty: none
  bool mountpoint_ready = false;  // the directory for this target exists in the parent
  std::optional<MountQuota> quota{};
  std::optional<Lifetime> lifetime{};
};
struct Link {
  std::string at;
  std::string to;
};

inline constexpr std::size_t kMaxMounts = 64;  // of one spec

struct MountSpec {
  std::string spec_id{};
  WallTime issued_at{};
  WallTime valid_until{};
  SpecState state = SpecState::ready;
  std::optional<int> status_hint{};  // blocked only: the HTTP status that says why (507, 403, 503)
  std::vector<Notice> notices{};
  Subject subject;
  Identity identity;
  std::vector<Mount> mounts{};  // parents first
  std::vector<Link> links{};
  std::map<std::string, std::string> environment{};
  std::map<std::string, std::string> labels{};
};

// Every refusal of the field table and of "cross-renderer refusals": control characters, traversal, ':' in a target,
// comma in a server, doubled targets, a target under a read-only mount or under one whose mount point is not ready, rw
// on what is immutable, nolock with version 4, krb5 with version 3, more than 64 mounts or 16 groups, unknown members.
// `allow_v3_kerberos` is the site's flag. Errors: invalid_argument naming the mount and the member.
struct ValidateOptions {
  bool allow_v3_kerberos = false;
};
[[nodiscard]] Result<void> validate(const MountSpec& spec, const ValidateOptions& options = {});
// One notice alone; the pointer is that of its member ("/text").
[[nodiscard]] Result<void> validate(const Notice& notice);

// Every member always present, null for nothing. `digest` is computed.
[[nodiscard]] nlohmann::json to_json(const MountSpec& spec);
// Strict; validates too. A wrong digest in the document is refused. Errors: invalid_argument with a pointer.
[[nodiscard]] Result<MountSpec> from_json(std::string_view text, const ValidateOptions& options = {});

// "sha256:" and the hex SHA-256 of the canonical form: sorted keys, compact, without spec_id, issued_at, valid_until,
// state, status_hint, notices, usage (used_bytes, as_of), labels.
[[nodiscard]] std::string digest(const MountSpec& spec);

[[nodiscard]] nlohmann::json source_to_json(const Source& source);
[[nodiscard]] Result<Source> source_from_json(const nlohmann::json& value);

// The mount options every text renderer uses, in one fixed order, e.g. "vers=4.1,proto=tcp,port=12049,hard,…,ro".
// Precondition: an nfs source and a validated spec.
[[nodiscard]] std::vector<std::string> mount_option_words(const Mount& mount);

}  // namespace homeport::render
