#include "drivers/identity/ldap_config.h"

#include <algorithm>
#include <utility>

#include "drivers/identity/directory_text.h"

namespace homeport::drivers::identity {

using std::chrono::milliseconds;

void read_duration(DocReader& in, std::string_view key, milliseconds low, milliseconds high, milliseconds& to) {
  const auto value = in.optional_duration(key);
  if (!value) return;
  if (*value < low || *value > high) {
    in.problem(key, "must be from " + format_duration(low) + " to " + format_duration(high));
  } else {
    to = *value;
  }
}

namespace {

using namespace std::chrono_literals;

// What a schema means where nothing else is said; the words and defaults are those of sssd.
void start_from_schema(const std::string& schema, LdapSettings& ldap) {
  if (schema == "rfc2307bis") {
    ldap.groups.member_uid.clear();
    ldap.groups.member_dn = {"member", "uniqueMember"};
  } else if (schema == "ad") {
    ldap.users.filter = "(&(objectCategory=person)(objectClass=user))";
    ldap.users.name = "sAMAccountName";
    ldap.groups.filter = "(objectClass=group)";
    ldap.groups.name = "sAMAccountName";
    ldap.groups.member_uid.clear();
    ldap.groups.member_dn = {"member"};
    ldap.groups.nested = true;
  }
}

void read_dn(DocReader& in, std::string_view key, std::string& to) {
  const auto text = in.optional_text(key);
  if (!text) return;
  to = *text;
  if (!is_ldap_dn(*text)) {
    in.problem(key, "'" + printable(*text, 80) + "' is not a distinguished name",
               "write it like ou=people,dc=example,dc=org");
  }
}

void read_filter(DocReader& in, std::string& to) {
  const auto text = in.optional_text("filter");
  if (!text) return;
  to = *text;
  if (const auto why = filter_trouble(*text); !why.empty())
    in.problem("filter", "'" + printable(*text, 80) + "' " + std::string(why), "see RFC 4515");
}

bool check_attribute(DocReader& in, std::string_view key, const std::string& name) {
  if (is_attribute_name(name)) return true;
  in.problem(key, "'" + printable(name, 60) + "' is not the name of an attribute", "for example uidNumber");
  return false;
}

void read_attribute(DocReader& in, std::string_view key, std::string& to) {
  const auto text = in.optional_text(key);
  if (text && check_attribute(in, key, *text)) to = *text;
}

void read_attributes(DocReader& in, std::string_view key, std::vector<std::string>& to) {
  if (!in.has(key)) return;
  to = in.texts(key);
  for (const auto& name : to) (void)check_attribute(in, key, name);
}

void read_scope(DocReader& in, LdapScope& to) {
  const auto word = in.choice("scope", {"base", "one", "sub"}, "sub");
  to = word == "base" ? LdapScope::base : word == "one" ? LdapScope::one : LdapScope::sub;
}

void read_users(DocReader in, const std::string& base, LdapUsers& users) {
  users.base = base;
  read_dn(in, "base", users.base);
  if (users.base.empty()) in.problem("", "no 'base', and none in identity.ldap", "say below which entry people are");
  read_scope(in, users.scope);
  read_filter(in, users.filter);
  read_attribute(in, "name", users.name);
  read_attribute(in, "uid", users.uid);
  read_attribute(in, "gid", users.gid);
  read_attribute(in, "member_of", users.member_of);
  users.case_sensitive = in.boolean("case_sensitive", users.case_sensitive);
  in.finish();
}

void read_groups(DocReader in, const std::string& base, const LdapUsers& users, LdapGroups& groups) {
  groups.base = base;
  read_dn(in, "base", groups.base);
  if (groups.base.empty()) in.problem("", "no 'base', and none in identity.ldap", "say below which entry groups are");
  read_scope(in, groups.scope);
  read_filter(in, groups.filter);
  read_attribute(in, "name", groups.name);
  read_attribute(in, "gid", groups.gid);
  read_attributes(in, "member_uid", groups.member_uid);
  read_attributes(in, "member_dn", groups.member_dn);
  if (!users.member_of.empty()) {
    for (const std::string_view key : {"member_uid", "member_dn", "nested"}) {
      if (in.has(key)) in.problem(key, "is not looked at with users.member_of", "leave one of the two out");
    }
  }
  groups.nested = in.boolean("nested", groups.nested);
  if (in.has("nested") && groups.nested && groups.member_dn.empty())
    in.problem("nested", "needs member_dn: members by name are never groups");
  in.finish();
}

void read_urls(DocReader& in, LdapServerSettings& servers) {
  if (!in.has("urls")) in.missing("urls");
  for (const auto& text : in.texts("urls")) {
    auto url = parse_ldap_url(text);
    if (!url) {
      in.problem("urls", url.error().message, url.error().hint);
      continue;
    }
    for (const auto& other : servers.urls) {
      if (other.text() == url->text()) in.problem("urls", "'" + url->text() + "' is named twice");
    }
    servers.urls.push_back(std::move(url).value());
  }
  if (in.has("urls") && servers.urls.empty()) in.problem("urls", "names no server");
}

void read_tls(DocReader in, LdapServerSettings& servers) {
  if (const auto file = in.parsed("ca_file", &AbsolutePath::parse)) servers.tls.ca_file = file->str();
  servers.tls.start_tls = in.boolean("start_tls", true);
  const bool beyond = std::any_of(servers.urls.begin(), servers.urls.end(),
                                  [](const LdapUrl& url) { return !url.tls && !url.loopback(); });
  if (!servers.tls.start_tls && beyond) {
    in.problem("start_tls", "false would send the password, and take uids from anybody on the way, without TLS",
               "only ldap:// to this machine itself may go without it");
  }
  in.finish();
}

void read_bind(DocReader& in, LdapSection& section) {
  auto& servers = section.settings.servers;
  read_dn(in, "bind_dn", servers.bind_dn);
  section.bind_password = config::read_secret_ref(in, "bind_password");
  if (in.has("bind_dn") && !in.has("bind_password")) {
    in.problem("bind_dn", "has no bind_password", "write bind_password: {file: /PATH} or {env: NAME}");
  }
  if (in.has("bind_password") && !in.has("bind_dn")) in.problem("bind_password", "has no bind_dn");
}

}  // namespace

LdapSection read_ldap_section(DocReader in) {
  LdapSection section;
  auto& ldap = section.settings;
  start_from_schema(in.choice("schema", {"rfc2307", "rfc2307bis", "ad"}, "rfc2307"), ldap);
  read_urls(in, ldap.servers);
  read_bind(in, section);
  read_tls(in.object("tls"), ldap.servers);
  std::string base;
  read_dn(in, "base", base);
  read_users(in.object("users"), base, ldap.users);
  read_groups(in.object("groups"), base, ldap.users, ldap.groups);
  read_duration(in, "connect_timeout", 100ms, 1min, ldap.servers.connect_timeout);
  read_duration(in, "timeout", 100ms, 5min, ldap.servers.timeout);
  read_duration(in, "retry_after", 1s, 1h, ldap.servers.retry_after);
  ldap.page_size = in.number("page_size", ldap.page_size, 0, 10'000);
  ldap.servers.connections = in.number("connections", ldap.servers.connections, 1, 64);
  in.finish();
  return section;
}

}  // namespace homeport::drivers::identity
