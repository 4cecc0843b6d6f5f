// One connection to one LDAP server: connect, TLS, bind, search, each within the deadline of its OpContext.
//
// The socket is ours and handed to libldap, for two reasons: libldap's own connecting and TLS handshake know no limit
// (a server that accepts and is silent holds ldaps:// for ever), and an answer that stops half-way would block a read.
// A handle never gets a second connection, neither for a referral nor after a loss: that one would have no StartTLS and
// no bind of ours. What is lost stays lost: usable() says so, and the owner makes a new one.
//
// Neither ldap.conf nor LDAP* variables weaken anything: what concerns TLS, aliases, limits and referrals is set here.
// The server's certificate is always verified, its name included. The process must ignore SIGPIPE (homeportd does).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"
#include "provisioner/base/secret.h"

struct ldap;  // LDAP and LDAPMessage of <ldap.h>
struct ldapmsg;

namespace homeport::drivers::identity {

struct LdapUrl {
  bool tls = false;  // ldaps
  std::string host{};
  std::uint16_t port = 0;
  [[nodiscard]] std::string text() const;  // "ldaps://ldap1.example.org:636"
  [[nodiscard]] bool loopback() const;
};
// "ldaps://HOST[:PORT]", "ldap://HOST[:PORT]", IPv6 in brackets. Errors: invalid_argument.
[[nodiscard]] Result<LdapUrl> parse_ldap_url(std::string_view text);
// A distinguished name of RFC 4514, not empty.
[[nodiscard]] bool is_ldap_dn(const std::string& text);

struct LdapTls {
  std::string ca_file =
      "/etc/ssl/certs/ca-certificates.crt";  // PEM; the certificates that may have signed the server's
  bool start_tls = true;                     // on ldap://
};

struct LdapEntry {
  std::string dn{};
  std::map<std::string, std::vector<std::string>, std::less<>> values{};  // attribute in lower case -> its values
  // Empty when there are none.
  [[nodiscard]] const std::vector<std::string>& all(std::string_view attribute) const;
};

enum class LdapScope { base, one, sub };

struct LdapSearch {
  std::string base{};
  LdapScope scope = LdapScope::sub;
  std::string filter{};
  std::vector<std::string> attributes{};
  std::size_t size_limit = 0;  // asked of the server; 0: its own
  std::size_t page_size = 0;   // RFC 2696; 0: in one piece. A server without it answers in one piece
};

struct LdapAnswer {
  std::vector<LdapEntry> entries{};
  bool cut = false;                       // size_limit was reached: there are more
  std::vector<std::string> references{};  // places the server points at for more; never followed
};

// Threads: one at a time.
class LdapConnection {
 public:
  // TLS is up when it returns, unless the address is ldap:// and tls.start_tls is off. Looking up a host name blocks as
  // long as the system's resolver does. Errors: unavailable, timed_out, cancelled.
  static Result<std::unique_ptr<LdapConnection>> open(const OpContext& op, const Clock& clock, const LdapUrl& url,
                                                      const LdapTls& tls);
  ~LdapConnection();
  LdapConnection(const LdapConnection&) = delete;
  LdapConnection& operator=(const LdapConnection&) = delete;

  // An empty dn binds as nobody. Errors: permission_denied, and those of open().
  Result<void> bind(const OpContext& op, const std::string& dn, const Secret* password);
  // Errors: unavailable, timed_out, cancelled; permission_denied; failed_precondition (the base does not exist, is a
  // referral, or the search makes no sense to the server; the server's own limit cut the answer).
  Result<LdapAnswer> search(const OpContext& op, const LdapSearch& search);
  // False once anything was left unanswered or the connection was lost.
  [[nodiscard]] bool usable() const { return usable_; }

 private:
  struct Ended;  // the last message of an operation
  LdapConnection(const Clock& clock, const LdapUrl& url) : clock_(clock), server_(url.text()) {}

  Result<void> set_options(const LdapTls& tls);
  Result<void> start_tls(const OpContext& op, int fd, const LdapUrl& url, const LdapTls& tls);
  Result<ldapmsg*> next_message(const OpContext& op, int id, const std::string& what);
  Result<Ended> read_page(const OpContext& op, int id, LdapAnswer& answer);
  Result<Ended> parse_end(ldapmsg* message);
  Error failure(int code, const std::string& what, std::string_view said = {});
  [[nodiscard]] std::string diagnostic() const;

  const Clock& clock_;
  const std::string server_;
  ldap* ldap_ = nullptr;
  bool usable_ = true;
};

}  // namespace homeport::drivers::identity
