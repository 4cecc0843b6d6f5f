#include "drivers/flashblade/sim/filter.h"

#include <gtest/gtest.h>

#include "drivers/flashblade/sim/export_rules.h"
#include "drivers/flashblade/sim/schema.h"

namespace homeport::fbsim {
namespace {

const Json kObject = {{"name", "acct/home-1"},
                      {"size", 100},
                      {"destroyed", false},
                      {"note", nullptr},
                      {"user", {{"id", 1000}, {"name", "ann"}}},
                      {"services", Json::array({"data", "replication"})},
                      {"rules", Json::array({Json{{"client", "*"}}, Json{{"client", "10.0.0.1"}}})}};

TEST(Filter, Matches) {
  const std::pair<const char*, bool> rows[] = {
      {"name='acct/home-1'", true},
      {"name=\"acct/*\"", true},
      {"name='*home*1'", true},
      {"name='home'", false},
      {"name!='home'", true},
      {"name=('a','acct/home-1')", true},
      {"name=('a','b')", false},
      {"NAME", false},
      {"size=100", true},
      {"size='100'", true},
      {"size>99 and size<=100", true},
      {"size<100", false},
      {"destroyed='false'", true},
      {"destroyed=true", false},
      {"note", false},
      {"note='x'", false},
      {"user.id=1000", true},
      {"user.name", true},
      {"user.missing", false},
      {"services='data'", true},
      {"services='support'", false},
      {"services!='support'", true},
      {"services!='data'", false},
      {"services[all]='data'", false},
      {"services[any]='replication'", true},
      {"rules.client='10.0.0.1'", true},
      {"contains(name,'HOME')", true},
      {"contains(name, 'none')", false},
      {"not(size=1) and (destroyed=true or user.id=1000)", true},
      {"size=1 or size=2 or size=100", true},
      {"not(not(size=100))", true},
      {"note_size or size=100", true},
      {"name='acct/home-1' AND size=100", true},
  };
  for (const auto& [text, wanted] : rows) {
    SCOPED_TRACE(text);
    const auto filter = Filter::parse(text);
    ASSERT_TRUE(filter) << filter.error().message;
    EXPECT_EQ(filter.value().matches([](const std::string& path) { return probe_json(kObject, path); }), wanted);
  }
}

TEST(Filter, RefusesWithThePlace) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "a field at position 1"},
      {"name=", "a value at position 6"},
      {"name='a", "the end of a quoted text"},
      {"name=a", "a quoted text"},
      {"(name='a'", "')' at position 10"},
      {"name='a' name='b'", "an operator at position 10"},
      {"not name='a'", "'(' after not"},
      {"contains(name)", "','"},
      {"name=('a','b'", "')'"},
  };
  for (const auto& [text, wanted] : rows) {
    SCOPED_TRACE(text);
    const auto filter = Filter::parse(text);
    ASSERT_FALSE(filter);
    EXPECT_NE(filter.error().message.find(wanted), std::string::npos) << filter.error().message;
  }
  EXPECT_FALSE(Filter::parse(std::string(5000, '(')));
}

TEST(Filter, Wildcards) {
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(matches_wildcard("a*b", "aXc"));
  EXPECT_FALSE(matches_wildcard("", "a"));
}

TEST(ExportRules, Accepted) {
  for (const char* text : {"", "*(rw)", "10.0.0.0/8(rw,no_root_squash) *(ro)", "@group(ro,sec=sys:krb5p)",
                           "host?.example", "2001:db8::1(rw,anonuid=65534,anongid=65534)"}) {
    EXPECT_TRUE(parse_rules(text)) << text;
  }
}

TEST(ExportRules, Refused) {
  for (const char* text : {"*(rw", "*(everything)", "(rw)", "*(anonuid=x)", "*(sec=none)", "a;b(rw)"}) {
    EXPECT_FALSE(parse_rules(text)) << text;
  }
}

TEST(ExportRules, RemovesBeforeItAdds) {
  const auto edited = edit_rules("a(rw) b(rw) a(rw)", "a(rw)", "a(ro)", "");
  ASSERT_TRUE(edited);
  EXPECT_EQ(edited.value(), "b(rw) a(rw) a(ro)");
  const auto anchored = edit_rules("a(rw) b(rw) a(rw)", "a(rw)", "c(ro)", "b(rw)");
  ASSERT_TRUE(anchored);
  EXPECT_EQ(anchored.value(), "a(rw) b(rw) c(ro)");
  EXPECT_FALSE(edit_rules("a(rw)", "b(rw)", "", ""));
  EXPECT_FALSE(edit_rules("a(rw)", "", "c(ro)", "none(rw)"));
}

TEST(Schema, UnknownMembersAreNamedByTheirLastPart) {
  const Fields fields = {{"size", Kind::size}, {"nfs.rules", Kind::text}, {"nfs.policy", Kind::reference, 3}};
  const auto said = [&](const char* body, int minor) {
    const auto checked = check_body(Json::parse(body), fields, minor);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(said(R"({"size":"","nfs":{"rules":"x","policy":{"name":"p"}}})", 3), "");
  EXPECT_EQ(said(R"({"size":null})", 0), "");
  EXPECT_EQ(said(R"({"nfs":{"policy":{"name":"p"}}})", 2), "Invalid body parameter: policy");
  EXPECT_EQ(said(R"({"nfs":{"enabled":true}})", 28), "Invalid body parameter: enabled");
  EXPECT_EQ(said(R"({"nfs":5})", 28), "Invalid value for body parameter: nfs");
  EXPECT_EQ(said(R"({"size":-1})", 28), "Invalid value for body parameter: size");
  EXPECT_EQ(said(R"({"size":1.5})", 28), "Invalid value for body parameter: size");
  EXPECT_EQ(said(R"({"nfs":{"policy":{"path":"x"}}})", 28), "Invalid value for body parameter: policy");
  EXPECT_EQ(said("[]", 28), "The request body must be a JSON object.");
}

}  // namespace
}  // namespace homeport::fbsim
