#include "provisioner/base/url.h"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace homeport::testing {
namespace {

struct GoodUrl {
  std::string text;
  std::string shown;
  std::string authority;
  bool loopback;
};

TEST(Url, IsReadAndShown) {
  for (const auto& c :
       {GoodUrl{"http://127.0.0.1:7717", "http://127.0.0.1:7717", "127.0.0.1:7717", true},
        GoodUrl{"https://hp.example", "https://hp.example:443", "hp.example:443", false},
        GoodUrl{"http://hp.example/", "http://hp.example:80", "hp.example:80", false},
        GoodUrl{"https://hp.example:8443/homeport/", "https://hp.example:8443/homeport", "hp.example:8443", false},
        GoodUrl{"http://[::1]:7717", "http://[::1]:7717", "[::1]:7717", true}}) {
    const auto url = Url::parse(c.text);
    ASSERT_OK(url) << c.text;
    EXPECT_EQ(url->to_string(), c.shown);
    EXPECT_EQ(url->authority(), c.authority);
    EXPECT_EQ(url->is_loopback(), c.loopback);
  }
}

TEST(Url, WhatIsNoneIsRefused) {
  for (const std::string text :
       {"", "127.0.0.1:7717", "ftp://host", "http://", "http://host:", "http://host:0", "http://host:99999",
        "http://host:7x", "http://[::1", "http://ho st", "http://host/?a=b", "http://host#x", "http://a\nb"}) {
    EXPECT_ERRC(Url::parse(text), Errc::invalid_argument) << text;
  }
}

TEST(Url, APasswordInItIsNotRepeated) {
  const auto url = Url::parse("http://admin:secret@host");
  ASSERT_ERRC(url, Errc::invalid_argument);
  EXPECT_EQ(url.error().to_string().find("secret"), std::string::npos);
}

struct Encoded {
  std::string name;
  std::string text;
};

TEST(Target, PartsCannotBreakOut) {
  for (const auto& c :
       {Encoded{"alice", "alice"}, Encoded{"alice@example.org", "alice%40example.org"}, Encoded{"a/b", "a%2Fb"},
        Encoded{"..", "%2E%2E"}, Encoded{".", "%2E"}, Encoded{"a.b", "a.b"}, Encoded{"a b", "a%20b"},
        Encoded{"$(id)", "%24%28id%29"}, Encoded{"a?b#c", "a%3Fb%23c"}, Encoded{"a%2Fb", "a%252Fb"},
        Encoded{"a\nb", "a%0Ab"}, Encoded{"\xC3\xBC", "%C3%BC"}, Encoded{"a+b", "a%2Bb"}, Encoded{"~_-", "~_-"}}) {
    EXPECT_EQ(Target("/v1/homes").part(c.name).str(), "/v1/homes/" + c.text) << c.name;
    EXPECT_EQ(Target("/v1").query("user", c.name).str(), "/v1?user=" + c.text) << c.name;
  }
}

TEST(Target, QueriesAreJoinedAndEmptyOnesLeftOut) {
  Target target("/v1/homes");
  target.query_if("state", "").query_if("user", "a&b").query("limit", "5").literal("x");
  EXPECT_EQ(target.str(), "/v1/homes/x?user=a%26b&limit=5");
}

}  // namespace
}  // namespace homeport::testing
