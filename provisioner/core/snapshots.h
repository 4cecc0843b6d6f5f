// Snapshots of spaces: taken, listed, found by what people write. For every backend that has drivers::Snapshots.
//
// A snapshot has a name on the backend, drawn by us, and perhaps a label, which is unique among the snapshots of its
// space; SPACE@NAME and SPACE@LABEL both name it. Where the backend keeps snapshots per pool, taking one takes the
// pool's: every space of the pool sees its own part of it, and the label is the space's it was taken for.
//
// Threads: every method from any thread. Blocking: methods wait for the store only, never for a backend, unless they
// take a `done` or an OpContext.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/core/homes.h"

namespace homeport::core {

// What is known of one snapshot of one space, from its record and from the backend.
struct SnapshotInfo {
  std::string space;
  std::string name;   // on the backend
  std::string key{};  // of its record; empty: there is none
  std::string label{};
  std::string reason{};
  std::string taken_by{};
  // "taking", "ready", "deleting", "deleted"; "vanished": we know of it, and the backend does not have it.
  std::string state = "ready";
  bool ours = false;     // by its name; others are never deleted by us
  bool of_pool = false;  // shared by the spaces of a pool
  std::string backend_id{};
  std::optional<WallTime> taken_at{};
  std::optional<Bytes> unique_bytes{};
  std::vector<store::SnapshotHold> holds{};  // those that count now
};

// A snapshot changed at once (no operation), or an operation to wait for.
struct SnapshotOutcome {
  store::SnapshotRecord snapshot;
  std::optional<std::string> operation{};
  bool created = false;  // the intent was written by this call
};

struct SnapshotList {
  std::vector<SnapshotInfo> items{};  // oldest first
  std::vector<std::string> notes{};   // what to know: the backend could not be asked, …
};

// SPACE@SNAP as written, with the space found and the snapshot not looked for yet.
struct SnapshotName {
  store::SpaceRecord space;
  std::string snapshot;  // a name, a label or a record's key
};

class Snapshots {
 public:
  Snapshots(Homes::Parts parts, Homes& homes) : p_(std::move(parts)), homes_(homes) {}

  struct Take {
    std::string label{};
    std::string reason{};
  };
  // Joins the open operation that takes the same label. A person's own token takes none of a pool, and kOwnMost at most
  // of a home. Errors: invalid_argument (label), already_exists (label), failed_precondition (state of the space,
  // rights, backend mode), forbidden, out_of_capacity, unsupported, conflict.
  static constexpr std::size_t kOwnMost = 32;
  Result<SnapshotOutcome> take(const Caller& caller, const std::string& space, const Take& request);
  void preview_take(const Caller& caller, const std::string& space, std::function<void(Result<Preview>)> done);

  // The records merged with what the backend lists, which is read page by page. A backend that does not answer is a
  // note, and the records alone are listed. Errors: not_found, unsupported.
  void list(const Caller& caller, const std::string& space, std::function<void(Result<SnapshotList>)> done);
  void show(const Caller& caller, const SnapshotName& wanted, std::function<void(Result<SnapshotInfo>)> done);

  // Nothing of ours deletes it from now on. One hold per owner: said again, its reason and end are the new ones.
  // Errors: failed_precondition (others took it: a hold binds nobody but us; it is being deleted), not_found.
  struct Hold {
    std::string owner{};  // empty: the caller
    std::string reason{};
    std::optional<WallTime> expires{};
  };
  void hold(const Caller& caller, const SnapshotName& wanted, const Hold& request,
            std::function<void(Result<SnapshotInfo>)> done);
  // `hold`: its id, or its owner. A person's own token releases what it holds itself. Errors: not_found, forbidden.
  void release(const Caller& caller, const SnapshotName& wanted, const std::string& hold,
               std::function<void(Result<SnapshotInfo>)> done);

  // Errors: failed_precondition (held: says by whom and why; others took it), unsupported (the pool's), forbidden (a
  // person's own token deletes what it took itself), not_found, out_of_capacity (destroys of the day).
  void remove(const Caller& caller, const SnapshotName& wanted, std::function<void(Result<SnapshotOutcome>)> done);
  void preview_remove(const Caller& caller, const SnapshotName& wanted, std::function<void(Result<Preview>)> done);

  // A new dataset with the content of a space, or of one of its snapshots, by the backend's own copy: owner, group and
  // mode stay those of the source. Idempotent for the same name, source and access. Errors: unsupported that names the
  // alternative, already_exists (name), failed_precondition, not_found, out_of_capacity.
  struct Clone {
    SnapshotName source;  // snapshot empty: as it is now
    Slug name;
    std::string realm{};
    bool read_only = true;
    std::string note{};
  };
  void clone(const Caller& caller, const Clone& request, std::function<void(Result<SpaceOutcome>)> done);
  void preview_clone(const Caller& caller, const Clone& request, std::function<void(Result<Preview>)> done);

  // The backend's own overwrite: all of the space becomes what it was in its newest snapshot, and what was written
  // since is gone for good, since no snapshot can be taken before it. `confirm`: the owner's name, the dataset's, or
  // the space's key. Errors: unsupported, failed_precondition (not the newest, mounted by a session).
  struct Overwrite {
    SnapshotName source;
    std::string confirm;
    bool force = false;  // although a session mounts it
  };
  void overwrite(const Caller& caller, const Overwrite& request, std::function<void(Result<SpaceOutcome>)> done);
  void preview_overwrite(const Caller& caller, const SnapshotName& source, std::function<void(Result<Preview>)> done);

  // Splits at the last '@' where the whole does not name a space. Errors: invalid_argument, not_found (the space).
  [[nodiscard]] Result<SnapshotName> parse(std::string_view realm, std::string_view text) const;
  // By our records alone. nullopt: none of that name, label or key; it may be one that others took.
  [[nodiscard]] Result<std::optional<store::SnapshotRecord>> recorded(const store::SpaceRecord& space,
                                                                      std::string_view snapshot) const;
  // One that can be read now: recorded, or listed by the backend under that name. Asks the backend unless a record says
  // enough; for its workers. Errors: not_found that says what to do, failed_precondition (being taken or deleted),
  // unsupported.
  [[nodiscard]] Result<SnapshotInfo> resolve(const OpContext& op, Backend& backend, const SnapshotName& wanted) const;

  // What a record says to somebody who looks at it from `space`.
  [[nodiscard]] SnapshotInfo info_of(const store::SpaceRecord& space, const store::SnapshotRecord& record) const;

  // Forgets the records of what was deleted long ago. Cheap where there are none.
  void forget_old();

 private:
  using Info = std::function<void(Result<SnapshotInfo>)>;
  Result<SnapshotOutcome> try_take(const Caller& caller, const std::string& key, const Take& request);
  [[nodiscard]] Result<void> check_own(const Caller& caller, const store::SpaceRecord& space, bool of_pool) const;
  [[nodiscard]] Result<std::vector<store::SnapshotRecord>> records_of(const store::SpaceRecord& space) const;
  [[nodiscard]] Result<std::vector<SnapshotInfo>> merged(const OpContext& op, Backend& backend,
                                                         const store::SpaceRecord& space) const;
  // Whatever its state, also one that vanished. Answers at once by a record, else by the backend.
  void look_up(const Caller& caller, const SnapshotName& wanted, Info done);
  // Its record as it is now; made for one of ours that has none.
  [[nodiscard]] Result<store::SnapshotRecord> record_for(store::WriteTransaction& tx, const store::SpaceRecord& space,
                                                         const SnapshotInfo& info, const std::string& new_key) const;
  Result<SnapshotInfo> write_hold(const Caller& caller, const store::SpaceRecord& space, const SnapshotInfo& info,
                                  const Hold& request);
  Result<SnapshotInfo> write_release(const Caller& caller, const store::SpaceRecord& space, const SnapshotInfo& info,
                                     const std::string& hold);
  [[nodiscard]] Result<void> may_remove(const Caller& caller, const store::SpaceRecord& space,
                                        const SnapshotInfo& info) const;
  Result<SnapshotOutcome> write_remove(const Caller& caller, const store::SpaceRecord& space, const SnapshotInfo& info);
  struct CloneTarget;  // everything the intent holds
  [[nodiscard]] Result<CloneTarget> decide_clone(const Clone& request, const std::optional<SnapshotInfo>& from) const;
  [[nodiscard]] Result<std::optional<SpaceOutcome>> known_clone(const Clone& request) const;
  Result<SpaceOutcome> write_clone(const Caller& caller, const Clone& request, const std::optional<SnapshotInfo>& from);
  [[nodiscard]] Result<void> may_overwrite(const store::SpaceRecord& space) const;
  Result<SpaceOutcome> write_overwrite(const Caller& caller, const Overwrite& request, const SnapshotInfo& info);
  Homes::Parts p_;
  Homes& homes_;
};

// Does every space of the pool share this one's snapshots? Precondition: the backend has some.
[[nodiscard]] bool snapshots_are_the_pools(drivers::StorageDriver& driver, const store::SpaceRecord& space);
// The backend can, as far as is known without asking it. Errors: unsupported with what to do instead, unavailable.
[[nodiscard]] Result<drivers::Snapshots*> snapshots_of(Backend& backend, const store::SpaceRecord& space);
[[nodiscard]] bool counts(const store::SnapshotHold& hold, WallTime now);
// "backup (weekly copy, until 2026-12-01T00:00:00Z)": who keeps a snapshot, for refusals.
[[nodiscard]] std::string hold_words(const std::vector<store::SnapshotHold>& holds);
// Inside the transaction that begins the end of a space: a held snapshot of its own would go with it. Errors:
// failed_precondition that says which, who and why.
[[nodiscard]] Result<void> check_no_holds(store::ReadTransaction& tx, const store::SpaceRecord& space, WallTime now);

}  // namespace homeport::core
