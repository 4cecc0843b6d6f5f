// Accounts at a hub that were deleted and made again under the same name. A name is not an identity: whoever has the
// account now may be somebody else, and must not get the home of before.
//
// The hub says when it made an account: the hook with every question, its list where the token may read it
// (read:users). Another time than the one remembered, or an account of somebody who had left (dormant) where no time is
// known, means that it was made again. Then somebody has to vouch for the person: the uid that the hub, LDAP, NSS or
// the static list names now is the one that was pinned. Where nobody names one (assigned, squash), logins from that hub
// are refused until an admin has said who it is: the same person (keep_account), or somebody new (rename with
// free_old_name). A hub whose names never go to somebody else is configured `recreated: same`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "provisioner/core/homes.h"

namespace homeport::core {

// An account, and what its hub says of it now.
struct HubAccount {
  std::string hub;
  std::string name;
  std::optional<WallTime> created{};
};

[[nodiscard]] bool is_recreated(const store::UserRecord& user, const HubAccount& account);
// A login by it would change what is remembered.
[[nodiscard]] bool is_news(const store::UserRecord& user, const HubAccount& account);
// Is it known to be held?
[[nodiscard]] bool is_held(const store::UserRecord& user, std::string_view hub, std::string_view name);
// The refusal: forbidden, for the person and the admin to read.
[[nodiscard]] Error account_held(const HubAccount& account);

// A login by it was answered: it is the person's.
Result<void> note_account(store::WriteTransaction& tx, const std::string& user_key, const HubAccount& account);
// It is held; audited when that is new. Waits for the store when it is.
Result<void> hold_account(const Homes::Parts& parts, const store::UserRecord& user, const HubAccount& account,
                          const std::string& principal);
// The same in a transaction.
Result<void> hold_account(store::WriteTransaction& tx, const std::string& user_key, const HubAccount& account,
                          WallTime now, const std::string& principal);
// An admin's word: it is the same person. Asking again, or for somebody who is not held, is success. Errors: not_found.
Result<store::UserRecord> keep_account(const Homes::Parts& parts, const Caller& caller, std::string_view realm,
                                       std::string_view user);

}  // namespace homeport::core
