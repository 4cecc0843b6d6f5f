#include "drivers/identity/directory_text.h"

#include <gmock/gmock.h>

#include "drivers/identity/ldap_source.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::identity {
namespace {

using ::testing::HasSubstr;

TEST(FilterValue, is_escaped) {
  struct Row {
    std::string raw;
    std::string escaped;
  };
  const std::vector<Row> rows{{"alice", "alice"},
                              {"", ""},
                              {"*", "\\2a"},
                              {"(x)", "\\28x\\29"},
                              {"a\\b", "a\\5cb"},
                              {std::string("a\0b", 3), "a\\00b"},
                              {"*)(uid=*))(|(uid=*", "\\2a\\29\\28uid=\\2a\\29\\29\\28|\\28uid=\\2a"},
                              {"\\2a", "\\5c2a"},
                              {"é山", "é山"},
                              {"cn=a\\,b,dc=x", "cn=a\\5c,b,dc=x"}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.escaped);
    EXPECT_EQ(escaped_filter_value(row.raw), row.escaped);
    EXPECT_EQ(filter_trouble("(uid=" + escaped_filter_value(row.raw) + ")"), "");
  }
}

TEST(Filter, accepted) {
  for (const auto* filter :
       {"(objectClass=posixAccount)", "(&(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
        "(|(a=1)(b=2)(c=*))", "(cn=*ab*c)", "(uid>=5)", "(uid<=5)", "(cn~=x)", "(cn=)", "(cn=\\28x\\29)", "(&)",
        "(2.5.4.3=x)", "(cn:dn:=x)", "(!(a=1))"}) {
    EXPECT_EQ(filter_trouble(filter), "") << filter;
  }
}

TEST(Filter, refused) {
  struct Row {
    std::string filter;
    std::string why;
  };
  const std::vector<Row> rows{{"", "brackets"},
                              {"objectClass=person", "brackets"},
                              {"(objectClass=person", "not closed"},
                              {"(objectClass=person))", "goes on"},
                              {"(a=1)(b=2)", "goes on"},
                              {"(&(a=1)b=2)", "not closed"},
                              {"(=x)", "without an attribute"},
                              {"(a)", "without '='"},
                              {"()", "without an attribute"},
                              {"(!)", "brackets"},
                              {"(a=(b)", "not escaped"},
                              {"(a=\\2)", "two hex digits"},
                              {"(a=\\zz)", "two hex digits"},
                              {"(a=x\\", "two hex digits"},
                              {std::string("(a=\0)", 5), "not escaped"},
                              {"(a=\xff)", "UTF-8"},
                              {std::string(200, '('), "attribute"},
                              {[] {
                                 std::string deep;
                                 for (int i = 0; i < 200; ++i) deep += "(!";
                                 return deep;
                               }(),
                               "too deep"}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.filter.substr(0, 40));
    EXPECT_THAT(std::string(filter_trouble(row.filter)), HasSubstr(row.why));
  }
}

TEST(AttributeName, table) {
  for (const auto* good : {"uid", "uidNumber", "ms-DS-X", "2.5.4.3"}) EXPECT_TRUE(is_attribute_name(good)) << good;
  for (const auto* bad : {"", "-uid", "uid)", "u id", "1.", ".1", "1..2", "uid;binary", "uid*", "é"})
    EXPECT_FALSE(is_attribute_name(bad)) << bad;
}

TEST(SameName, table) {
  struct Row {
    std::string a;
    std::string b;
    bool loose;
    bool strict;
  };
  const std::vector<Row> rows{{"alice", "alice", true, true},
                              {"alice", "Alice", true, false},
                              {"ÉVA", "éva", true, false},
                              {"é", "e\u0301", true, true},
                              {"ａlice", "alice", false, false},
                              {"two words", "two  words", false, false},
                              {"al\u00ADice", "alice", false, false},
                              {"\xff", "\xff", false, false},
                              {"", "", true, true},
                              {"alice", "alice ", false, false}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.a + " / " + row.b);
    EXPECT_EQ(same_name(row.a, row.b, false), row.loose);
    EXPECT_EQ(same_name(row.a, row.b, true), row.strict);
  }
}

TEST(GroupNames, in_normal_form_or_not_at_all) {
  EXPECT_EQ(usable_group_name("e\u0301quipe"), "équipe");
  EXPECT_EQ(usable_group_name("Domain Users"), "Domain Users");
  EXPECT_FALSE(usable_group_name("R&D/Lab"));
  EXPECT_FALSE(usable_group_name("a\nb"));
  EXPECT_FALSE(usable_group_name("\xff"));
  EXPECT_FALSE(usable_group_name(""));
}

TEST(LdapFilters, of_a_look_up) {
  LdapSettings ldap;
  EXPECT_EQ(user_filter(ldap.users, "a*b"), "(&(objectClass=posixAccount)(uid=a\\2ab))");
  EXPECT_EQ(group_filter(ldap, "a(", "cn=x", 5U), "(&(objectClass=posixGroup)(|(memberUid=a\\28)(gidNumber=5)))");
  ldap.groups.member_dn = {"member", "uniqueMember"};
  EXPECT_EQ(group_filter(ldap, "alice", "cn=a\\2Cb*", std::nullopt),
            "(&(objectClass=posixGroup)(|(memberUid=alice)(member=cn=a\\5c2Cb\\2a)(uniqueMember=cn=a\\5c2Cb\\2a)))");
  ldap.groups.member_uid.clear();
  ldap.groups.member_dn = {"member"};
  ldap.groups.nested = true;
  EXPECT_EQ(group_filter(ldap, "alice", "cn=a", 7U),
            "(&(objectClass=posixGroup)(|(member:1.2.840.113556.1.4.1941:=cn=a)(gidNumber=7)))");
  EXPECT_EQ(filter_trouble(group_filter(ldap, "alice", "cn=a", 7U)), "");
  ldap.users.member_of = "memberOf";
  EXPECT_EQ(group_filter(ldap, "alice", "cn=a", 7U), "(&(objectClass=posixGroup)(|(gidNumber=7)))");
  EXPECT_EQ(group_filter(ldap, "alice", "cn=a", std::nullopt), "");
}

TEST(LdapUrls, table) {
  struct Row {
    std::string text;
    std::string means;  // empty: refused
    bool loopback = false;
  };
  const std::vector<Row> rows{{"ldaps://ldap.example.org", "ldaps://ldap.example.org:636"},
                              {"ldap://ldap.example.org/", "ldap://ldap.example.org:389"},
                              {"ldap://127.0.0.1:1389", "ldap://127.0.0.1:1389", true},
                              {"ldap://[::1]:1389", "ldap://[::1]:1389", true},
                              {"ldaps://[2001:db8::1]", "ldaps://[2001:db8::1]:636"},
                              {"ldap://localhost:65535", "ldap://localhost:65535", true},
                              {"ldap://", ""},
                              {"ldap://:389", ""},
                              {"ldap://h:0", ""},
                              {"ldap://h:65536", ""},
                              {"ldap://h:99999999999", ""},
                              {"ldap://h:", ""},
                              {"ldap://h:1x", ""},
                              {"ldap://h/dc=x", ""},
                              {"ldap://u@h", ""},
                              {"ldap://h?x", ""},
                              {"ldap://a b", ""},
                              {"ldap://[::1", ""},
                              {"ldap://[::1]x", ""},
                              {"ldap://[host]", ""},
                              {"ldapi://%2frun%2fldapi", ""},
                              {"https://h", ""},
                              {"ldap.example.org", ""},
                              {"LDAP://h", ""},
                              {"", ""}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.text);
    const auto url = parse_ldap_url(row.text);
    if (row.means.empty()) {
      EXPECT_ERRC(url, Errc::invalid_argument);
      continue;
    }
    ASSERT_OK(url);
    EXPECT_EQ(url->text(), row.means);
    EXPECT_EQ(url->loopback(), row.loopback);
  }
}

}  // namespace
}  // namespace homeport::drivers::identity
