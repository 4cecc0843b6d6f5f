#include "provisioner/core/accounts.h"

#include <algorithm>
#include <utility>

#include "provisioner/core/hub_people.h"
#include "provisioner/render/quoting.h"

namespace homeport::core {
namespace {

using store::HubAccountRecord;
using store::UserRecord;

// One time written in two ways (with and without fractions) is no second account.
constexpr std::chrono::seconds kSameTime{1};
constexpr std::size_t kDayText = 10;  // "2026-11-21"

const HubAccountRecord* remembered(const UserRecord& user, const HubAccount& account) {
  const auto at = std::ranges::find_if(user.accounts, [&](const HubAccountRecord& known) {
    return known.hub == account.hub && known.name == account.name;
  });
  return at == user.accounts.end() ? nullptr : &*at;
}

bool same_time(WallTime a, WallTime b) {
  return (a < b ? b - a : a - b) < kSameTime;
}

void remember(UserRecord& user, const HubAccount& account) {
  std::erase_if(user.accounts,
                [&](const auto& known) { return known.hub == account.hub && known.name == account.name; });
  if (account.created) user.accounts.push_back({.hub = account.hub, .name = account.name, .created = *account.created});
}

bool is_held_so(const UserRecord& user, const HubAccount& account) {
  return is_held(user, account.hub, account.name) && user.recreated->created == account.created;
}

}  // namespace

bool is_recreated(const UserRecord& user, const HubAccount& account) {
  const auto* known = remembered(user, account);
  if (known != nullptr && account.created) return !same_time(known->created, *account.created);
  return user.dormant_since.has_value() || is_held(user, account.hub, account.name);
}

bool is_news(const UserRecord& user, const HubAccount& account) {
  if (user.dormant_since || is_held(user, account.hub, account.name)) return true;
  const auto* known = remembered(user, account);
  return account.created && (known == nullptr || !same_time(known->created, *account.created));
}

bool is_held(const UserRecord& user, std::string_view hub, std::string_view name) {
  return user.recreated && user.recreated->hub == hub && user.recreated->name == name;
}

Error account_held(const HubAccount& account) {
  const auto who = printable(account.name, 60);
  const auto when = account.created ? " on " + format_time(*account.created).substr(0, kDayText) : std::string();
  return Error{.code = Errc::forbidden,
               .message = "the account " + who + " was deleted in hub " + printable(account.hub, 60) +
                          " and made again" + when +
                          ": it may be somebody else's now, so the home of before stays closed until an administrator "
                          "has said who it is",
               .hint = "for the administrator: the same person: `homeport user keep " + render::shell_quote(who) +
                       "`; somebody new: `homeport user rename " + render::shell_quote(who) +
                       " NEW-NAME --free` keeps the home of before under another name, and the next login gets a home "
                       "of its own"};
}

Result<void> note_account(store::WriteTransaction& tx, const std::string& user_key, const HubAccount& account) {
  HOMEPORT_TRY(auto user, store::get<UserRecord>(tx, user_key));
  if (!user || !is_news(*user, account)) return {};
  if (account.created) remember(*user, account);
  if (is_held(*user, account.hub, account.name)) user->recreated.reset();
  return store::put(tx, *user);
}

Result<void> hold_account(const Homes::Parts& parts, const UserRecord& user, const HubAccount& account,
                          const std::string& principal) {
  if (is_held_so(user, account)) return {};
  return parts.store.write("hold-account", [&](store::WriteTransaction& tx) {
    return hold_account(tx, user.key, account, parts.clock.now(), principal);
  });
}

Result<void> hold_account(store::WriteTransaction& tx, const std::string& user_key, const HubAccount& account,
                          WallTime now, const std::string& principal) {
  HOMEPORT_TRY(auto user, store::get<UserRecord>(tx, user_key));
  if (!user || is_held_so(*user, account)) return {};
  user->recreated =
      store::RecreatedRecord{.hub = account.hub, .name = account.name, .seen_at = now, .created = account.created};
  HOMEPORT_CHECK(store::put(tx, *user));
  return tx.append_audit({.at = now,
                          .principal = principal,
                          .action = "user.recreated",
                          .subject = user_key,
                          .outcome = "held",
                          .detail = nlohmann::json{{"hub", account.hub}}.dump()});
}

Result<UserRecord> keep_account(const Homes::Parts& parts, const Caller& caller, std::string_view realm,
                                std::string_view user) {
  const auto known = parts.catalog.person(realm, user);
  if (!known) {
    return Error{.code = Errc::not_found,
                 .message = "nobody called '" + printable(user, 60) + "' is known",
                 .hint = "`homeport user list` shows who is"};
  }
  UserRecord kept = *known;
  HOMEPORT_CHECK(parts.store.write("keep-account", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto now, store::get<UserRecord>(tx, known->key));
    if (!now)
      return Error{.code = Errc::conflict, .message = known->key + " was changed meanwhile", .hint = "ask again"};
    kept = *now;
    if (!now->recreated && !now->dormant_since) return {};
    const auto held = now->recreated.value_or(store::RecreatedRecord{});
    // Where the new account's time is not known, the next login's is taken.
    remember(*now, {.hub = held.hub, .name = held.name, .created = held.created});
    now->recreated.reset();
    now->dormant_since.reset();
    HOMEPORT_CHECK(store::put(tx, *now));
    kept = *now;
    return tx.append_audit({.at = parts.clock.now(),
                            .principal = caller.principal.id,
                            .action = "user.keep",
                            .subject = known->key,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"hub", held.hub}}.dump()});
  }));
  return kept;
}

}  // namespace homeport::core
