// Who a person is to a filesystem: uid, gid, groups. A port: drivers/identity implements it (static map, NSS, LDAP),
// core asks the sources in the configured order and pins what it is told.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/names.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"

namespace homeport::core {

// What one source knows of one person. A member it does not know is empty; the next source may.
struct Identity {
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};  // the primary group; known only together with uid
  std::vector<std::uint32_t> gids{};   // further groups by number, ascending, without gid
  std::vector<std::string> groups{};   // all groups by name, sorted; what rules and grants match
  friend bool operator==(const Identity&, const Identity&) = default;
};

// Threads: every method from any thread.
class IdentitySource {
 public:
  virtual ~IdentitySource() = default;
  // "static", "nss", "ldap": the word in `identity.order` of the configuration.
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Blocks at most until op.deadline. nullopt: the source answers, and does not know the person.
  // Errors: unavailable, timed_out (it cannot be asked now, or does not prove who it is: ask again); cancelled;
  // permission_denied (it refuses our credentials, or we have none to show);
  // failed_precondition (two entries for one name, a value that is no number: the message names the entry).
  [[nodiscard]] virtual Result<std::optional<Identity>> find(const OpContext& op, const UserName& user) = 0;
  // Whether it can be asked, in words for `homeport doctor`. Errors as find().
  [[nodiscard]] virtual Result<std::string> check(const OpContext& op) = 0;
};

}  // namespace homeport::core
