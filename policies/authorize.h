// Who may do what: one pure function decides for every way in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport::policies {

enum class Scope { admin, operator_, auditor, spawner, user_self };
[[nodiscard]] std::string_view scope_name(Scope scope);  // "admin", "operator", "auditor", "spawner", "user:self"
[[nodiscard]] std::optional<Scope> scope_from_name(std::string_view name);

// What every credential becomes.
struct Principal {
  std::string id;  // token id, or "self:" and the person's key; in audit rows
  Scope scope = Scope::auditor;
  std::string hub{};  // spawner: the only hub it may speak for; user_self: the hub that knows its token
  std::string realm{};
  std::string user_key{};             // user_self: the only person it may speak for; empty: without a home so far
  std::string user{};                 // user_self: as the hub calls the person
  std::vector<std::string> groups{};  // user_self: as the hub says
};

enum class Action {
  read_service,    // health details, metrics, OpenAPI, renderers
  read_self,       // who the credential stands for
  read_inventory,  // backends, pools, classes, rules, spaces, operations
  read_audit,
  issue_spec,      // ask what to mount
  release_spec,    // say that a session is over
  ensure_home,     // make a home for somebody
  keep_snapshots,  // take, hold, release and delete snapshots
  manage_spaces,   // resize, retire, undelete, import, grant, withdraw, operations
  destroy_spaces,  // purge
  manage_service,  // backends, desired document, state backup and restore
  manage_tokens,
};
[[nodiscard]] std::string_view action_name(Action action);

struct Resource {
  std::string hub{};       // empty: not about a hub
  std::string realm{};     // of the person; empty: not about people
  std::string user_key{};  // empty: not about one person
};

// Errors: forbidden, saying what the credential is for and which scope would do.
[[nodiscard]] Result<void> authorize(const Principal& principal, Action action, const Resource& resource = {});

}  // namespace homeport::policies
