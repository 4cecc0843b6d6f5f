// People of this host's own databases (nsswitch.conf: files, sssd, winbind, systemd, …), through the C library.
//
// Blocks as long as the host's NSS modules do and knows no deadline: put it into a BoundedSource. glibc tells a person
// who is not there (answer 0, no entry) from a database that could not be asked (any other number); sssd without its
// daemon answers ENOENT, for example, and that is `unavailable` here, not "unknown". Of a person's groups it tells
// less: when one of several group databases fails, getgrouplist() leaves out what that one would have said, without a
// word. That is why names and numbers from a directory are better read from it directly.
#pragma once

#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity {

class NssSource final : public core::IdentitySource {
 public:
  [[nodiscard]] std::string_view name() const override { return "nss"; }
  // A group without a name is told by number alone. Errors: unavailable.
  [[nodiscard]] Result<std::optional<core::Identity>> find(const OpContext& op, const UserName& user) override;
  [[nodiscard]] Result<std::string> check(const OpContext& op) override;
};

}  // namespace homeport::drivers::identity
