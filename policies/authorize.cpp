#include "policies/authorize.h"

#include <algorithm>
#include <array>

#include "provisioner/base/names.h"

namespace homeport::policies {
namespace {

struct ScopeRow {
  Scope scope;
  std::string_view name;
  std::string_view purpose;
};
constexpr std::array<ScopeRow, 5> kScopes{{
    {Scope::admin, "admin", "everything"},
    {Scope::operator_, "operator", "running homes and datasets day by day"},
    {Scope::auditor, "auditor", "reading"},
    {Scope::spawner, "spawner", "asking what to mount, for one hub"},
    {Scope::user_self, "user:self", "one person's own storage"},
}};

// One row per action: what it is called, how a refusal puts it, and who may.
struct ActionRow {
  Action action;
  std::string_view name;
  std::string_view doing;
  bool operator_may;
  bool auditor_may;
  bool spawner_may;
  bool self_may;  // for the person's own key only
};
constexpr std::array<ActionRow, 12> kActions{{
    {Action::read_service, "read_service", "read the state of the service", true, true, true, false},
    {Action::read_self, "read_self", "read who it stands for", true, true, true, true},
    {Action::read_inventory, "read_inventory", "read backends, spaces and operations", true, true, false, true},
    {Action::read_audit, "read_audit", "read the audit trail", false, true, false, false},
    {Action::issue_spec, "issue_spec", "ask for a mount spec", true, false, true, true},
    {Action::release_spec, "release_spec", "end a session", true, false, true, false},
    {Action::ensure_home, "ensure_home", "make a home", true, false, false, false},
    {Action::keep_snapshots, "keep_snapshots", "take, hold, delete, look into and restore from snapshots", true, false,
     false, true},
    {Action::manage_spaces, "manage_spaces", "change spaces", true, false, false, false},
    {Action::destroy_spaces, "destroy_spaces", "purge spaces", false, false, false, false},
    {Action::manage_service, "manage_service", "change backends, classes and rules", false, false, false, false},
    {Action::manage_tokens, "manage_tokens", "manage tokens", false, false, false, false},
}};

const ScopeRow* row_of(Scope scope) {
  const auto at = std::find_if(kScopes.begin(), kScopes.end(), [&](const ScopeRow& r) { return r.scope == scope; });
  return at == kScopes.end() ? nullptr : &*at;
}

const ActionRow* row_of(Action action) {
  const auto at =
      std::find_if(kActions.begin(), kActions.end(), [&](const ActionRow& r) { return r.action == action; });
  return at == kActions.end() ? nullptr : &*at;
}

bool scope_may(Scope scope, const ActionRow& row) {
  switch (scope) {
    case Scope::admin: return true;
    case Scope::operator_: return row.operator_may;
    case Scope::auditor: return row.auditor_may;
    case Scope::spawner: return row.spawner_may;
    case Scope::user_self: return row.self_may;
  }
  return false;
}

std::string scopes_that_may(const ActionRow& row) {
  std::string out;
  for (const auto& scope : kScopes) {
    if (scope_may(scope.scope, row)) out += (out.empty() ? "" : ", ") + std::string(scope.name);
  }
  return out;
}

Error forbidden(std::string message, std::string hint) {
  return Error{.code = Errc::forbidden, .message = std::move(message), .hint = std::move(hint)};
}

std::string quoted(std::string_view name) {
  return "'" + printable(name, 80) + "'";
}

Result<void> within_hub(const Principal& principal, const Resource& resource) {
  if (principal.hub.empty()) {
    return forbidden("this spawner token is bound to no hub and may not speak for " +
                         (resource.hub.empty() ? "a request without one" : "hub " + quoted(resource.hub)),
                     "make a token with --scope spawner --hub HUB");
  }
  if (!principal.realm.empty() && !resource.realm.empty() && principal.realm != resource.realm) {
    return forbidden("this spawner token belongs to realm " + quoted(principal.realm) +
                         " and may not speak for people of realm " + quoted(resource.realm),
                     "use the token of that realm's hub");
  }
  if (resource.hub == principal.hub) return {};
  const auto asked =
      resource.hub.empty() ? std::string("a request that names no hub ('')") : "hub " + quoted(resource.hub);
  return forbidden("this spawner token is for hub " + quoted(principal.hub) + " and may not speak for " + asked,
                   "send hub " + quoted(principal.hub) + ", or use a token of the other hub");
}

Result<void> within_person(const Principal& principal, const ActionRow& row, const Resource& resource) {
  if (row.action == Action::read_self) return {};
  if (!resource.hub.empty() && resource.hub != principal.hub) {
    return forbidden(
        "this token is hub " + quoted(principal.hub) + "'s and may not speak for hub " + quoted(resource.hub),
        "send hub " + quoted(principal.hub));
  }
  if (!principal.user_key.empty() && resource.user_key == principal.user_key) return {};
  return forbidden("this user:self token is for one person's own storage and may not " + std::string(row.doing) +
                       (resource.user_key.empty() ? " that are not theirs alone" : " of somebody else"),
                   "ask for your own, or use a token of scope operator");
}

}  // namespace

std::string_view scope_name(Scope scope) {
  const auto* row = row_of(scope);
  return row == nullptr ? std::string_view{} : row->name;
}

std::optional<Scope> scope_from_name(std::string_view name) {
  for (const auto& row : kScopes) {
    if (row.name == name) return row.scope;
  }
  return std::nullopt;
}

std::string_view action_name(Action action) {
  const auto* row = row_of(action);
  return row == nullptr ? std::string_view{} : row->name;
}

Result<void> authorize(const Principal& principal, Action action, const Resource& resource) {
  const auto* row = row_of(action);
  const auto* scope = row_of(principal.scope);
  if (row == nullptr || scope == nullptr) return forbidden("an unknown scope or action", "");
  if (!scope_may(principal.scope, *row)) {
    return forbidden("a token of scope " + std::string(scope->name) + " is for " + std::string(scope->purpose) +
                         " and may not " + std::string(row->doing),
                     "use a token of one of these scopes: " + scopes_that_may(*row));
  }
  const bool about_sessions = action == Action::issue_spec || action == Action::release_spec;
  if (principal.scope == Scope::spawner && about_sessions) return within_hub(principal, resource);
  if (principal.scope == Scope::user_self) return within_person(principal, *row, resource);
  return {};
}

}  // namespace homeport::policies
