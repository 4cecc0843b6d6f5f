// Homes and the life of every space: ensure, resize, retire, undelete, purge.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "provisioner/core/backends.h"
#include "provisioner/core/operations.h"
#include "provisioner/core/outcome.h"
#include "provisioner/core/people.h"

namespace homeport::core {

struct HomeRequest {
  std::string realm = "default";
  UserName user;
  ServerName server;
  std::optional<std::uint32_t> uid{};  // needed for somebody not seen before, unless the class squashes
  std::optional<std::uint32_t> gid{};
  std::optional<Person> person{};  // what the identity sources say (People::identify); fills what is not named above
  std::optional<Slug> klass{};     // else the rules decide (by user, groups, hub)
  std::vector<std::string> groups{};
  std::string hub{};
  std::optional<Bytes> quota{};  // else the class's default
  // The home stands already: it is taken over where it is, and never made, renamed, chowned or limited below its use.
  // uid and gid are then needed, and must be those of the directory.
  struct Existing {
    Slug backend;
    AbsolutePath path;
    // filesystem: a whole file system of an array, whoever made it (drivers/core/inventory.h).
    drivers::Layout layout = drivers::Layout::directory;
    bool measure = true;  // its use is counted afterwards where the backend does not tell it (measures.h)
  };
  std::optional<Existing> existing{};
  // Files will be copied into it: it is new, and no login gets it before finish_copy().
  struct Copying {
    std::string from;  // "host:/home/alice", for people
    Slug backend;      // where it shall be; refused when the class puts it elsewhere
    // Which source that is, whatever people call it: only the same one goes on. Empty: `from` says it.
    std::string source{};
  };
  std::optional<Copying> copying{};
  bool allow_similar = false;  // a name that looks like another person's is accepted
};

// How long a run that copies into a home keeps it without a word. Long enough for a restart of the service, short
// enough to wait for after a run was killed.
constexpr std::chrono::milliseconds kCopyClaim{30'000};

// Who copies into a home.
struct CopyRun {
  std::string run;   // drawn by the run: two runs of one command are two
  std::string by{};  // for people; where it stands in an error, it tells whom to ask
};

// The end of a copy: what the run counted in the home is its first known use.
struct CopyEnd {
  std::string run{};  // empty: by hand
  std::optional<std::uint64_t> bytes{};
  std::optional<std::uint64_t> files{};
};

// Blocking: methods wait for the store only, never for a backend, unless they take a `done`.
// Threads: every method from any thread.
class Homes {
 public:
  struct Parts {
    store::Store& store;
    Catalog& catalog;
    Backends& backends;
    Operations& operations;
    People& people;
    Clock& clock;
    IdSource& ids;
    std::string name_prefix = "hp-";  // of backend objects; the same as the drivers'
    std::chrono::milliseconds copy_claim = kCopyClaim;
    // Hubs whose accounts are the same people's when they are made again (accounts.h).
    std::set<std::string, std::less<>> trusted_hubs{};
    // Writes the sessions that were issued and are not in the store yet.
    std::function<Result<void>()> flush_sessions = [] { return Result<void>{}; };
  };
  explicit Homes(Parts parts) : p_(std::move(parts)) {}

  // Idempotent. An existing home answers at once, also while its backend is down; asking for another quota or class
  // than it has is already_exists (use resize). Errors: invalid_argument (uid 0, no uid), forbidden (another uid than
  // the pinned one), failed_precondition (backend mode, retired home, no class), out_of_capacity (caps), already_exists
  // (similar name).
  Result<SpaceOutcome> ensure(const Caller& caller, const HomeRequest& request);
  void preview_ensure(const Caller& caller, const HomeRequest& request, std::function<void(Result<Preview>)> done);

  // `user`: a name, or a key of the person or of the home.
  [[nodiscard]] Result<store::SpaceRecord> get(std::string_view realm, std::string_view user,
                                               std::string_view server) const;
  // `text`: a key, or home/NAME, dataset/NAME, group/NAME, scratch/NAME. Errors: invalid_argument, not_found.
  [[nodiscard]] Result<store::SpaceRecord> resolve(std::string_view realm, std::string_view text) const;

  // `expected_revision`: If-Match; conflict when the space has another one.
  struct Resize {
    Bytes quota;
    bool force = false;
    std::optional<std::uint64_t> expected_revision{};
  };
  Result<SpaceOutcome> resize(const Caller& caller, const std::string& space, const Resize& request);
  // Refused while a session mounts it, unless forced.
  Result<SpaceOutcome> retire(const Caller& caller, const std::string& space, bool force = false);
  // What retire() would refuse now; changes nothing.
  [[nodiscard]] Result<void> may_retire(const std::string& space);
  // Forgets the space and touches nothing on the backend. For what Homeport made itself it must be forced: the next
  // login would make a new, empty home beside the old one.
  Result<SpaceOutcome> release(const Caller& caller, const std::string& space, bool force = false);
  // What an admin lets us do to an imported space from now on.
  struct RightsChange {
    std::optional<bool> snapshot{};
    std::optional<bool> resize{};
    std::optional<bool> destroy{};
    std::optional<std::uint64_t> expected_revision{};
  };
  Result<store::SpaceRecord> set_rights(const Caller& caller, const std::string& space, const RightsChange& change);
  // Only `run` may write into it from now on, for Parts::copy_claim; said again, it is renewed. One that is not being
  // copied is answered as it is. Errors: conflict (another run has it), failed_precondition (not ready).
  Result<store::SpaceRecord> claim_copy(const Caller& caller, const std::string& space, const CopyRun& run);
  // The run writes no more, and is not done: the next one need not wait. Of another run's claim nothing is changed.
  Result<store::SpaceRecord> leave_copy(const Caller& caller, const std::string& space, const std::string& run);
  // The copy into it is complete: from now on logins get it. One that is not being copied is answered as it is. Its
  // limit is never below what was copied. Errors: conflict while another run has it.
  Result<store::SpaceRecord> finish_copy(const Caller& caller, const std::string& space, const CopyEnd& end = {});
  Result<SpaceOutcome> undelete(const Caller& caller, const std::string& space);
  // `confirm` must be the owner's name (or the dataset's), so that nobody purges by a slip.
  Result<SpaceOutcome> purge(const Caller& caller, const std::string& space, std::string_view confirm);
  // What the same call would do. `verb`: "resize", "retire", "undelete", "purge".
  void preview(const Caller& caller, const std::string& space, std::string_view verb, std::optional<Resize> resize,
               std::function<void(Result<Preview>)> done);

  // An admin's word: this person (name or key) has another uid now. Homes are not chowned by this. Errors: not_found,
  // invalid_argument, already_exists (somebody else's uid), failed_precondition (merged into somebody else).
  Result<store::UserRecord> set_uid(const Caller& caller, std::string_view realm, std::string_view user,
                                    std::uint32_t uid, std::uint32_t gid);

 private:
  struct Decision;  // class, backend, pool, owner, quota: everything the intent holds
  Result<Decision> decide(const HomeRequest& request) const;
  [[nodiscard]] Result<void> decide_owner(const HomeRequest& request, Decision& decision) const;
  [[nodiscard]] Result<void> check_free_uid(const HomeRequest& request, std::uint32_t uid) const;
  [[nodiscard]] Result<std::optional<SpaceOutcome>> known_home(const HomeRequest& request) const;
  Result<SpaceOutcome> try_ensure(const Caller& caller, const HomeRequest& request);
  // A wanted change of one space: what every verb of its life has in common.
  struct Wanted;
  // Joins the open operation that does the same, answers what is so already, or starts anew. Who loses a race against
  // another request looks again.
  Result<SpaceOutcome> change(const Caller& caller, const std::string& key, const Wanted& wanted);
  Result<SpaceOutcome> try_change(const Caller& caller, const std::string& key, const Wanted& wanted);
  Result<void> check_in_use(const std::string& key);
  // Writes what `change` makes of a home that is being copied; it says whether there is anything to write.
  Result<store::SpaceRecord> change_copy(
      const std::string& key, const char* what,
      const std::function<Result<bool>(store::WriteTransaction& tx, store::SpaceRecord& space)>& change);
  [[nodiscard]] std::optional<SpaceOutcome> joined(const std::string& key, const Wanted& wanted) const;
  Result<SpaceOutcome> write_intent(const Caller& caller, const std::string& key, const Wanted& wanted);
  Parts p_;
};

}  // namespace homeport::core
