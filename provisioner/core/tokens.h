// Bearer tokens: "hp_" ID "_" SECRET. Only a SHA-256 of the whole is kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/secret.h"
#include "provisioner/core/homes.h"

namespace homeport::core {

class Tokens {
 public:
  // `realm`: the service's own, for the first token.
  Tokens(Homes::Parts parts, std::string realm) : p_(std::move(parts)), realm_(std::move(realm)) {}

  struct Request {
    policies::Scope scope = policies::Scope::auditor;
    std::string hub{};  // needed for scope spawner
    std::string name{};
    std::optional<std::chrono::milliseconds> expires_in{};
    std::string realm = "default";
  };
  struct Created {
    store::TokenRecord record;
    Secret token;  // shown once
  };
  Result<Created> create(const std::string& created_by, const Request& request);
  // A new secret for the same rights; the old one ends now.
  Result<Created> rotate(const Caller& caller, const std::string& id);
  Result<void> revoke(const Caller& caller, const std::string& id);  // revoked already is success
  [[nodiscard]] std::vector<TokenPtr> list() const;

  // Never blocks. Errors: unauthenticated, saying whether it is unknown, expired or revoked.
  [[nodiscard]] Result<policies::Principal> authenticate(std::string_view token) const;
  // First start: an admin token in DIRECTORY/admin-token (0600), if no token exists yet. Gives the file, or nullopt.
  Result<std::optional<std::string>> write_first_token(const std::string& directory);

 private:
  [[nodiscard]] Created draw(const std::string& created_by, const Request& request) const;
  Result<store::TokenRecord> save(const store::TokenRecord& record);
  Homes::Parts p_;
  const std::string realm_;
};

}  // namespace homeport::core
