// The identity section: what it means, and every mistake at once with its line; people written down in files.
#include "drivers/identity/identity_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "drivers/identity/sources.h"
#include "provisioner/base/clock.h"
#include "provisioner/config/yaml_document.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::identity {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Read {
  IdentitySettings settings;
  std::string problems;
};

Read read(const std::string& yaml) {
  const auto document = config::parse_yaml_document(yaml, "config.yaml");
  EXPECT_OK(document);
  Problems problems(*document);
  DocReader root = DocReader::root(problems);
  auto settings = identity_from_section(root.object("identity"));
  root.finish();
  return {.settings = std::move(settings), .problems = problems.text()};
}

class Folder {
 public:
  Folder() {
    std::string pattern = "/tmp/homeport-identity-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    // Renamed into place, as editors and configuration management do.
    const auto draft = path_ / (name + ".new");
    std::ofstream(draft) << text;
    std::filesystem::rename(draft, path_ / name);
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

TEST(IdentityConfig, nothing_written_means_the_request) {
  for (const auto* yaml : {"", "identity:\n", "identity: {}\n"}) {
    const auto [settings, problems] = read(yaml);
    EXPECT_EQ(problems, "");
    EXPECT_THAT(settings.order, ElementsAre(Origin::request));
    EXPECT_EQ(settings.system_below, 1000U);
    EXPECT_FALSE(settings.ldap);
  }
}

TEST(IdentityConfig, everything) {
  const auto [settings, problems] = read(R"yaml(
identity:
  order: [request, static, nss, ldap, assigned]
  system_below: 500
  static:
    alice: {uid: 5001, gid: 5000, gids: [6002, 6001, 5000, 6001], groups: [staff, course-a]}
    bob@example.org: {groups: [staff]}
  nss: {timeout: 2s}
  ldap:
    urls: ["ldaps://ldap1.example.org", "ldap://ldap2.example.org:1389"]
    schema: rfc2307bis
    base: dc=example,dc=org
    bind_dn: cn=homeport,dc=example,dc=org
    bind_password: {file: /etc/homeport/ldap-password}
    tls: {ca_file: /etc/homeport/ldap-ca.pem}
    users: {base: "ou=people,dc=example,dc=org", scope: one, filter: "(objectClass=person)", name: mail, uid: employeeNumber, gid: departmentNumber, case_sensitive: true}
    groups: {filter: "(cn=*)", name: description, gid: ou, member_uid: [memberUid], member_dn: [member]}
    connect_timeout: 1s
    timeout: 2s
    retry_after: 10s
    page_size: 0
    connections: 4
  assigned: {from: 200000, to: 299999, gid: 100}
  cache: {ttl: 1m, negative_ttl: 0s, stale: 1d, entries: 10}
)yaml");
  EXPECT_EQ(problems, "");
  EXPECT_THAT(settings.order,
              ElementsAre(Origin::request, Origin::written, Origin::nss, Origin::ldap, Origin::assigned));
  EXPECT_EQ(settings.system_below, 500U);
  const auto& alice = settings.people.people.at("alice");
  EXPECT_EQ(alice.uid, 5001U);
  EXPECT_EQ(alice.gid, 5000U);
  EXPECT_THAT(alice.gids, ElementsAre(6001U, 6002U));
  EXPECT_THAT(alice.groups, ElementsAre("course-a", "staff"));
  EXPECT_FALSE(settings.people.people.at("bob@example.org").uid);
  EXPECT_EQ(settings.nss.timeout, 2s);
  ASSERT_TRUE(settings.ldap);
  const auto& ldap = settings.ldap->settings;
  ASSERT_EQ(ldap.servers.urls.size(), 2U);
  EXPECT_EQ(ldap.servers.urls[1].text(), "ldap://ldap2.example.org:1389");
  EXPECT_EQ(ldap.servers.bind_dn, "cn=homeport,dc=example,dc=org");
  EXPECT_EQ(settings.ldap->bind_password->file, "/etc/homeport/ldap-password");
  EXPECT_EQ(ldap.servers.tls.ca_file, "/etc/homeport/ldap-ca.pem");
  EXPECT_TRUE(ldap.servers.tls.start_tls);
  EXPECT_EQ(ldap.users.base, "ou=people,dc=example,dc=org");
  EXPECT_EQ(ldap.users.scope, LdapScope::one);
  EXPECT_EQ(ldap.users.filter, "(objectClass=person)");
  EXPECT_EQ(ldap.users.name, "mail");
  EXPECT_EQ(ldap.users.uid, "employeeNumber");
  EXPECT_EQ(ldap.users.gid, "departmentNumber");
  EXPECT_TRUE(ldap.users.case_sensitive);
  EXPECT_EQ(ldap.groups.base, "dc=example,dc=org");
  EXPECT_EQ(ldap.groups.scope, LdapScope::sub);
  EXPECT_EQ(ldap.groups.filter, "(cn=*)");
  EXPECT_EQ(ldap.groups.name, "description");
  EXPECT_EQ(ldap.groups.gid, "ou");
  EXPECT_THAT(ldap.groups.member_uid, ElementsAre("memberUid"));
  EXPECT_THAT(ldap.groups.member_dn, ElementsAre("member"));
  EXPECT_EQ(ldap.servers.connect_timeout, 1s);
  EXPECT_EQ(ldap.servers.timeout, 2s);
  EXPECT_EQ(ldap.servers.retry_after, 10s);
  EXPECT_EQ(ldap.page_size, 0U);
  EXPECT_EQ(ldap.servers.connections, 4U);
  EXPECT_EQ(settings.assigned->from, 200'000U);
  EXPECT_EQ(settings.assigned->to, 299'999U);
  EXPECT_EQ(settings.assigned->gid, 100U);
  EXPECT_EQ(settings.cache.ttl, 1min);
  EXPECT_EQ(settings.cache.negative_ttl, 0s);
  EXPECT_EQ(settings.cache.stale, 24h);
  EXPECT_EQ(settings.cache.entries, 10U);
  const auto clock = make_system_clock();
  const auto sources = make_identity_sources(settings, *clock);
  ASSERT_EQ(sources.size(), 3U);
  EXPECT_EQ(sources[0]->name(), "static");
  EXPECT_EQ(sources[1]->name(), "nss");
  EXPECT_EQ(sources[2]->name(), "ldap");
}

TEST(IdentityConfig, schemas) {
  const auto of = [](const std::string& schema) {
    const auto got =
        read("identity: {order: [ldap], ldap: {urls: ['ldaps://h'], base: 'dc=x', schema: " + schema + "}}");
    EXPECT_EQ(got.problems, "");
    return got.settings.ldap->settings;
  };
  const auto plain = of("rfc2307");
  EXPECT_THAT(plain.groups.member_uid, ElementsAre("memberUid"));
  EXPECT_TRUE(plain.groups.member_dn.empty());
  const auto bis = of("rfc2307bis");
  EXPECT_THAT(bis.groups.member_dn, ElementsAre("member", "uniqueMember"));
  const auto ad = of("ad");
  EXPECT_EQ(ad.users.name, "sAMAccountName");
  EXPECT_TRUE(ad.groups.nested);
  EXPECT_EQ(user_filter(ad.users, "x"), "(&(&(objectCategory=person)(objectClass=user))(sAMAccountName=x))");
}

struct Mistake {
  std::string yaml;  // of the section
  std::string says;
};

TEST(IdentityConfig, mistakes) {
  const std::string ldap = "order: [ldap], ldap: {urls: ['ldaps://h'], base: 'dc=x', ";
  const std::vector<Mistake> rows{
      {"order: [request, sssd]", "'sssd' is not known (use some of: request, static, nss, ldap, assigned)"},
      {"order: [request, request]", "named twice"},
      {"order: []", "names nothing to ask"},
      {"order: ldap", "must be a list"},
      {"order: [assigned, request], assigned: {from: 100000, to: 200000}", "put it last"},
      {"order: [ldap]", "there is no identity.ldap"},
      {"order: [static]", "there is no identity.static"},
      {"order: [assigned]", "there is no identity.assigned"},
      {"ldap: {urls: ['ldaps://h'], base: 'dc=x'}", "does not name 'ldap'"},
      {"static: {alice: {uid: 5001}}", "does not name 'static'"},
      {"nss: {}", "does not name 'nss'"},
      {"assigned: {from: 100000, to: 200000}", "does not name 'assigned'"},
      {"cache: {ttl: 1m}", "has nothing to keep"},
      {"odrer: [request]", "did you mean 'order'?"},
      {"system_below: 0", "whole number from 1"},
      {"order: [static], static: {root: {uid: 0}}", "is below identity.system_below (1000)"},
      {"order: [static], static: {a: {uid: 5001}, b: {uid: 5001}}", "a uid belongs to one person"},
      {"order: [static], static: {a: {uid: 4294967295}}", "4294967294"},
      {"order: [static], static: {a: {uid: '5001'}}", "whole number"},
      {"order: [static], static: {a: {gid: 5001, groups: [x]}}", "without 'uid'"},
      {"order: [static], static: {a: {}}", "says nothing of this person"},
      {"order: [static], static: {a: {uid: 5001, gids: [x]}}", "list of whole numbers"},
      {"order: [static], static: {a: {uid: 5001, groups: ['a/b']}}", "contains '/'"},
      {"order: [static], static: {'a/b': {uid: 5001}}", "user name 'a/b' contains '/'"},
      {"order: [static], static: {a: {uid: 5001, shell: x}}", "'shell' is not known"},
      {"order: [static], static: [a]", "must be a mapping"},
      {"order: [static], static_file: people.yaml", "not absolute"},
      {"order: [static], static_file: /nonexistent/people.yaml", "/nonexistent/people.yaml"},
      {"order: [assigned], assigned: {from: 300000, to: 200000}", "smaller than 'from'"},
      {"order: [assigned], assigned: {from: 500, to: 900}", "below identity.system_below"},
      {"order: [assigned], assigned: {from: 60000, to: 70000}", "nobody"},
      {"order: [assigned], assigned: {to: 70000}", "'from' is missing"},
      {"order: [nss], nss: {timeout: 1h}", "must be from 100ms to 1m"},
      {"order: [nss], cache: {ttl: 0s}", "must be from 1s"},
      {"order: [ldap], ldap: {base: 'dc=x'}", "'urls' is missing"},
      {"order: [ldap], ldap: {urls: [], base: 'dc=x'}", "names no server"},
      {"order: [ldap], ldap: {urls: ['ldap://h/dc=x'], base: 'dc=x'}", "members of their own"},
      {"order: [ldap], ldap: {urls: ['ldaps://h', 'ldaps://h:636'], base: 'dc=x'}", "named twice"},
      {"order: [ldap], ldap: {urls: ['ldaps://h']}", "no 'base'"},
      {ldap + "schema: ldap}", "rfc2307, rfc2307bis, ad"},
      {ldap + "bind_dn: 'cn=x'}", "has no bind_password"},
      {ldap + "bind_password: {env: X}}", "has no bind_dn"},
      {ldap + "bind_dn: 'cn=x', bind_password: hunter2}", "must say where the secret is"},
      {ldap + "bind_dn: 'not a dn', bind_password: {env: X}}", "not a distinguished name"},
      {ldap + "tls: {verify: false}}", "'verify' is not known"},
      {ldap + "tls: {ca_file: ca.pem}}", "not absolute"},
      {"order: [ldap], ldap: {urls: ['ldap://h'], base: 'dc=x', tls: {start_tls: false}}", "without TLS"},
      {ldap + "users: {filter: 'objectClass=x'}}", "brackets"},
      {ldap + "users: {name: 'uid)(x'}}", "not the name of an attribute"},
      {ldap + "users: {scope: subtree}}", "base, one, sub"},
      {ldap + "users: {member_of: memberOf}, groups: {member_dn: [member]}}", "leave one of the two out"},
      {ldap + "groups: {nested: true}}", "needs member_dn"},
      {ldap + "timeout: 1ms}", "must be from 100ms to 5m"},
      {ldap + "page_size: -1}", "whole number"}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.yaml);
    const auto got = read("identity: {" + row.yaml + "}");
    EXPECT_THAT(got.problems, AllOf(HasSubstr(row.says), HasSubstr("config.yaml line 1: ")));
    EXPECT_EQ(got.problems.find("hunter2"), std::string::npos);
  }
}

TEST(IdentityConfig, ldap_without_tls_only_on_this_machine) {
  EXPECT_EQ(read("identity: {order: [ldap], ldap: {urls: ['ldap://127.0.0.1'], base: 'dc=x', tls: {start_tls: false}}}")
                .problems,
            "");
}

TEST(IdentityConfig, the_example_of_the_readme) {
  std::ifstream file(std::string(HOMEPORT_SOURCE_DIR) + "/drivers/identity/README.md");
  std::stringstream text;
  text << file.rdbuf();
  const auto begin = text.str().find("```yaml\n") + 8;
  const auto end = text.str().find("```", begin);
  ASSERT_LT(begin, end);
  auto yaml = text.str().substr(begin, end - begin);
  const Folder folder;
  const std::string people = "/etc/homeport/people.yaml";
  ASSERT_NE(yaml.find(people), std::string::npos);
  yaml.replace(yaml.find(people), people.size(), folder.write("people.yaml", "carol: {uid: 5003}\n"));
  EXPECT_EQ(read(yaml).problems, "");
}

TEST(IdentityConfig, all_mistakes_at_once_with_lines) {
  const auto got =
      read("identity:\n  order: [ldap]\n  ldap:\n    urls: [x]\n    base: y\n    timeout: z\n  sytem_below: 5\n");
  EXPECT_THAT(got.problems, HasSubstr("line 4: /identity/ldap/urls"));
  EXPECT_THAT(got.problems, HasSubstr("line 5: /identity/ldap/base"));
  EXPECT_THAT(got.problems, HasSubstr("line 6: /identity/ldap/timeout"));
  EXPECT_THAT(got.problems, HasSubstr("line 7: /identity/sytem_below"));
}

UserName user(std::string_view name) {
  return UserName::parse(name).value();
}

TEST(StaticPeople, from_the_configuration_and_a_file) {
  const Folder folder;
  const auto file = folder.write("people.yaml", "bob: {uid: 5002, gid: 5002}\nalice: {uid: 9999}\n");
  const auto got = read("identity: {order: [static], static: {alice: {uid: 5001}}, static_file: " + file + "}");
  ASSERT_EQ(got.problems, "");
  const auto clock = make_system_clock();
  const OpContext op{.request_id = "test", .deadline = clock->mono() + 1min};
  const auto sources = make_identity_sources(got.settings, *clock);
  const auto uid_of = [&](const char* name) -> std::optional<std::uint32_t> {
    const auto found = sources[0]->find(op, user(name));
    EXPECT_OK(found);
    return found && *found ? (*found)->uid : std::nullopt;
  };
  EXPECT_EQ(uid_of("alice"), 5001U);
  EXPECT_EQ(uid_of("bob"), 5002U);
  EXPECT_EQ(uid_of("carol"), std::nullopt);
  folder.write("people.yaml", "carol: {uid: 5003}\n");
  EXPECT_EQ(uid_of("carol"), 5003U) << "read again";
  EXPECT_EQ(uid_of("bob"), std::nullopt);
  // A mistake in it leaves in force what it said.
  folder.write("people.yaml", "carol: {uid: 5004}\ndave: {uid: 5}\n");
  EXPECT_EQ(uid_of("carol"), 5003U);
  const auto said = sources[0]->check(op);
  ASSERT_ERRC(said, Errc::failed_precondition);
  EXPECT_THAT(said.error().message, HasSubstr("line 2"));
  std::filesystem::remove(file);
  EXPECT_EQ(uid_of("carol"), 5003U);
  folder.write("people.yaml", "carol: {uid: 5004}\n");
  EXPECT_EQ(uid_of("carol"), 5004U);
  EXPECT_OK(sources[0]->check(op));
}

TEST(StaticPeople, a_file_with_mistakes_is_a_mistake_of_the_configuration) {
  const Folder folder;
  const auto file = folder.write("people.yaml", "a: {uid: 5001}\nb: {uid: 5001}\nc: {uid: 7}\n");
  const auto got = read("identity:\n  order: [static]\n  static_file: " + file + "\n");
  EXPECT_THAT(got.problems, HasSubstr("config.yaml line 3"));
  EXPECT_THAT(got.problems, HasSubstr("people.yaml line 2"));
  EXPECT_THAT(got.problems, HasSubstr("people.yaml line 3"));
}

TEST(StaticPeople, a_file_that_was_never_there_is_said) {
  StaticSource source({.people = {}, .file = "/nonexistent/people.yaml"},
                      [](const std::string& file) { return read_static_file(file, 1000); });
  const OpContext op{.request_id = "test", .deadline = MonoTime::max()};
  EXPECT_ERRC(source.find(op, user("alice")), Errc::failed_precondition);
}

}  // namespace
}  // namespace homeport::drivers::identity
