// Who of a hub's people is still there: the hub's user list, compared with the people who came from it.
//
// Somebody came from a hub when one of its servers got a mount spec for them. Who is missing on the list twice in a
// row, at every hub they came from, goes dormant: a mark with a date, nothing else; homes, quotas and grants stay as
// they are. The mark goes when the person is on a list again or logs in. Nobody goes dormant by a list that could not
// be read whole, by an empty one, or while more people are missing at once than the configuration allows
// (policies/absence.h): then it is held and said. Of people of several hubs that goes for each one's latest list. How
// often somebody was missing is not kept over a restart.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/worker_pool.h"
#include "provisioner/core/administration.h"
#include "provisioner/core/ports/hub.h"

namespace homeport::core {

// What one look at a hub's list came to.
struct HubLook {
  // held: somebody would have gone dormant, but not by this list. failed: there is no list.
  enum class Outcome { done, held, failed } outcome = Outcome::done;
  std::string hub;
  WallTime at{};
  bool dry_run = false;
  std::string text{};      // why it was held or failed
  std::size_t listed = 0;  // users on the list
  std::size_t known = 0;   // people who came from this hub and were not dormant
  struct Missing {
    std::string user;    // key
    unsigned looks = 0;  // in a row, this one included
  };
  std::vector<Missing> missing{};   // of `known`; by key
  std::vector<std::string> gone{};  // went dormant by this look, or would; keys
  std::vector<std::string> back{};  // were dormant and are on the list again; keys
  // On the list with an account that was made again since (accounts.h): held from now on; keys.
  std::vector<std::string> recreated{};
};
[[nodiscard]] std::string_view hub_outcome_name(HubLook::Outcome outcome);  // "done"

// Threads: every method from any thread.
class HubPeople {
 public:
  HubPeople(Homes::Parts parts, const std::vector<HubEntry>& hubs);

  struct Request {
    std::string hub;
    bool dry_run = false;  // counts nothing, marks nothing
    bool force = false;    // lifts the share, nothing else
  };
  // Never blocks: the hub is asked on a thread of its own, and `done` is called there.
  // Errors: not_found (no such hub), failed_precondition (no token for its list), unavailable. A list that cannot be
  // read is a look that failed, not an error.
  void reconcile(const Caller& caller, const Request& request, std::function<void(Result<HubLook>)> done);
  // The looks that are due; the first one a minute after the start. Never blocks.
  void tick();
  void stop();

  struct State {
    HubSettings settings;
    std::optional<HubLook> last{};  // not of dry runs
  };
  [[nodiscard]] std::vector<State> hubs() const;  // in the configuration's order
  [[nodiscard]] std::vector<Finding> findings() const;

 private:
  struct Known {
    HubEntry entry;
    std::optional<HubLook> last{};
    MonoTime next{};
    bool underway = false;  // by the timer
  };
  struct Look;  // one at work
  [[nodiscard]] HubLook look(const Caller& caller, const Request& request, const HubEntry& entry,
                             const std::stop_token& stop);
  Result<void> compare(Look& work, const std::vector<HubListed>& listed);
  void see(Look& work, const UserPtr& user, const HubListed& listed) const;
  Result<void> read_sessions(Look& work);
  void follow_merges(Look& work) const;
  void judge(Look& work, const Request& request);
  [[nodiscard]] bool absent_everywhere(const Look& work, const std::string& user) const;
  Result<void> write(const Caller& caller, const Look& work);

  Homes::Parts p_;
  mutable std::mutex mutex_;
  std::vector<Known> hubs_;  // under mutex_, but for `entry`
  struct Absences {
    bool accepted = false;                    // the latest list was read and not held
    std::map<std::string, unsigned> looks{};  // user key -> how often in a row
  };
  std::map<std::string, Absences> absent_{};  // by hub; the pool's thread alone
  std::unique_ptr<WorkerPool> pool_;          // one thread: one list at a time; the last member
};

// For whoever sees that a person is there again: takes the mark away and audits it. True when there was one.
Result<bool> wake(store::WriteTransaction& tx, const std::string& user_key, WallTime now, const std::string& principal,
                  const std::string& detail);

}  // namespace homeport::core
