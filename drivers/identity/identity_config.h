// The `identity:` section of the configuration: where uid, gid and groups of a person come from.
//
//   order: [request, static, nss, ldap, assigned]   asked one after the other; default [request]. A source that is set
//   up
//                                                   and not named here is a mistake; `assigned` answers always: it is
//                                                   last
//   system_below: 1000                              smaller uids are refused, whoever names them
//   static:      {alice: {uid: 5001, gid: 5001, gids: [6001], groups: [staff]}}
//   static_file: /etc/homeport/people.yaml          the same mapping in a file, read again when it changes
//   nss:         {timeout: 5s}
//   ldap:        see drivers/identity/README.md
//   assigned:    {from: 200000, to: 299999, gid: 100}   gid left out: each person's own, with the number of the uid
//   cache:       {ttl: 5m, negative_ttl: 30s, stale: 4h, entries: 20000}   of nss and ldap
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/identity/cached_source.h"
#include "drivers/identity/ldap_source.h"
#include "drivers/identity/static_source.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/config/secrets.h"

namespace homeport::drivers::identity {

enum class Origin { request, written, nss, ldap, assigned };  // written: `static`, a word C++ keeps for itself
[[nodiscard]] std::string_view origin_name(Origin origin);    // "static"

// uids from `from` to `to`, both included.
struct AssignedRange {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::optional<std::uint32_t> gid{};  // empty: the number of the uid
};

struct NssSettings {
  std::chrono::milliseconds timeout = std::chrono::seconds(5);
};

struct LdapSection {
  LdapSettings settings{};
  std::optional<config::SecretRef> bind_password{};  // set whenever settings.servers.bind_dn is
};

struct IdentitySettings {
  std::vector<Origin> order{Origin::request};
  std::uint32_t system_below = 1000;
  StaticSettings people{};
  NssSettings nss{};
  std::optional<LdapSection> ldap{};
  std::optional<AssignedRange> assigned{};
  CacheSettings cache{};
};

// Strict: adds every problem it finds, those of static_file with that file's own lines. Reads static_file; makes no
// other contact and reads no secret. Calls section.finish(). An absent section reads as an empty one.
[[nodiscard]] IdentitySettings identity_from_section(DocReader section);

// static_file alone, as StaticSource reads it again later. Errors: those of config::load_document; invalid_argument
// with every problem.
[[nodiscard]] Result<StaticPeople> read_static_file(const std::string& file, std::uint32_t system_below);

}  // namespace homeport::drivers::identity
