#include "drivers/identity/ldap_source.h"

#include <ldap.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "drivers/identity/directory_text.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::identity {
namespace {

constexpr const char* kInChain = ":1.2.840.113556.1.4.1941:";
constexpr std::size_t kMostNamesakes = 10;
constexpr std::uint32_t kNoId = 0xFFFFFFFFU;  // chown(2)'s "no change"
constexpr std::string_view kProbeName = "homeport-no-such-user";

std::string condition(const std::string& attribute, std::string_view value) {
  return "(" + attribute + "=" + escaped_filter_value(value) + ")";
}

Error broken(const LdapEntry& entry, const std::string& what, std::string hint) {
  return Error{.code = Errc::failed_precondition,
               .message = "entry " + printable(entry.dn, 300) + ": " + what,
               .hint = std::move(hint)};
}

// Empty: the entry does not have it.
Result<std::optional<std::uint32_t>> number_of(const LdapEntry& entry, const std::string& attribute) {
  const auto& values = entry.all(attribute);
  if (values.empty()) return std::optional<std::uint32_t>();
  if (values.size() > 1) {
    return broken(entry, attribute + " has " + std::to_string(values.size()) + " values",
                  "leave the one that is right");
  }
  const auto& text = values.front();
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || text.empty() || number == kNoId) {
    return broken(entry, attribute + " '" + printable(text, 40) + "' is not a number from 0 to 4294967294",
                  "mend the entry, or name another attribute in identity.ldap");
  }
  return std::optional(number);
}

// Active Directory gives a long list in portions ("member;range=0-1499"): what follows would be missing.
Result<void> complete(const LdapEntry& entry, const std::string& attribute) {
  for (const auto& [name, values] : entry.values) {
    if (name.size() <= attribute.size() ||
        !std::equal(attribute.begin(), attribute.end(), name.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; }))
      continue;
    if (name.compare(attribute.size(), 7, ";range=") != 0 || name.ends_with("-*")) continue;
    return broken(entry, "the server gives only a part of its values, as " + name,
                  "leave users.member_of out, so that groups are searched");
  }
  return {};
}

// The value of `attribute` in the first part of a DN; empty: the DN begins with something else.
std::string first_part(const std::string& dn, std::string_view attribute) {
  LDAPDN parsed = nullptr;
  std::string found;
  if (ldap_str2dn(dn.c_str(), &parsed, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || parsed == nullptr) return found;
  for (LDAPAVA** ava = parsed[0]; ava != nullptr && *ava != nullptr; ++ava) {
    const std::string_view type((*ava)->la_attr.bv_val, (*ava)->la_attr.bv_len);
    if (attribute.empty() || same_name(type, attribute, false)) {
      found.assign((*ava)->la_value.bv_val, (*ava)->la_value.bv_len);
      break;
    }
  }
  ldap_dnfree(parsed);
  return found;
}

// A group may have several names: the one it is filed under, else the only or the first in order.
std::string name_of_group(const LdapEntry& group, const std::string& attribute) {
  const auto& names = group.all(attribute);
  if (names.empty()) return {};
  if (names.size() == 1) return names.front();
  auto filed = first_part(group.dn, attribute);
  if (std::find(names.begin(), names.end(), filed) != names.end()) return filed;
  return *std::min_element(names.begin(), names.end());
}

void add_name(core::Identity& identity, const std::string& raw, const std::string& dn) {
  if (auto name = usable_group_name(raw)) {
    identity.groups.push_back(*std::move(name));
  } else {
    log::debug("ldap_group_name_unusable", {{"entry", dn}});
  }
}

}  // namespace

std::string user_filter(const LdapUsers& users, std::string_view name) {
  return "(&" + users.filter + condition(users.name, name) + ")";
}

std::string group_filter(const LdapSettings& settings, std::string_view name, std::string_view dn,
                         std::optional<std::uint32_t> gid) {
  const auto& groups = settings.groups;
  std::string any;
  if (settings.users.member_of.empty()) {
    for (const auto& attribute : groups.member_uid) any += condition(attribute, name);
    for (const auto& attribute : groups.member_dn) any += condition(attribute + (groups.nested ? kInChain : ""), dn);
  }
  if (gid) any += condition(groups.gid, std::to_string(*gid));
  return any.empty() ? "" : "(&" + groups.filter + "(|" + any + "))";
}

LdapSource::LdapSource(LdapSettings settings, LdapServers::ReadPassword read_password, const Clock& clock)
    : settings_(std::move(settings)), servers_(settings_.servers, std::move(read_password), clock), clock_(clock) {}

Result<std::optional<core::Identity>> LdapSource::find(const OpContext& op, const UserName& user) {
  std::optional<core::Identity> found;
  HOMEPORT_CHECK(servers_.run(op, [&](LdapConnection& connection, const OpContext& own) -> Result<void> {
    HOMEPORT_TRY(found, look_up(connection, own, user));
    return {};
  }));
  return found;
}

void LdapSource::note_references(const LdapAnswer& answer) {
  if (answer.references.empty() || references_noted_.exchange(true)) return;
  log::warning("ldap_referrals_not_followed",
               {{"base", settings_.users.base},
                {"first", answer.references.front()},
                {"hint", "who is only there is not known: name that server in urls, or choose a base without it"}});
}

Result<std::optional<LdapEntry>> LdapSource::find_person(LdapConnection& connection, const OpContext& op,
                                                         const UserName& user) {
  const auto& users = settings_.users;
  LdapSearch search{.base = users.base,
                    .scope = users.scope,
                    .filter = user_filter(users, user.str()),
                    .attributes = {users.name, users.uid, users.gid},
                    .size_limit = kMostNamesakes};
  if (!users.member_of.empty()) search.attributes.push_back(users.member_of);
  HOMEPORT_TRY(auto answer, connection.search(op, search));
  note_references(answer);
  std::vector<LdapEntry> meant;
  for (auto& entry : answer.entries) {
    const auto& names = entry.all(users.name);
    if (std::any_of(names.begin(), names.end(),
                    [&](const auto& name) { return same_name(name, user.str(), users.case_sensitive); })) {
      meant.push_back(std::move(entry));
    } else {
      // The directory compares more loosely than we do.
      log::info("ldap_other_spelling", {{"user", user.str()}, {"entry", entry.dn}});
    }
  }
  if (meant.size() > 1 || answer.cut) {
    std::string dns;
    for (const auto& entry : meant) dns += (dns.empty() ? "" : " and ") + printable(entry.dn, 300);
    return Error{.code = Errc::failed_precondition,
                 .message = "'" + printable(user.str()) + "' is the name of more than one entry: " + dns +
                            (answer.cut ? " and more" : ""),
                 .hint = "remove or rename all but one, or narrow identity.ldap.users by base or filter"};
  }
  if (meant.empty()) return std::optional<LdapEntry>();
  return std::optional(std::move(meant.front()));
}

Result<std::optional<core::Identity>> LdapSource::look_up(LdapConnection& connection, const OpContext& op,
                                                          const UserName& user) {
  HOMEPORT_TRY(const auto person, find_person(connection, op, user));
  if (!person) return std::optional<core::Identity>();
  core::Identity identity;
  HOMEPORT_TRY(identity.uid, number_of(*person, settings_.users.uid));
  HOMEPORT_TRY(identity.gid, number_of(*person, settings_.users.gid));
  if (!identity.uid) identity.gid.reset();
  // memberUid is compared letter by letter: the directory's spelling of the name counts, not the hub's.
  const auto& names = person->all(settings_.users.name);
  const auto login = std::find_if(names.begin(), names.end(), [&](const auto& name) {
    return same_name(name, user.str(), settings_.users.case_sensitive);
  });
  HOMEPORT_CHECK(add_groups(connection, op, *person, *login, identity));
  sort_unique(identity.groups);
  sort_unique(identity.gids);
  return std::optional(std::move(identity));
}

Result<void> LdapSource::add_groups(LdapConnection& connection, const OpContext& op, const LdapEntry& person,
                                    const std::string& login, core::Identity& identity) {
  if (const auto& attribute = settings_.users.member_of; !attribute.empty()) {
    HOMEPORT_CHECK(complete(person, attribute));
    for (const auto& dn : person.all(attribute)) add_name(identity, first_part(dn, ""), dn);
  }
  const auto filter = group_filter(settings_, login, person.dn, identity.gid);
  if (filter.empty()) return {};
  const LdapSearch search{.base = settings_.groups.base,
                          .scope = settings_.groups.scope,
                          .filter = filter,
                          .attributes = {settings_.groups.name, settings_.groups.gid},
                          .page_size = settings_.page_size};
  auto answer = connection.search(op, search);
  if (!answer) return std::move(answer).context("groups of " + printable(login)).error();
  note_references(*answer);
  for (const auto& group : answer->entries) {
    HOMEPORT_TRY(const auto gid, number_of(group, settings_.groups.gid));
    if (gid && gid != identity.gid) identity.gids.push_back(*gid);
    if (const auto name = name_of_group(group, settings_.groups.name); !name.empty())
      add_name(identity, name, group.dn);
  }
  return {};
}

Result<void> LdapSource::check_server(LdapConnection& connection, const OpContext& op, std::string& said) {
  const auto& users = settings_.users;
  HOMEPORT_TRY(const auto people, connection.search(op, {.base = users.base,
                                                         .scope = users.scope,
                                                         .filter = user_filter(users, kProbeName),
                                                         .attributes = {users.name},
                                                         .size_limit = kMostNamesakes}));
  HOMEPORT_CHECK(
      connection.search(op, {.base = settings_.groups.base,
                             .scope = settings_.groups.scope,
                             .filter = group_filter(settings_, kProbeName, "cn=" + std::string(kProbeName), kNoId),
                             .attributes = {settings_.groups.name},
                             .page_size = settings_.page_size}));
  said = "answers";
  if (!people.references.empty()) {
    said += " with " + std::to_string(people.references.size()) + " referrals that are not followed (" +
            printable(people.references.front()) + ")";
  }
  return {};
}

Result<std::string> LdapSource::check(const OpContext& op) {
  std::string text;
  std::optional<Error> first;
  std::size_t well = 0;
  for (std::size_t i = 0; i < servers_.count(); ++i) {
    std::string said;
    OpContext share = op;
    const auto left = (op.deadline - clock_.mono()) / static_cast<MonoTime::rep>(servers_.count() - i);
    share.deadline = clock_.mono() + std::min<MonoTime::duration>(left, settings_.servers.timeout);
    auto done = servers_.run_on(share, i, [&](LdapConnection& connection, const OpContext& own) {
      return check_server(connection, own, said);
    });
    if (done) {
      ++well;
      said.insert(0, servers_.url(i) + " ");
    } else {
      said = done.error().sentence();
      if (!first) first = std::move(done).error();
    }
    text += (text.empty() ? "" : "; ") + said;
  }
  if (well == 0 && first) {
    first->message = text;
    first->context.clear();
    return std::move(*first);
  }
  const std::string who = settings_.servers.bind_dn.empty() ? "nobody" : settings_.servers.bind_dn;
  return std::to_string(well) + " of " + std::to_string(servers_.count()) + " LDAP servers answer to " + who + ": " +
         text;
}

}  // namespace homeport::drivers::identity
