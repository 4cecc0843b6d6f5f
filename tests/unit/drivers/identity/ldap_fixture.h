// A directory with a few people in it, and sources that ask it.
#pragma once

#include <csignal>
#include <memory>
#include <string>

#include "drivers/identity/ldap_source.h"
#include "provisioner/base/clock.h"
#include "tests/support/result_matchers.h"
#include "tests/support/slapd.h"

namespace homeport::drivers::identity::testing {

using homeport::testing::SilentServer;
using homeport::testing::Slapd;
using homeport::testing::SlapdOptions;

inline UserName user(std::string_view name) {
  auto parsed = UserName::parse(name);
  EXPECT_OK(parsed);
  return std::move(parsed).value();
}

// `name` as an LDIF value is the caller's business.
inline std::string person(const std::string& name, unsigned uid, unsigned gid, const std::string& more = {}) {
  return "dn: cn=p" + std::to_string(uid) + ",ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\n" +
         "objectClass: posixAccount\ncn: p" + std::to_string(uid) + "\nsn: x\nuid: " + name +
         "\nuidNumber: " + std::to_string(uid) + "\ngidNumber: " + std::to_string(gid) + "\nhomeDirectory: /\n" + more +
         "\n";
}

inline std::string group(const std::string& name, unsigned gid, const std::string& members = {}) {
  return "dn: cn=" + name + ",ou=groups,dc=example,dc=org\nobjectClass: posixGroup\ncn: " + name +
         "\ngidNumber: " + std::to_string(gid) + "\n" + members + "\n";
}

inline std::string folders() {
  return "dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n\n"
         "dn: ou=groups,dc=example,dc=org\nobjectClass: organizationalUnit\nou: groups\n\n";
}

inline std::string small_directory() {
  return folders() + person("alice", 5001, 6000) + person("bob", 5002, 6000) + group("staff", 6000) +
         group("course-a", 6001, "memberUid: alice\nmemberUid: carol\n") +
         group("course-b", 6002, "memberUid: alice\n") + group("others", 6003, "memberUid: alicia\n");
}

class LdapTest : public ::testing::Test {
 protected:
  LdapTest() : clock_(make_system_clock()) { std::signal(SIGPIPE, SIG_IGN); }

  std::unique_ptr<Slapd> serve(SlapdOptions options) {
    auto server = Slapd::start(std::move(options));
    EXPECT_OK(server);
    return server ? std::move(server).value() : nullptr;
  }

  static LdapUrl url(const std::string& text) {
    auto parsed = parse_ldap_url(text);
    EXPECT_OK(parsed);
    return std::move(parsed).value();
  }
  static LdapUrl silent(const SilentServer& server, bool tls = false) {
    return LdapUrl{.tls = tls, .host = "127.0.0.1", .port = server.port()};
  }

  // Asks over ldaps.
  static LdapSettings settings_for(const Slapd& server) {
    LdapSettings settings;
    settings.servers.urls = {url(server.ldaps_url())};
    settings.servers.tls = {.ca_file = server.ca_file(), .start_tls = true};
    settings.servers.bind_dn = Slapd::kBindDn;
    settings.servers.retry_after = std::chrono::seconds(1);
    settings.users.base = Slapd::kSuffix;
    settings.groups.base = Slapd::kSuffix;
    return settings;
  }

  std::unique_ptr<LdapSource> source(LdapSettings settings) {
    return std::make_unique<LdapSource>(
        std::move(settings), [this]() -> Result<Secret> { return Secret(password_); }, *clock_);
  }

  [[nodiscard]] OpContext op(std::chrono::milliseconds time = std::chrono::seconds(20)) const {
    return OpContext{.request_id = "test", .deadline = clock_->mono() + time};
  }

  std::unique_ptr<Clock> clock_;
  std::string password_ = Slapd::kPassword;
};

}  // namespace homeport::drivers::identity::testing
