#include "provisioner/core/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "provisioner/base/digest.h"

namespace homeport::core {
namespace {

constexpr std::size_t kSecretBytes = 32;

Error unauthenticated(std::string message, std::string hint) {
  return Error{.code = Errc::unauthenticated, .message = std::move(message), .hint = std::move(hint)};
}

Error file_error(const std::string& file, int code) {
  return Error{.code = Errc::failed_precondition,
               .message = "cannot write " + file + ": " + std::strerror(code),  // NOLINT(concurrency-mt-unsafe)
               .hint = "the state directory must belong to the account homeportd runs as"};
}

// Readable by its owner alone from the first byte on.
Result<void> write_private_file(const std::string& file, const std::string& text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return file_error(file, errno);
  const bool good = ::fchmod(fd, 0600) == 0 &&
                    ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int code = errno;
  ::close(fd);
  if (!good) return file_error(file, code);
  return {};
}

}  // namespace

Result<Tokens::Created> Tokens::create(const std::string& created_by, const Request& request) {
  if (request.scope == policies::Scope::spawner && request.hub.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "a spawner token is bound to one hub",
                 .hint = "name it with --hub",
                 .pointer = "/hub"};
  }
  if (request.scope != policies::Scope::spawner && !request.hub.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "only a spawner token is bound to a hub",
                 .hint = "leave --hub out",
                 .pointer = "/hub"};
  }
  if (request.scope == policies::Scope::user_self) {
    return Error{.code = Errc::invalid_argument,
                 .message = "user:self comes from the hub's own tokens and is not created here",
                 .pointer = "/scope"};
  }
  auto created = draw(created_by, request);
  HOMEPORT_TRY(created.record, save(created.record));
  return created;
}

Tokens::Created Tokens::draw(const std::string& created_by, const Request& request) const {
  const std::string id = "t-" + hex16(p_.ids.random64()).substr(0, 12);
  Secret token("hp_" + id.substr(2) + "_" + p_.ids.random_token(kSecretBytes));
  store::TokenRecord record{.id = id,
                            .name = request.name,
                            .scope = std::string(policies::scope_name(request.scope)),
                            .hub = request.hub,
                            .realm = request.realm,
                            .hash = sha256_hex(token.reveal()),
                            .created_by = created_by};
  record.created_at = p_.clock.now();
  if (request.expires_in) record.expires_at = record.created_at + *request.expires_in;
  return Created{.record = std::move(record), .token = std::move(token)};
}

Result<store::TokenRecord> Tokens::save(const store::TokenRecord& record) {
  store::TokenRecord stored = record;
  HOMEPORT_CHECK(p_.store.write("token", [&](store::WriteTransaction& tx) -> Result<void> {
    stored = record;
    HOMEPORT_CHECK(store::put(tx, stored, store::Expect::none()));
    return tx.append_audit({.at = record.created_at,
                            .principal = record.created_by,
                            .action = "token.create",
                            .subject = record.id,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"scope", record.scope}, {"hub", record.hub}}.dump()});
  }));
  return stored;
}

Result<Tokens::Created> Tokens::rotate(const Caller& caller, const std::string& id) {
  Secret token("hp_" + (id.size() > 2 ? id.substr(2) : id) + "_" + p_.ids.random_token(kSecretBytes));
  std::optional<store::TokenRecord> stored;
  HOMEPORT_CHECK(p_.store.write("token", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(stored, store::get<store::TokenRecord>(tx, id));
    if (!stored) return Error{.code = Errc::not_found, .message = "there is no token " + printable(id, 40)};
    if (stored->revoked)
      return Error{
          .code = Errc::failed_precondition, .message = "token " + id + " is revoked", .hint = "create a new one"};
    stored->hash = sha256_hex(token.reveal());
    HOMEPORT_CHECK(store::put(tx, *stored));
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "token.rotate",
                            .subject = id,
                            .outcome = "ok"});
  }));
  return Created{.record = std::move(*stored), .token = std::move(token)};
}

Result<void> Tokens::revoke(const Caller& caller, const std::string& id) {
  return p_.store.write("token", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto token, store::get<store::TokenRecord>(tx, id));
    if (!token)
      return Error{.code = Errc::not_found,
                   .message = "there is no token " + printable(id, 40),
                   .hint = "`homeport token list` shows them"};
    if (token->revoked) return {};
    token->revoked = true;
    HOMEPORT_CHECK(store::put(tx, *token));
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "token.revoke",
                            .subject = id,
                            .outcome = "ok"});
  });
}

std::vector<TokenPtr> Tokens::list() const {
  return p_.catalog.tokens();
}

Result<policies::Principal> Tokens::authenticate(std::string_view token) const {
  const auto record = p_.catalog.token_by_hash(sha256_hex(token));
  if (!record)
    return unauthenticated("the token is not known",
                           "create one with `homeport token create`; check that it was copied whole");
  if (record->revoked) return unauthenticated("the token was revoked", "ask an admin for a new one");
  if (record->expires_at && *record->expires_at <= p_.clock.now()) {
    return unauthenticated("the token expired at " + format_time(*record->expires_at),
                           "ask an admin to rotate or replace it");
  }
  const auto scope = policies::scope_from_name(record->scope);
  if (!scope)
    return unauthenticated("the token's scope '" + record->scope + "' is not known to this version",
                           "create a new token");
  return policies::Principal{.id = record->id, .scope = *scope, .hub = record->hub, .realm = record->realm};
}

Result<std::optional<std::string>> Tokens::write_first_token(const std::string& directory) {
  if (!p_.catalog.tokens().empty()) return std::optional<std::string>{};
  const auto created = draw("system", {.scope = policies::Scope::admin, .name = "first-admin", .realm = realm_});
  const std::string file = directory + "/admin-token";
  // The file first: a crash in between leaves a token that is not known, and the next start writes a new one.
  HOMEPORT_CHECK(write_private_file(file, created.token.reveal() + "\n"));
  HOMEPORT_CHECK(save(created.record));
  return std::optional<std::string>{file};
}

}  // namespace homeport::core
