// What is found in a real directory, and what is said of entries that are wrong.
#include "drivers/identity/ldap_source.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "tests/unit/drivers/identity/ldap_fixture.h"

namespace homeport::drivers::identity::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LdapSourceTest : public LdapTest {};

TEST_F(LdapSourceTest, finds_uid_gid_and_groups_in_two_searches) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  const auto ldap = source(settings_for(*server));
  const auto found = ldap->find(op(), user("alice"));
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->uid, 5001U);
  EXPECT_EQ((*found)->gid, 6000U);
  EXPECT_THAT((*found)->gids, ElementsAre(6001U, 6002U));
  EXPECT_THAT((*found)->groups, ElementsAre("course-a", "course-b", "staff"));
  EXPECT_EQ(server->searches(), 2U);
  EXPECT_EQ(server->logged(" BIND dn=\"cn=homeport"), 2U);  // one bind: slapd writes two lines of it
  ASSERT_OK(ldap->find(op(), user("bob")));
  EXPECT_EQ(server->searches(), 4U);
  EXPECT_EQ(server->logged(" BIND dn=\"cn=homeport"), 2U) << "the connection is kept";
}

TEST_F(LdapSourceTest, somebody_unknown_costs_one_search) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  const auto ldap = source(settings_for(*server));
  const auto found = ldap->find(op(), user("mallory"));
  ASSERT_OK(found);
  EXPECT_FALSE(found->has_value());
  EXPECT_EQ(server->searches(), 1U);
}

TEST_F(LdapSourceTest, members_by_dn) {
  std::ifstream file("/etc/ldap/schema/nis.schema");
  std::stringstream text;
  text << file.rdbuf();
  std::string schema = text.str();
  const std::string of_2307 = "SUP top STRUCTURAL\n\tMUST ( cn $ gidNumber )\n\tMAY ( userPassword $ memberUid";
  ASSERT_NE(schema.find(of_2307), std::string::npos);
  schema.replace(schema.find(of_2307), of_2307.size(),
                 "SUP top AUXILIARY\n\tMUST gidNumber\n\tMAY ( userPassword $ memberUid");
  const std::string odd = "dn: uid=o\\2Cdd*(x)\\5C,ou=people,dc=example,dc=org";
  const std::string member = "uid=o\\2Cdd*(x)\\5C,ou=people,dc=example,dc=org";
  const auto bis = [](const std::string& name, unsigned gid, const std::string& kind, const std::string& members) {
    return "dn: cn=" + name + ",ou=groups,dc=example,dc=org\nobjectClass: " + kind +
           "\nobjectClass: posixGroup\ncn: " + name + "\ngidNumber: " + std::to_string(gid) + "\n" + members + "\n";
  };
  const auto server = serve(
      {.ldif =
           folders() + odd +
           "\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\ncn: o\nsn: x\nuid: o,dd*(x)\\\nuidNumber: 5003\n"
           "gidNumber: 6000\nhomeDirectory: /\n\n" +
           bis("lab", 6001, "groupOfNames", "member: " + member + "\n") +
           bis("seminar", 6002, "groupOfUniqueNames", "uniqueMember: " + member + "\n") +
           bis("others", 6003, "groupOfNames", "member: cn=homeport,dc=example,dc=org\n"),
       .global = schema});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.groups.member_uid.clear();
  settings.groups.member_dn = {"member", "uniqueMember"};
  const auto found = source(settings)->find(op(), user("o,dd*(x)\\"));
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->uid, 5003U);
  EXPECT_THAT((*found)->gids, ElementsAre(6001U, 6002U));
  EXPECT_THAT((*found)->groups, ElementsAre("lab", "seminar"));
  EXPECT_EQ(server->searches(), 2U);
}

constexpr const char* kActiveDirectory =
    "attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch"
    " SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n"
    "attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch"
    " SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n"
    "attributetype ( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch"
    " SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )\n"
    "include /etc/ldap/schema/nis.schema\n"
    "objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL"
    " MAY ( sAMAccountName $ objectCategory $ memberOf $ uidNumber $ gidNumber ) )\n"
    "objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST cn"
    " MAY ( sAMAccountName $ member $ gidNumber ) )\n# posixGroup is here already\n";

std::string active_directory() {
  return folders() +
         "dn: cn=Alice Smith,ou=people,dc=example,dc=org\nobjectClass: user\nobjectCategory: person\ncn: Alice Smith\n"
         "sn: Smith\nsAMAccountName: Alice.Smith\nuidNumber: 5001\ngidNumber: 6000\n"
         "memberOf: CN=R\\2CD,ou=groups,dc=example,dc=org\nmemberOf: CN=Lab 7,ou=groups,dc=example,dc=org\n\n"
         "dn: cn=No Unix,ou=people,dc=example,dc=org\nobjectClass: user\nobjectCategory: person\ncn: No Unix\nsn: x\n"
         "sAMAccountName: nounix\nmemberOf: CN=Lab 7,ou=groups,dc=example,dc=org\n\n"
         "dn: cn=Domain Users,ou=groups,dc=example,dc=org\nobjectClass: group\ncn: Domain Users\n"
         "sAMAccountName: Domain Users\ngidNumber: 6000\n\n"
         "dn: cn=Lab 7,ou=groups,dc=example,dc=org\nobjectClass: group\ncn: Lab 7\nsAMAccountName: lab7\n"
         "gidNumber: 6007\nmember: cn=Alice Smith,ou=people,dc=example,dc=org\n"
         "member: cn=No Unix,ou=people,dc=example,dc=org\n\n";
}

LdapSettings for_active_directory(LdapSettings settings) {
  settings.users.filter = "(&(objectCategory=person)(objectClass=user))";
  settings.users.name = "sAMAccountName";
  settings.groups.filter = "(objectClass=group)";
  settings.groups.name = "sAMAccountName";
  settings.groups.member_uid.clear();
  settings.groups.member_dn = {"member"};
  return settings;
}

TEST_F(LdapSourceTest, active_directory_by_search) {
  const auto server = serve({.ldif = active_directory(), .global = kActiveDirectory});
  ASSERT_TRUE(server);
  const auto ldap = source(for_active_directory(settings_for(*server)));
  // The hub writes names in lower case, the directory does not.
  const auto alice = ldap->find(op(), user("alice.smith"));
  ASSERT_OK(alice);
  ASSERT_TRUE(alice->has_value());
  EXPECT_EQ((*alice)->uid, 5001U);
  EXPECT_THAT((*alice)->gids, ElementsAre(6007U));
  EXPECT_THAT((*alice)->groups, ElementsAre("Domain Users", "lab7"));
  // Without uidNumber the groups are known all the same.
  const auto other = ldap->find(op(), user("nounix"));
  ASSERT_OK(other);
  ASSERT_TRUE(other->has_value());
  EXPECT_FALSE((*other)->uid);
  EXPECT_FALSE((*other)->gid);
  EXPECT_THAT((*other)->groups, ElementsAre("lab7"));
}

TEST_F(LdapSourceTest, active_directory_by_member_of) {
  const auto server = serve({.ldif = active_directory(), .global = kActiveDirectory});
  ASSERT_TRUE(server);
  auto settings = for_active_directory(settings_for(*server));
  settings.users.member_of = "memberOf";
  const auto ldap = source(settings);
  const auto alice = ldap->find(op(), user("alice.smith"));
  ASSERT_OK(alice);
  EXPECT_THAT((*alice)->groups, ElementsAre("Domain Users", "Lab 7", "R,D"));
  EXPECT_THAT((*alice)->gids, IsEmpty());
  EXPECT_EQ(server->searches(), 2U);
  ASSERT_OK(ldap->find(op(), user("nounix")));
  EXPECT_EQ(server->searches(), 3U) << "no primary group, nothing more to ask";
}

TEST_F(LdapSourceTest, two_entries_of_one_name) {
  const auto server = serve({.ldif = folders() + person("alice", 5001, 6000) + person("alice", 5002, 6000)});
  ASSERT_TRUE(server);
  const auto found = source(settings_for(*server))->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::failed_precondition);
  EXPECT_THAT(found.error().message, HasSubstr("cn=p5001,ou=people,dc=example,dc=org"));
  EXPECT_THAT(found.error().message, HasSubstr("cn=p5002,ou=people,dc=example,dc=org"));
}

TEST_F(LdapSourceTest, more_namesakes_than_are_looked_at) {
  std::string ldif = folders();
  for (unsigned i = 0; i < 12; ++i) ldif += person("alice", 5001 + i, 6000);
  const auto server = serve({.ldif = ldif});
  ASSERT_TRUE(server);
  const auto found = source(settings_for(*server))->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::failed_precondition);
  EXPECT_THAT(found.error().message, HasSubstr("and more"));
}

TEST_F(LdapSourceTest, a_uid_that_is_no_number) {
  struct Row {
    std::string value;
    bool good;
  };
  // departmentNumber is text: a directory that keeps uids there may hold anything.
  const std::vector<Row> rows{{"5001", true},  {"x5001", false},      {"5001 ", false},
                              {"-1", false},   {"4294967295", false}, {"4294967296", false},
                              {"0x10", false}, {"4294967294", true},  {"5e3", false}};
  std::string ldif = folders();
  for (unsigned i = 0; i < rows.size(); ++i)
    ldif += person("u" + std::to_string(i), 7000 + i, 6000, "departmentNumber: " + rows[i].value + "\n");
  ldif += person("twice", 8000, 6000, "departmentNumber: 1\ndepartmentNumber: 2\n");
  const auto server = serve({.ldif = ldif});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.users.uid = "departmentNumber";
  const auto ldap = source(settings);
  for (unsigned i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE("'" + rows[i].value + "'");
    const auto found = ldap->find(op(), user("u" + std::to_string(i)));
    if (rows[i].good) {
      EXPECT_OK(found);
      continue;
    }
    ASSERT_ERRC(found, Errc::failed_precondition);
    EXPECT_THAT(found.error().message, HasSubstr("cn=p" + std::to_string(7000 + i) + ",ou=people"));
    EXPECT_THAT(found.error().message, HasSubstr("departmentNumber"));
  }
  const auto twice = ldap->find(op(), user("twice"));
  ASSERT_ERRC(twice, Errc::failed_precondition);
  EXPECT_THAT(twice.error().message, HasSubstr("departmentNumber has 2 values"));
}

TEST_F(LdapSourceTest, a_group_whose_gid_is_no_number) {
  const auto server =
      serve({.ldif = folders() + person("alice", 5001, 6000) + group("broken", 4294967295U, "memberUid: alice\n")});
  ASSERT_TRUE(server);
  const auto found = source(settings_for(*server))->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::failed_precondition);
  EXPECT_THAT(found.error().message, HasSubstr("cn=broken,ou=groups"));
  EXPECT_THAT(found.error().message, HasSubstr("gidNumber"));
}

// Each is a person of the directory; the names of filters' own characters would match everybody if they were not
// escaped.
TEST_F(LdapSourceTest, odd_names) {
  const std::vector<std::string> names{"*",         "a*",      "(x)", ")(uid=*", "back\\slash", "*)(uid=*))(|(uid=*",
                                       "two words", "o'brien", "é",   "山田",    "\\2a",        "#1",
                                       "a,b=c+d"};
  std::string ldif = folders() + person("alice", 5001, 6000);
  for (unsigned i = 0; i < names.size(); ++i) {
    // LDIF in its safe form: the value is in a file of bytes, so base64 it by way of openssl's alphabet.
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string encoded;
    for (std::size_t at = 0; at < names[i].size(); at += 3) {
      unsigned bits = 0;
      for (std::size_t k = 0; k < 3; ++k)
        bits = bits << 8U | (at + k < names[i].size() ? static_cast<unsigned char>(names[i][at + k]) : 0U);
      for (std::size_t k = 0; k < 4; ++k)
        encoded += at + k > names[i].size() ? '=' : kAlphabet[bits >> (18 - 6 * k) & 63U];
    }
    ldif += person(": " + encoded, 9000 + i, 6000);
  }
  std::string fixed;
  std::istringstream lines(ldif);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("uid: : ")) line = "uid:: " + line.substr(7);
    fixed += line + "\n";
  }
  const auto server = serve({.ldif = fixed});
  ASSERT_TRUE(server);
  const auto ldap = source(settings_for(*server));
  for (unsigned i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(names[i]);
    const auto found = ldap->find(op(), user(names[i]));
    ASSERT_OK(found);
    ASSERT_TRUE(found->has_value());
    EXPECT_EQ((*found)->uid, 9000 + i);
  }
  for (const auto* name : {"**", "al*", "alic?", "alice)(uid=*", "e\\cc\\81", "山"}) {
    SCOPED_TRACE(name);
    const auto found = ldap->find(op(), user(name));
    ASSERT_OK(found);
    EXPECT_FALSE(found->has_value());
  }
}

// The directory folds blanks and full-width letters; a person of such a name is somebody else.
TEST_F(LdapSourceTest, what_the_directory_takes_for_alice) {
  const auto server = serve({.ldif = small_directory() + person("Two Words", 5010, 6000)});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  const auto loose = source(settings);
  settings.users.case_sensitive = true;
  const auto strict = source(settings);
  for (const auto* name : {"ａlice", "two  words"}) {
    SCOPED_TRACE(name);
    const auto found = loose->find(op(), user(name));
    ASSERT_OK(found);
    EXPECT_FALSE(found->has_value());
  }
  EXPECT_TRUE(server->logs("nentries=1 ", 2)) << "the directory did give her entry";
  const auto other_case = loose->find(op(), user("ALICE"));
  ASSERT_OK(other_case);
  ASSERT_TRUE(other_case->has_value());
  EXPECT_THAT((*other_case)->groups, ElementsAre("course-a", "course-b", "staff")) << "memberUid knows cases";
  const auto refused = strict->find(op(), user("ALICE"));
  ASSERT_OK(refused);
  EXPECT_FALSE(refused->has_value());
}

TEST_F(LdapSourceTest, five_thousand_groups_in_pages) {
  std::string ldif = folders() + person("alice", 5001, 6000);
  for (unsigned i = 0; i < 5000; ++i) ldif += group("g" + std::to_string(i), 10'000 + i, "memberUid: alice\n");
  // More than 500 at once are refused, pages are not.
  const auto server =
      serve({.ldif = ldif, .settings = "limits * size.soft=500 size.hard=500 size.pr=500 size.prtotal=unlimited\n"});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  const auto found = source(settings)->find(op(), user("alice"));
  ASSERT_OK(found);
  EXPECT_EQ((*found)->gids.size(), 5000U);
  EXPECT_EQ((*found)->groups.size(), 5000U);
  EXPECT_EQ((*found)->gids.front(), 10'000U);
  EXPECT_EQ((*found)->gids.back(), 14'999U);
  settings.page_size = 0;
  const auto cut = source(settings)->find(op(), user("alice"));
  ASSERT_ERRC(cut, Errc::failed_precondition) << "a part of the groups is not an answer";
  EXPECT_THAT(cut.error().hint, HasSubstr("limit"));
}

TEST_F(LdapSourceTest, referrals_are_not_followed) {
  const SilentServer elsewhere;
  const std::string there = "ldap://127.0.0.1:" + std::to_string(elsewhere.port()) + "/ou=far,dc=example,dc=org";
  const auto server =
      serve({.ldif = small_directory() +
                     "dn: ou=far,dc=example,dc=org\nobjectClass: referral\nobjectClass: extensibleObject\n"
                     "ou: far\nref: " +
                     there + "\n\n"});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  const auto ldap = source(settings);
  const auto here = ldap->find(op(), user("alice"));
  ASSERT_OK(here);
  EXPECT_TRUE(here->has_value());
  const auto unknown = ldap->find(op(), user("faraway"));
  ASSERT_OK(unknown);
  EXPECT_FALSE(unknown->has_value());
  const auto said = ldap->check(op());
  ASSERT_OK(said);
  EXPECT_THAT(*said, HasSubstr("not followed"));
  EXPECT_THAT(*said, HasSubstr(there));
  settings.users.base = "ou=far,dc=example,dc=org";
  const auto refused = source(settings)->find(op(), user("alice"));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr(there));
  EXPECT_THAT(refused.error().hint, HasSubstr("not followed"));
}

TEST_F(LdapSourceTest, a_base_that_is_not_there) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.users.base = "ou=nowhere,dc=example,dc=org";
  const auto found = source(settings)->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::failed_precondition);
  EXPECT_THAT(found.error().message, HasSubstr("ou=nowhere"));
}

TEST_F(LdapSourceTest, nobody_may_read_without_a_bind) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.servers.bind_dn.clear();
  const auto found = source(settings)->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::permission_denied) << "who may see nothing must not take everybody for unknown";
}

}  // namespace
}  // namespace homeport::drivers::identity::testing
