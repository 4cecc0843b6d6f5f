// A JupyterHub as Homeport sees it: whose token is this, and who are your users. A port: drivers/hub implements it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"
#include "provisioner/base/secret.h"

namespace homeport::core {

// The person a token stands for.
struct HubUser {
  std::string name;                   // as the hub calls the person
  std::vector<std::string> groups{};  // the hub's own groups, sorted
};

// One user of a hub's list.
struct HubListed {
  std::string name;
  std::optional<WallTime> created{};  // when the account was made, where our token may know
};

// Threads: every method from any thread. Both block, at most until op.deadline.
class Hub {
 public:
  virtual ~Hub() = default;
  // nullopt: the hub answers, and does not know the token (it never did, or it was revoked).
  // Errors: unauthenticated (the hub knows the token, but it is no person's, or not the person's own: the message says
  // which); unavailable, timed_out, cancelled (it cannot be asked now); failed_precondition, internal (what answers at
  // that address is no hub we know).
  [[nodiscard]] virtual Result<std::optional<HubUser>> owner_of(const OpContext& op, const Secret& token) = 0;
  // All users, or an error: never a part of them.
  // Errors: as above; permission_denied (the hub refuses our token, or shows it only some of its users);
  // failed_precondition (our token cannot be read).
  [[nodiscard]] virtual Result<std::vector<HubListed>> users(const OpContext& op) = 0;
};

// One hub as the configuration has it.
struct HubSettings {
  std::string name;                                             // as in spawner tokens and mount spec requests
  std::string realm;                                            // of its people
  std::string address;                                          // of its API, for people to read
  std::chrono::milliseconds timeout = std::chrono::seconds(5);  // for one question about a token
  std::chrono::milliseconds cache = std::chrono::minutes(5);    // how long the answer holds; 1 s to 5 min
  unsigned new_per_second = 20;                                 // questions about tokens that were never good
  bool lists_users = false;                                     // a token for the list is configured
  std::chrono::milliseconds reconcile_every = std::chrono::hours(6);
  unsigned most_gone_percent = 10;  // see policies/absence.h
  bool recreated_is_same = false;   // an account made again is the same person's (accounts.h)
};

struct HubEntry {
  HubSettings settings;
  std::shared_ptr<Hub> hub;
};

}  // namespace homeport::core
