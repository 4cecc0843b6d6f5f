// What the rows mean. Plain structs; each has a table, a key, index values and a JSON document (records.cpp holds both
// directions). Times are UTC milliseconds, sizes bytes. A document with an unknown member is read (a newer Homeport of
// the same schema wrote it); a missing or wrong one is internal "row … is damaged". An optional member is left out when
// it is not set, a list when it is empty. Text that is not UTF-8 is kept as it is (as {"hex": "…"}), except inside the
// JSON members.
//
// Index columns (table_defs.cpp; * = unique where not empty):
//   backends, classes, rules, counters: none    grants: space              users: uid*
//   aliases: user, skeleton*                    spaces: kind, owner, label*, backend, place*
//   operations: space_open*, open, state, backend, space   (space_open is the space while the operation is open: one
//     open operation per space; `space` finds all of a space; `state` holds operation_state_name())
//   snapshots: space, scope, name*, label*, deleted
//   tokens: hash*     sessions: spec_id, user   answers: created (milliseconds, 16 digits)
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/bytes.h"
#include "provisioner/base/names.h"
#include "provisioner/store/record_access.h"
#include "provisioner/store/snapshot_record.h"
#include "provisioner/store/space_record.h"
#include "provisioner/store/store.h"

namespace homeport::store {

// Who wrote a record, and so which document may take it away again: "config" rows follow the configuration at start,
// "api" rows what is applied (`homeport apply -f`), "hand" rows (grants made one by one) no document at all.
enum class Provenance { api, config, hand };

struct BackendRecord {
  static constexpr Table kTable = Table::backends;
  std::string name;  // key
  std::string kind;
  std::string mode = "manage";  // observe | create | manage
  nlohmann::json section;       // the whole section as validated, secrets by reference only
  Provenance provenance = Provenance::api;
  bool paused = false;
  std::string pause_text{};
  bool drained = false;  // no new spaces
  std::uint64_t revision = 0;
};

struct ClassRecord {
  static constexpr Table kTable = Table::classes;
  std::string name;        // key
  nlohmann::json section;  // as written; core/classes reads it
  Provenance provenance = Provenance::api;
  std::uint64_t revision = 0;
};

struct RuleRecord {
  static constexpr Table kTable = Table::rules;
  std::string name;  // key; "api" rules are tried before "config" ones, each in order of `position`, then name
  std::uint64_t position = 0;
  nlohmann::json section;
  Provenance provenance = Provenance::api;
  std::uint64_t revision = 0;
};

// Somebody may see a dataset (or share). Key: SPACE/SUBJECT_KIND/SUBJECT.
struct GrantRecord {
  static constexpr Table kTable = Table::grants;
  std::string space;         // index: space
  std::string subject_kind;  // user | group | everyone
  std::string subject{};     // user key or group name; empty for everyone
  std::string realm{};
  std::string access = "ro";  // ro | rw
  Provenance provenance = Provenance::hand;
  WallTime created_at{};
  std::uint64_t revision = 0;
  [[nodiscard]] std::string key() const { return space + "/" + subject_kind + "/" + subject; }
};

// When an account of the person's was made at a hub, as that hub last said.
struct HubAccountRecord {
  std::string hub;
  std::string name;
  WallTime created{};
};

// This account was deleted at the hub, and there is one of that name again: who it is has to be said.
struct RecreatedRecord {
  std::string hub;
  std::string name;
  WallTime seen_at{};
  std::optional<WallTime> created{};  // the new one, where the hub says so
};

// Index: uid (REALM/UID, unique: two people with one uid could read each other's homes; empty while none is pinned).
struct UserRecord {
  static constexpr Table kTable = Table::users;
  std::string key;  // u-…
  std::string realm;
  std::optional<std::uint32_t> uid{};  // pinned at first sight
  std::optional<std::uint32_t> gid{};
  std::optional<std::string> identity_source{};  // who named the uid: "request", "static", "nss", "ldap", "assigned"
  std::vector<std::uint32_t> gids{};             // further groups by number, as the sources last said
  std::vector<std::string> groups{};             // groups by name, likewise
  std::optional<std::string> merged_into{};      // u-…: this person was another one's second name
  WallTime created_at{};
  // Left every hub that this person came from, as seen then. A mark and nothing else: homes stay as they are.
  std::optional<WallTime> dormant_since{};
  std::vector<HubAccountRecord> accounts{};  // one for each hub and name
  Boxed<RecreatedRecord> recreated{};
  // The person's names have changed so often since the markers of all their homes were last written; not set: never.
  std::optional<std::uint64_t> markers_due{};
  std::uint64_t revision = 0;
};

// Key: REALM/NAME. Index: user, skeleton (REALM/SKELETON, unique unless `similar_allowed`).
struct AliasRecord {
  static constexpr Table kTable = Table::aliases;
  std::string realm;
  std::string name;
  std::string user;                        // u-…
  bool similar_allowed = false;            // an admin said: yes, these are two people
  std::optional<WallTime> former_since{};  // the person goes by another name since then; this one still leads to them
  std::uint64_t revision = 0;
  [[nodiscard]] std::string key() const { return realm + "/" + name; }
};

enum class OperationState { running = 1, waiting = 2, parked = 3, succeeded = 4, failed = 5, cancelled = 6 };
[[nodiscard]] std::string_view operation_state_name(OperationState state);
[[nodiscard]] std::optional<OperationState> operation_state_from_name(std::string_view name);
[[nodiscard]] bool is_open(OperationState state);  // running, waiting, parked

struct StepRecord {
  std::string name;  // "create", "retire", "ready"
  bool done = false;
  std::optional<WallTime> at{};
  std::string detail{};  // what was read back, for people
};

struct FailureRecord {  // an Error, kept
  std::string code;
  std::string message;
  std::string hint{};
};

// Intent, journal entry and the user's view of long work in one. Index: space_open (unique while open), open ("1" or
// ""), state, backend, space.
struct OperationRecord {
  static constexpr Table kTable = Table::operations;
  std::string id;    // op-…; time-ordered
  std::string kind;  // "home.ensure", "home.resize", "home.retire", …, "dataset.import"
  OperationState state = OperationState::running;
  std::string space;
  std::string backend;
  std::string principal;  // who asked
  std::string request_id{};
  nlohmann::json plan = nlohmann::json::object();  // everything needed to do the work without the caller
  std::vector<StepRecord> steps{};
  std::uint32_t attempts = 0;
  std::optional<WallTime> next_try{};
  std::optional<FailureRecord> failure{};
  std::uint64_t progress_done = 0;
  std::optional<std::uint64_t> progress_total{};
  std::string progress_unit{};
  std::vector<std::string> calls{};  // backend calls made, bounded
  bool cancel_requested = false;
  WallTime created_at{};
  WallTime updated_at{};
  std::optional<WallTime> finished_at{};
  std::uint64_t revision = 0;
};

// Index: hash (unique).
struct TokenRecord {
  static constexpr Table kTable = Table::tokens;
  std::string id;  // public part
  std::string name{};
  std::string scope;  // admin | operator | auditor | spawner | user
  std::string hub{};  // spawner: the one hub it is bound to
  std::string realm{};
  std::string hash;  // hex SHA-256 of the whole token
  std::string created_by{};
  WallTime created_at{};
  std::optional<WallTime> expires_at{};
  bool revoked = false;
  std::uint64_t revision = 0;
};

// A spec in use. Key: HUB/USER_KEY/SERVER. Index: spec_id, user.
struct SessionRecord {
  static constexpr Table kTable = Table::sessions;
  std::string hub;
  std::string user;  // u-…
  std::string server;
  std::string spec_id;
  std::string digest;
  nlohmann::json request;             // what was asked, to answer it again
  std::vector<std::string> spaces{};  // what it mounts
  WallTime issued_at{};
  WallTime renewed_at{};
  std::optional<WallTime> released_at{};
  std::uint64_t revision = 0;
  [[nodiscard]] std::string key() const { return key_of(hub, user, server); }
  [[nodiscard]] static std::string key_of(const std::string& hub, const std::string& user, const std::string& server) {
    return hub + "/" + user + "/" + server;
  }
};

// Key: PRINCIPAL/IDEMPOTENCY_KEY.
struct AnswerRecord {
  static constexpr Table kTable = Table::answers;
  std::string principal;
  std::string idempotency_key;
  std::string request_hash;  // method, path and body
  std::uint32_t status = 0;  // 0: still being worked on
  std::string body{};
  std::string content_type{};
  WallTime created_at{};
  std::uint64_t revision = 0;
  [[nodiscard]] std::string key() const { return principal + "/" + idempotency_key; }
};

// Key: BACKEND/YYYY-MM-DD/WHAT (objects, bytes, destroys).
struct CounterRecord {
  static constexpr Table kTable = Table::counters;
  std::string name;
  std::uint64_t value = 0;
  std::uint64_t revision = 0;
};

}  // namespace homeport::store
