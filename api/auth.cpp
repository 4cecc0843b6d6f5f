#include "api/auth.h"

#include "provisioner/base/names.h"
#include "provisioner/core/accounts.h"

namespace homeport::api {
namespace {

constexpr std::string_view kNobody = "u-nobody";

Error no_credential() {
  return Error{.code = Errc::unauthenticated,
               .message = "the request carries no bearer token",
               .hint =
                   "send 'Authorization: Bearer TOKEN'; the first admin token lies in the file admin-token of the "
                   "state directory, others come from 'homeport token create'; in a notebook it is "
                   "JUPYTERHUB_API_TOKEN"};
}

bool bound_to_realm(policies::Scope scope) {
  return scope == policies::Scope::spawner || scope == policies::Scope::user_self;
}

}  // namespace

Result<std::string_view> bearer_token(const Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view value = request.header("Authorization");
  if (value.empty()) return no_credential();
  if (value.size() <= kScheme.size() || !equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) {
    return Error{.code = Errc::unauthenticated,
                 .message = "the Authorization header is no bearer token",
                 .hint = "send 'Authorization: Bearer TOKEN'"};
  }
  value.remove_prefix(kScheme.size());
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  return value;
}

Result<policies::Principal> authenticate(const core::Tokens& tokens, const Request& request) {
  HOMEPORT_TRY(const auto token, bearer_token(request));
  return tokens.authenticate(token);
}

policies::Principal principal_of(const core::Catalog& catalog, const core::HubPerson& person) {
  const auto known = catalog.user_by_name(person.realm, person.user.name);
  const bool theirs = known && !core::is_held(*known, person.hub, person.user.name);
  const std::string key = theirs ? known->key : std::string();
  return policies::Principal{.id = "self:" + (key.empty() ? "unknown" : key),
                             .scope = policies::Scope::user_self,
                             .hub = person.hub,
                             .realm = person.realm,
                             .user_key = key,
                             .user = person.user.name,
                             .groups = person.user.groups};
}

Error no_home_yet(const policies::Principal& person) {
  return Error{.code = Errc::not_found,
               .message = "Homeport has no home for '" + printable(person.user, 60) + "' yet",
               .hint = "the next start of a notebook server makes one"};
}

std::string_view hub_of(const Request& request) {
  return request.header("Homeport-Hub");
}

std::optional<std::string> bound_to(const policies::Principal& principal) {
  if (principal.scope != policies::Scope::user_self) return std::nullopt;
  return principal.user_key;
}

std::string user_key_of(const core::Catalog& catalog, std::string_view realm, std::string_view user) {
  if (SpaceKey::parse(user)) {
    const auto space = catalog.space(user);
    return space && !space->owner.empty() ? space->owner : std::string(kNobody);
  }
  if (UserKey::parse(user) && catalog.user(user)) return std::string(user);
  const auto known = catalog.user_by_name(realm, user);
  return known ? known->key : std::string(kNobody);
}

Result<std::string> realm_of(const Request& request, const policies::Principal& principal,
                             const std::string& service_realm) {
  const bool bound = bound_to_realm(principal.scope) && !principal.realm.empty();
  const std::string& own = bound ? principal.realm : service_realm;
  const auto asked = request.query("realm");
  if (!asked || *asked == own) return own;
  HOMEPORT_TRY(const auto realm, Slug::parse(*asked).context("realm"));
  if (bound) {
    return Error{.code = Errc::forbidden,
                 .message = "this token belongs to realm '" + own + "', not to '" + realm.str() + "'",
                 .hint = "use a token of that realm"};
  }
  return realm.str();
}

Result<void> check_access(const core::Catalog& catalog, const std::string& service_realm, const Access& access,
                          const Request& request, const policies::Principal& principal) {
  const bool about_self = access.kind == Access::Kind::person || access.kind == Access::Kind::own;
  if (about_self && principal.scope == policies::Scope::user_self) {
    const auto known = catalog.user_by_name(principal.realm, principal.user);
    if (known && core::is_held(*known, principal.hub, principal.user)) {
      return core::account_held({.hub = principal.hub, .name = principal.user, .created = known->recreated->created});
    }
    if (principal.user_key.empty()) return no_home_yet(principal);
  }
  switch (access.kind) {
    case Access::Kind::open:
    case Access::Kind::in_handler: return {};
    case Access::Kind::metrics:
    case Access::Kind::action: return policies::authorize(principal, access.action);
    case Access::Kind::own:
      return policies::authorize(principal, access.action, {.user_key = bound_to(principal).value_or("")});
    case Access::Kind::person: {
      HOMEPORT_TRY(const auto realm, realm_of(request, principal, service_realm));
      return policies::authorize(principal, access.action,
                                 {.user_key = user_key_of(catalog, realm, request.param("user"))});
    }
  }
  return no_credential();
}

}  // namespace homeport::api
