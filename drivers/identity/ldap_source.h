// People and groups of an LDAP directory: posixAccount and posixGroup (RFC 2307, RFC 2307bis), or Active Directory.
//
// A look-up is one search for the person and one for the groups, the primary group's name included: by the person's
// name (memberUid), by the person's DN (member, uniqueMember) and by the primary gid, in one filter. Where memberOf is
// configured, group names come from the person's own entry, without numbers, and the second search is for the primary
// group alone. Whoever is not found costs one search.
//
// Referrals are not followed, neither as an answer nor inside one: a person who is only behind a referral is not known,
// and the log and check() say that there are some.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "drivers/identity/ldap_servers.h"
#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity {

struct LdapUsers {
  std::string base{};
  LdapScope scope = LdapScope::sub;
  std::string filter = "(objectClass=posixAccount)";
  std::string name = "uid";  // the attribute with the login name
  std::string uid = "uidNumber";
  std::string gid = "gidNumber";
  std::string member_of{};  // e.g. "memberOf"; empty: groups are searched
  // False: Alice and alice are one person, as for the directory itself (and for a hub that writes names in lower case).
  bool case_sensitive = false;
};

struct LdapGroups {
  std::string base{};
  LdapScope scope = LdapScope::sub;
  std::string filter = "(objectClass=posixGroup)";
  std::string name = "cn";
  std::string gid = "gidNumber";
  std::vector<std::string> member_uid{"memberUid"};  // attributes that hold login names
  std::vector<std::string> member_dn{};              // attributes that hold DNs
  // Groups in groups, by Active Directory's matching rule 1.2.840.113556.1.4.1941; other servers do not know it.
  bool nested = false;
};

struct LdapSettings {
  LdapServerSettings servers{};
  LdapUsers users{};
  LdapGroups groups{};
  std::size_t page_size = 500;  // of the search for groups; 0: not in pages
};

[[nodiscard]] std::string user_filter(const LdapUsers& users, std::string_view name);
// Empty: there is nothing to search for. `name` and `dn` as the directory wrote them.
[[nodiscard]] std::string group_filter(const LdapSettings& settings, std::string_view name, std::string_view dn,
                                       std::optional<std::uint32_t> gid);

class LdapSource final : public core::IdentitySource {
 public:
  // `clock` must outlive it. Makes no contact.
  LdapSource(LdapSettings settings, LdapServers::ReadPassword read_password, const Clock& clock);

  [[nodiscard]] std::string_view name() const override { return "ldap"; }
  // A person without uidNumber is known by groups alone. Errors: unavailable, timed_out, cancelled; permission_denied;
  // failed_precondition: two entries for the name (both DNs), a value that is no number (DN and attribute), a base that
  // is not there, an answer that the server cut short.
  [[nodiscard]] Result<std::optional<core::Identity>> find(const OpContext& op, const UserName& user) override;
  // Asks every server: connect, TLS, bind, both bases. Errors: of the first server when none answers.
  [[nodiscard]] Result<std::string> check(const OpContext& op) override;

 private:
  Result<std::optional<core::Identity>> look_up(LdapConnection& connection, const OpContext& op, const UserName& user);
  Result<std::optional<LdapEntry>> find_person(LdapConnection& connection, const OpContext& op, const UserName& user);
  Result<void> add_groups(LdapConnection& connection, const OpContext& op, const LdapEntry& person,
                          const std::string& login, core::Identity& identity);
  Result<void> check_server(LdapConnection& connection, const OpContext& op, std::string& said);
  void note_references(const LdapAnswer& answer);

  const LdapSettings settings_;
  LdapServers servers_;
  const Clock& clock_;
  std::atomic<bool> references_noted_{false};
};

}  // namespace homeport::drivers::identity
