// The values that cross the driver interface. Copies only: nothing points into a driver.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "provisioner/base/bytes.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/names.h"

namespace homeport::drivers {

enum class Layout { filesystem, directory };
[[nodiscard]] std::string_view layout_name(Layout layout);
[[nodiscard]] std::optional<Layout> layout_from_name(std::string_view name);

// Who makes a quota hold. hard: the backend refuses writes over it. cooperative: it counts, and clients that ask obey.
// measured: we look now and then. none: nobody looks.
enum class QuotaClass { none, measured, cooperative, hard };
[[nodiscard]] std::string_view quota_class_name(QuotaClass quota);
[[nodiscard]] std::optional<QuotaClass> quota_class_from_name(std::string_view name);

// Names one object beyond doubt. Change and destroy take it and re-check it: an object whose id, nonce name (or, for an
// imported one, path) or marker does not match is failed_precondition and is left alone.
struct ObjectRef {
  Layout layout = Layout::directory;
  std::string pool;  // the pool's name as pools() gives it; for layout filesystem the backend's name of the placement
  SpaceKey key;
  std::string
      name;        // the backend's own name: prefix + key for what we made, the path in the pool for what was imported
  std::string id;  // the backend's immutable id; never empty
  bool imported = false;  // proof is id + record + marker, never the name
};

struct Capabilities {
  QuotaClass quota = QuotaClass::none;
  bool snapshots = false;
  bool snapshots_per_space = false;  // false with snapshots true: they are the pool's
  bool clones = false;
  bool array_restore = false;
  bool access_rules = false;  // set_access does something
  bool undelete = false;
  bool retires_imports = false;  // what was imported can be retired and purged, once an admin gave that right
  bool ownership = false;        // owner and mode of a new object can be chosen (false: everyone is squashed)
  // The backend counts an owner over the whole pool: spaces that share one (everybody squashed) cannot bear a limit
  // each.
  bool quota_by_owner = false;
  Bytes quota_granularity{1};  // quotas are rounded up to a multiple
  std::uint32_t max_name_bytes = 255;
  std::optional<std::uint64_t> max_objects{};
  std::optional<std::uint32_t> max_snapshots_per_object{};
  std::optional<std::uint64_t> max_snapshots{};  // on the whole backend
  std::vector<std::string> notes{};  // sentences for people: what is missing and what the best alternative is
};

// A snapshot of what is known; a new one replaces it after each contact that taught something.
struct DriverInfo {
  std::string kind;                 // "nfs"
  std::string address;              // what it talks to, for people
  std::uint64_t generation = 0;     // grows with each change
  bool known = false;               // false until first contact
  bool management_is_data = false;  // one address serves both: when we cannot reach it, clients cannot either
  std::uint32_t max_parallel_calls = 8;
  std::map<Layout, Capabilities> layouts{};    // which layouts exist, and what each can
  std::map<std::string, std::string> facts{};  // version, server software, …: for people
};

enum class CheckStatus { ok, warning, failed, skipped };
[[nodiscard]] std::string_view check_status_name(CheckStatus status);
struct ProbeCheck {
  std::string name;  // "data path: mkdir"
  CheckStatus status = CheckStatus::ok;
  std::string detail;  // what was seen
  std::string hint{};  // what to change, e.g. the export line
};
struct ProbeReport {
  bool management_ok = false;  // we can administer it
  bool data_ok = false;        // clients can be served
  std::vector<ProbeCheck> checks{};
};

// Upstream::system of an error that says: the server answers, but what it shows is not the pool that earlier spaces
// were made in (its disk is not mounted). Waiting helps, hence unavailable; asking again at once does not.
inline constexpr std::string_view kMissingPoolSystem = "pool";

struct Pool {
  std::string name;
  Layout layout = Layout::directory;
  bool writable = true;
  // False: nothing of ours stands there, not even what is made with the first space. Either the pool is new, or its
  // disk is not mounted: who knows of spaces in it can tell.
  bool prepared = true;
  std::optional<Bytes> capacity{};
  std::optional<Bytes> free{};
  std::optional<std::uint64_t> free_files{};
  std::optional<std::uint64_t> objects_left{};
  std::optional<std::uint64_t> snapshots_left{};
};

enum class UsageBasis { unknown, exact, sampled, filesystem };
[[nodiscard]] std::string_view usage_basis_name(UsageBasis basis);
[[nodiscard]] std::optional<UsageBasis> usage_basis_from_name(std::string_view name);
struct Usage {
  Bytes bytes{};
  std::optional<std::uint64_t> files{};
  UsageBasis basis = UsageBasis::unknown;
  WallTime as_of{};
};

enum class Permission { ro, rw };
enum class Squash { none, root, all };
struct AccessRule {
  std::string client;  // address, network or "*"
  Permission permission = Permission::ro;
  Squash squash = Squash::root;
  Owner anonymous{Uid{65534}, Gid{65534}};
  std::string security = "sys";
};
struct AccessPolicy {
  std::vector<AccessRule> rules{};  // first match wins
};

// What the backend itself remembers of a space, so that a lost database can be rebuilt. Root-only; written by us alone.
struct Marker {
  SpaceKey key;
  std::string id;                      // the backend's immutable id, as in ObjectRef
  std::vector<std::string> aliases{};  // names the owner (or dataset) goes by
  std::string owner{};                 // user key, or empty
  std::string klass{};
  std::optional<Bytes> quota{};
  std::vector<std::string> grants{};  // "group:course-a", "user:alice"
  bool imported = false;
  std::string path{};  // imported: where it stands
  friend bool operator==(const Marker&, const Marker&) = default;
};
[[nodiscard]] std::string marker_to_json(const Marker& marker);        // versioned, one line, ends in newline
[[nodiscard]] Result<Marker> marker_from_json(std::string_view text);  // refuses other versions

enum class ObjectState { live, trashed };

struct Object {
  ObjectRef ref;
  ObjectState state = ObjectState::live;
  std::string path;  // where clients of the backend find it, e.g. "/export/homes/hp-h-…"
  Owner owner{Uid{0}, Gid{0}};
  std::uint32_t mode = 0;  // permission bits
  std::optional<Bytes> quota{};
  std::optional<Usage> usage{};
  std::optional<AccessPolicy> access{};
  std::optional<Marker> marker{};
  std::optional<WallTime> trashed_at{};
};

struct CreateSpec {
  Layout layout = Layout::directory;
  std::string pool;
  SpaceKey key;
  std::string name;  // prefix + key
  Owner owner;
  std::uint32_t mode = 0700;
  std::optional<Bytes> quota{};
  Marker marker;                          // its id is filled in by the driver
  std::optional<std::string> known_id{};  // set when an earlier attempt already learned it
  bool pool_in_use = false;  // spaces were made in this pool before: it is refused where nothing of ours stands
};

// By id, by nonce name or (for imports) by path. At least one of the three.
struct Lookup {
  Layout layout = Layout::directory;
  std::string pool;
  std::optional<std::string> id{};
  std::optional<std::string> name{};
  std::optional<AbsolutePath> path{};  // absolute on the server, at or below an export
  std::optional<SpaceKey> key{};       // whose marker to read beside it
};

struct Query {
  Layout layout = Layout::directory;
  std::string pool;
  ObjectState state = ObjectState::live;
};

using Cursor = std::string;  // opaque, valid for the same query on the same driver kind

struct Change {
  std::optional<std::optional<Bytes>> quota{};  // set: the new limit, or none
  bool force = false;                           // lets a quota go below usage
  std::optional<Owner> owner{};
  std::optional<std::uint32_t> mode{};
  std::optional<Marker> marker{};
};

struct MountView {
  std::optional<std::string> snapshot{};  // nullopt: live
  std::string nfs_version{};              // empty: the backend's configured one
};
struct NfsSource {
  std::string server;                         // name or address, IPv6 without brackets
  std::string path;                           // what to mount
  std::string version;                        // "3", "4.1", "4.2"
  std::optional<std::uint16_t> port{};        // nullopt: the protocol's own
  std::optional<std::uint16_t> mount_port{};  // v3 only
  std::string fs_id;                          // stable id of what is behind it
  friend bool operator==(const NfsSource&, const NfsSource&) = default;
};
struct LocalSource {
  std::string host;
  std::string path;
  friend bool operator==(const LocalSource&, const LocalSource&) = default;
};
using MountSource = std::variant<NfsSource, LocalSource>;

struct PurgeStep {
  std::optional<Cursor> next{};  // nullopt: nothing is left
  std::uint64_t removed = 0;     // entries removed in this step
  // Set with the last step: the backend keeps the whole of it until then, and undelete() brings it back.
  std::optional<WallTime> recoverable_until{};
};

}  // namespace homeport::drivers
