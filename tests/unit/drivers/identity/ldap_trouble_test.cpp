// Servers that are gone, slow, silent, mad or not who they say they are.
#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "drivers/identity/bounded_source.h"
#include "drivers/identity/cached_source.h"
#include "tests/unit/drivers/identity/ldap_fixture.h"

namespace homeport::drivers::identity::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LdapTroubleTest : public LdapTest {
 protected:
  void expect_alice(LdapSource& ldap) {
    const auto found = ldap.find(op(), user("alice"));
    ASSERT_OK(found);
    ASSERT_TRUE(found->has_value());
    EXPECT_EQ((*found)->uid, 5001U);
  }
};

TEST_F(LdapTroubleTest, tls_both_ways) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  expect_alice(*source(settings));
  settings.servers.urls = {url(server->ldap_url())};
  expect_alice(*source(settings));
  EXPECT_EQ(server->logged(" STARTTLS"), 1U);
  EXPECT_EQ(server->logged(" TLS established"), 2U);
}

TEST_F(LdapTroubleTest, a_certificate_of_another_ca) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  for (const auto& address : {server->ldaps_url(), server->ldap_url()}) {
    SCOPED_TRACE(address);
    auto settings = settings_for(*server);
    settings.servers.urls = {url(address)};
    settings.servers.tls.ca_file = server->other_ca_file();
    const auto found = source(settings)->find(op(), user("alice"));
    ASSERT_ERRC(found, Errc::unavailable);
    EXPECT_THAT(found.error().message, HasSubstr("TLS"));
    EXPECT_THAT(found.error().hint, HasSubstr(server->other_ca_file()));
  }
  EXPECT_EQ(server->logged(" BIND "), 0U) << "the password was shown to somebody unknown";
}

// What an administrator's ldap.conf or environment says must not weaken it either.
TEST_F(LdapTroubleTest, the_environment_does_not_switch_verification_off) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  ::setenv("LDAPTLS_REQCERT", "never", 1);
  ::setenv("LDAPTLS_CACERT", server->ca_file().c_str(), 1);
  auto settings = settings_for(*server);
  settings.servers.tls.ca_file = server->other_ca_file();
  const auto found = source(settings)->find(op(), user("alice"));
  ::unsetenv("LDAPTLS_REQCERT");
  ::unsetenv("LDAPTLS_CACERT");
  ASSERT_ERRC(found, Errc::unavailable);
}

TEST_F(LdapTroubleTest, a_certificate_for_another_name) {
  const auto server = serve({.ldif = small_directory(), .names = "DNS:ldap.example.org,IP:127.0.0.2"});
  ASSERT_TRUE(server);
  for (const auto& address : {server->ldaps_url(), server->ldap_url()}) {
    SCOPED_TRACE(address);
    auto settings = settings_for(*server);
    settings.servers.urls = {url(address)};
    const auto found = source(settings)->find(op(), user("alice"));
    ASSERT_ERRC(found, Errc::unavailable);
    EXPECT_THAT(found.error().hint, HasSubstr("name 127.0.0.1"));
  }
  EXPECT_EQ(server->logged(" BIND "), 0U);
}

TEST_F(LdapTroubleTest, a_ca_file_that_is_not_there) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.servers.tls.ca_file = "/nonexistent/ca.pem";
  const auto found = source(settings)->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::unavailable);
  EXPECT_THAT(found.error().message, HasSubstr("/nonexistent/ca.pem"));
}

TEST_F(LdapTroubleTest, a_server_without_tls) {
  const auto server = serve({.ldif = small_directory(), .tls = false});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.servers.urls = {url(server->ldap_url())};
  settings.servers.tls = {};
  const auto found = source(settings)->find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::unavailable);
  EXPECT_THAT(found.error().message, HasSubstr("StartTLS"));
  EXPECT_EQ(server->logged(" BIND "), 0U);
  settings.servers.tls.start_tls = false;
  expect_alice(*source(settings));
}

TEST_F(LdapTroubleTest, the_password_is_wrong_and_then_right) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  password_ = "wrong-secret-word";
  const auto ldap = source(settings_for(*server));
  const auto refused = ldap->find(op(), user("alice"));
  ASSERT_ERRC(refused, Errc::permission_denied);
  EXPECT_THAT(refused.error().to_string() + refused.error().hint, Not(HasSubstr("secret-word")));
  EXPECT_THAT(refused.error().message, HasSubstr(Slapd::kBindDn));
  const auto binds = server->logged(" BIND ");
  ASSERT_ERRC(ldap->find(op(), user("bob")), Errc::permission_denied);
  EXPECT_EQ(server->logged(" BIND "), binds) << "shown again, it could lock the account";
  password_ = Slapd::kPassword;
  expect_alice(*ldap);
}

TEST_F(LdapTroubleTest, a_changed_password_is_read_at_the_next_bind) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  const auto ldap = source(settings_for(*server));
  expect_alice(*ldap);
  server->set_password("another-one");
  password_ = "another-one";
  expect_alice(*ldap);
  ASSERT_OK(server->restart());
  expect_alice(*ldap);
  EXPECT_EQ(server->logged("err=49"), 0U);
}

TEST_F(LdapTroubleTest, a_secret_that_cannot_be_read) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  LdapSource ldap(
      settings_for(*server),
      []() -> Result<Secret> {
        return Error{.code = Errc::not_found, .message = "secret in file /etc/x cannot be read", .hint = "make it"};
      },
      *clock_);
  const auto found = ldap.find(op(), user("alice"));
  ASSERT_ERRC(found, Errc::permission_denied);
  EXPECT_THAT(found.error().sentence(), HasSubstr("/etc/x"));
  EXPECT_EQ(found.error().hint, "make it");
}

TEST_F(LdapTroubleTest, an_empty_password_is_not_a_bind_as_nobody) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  password_.clear();
  ASSERT_ERRC(source(settings_for(*server))->find(op(), user("alice")), Errc::permission_denied);
  EXPECT_EQ(server->logged(" BIND "), 0U);
}

TEST_F(LdapTroubleTest, killed_and_started_again) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  const auto ldap = source(settings_for(*server));
  expect_alice(*ldap);
  server->kill();
  const auto gone = ldap->find(op(), user("bob"));
  ASSERT_ERRC(gone, Errc::unavailable);
  EXPECT_THAT(gone.error().message, HasSubstr("Connection refused"));
  ASSERT_OK(server->restart());
  // It is left alone for a second; asking meanwhile is answered at once.
  clock_->sleep_for(1100ms, {});
  expect_alice(*ldap);
}

// The kept connection died with the server: the question goes out again on a new one, and with TLS and a bind.
TEST_F(LdapTroubleTest, started_again_between_two_questions) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  auto settings = settings_for(*server);
  settings.servers.urls = {url(server->ldap_url())};
  const auto ldap = source(settings);
  expect_alice(*ldap);
  ASSERT_OK(server->restart());
  expect_alice(*ldap);
  EXPECT_EQ(server->logged(" TLS established"), 2U);
  EXPECT_EQ(server->logged(" BIND dn=\"cn=homeport"), 4U);
}

// Opened again by libldap itself, it would be without StartTLS and without a bind.
TEST_F(LdapTroubleTest, a_lost_connection_stays_lost) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  const auto address = url(server->ldap_url());
  auto connection = LdapConnection::open(op(), *clock_, address, {.ca_file = server->ca_file()});
  ASSERT_OK(connection);
  const Secret password{Slapd::kPassword};
  ASSERT_OK((*connection)->bind(op(), Slapd::kBindDn, &password));
  const LdapSearch search{.base = Slapd::kSuffix, .filter = "(uid=alice)"};
  ASSERT_OK((*connection)->search(op(), search));
  ASSERT_OK(server->restart());
  const auto asked = server->searches();
  for (int i = 0; i < 3; ++i) EXPECT_ERRC((*connection)->search(op(), search), Errc::unavailable);
  EXPECT_FALSE((*connection)->usable());
  EXPECT_EQ(server->searches(), asked);
}

TEST_F(LdapTroubleTest, killed_while_many_ask) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  const auto ldap = source(settings_for(*server));
  std::atomic<bool> over{false};
  std::atomic<int> good{0};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      while (!over) {
        const auto found = ldap->find(op(5s), user("alice"));
        if (found && found->has_value() && (*found)->uid == 5001U && (*found)->gids.size() == 2) {
          ++good;
        } else if (found || found.error().code != Errc::unavailable) {
          ++wrong;
          ADD_FAILURE() << (found ? "half an answer" : found.error().to_string());
        }
      }
    });
  }
  const auto until = [&](int count) {
    for (int i = 0; i < 4000 && good < count; ++i) clock_->sleep_for(5ms, {});
    return good >= count;
  };
  EXPECT_TRUE(until(50));
  for (int round = 0; round < 3; ++round) {
    server->kill();
    ASSERT_OK(server->restart());
    EXPECT_TRUE(until(good + 50));
  }
  over = true;
  askers.clear();
  EXPECT_EQ(wrong, 0);
}

TEST_F(LdapTroubleTest, a_server_that_never_answers) {
  const SilentServer silent_server;
  for (const bool tls : {true, false}) {
    SCOPED_TRACE(tls ? "ldaps" : "ldap");
    LdapSettings settings;
    settings.servers.urls = {silent(silent_server, tls)};
    settings.servers.tls.ca_file = "/etc/ssl/certs/ca-certificates.crt";
    settings.servers.tls.start_tls = !tls;
    settings.users.base = settings.groups.base = Slapd::kSuffix;
    const auto ldap = source(settings);
    // The limit is the asker's: whether it is kept is seen by the test coming to an end.
    const auto found = ldap->find(op(300ms), user("alice"));
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().code, AnyOf(Errc::timed_out, Errc::unavailable)) << found.error().to_string();
  }
}

TEST_F(LdapTroubleTest, a_stop_is_seen_while_waiting) {
  const SilentServer silent_server;
  for (const bool tls : {true, false}) {
    LdapSettings settings;
    settings.servers.urls = {silent(silent_server, tls)};
    settings.servers.tls = {.start_tls = !tls};
    settings.servers.connect_timeout = settings.servers.timeout = 10min;
    const auto ldap = source(settings);
    std::stop_source stop;
    auto waiting = op(10min);
    waiting.stop = stop.get_token();
    const std::jthread stopper([&] {
      clock_->sleep_for(100ms, {});
      stop.request_stop();
    });
    EXPECT_ERRC(ldap->find(waiting, user("alice")), Errc::cancelled);
  }
}

TEST_F(LdapTroubleTest, answers_that_are_not_ldap) {
  // The last one begins an answer of 80 bytes and never ends it.
  for (const std::string& says : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("\x30\x00\x30\x00", 4),
                                  std::string(64, '\xff'), std::string("\x30\x50\x02\x01\x01", 5)}) {
    SCOPED_TRACE(printable(says));
    const SilentServer mad(says);
    LdapSettings settings;
    settings.servers.urls = {silent(mad)};
    settings.servers.tls.start_tls = false;
    const auto found = source(settings)->find(op(500ms), user("alice"));
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().code, AnyOf(Errc::unavailable, Errc::timed_out)) << found.error().to_string();
  }
}

TEST_F(LdapTroubleTest, the_second_server_answers_for_the_first) {
  const auto first = serve({.ldif = small_directory()});
  const auto second = serve({.ldif = small_directory()});
  ASSERT_TRUE(first && second);
  auto settings = settings_for(*first);
  settings.servers.urls = {url(first->ldap_url()), url(second->ldap_url())};
  settings.servers.tls.start_tls = false;
  const auto ldap = source(settings);
  expect_alice(*ldap);
  EXPECT_EQ(first->searches(), 2U);
  EXPECT_EQ(second->searches(), 0U) << "the first is asked while it is well";
  first->kill();
  expect_alice(*ldap);
  expect_alice(*ldap);
  EXPECT_EQ(second->searches(), 4U);
  const auto partly = ldap->check(op());
  ASSERT_OK(partly);
  EXPECT_THAT(*partly, HasSubstr("1 of 2 LDAP servers"));
  EXPECT_THAT(*partly, HasSubstr(first->ldap_url()));
  ASSERT_OK(first->restart());
  clock_->sleep_for(1100ms, {});
  expect_alice(*ldap);
  EXPECT_GT(first->searches(), 2U) << "back after its pause, it is asked again";
  first->kill();
  second->kill();
  const auto none = ldap->find(op(), user("alice"));
  ASSERT_ERRC(none, Errc::unavailable);
  EXPECT_THAT(none.error().message, HasSubstr(first->ldap_url()));
  EXPECT_THAT(none.error().message, HasSubstr(second->ldap_url()));
  EXPECT_TRUE(none.error().retry_after);
  EXPECT_ERRC(ldap->check(op()), Errc::unavailable);
}

TEST_F(LdapTroubleTest, the_first_server_hangs) {
  const auto first = serve({.ldif = small_directory()});
  const auto second = serve({.ldif = small_directory()});
  ASSERT_TRUE(first && second);
  auto settings = settings_for(*second);
  settings.servers.urls = {url(first->ldap_url()), url(second->ldap_url())};
  settings.servers.tls.start_tls = false;
  settings.servers.timeout = 400ms;
  const auto ldap = source(settings);
  expect_alice(*ldap);
  first->pause();
  expect_alice(*ldap);
  EXPECT_EQ(second->searches(), 2U);
  // An asker with less time than one server may take gives each its share.
  settings.servers.timeout = 10min;
  const auto found = source(settings)->find(op(2s), user("alice"));
  ASSERT_OK(found);
  EXPECT_EQ((*found)->uid, 5001U);
  first->resume();
}

TEST_F(LdapTroubleTest, a_server_with_another_certificate_is_passed_over) {
  const auto strange = serve({.ldif = small_directory()});
  const auto good = serve({.ldif = small_directory()});
  ASSERT_TRUE(strange && good);
  auto settings = settings_for(*good);
  settings.servers.urls.insert(settings.servers.urls.begin(), url(strange->ldaps_url()));
  expect_alice(*source(settings));
  EXPECT_EQ(strange->logged(" BIND "), 0U);
}

// The whole way of a login: cold two searches, warm none, and what was known while the directory is gone.
TEST_F(LdapTroubleTest, warm_answers_ask_nobody) {
  const auto server = serve({.ldif = small_directory()});
  ASSERT_TRUE(server);
  auto bounded = std::make_unique<BoundedSource>(source(settings_for(*server)), BoundedSettings{}, *clock_);
  CachedSource cached(std::move(bounded), CacheSettings{.ttl = 1h, .negative_ttl = 1h}, *clock_);
  std::vector<std::jthread> askers;
  for (int i = 0; i < 100; ++i) {
    askers.emplace_back([&] {
      const auto found = cached.find(op(), user("alice"));
      ASSERT_OK(found);
      EXPECT_EQ((*found)->uid, 5001U);
    });
  }
  askers.clear();
  EXPECT_EQ(server->searches(), 2U) << "a hundred at once are one question";
  for (int i = 0; i < 50; ++i) ASSERT_OK(cached.find(op(), user("alice")));
  EXPECT_EQ(server->searches(), 2U);
  const auto lines = server->log_text().size();
  server->kill();
  ASSERT_OK(cached.find(op(), user("alice")));
  EXPECT_EQ(server->log_text().size(), lines);
}

}  // namespace
}  // namespace homeport::drivers::identity::testing
