#include "drivers/identity/ldap_connection.h"

#include <fcntl.h>
#include <ldap.h>
#include <openldap.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "drivers/identity/ldap_dial.h"
#include "provisioner/base/names.h"

namespace homeport::drivers::identity {
namespace {

constexpr std::chrono::milliseconds kSlice{50};  // how late a stop is seen
constexpr std::size_t kMostEntries = 65'536;     // of one search: as many groups as Linux lets a process have
constexpr std::size_t kMostReferences = 8;       // that are remembered

struct MessageFree {
  void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using Message = std::unique_ptr<LDAPMessage, MessageFree>;
struct MemoryFree {
  void operator()(char* text) const { ldap_memfree(text); }
};
using Text = std::unique_ptr<char, MemoryFree>;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> take_strings(char** list) {
  std::vector<std::string> out;
  for (char** at = list; at != nullptr && *at != nullptr; ++at) out.emplace_back(*at);
  ldap_memvfree(reinterpret_cast<void**>(list));
  return out;
}

struct Meaning {
  Errc code;
  std::string_view hint;
};

// What a result code of RFC 4511 (or a negative one of libldap's own) is to us. permission_denied: it is about whom we
// bind as. failed_precondition: the question is wrong, every server would say so. All else: another server may do
// better.
Meaning meaning_of(int code) {
  switch (code) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_INVALID_DN_SYNTAX:
      return {Errc::permission_denied, "check bind_dn, and the secret that bind_password refers to"};
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_OPERATIONS_ERROR:  // what Active Directory says to a search without a bind
    case LDAP_AUTH_UNKNOWN: return {Errc::permission_denied, "bind as somebody who may read people and groups"};
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED:
      return {Errc::permission_denied, "the server wants TLS: use ldaps:// or tls: {start_tls: true}"};
    case LDAP_NO_SUCH_OBJECT:
      return {Errc::failed_precondition, "check the search base, and that the bind dn may see it"};
    case LDAP_UNDEFINED_TYPE:
    case LDAP_INAPPROPRIATE_MATCHING:
    case LDAP_INVALID_SYNTAX:
    case LDAP_FILTER_ERROR:
      return {Errc::failed_precondition, "check the filters and attribute names of identity.ldap"};
    case LDAP_REFERRAL:
      return {Errc::failed_precondition, "referrals are not followed: name the server that holds the base in urls"};
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
      return {Errc::failed_precondition, "raise the server's limit for the bind dn, or narrow the filter"};
    case LDAP_TIMELIMIT_EXCEEDED:
    case LDAP_TIMEOUT: return {Errc::timed_out, "see whether the searched attributes are indexed at the server"};
    default: return {Errc::unavailable, ""};
  }
}

// Frees what is not handed on.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int refuse_second_connection(LDAP*, Sockbuf*, LDAPURLDesc*, sockaddr*, ldap_conncb*) {
  return -1;
}
void ignore_end(LDAP*, Sockbuf*, ldap_conncb*) {}

LdapEntry read_entry(LDAP* ldap, LDAPMessage* message) {
  LdapEntry entry;
  if (const Text dn(ldap_get_dn(ldap, message)); dn) entry.dn = dn.get();
  BerElement* cursor = nullptr;
  for (Text name(ldap_first_attribute(ldap, message, &cursor)); name;
       name.reset(ldap_next_attribute(ldap, message, cursor))) {
    auto& values = entry.values[lower(name.get())];
    berval** list = ldap_get_values_len(ldap, message, name.get());
    for (berval** at = list; at != nullptr && *at != nullptr; ++at) values.emplace_back((*at)->bv_val, (*at)->bv_len);
    ldap_value_free_len(list);
  }
  ber_free(cursor, 0);
  return entry;
}

}  // namespace

std::string LdapUrl::text() const {
  const bool bare_ipv6 = host.find(':') != std::string::npos;
  return std::string(tls ? "ldaps://" : "ldap://") + (bare_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool LdapUrl::loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<LdapUrl> parse_ldap_url(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(text, 100) + "' " + std::string(why),
                 .hint = "write ldaps://HOST or ldap://HOST (with StartTLS), a port after it if needed"};
  };
  LdapUrl url;
  url.tls = text.starts_with("ldaps://");
  if (!url.tls && !text.starts_with("ldap://")) return refuse("is not an LDAP address");
  std::string_view rest = text.substr(url.tls ? 8 : 7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?@ ") != std::string_view::npos)
    return refuse("has more than a host and a port: bases and filters have members of their own");
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return refuse("has an IPv6 address without its closing bracket");
    url.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
    if (!port.empty() && port.front() != ':') return refuse("has something between address and port");
    if (url.host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos)
      return refuse("has a broken IPv6 address");
  } else {
    const auto colon = std::min(rest.find(':'), rest.size());
    url.host = rest.substr(0, colon);
    port = rest.substr(colon);
    if (url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
        std::string::npos)
      return refuse("has a character that no host name has");
  }
  if (url.host.empty() || url.host.size() > 253) return refuse("names no host");
  url.port = url.tls ? 636 : 389;
  if (port.empty()) return url;
  port.remove_prefix(1);
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9' || number > 65535) return refuse("has no port from 1 to 65535");
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (number == 0 || number > 65535) return refuse("has no port from 1 to 65535");
  url.port = static_cast<std::uint16_t>(number);
  return url;
}

bool is_ldap_dn(const std::string& text) {
  LDAPDN dn = nullptr;
  const int code = ldap_str2dn(text.c_str(), &dn, LDAP_DN_FORMAT_LDAPV3);
  const bool good = code == LDAP_SUCCESS && dn != nullptr && text.find('\0') == std::string::npos;
  if (dn != nullptr) ldap_dnfree(dn);
  return good;
}

const std::vector<std::string>& LdapEntry::all(std::string_view attribute) const {
  static const std::vector<std::string> none;
  const auto at = values.find(lower(attribute));
  return at == values.end() ? none : at->second;
}

struct LdapConnection::Ended {
  int code = LDAP_SUCCESS;
  std::string said{};
  std::vector<std::string> referrals{};
  std::string cookie{};  // of the next page; empty: there is none
};

LdapConnection::~LdapConnection() {
  if (ldap_ != nullptr) ldap_unbind_ext(ldap_, nullptr, nullptr);
}

std::string LdapConnection::diagnostic() const {
  char* raw = nullptr;
  ldap_get_option(ldap_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &raw);
  const Text owner(raw);
  return raw == nullptr ? "" : raw;
}

Error LdapConnection::failure(int code, const std::string& what, std::string_view said) {
  if (code < 0) usable_ = false;  // libldap's own: nothing further can be said about what is on the wire
  const auto meaning = meaning_of(code);
  std::string message = server_ + ": " + what + ": " + ldap_err2string(code);
  if (!said.empty()) message += " (" + printable(said, 200) + ")";
  return Error{.code = meaning.code,
               .message = std::move(message),
               .hint = std::string(meaning.hint),
               .upstream = Upstream{.system = "ldap", .status = code, .detail = printable(said, 200)}};
}

Result<std::unique_ptr<LdapConnection>> LdapConnection::open(const OpContext& op, const Clock& clock,
                                                             const LdapUrl& url, const LdapTls& tls) {
  auto dialled = dial(op, clock, url.host, url.port);
  if (!dialled) {
    auto error = std::move(dialled).error();
    error.message = url.text() + ": " + error.message;
    return error;
  }
  Socket socket(*dialled);
  std::unique_ptr<LdapConnection> made(new LdapConnection(clock, url));
  if (const int code = ldap_init_fd(socket.get(), LDAP_PROTO_TCP, url.text().c_str(), &made->ldap_);
      code != LDAP_SUCCESS)
    return made->failure(code, "making a session");
  const int fd = socket.release();  // libldap closes it from now on
  HOMEPORT_CHECK(made->set_options(tls));
  if (url.tls || tls.start_tls) HOMEPORT_CHECK(made->start_tls(op, fd, url, tls));
  // From here on reads are waited for with a limit, and one that stops half-way must not block.
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return made->failure(LDAP_LOCAL_ERROR, "preparing the socket");
  return made;
}

Result<void> LdapConnection::set_options(const LdapTls& tls) {
  const int version = LDAP_VERSION3;
  const int never = LDAP_DEREF_NEVER;
  const int unlimited = LDAP_NO_LIMIT;
  const int demand = LDAP_OPT_X_TLS_DEMAND;
  const int tls12 = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
  static ldap_conncb one_connection{.lc_add = &refuse_second_connection, .lc_del = &ignore_end, .lc_arg = nullptr};
  const bool set = ldap_set_option(ldap_, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_RESTART, LDAP_OPT_ON) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_DEREF, &never) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_SIZELIMIT, &unlimited) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_TIMELIMIT, &unlimited) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_CONNECT_CB, &one_connection) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_PROTOCOL_MIN, &tls12) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_CACERTDIR, nullptr) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_CIPHER_SUITE, nullptr) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_CERTFILE, nullptr) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_KEYFILE, nullptr) == LDAP_OPT_SUCCESS &&
                   ldap_set_option(ldap_, LDAP_OPT_X_TLS_CACERTFILE, tls.ca_file.c_str()) == LDAP_OPT_SUCCESS;
  if (!set) return failure(LDAP_LOCAL_ERROR, "setting up the session");
  return {};
}

Result<void> LdapConnection::start_tls(const OpContext& op, int fd, const LdapUrl& url, const LdapTls& tls) {
  const int client = 0;
  if (ldap_set_option(ldap_, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS) {
    return Error{.code = Errc::unavailable,
                 .message = server_ + ": the certificates in " + tls.ca_file + " cannot be read",
                 .hint = "tls.ca_file must be a PEM file that Homeport's user can read"};
  }
  if (!url.tls) {
    int id = 0;
    if (const int code = ldap_start_tls(ldap_, nullptr, nullptr, &id); code != LDAP_SUCCESS)
      return failure(code, "asking for StartTLS", diagnostic());
    HOMEPORT_TRY(LDAPMessage * raw, next_message(op, id, "StartTLS"));
    const Message message(raw);
    HOMEPORT_TRY(const auto ended, parse_end(raw));
    if (ended.code != LDAP_SUCCESS) {
      auto error = failure(ended.code, "the server refuses StartTLS", ended.said);
      error.code = Errc::unavailable;  // another server may have it; without TLS nothing is asked
      return error;
    }
  }
  int code = LDAP_SUCCESS;
  {
    const Watchdog watchdog(op, clock_, fd);
    code = ldap_install_tls(ldap_);
  }
  if (code == LDAP_SUCCESS) return {};
  usable_ = false;
  HOMEPORT_CHECK(still_wanted(op, clock_, server_ + ": the TLS handshake"));
  const auto said = diagnostic();
  auto error = failure(LDAP_CONNECT_ERROR, "no TLS that can be trusted", said == "(unknown error code)" ? "" : said);
  error.code = Errc::unavailable;
  error.hint = "its certificate must be valid now, be signed by one in " + tls.ca_file + ", and name " + url.host;
  // libldap puts the name of this machine in its place.
  if (url.host == "localhost") error.hint += " by this machine's host name; 127.0.0.1 is taken as it is";
  return error;
}

Result<LDAPMessage*> LdapConnection::next_message(const OpContext& op, int id, const std::string& what) {
  while (true) {
    if (auto wanted = still_wanted(op, clock_, server_ + ": " + what); !wanted) {
      usable_ = false;
      return std::move(wanted).error();
    }
    const auto left = std::chrono::ceil<std::chrono::microseconds>(op.deadline - clock_.mono());
    const auto slice = std::min<std::chrono::microseconds>(kSlice, left);
    timeval wait{.tv_sec = 0, .tv_usec = std::max<suseconds_t>(1, slice.count())};
    LDAPMessage* message = nullptr;
    const int type = ldap_result(ldap_, id, LDAP_MSG_ONE, &wait, &message);
    if (type > 0) return message;
    if (type == 0) continue;
    int code = LDAP_SERVER_DOWN;
    ldap_get_option(ldap_, LDAP_OPT_RESULT_CODE, &code);
    auto error = failure(code < 0 ? code : LDAP_SERVER_DOWN, what + ": the connection was lost", diagnostic());
    error.code = Errc::unavailable;
    return error;
  }
}

Result<LdapConnection::Ended> LdapConnection::parse_end(LDAPMessage* message) {
  Ended ended;
  char* said = nullptr;
  char** referrals = nullptr;
  LDAPControl** controls = nullptr;
  const int code = ldap_parse_result(ldap_, message, &ended.code, nullptr, &said, &referrals, &controls, 0);
  if (said != nullptr) ended.said = said;
  ldap_memfree(said);
  ended.referrals = take_strings(referrals);
  if (LDAPControl* page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr); page != nullptr) {
    berval cookie{};
    ber_int_t estimate = 0;
    if (ldap_parse_pageresponse_control(ldap_, page, &estimate, &cookie) == LDAP_SUCCESS && cookie.bv_val != nullptr) {
      ended.cookie.assign(cookie.bv_val, cookie.bv_len);
      ber_memfree(cookie.bv_val);
    }
  }
  ldap_controls_free(controls);
  if (code != LDAP_SUCCESS) return failure(code, "its answer cannot be read");
  return ended;
}

Result<void> LdapConnection::bind(const OpContext& op, const std::string& dn, const Secret* password) {
  // RFC 4513, 5.1.2: a name with an empty password is a bind as nobody, which many servers call a success.
  if (!dn.empty() && (password == nullptr || password->reveal().empty()))
    return Error{.code = Errc::permission_denied, .message = server_ + ": there is no password for " + dn};
  berval credentials{};
  if (!dn.empty()) {
    credentials.bv_len = password->reveal().size();
    credentials.bv_val = const_cast<char*>(password->reveal().data());  // libldap only reads it
  }
  int id = 0;
  const std::string who = dn.empty() ? "binding as nobody" : "binding as " + printable(dn);
  const int sent = ldap_sasl_bind(ldap_, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, &id);
  if (sent != LDAP_SUCCESS) return failure(sent, who, diagnostic());
  HOMEPORT_TRY(LDAPMessage * raw, next_message(op, id, who));
  const Message message(raw);
  HOMEPORT_TRY(const auto ended, parse_end(raw));
  if (ended.code == LDAP_SUCCESS) return {};
  usable_ = false;
  return failure(ended.code, who, ended.said);
}

Result<LdapConnection::Ended> LdapConnection::read_page(const OpContext& op, int id, LdapAnswer& answer) {
  while (true) {
    HOMEPORT_TRY(LDAPMessage * raw, next_message(op, id, "searching"));
    const Message message(raw);
    switch (ldap_msgtype(raw)) {
      case LDAP_RES_SEARCH_ENTRY: answer.entries.push_back(read_entry(ldap_, raw)); break;
      case LDAP_RES_SEARCH_REFERENCE: {
        char** list = nullptr;
        if (ldap_parse_reference(ldap_, raw, &list, nullptr, 0) != LDAP_SUCCESS) break;
        for (auto& place : take_strings(list)) {
          if (answer.references.size() < kMostReferences) answer.references.push_back(std::move(place));
        }
        break;
      }
      case LDAP_RES_SEARCH_RESULT: return parse_end(raw);
      default: break;  // intermediate responses (RFC 4511, 4.13) that nobody asked for
    }
    if (answer.entries.size() <= kMostEntries) continue;
    usable_ = false;
    return Error{.code = Errc::failed_precondition,
                 .message = server_ + ": more than " + std::to_string(kMostEntries) + " entries match one search",
                 .hint = "narrow the filter or the base"};
  }
}

Result<LdapAnswer> LdapConnection::search(const OpContext& op, const LdapSearch& search) {
  std::vector<char*> attributes;
  for (const auto& name : search.attributes) attributes.push_back(const_cast<char*>(name.c_str()));
  attributes.push_back(nullptr);
  const int scope = search.scope == LdapScope::base  ? LDAP_SCOPE_BASE
                    : search.scope == LdapScope::one ? LDAP_SCOPE_ONELEVEL
                                                     : LDAP_SCOPE_SUBTREE;
  const std::string what = "searching " + printable(search.base) + " for " + printable(search.filter, 200);
  LdapAnswer answer;
  std::string cookie;
  do {
    LDAPControl* page = nullptr;
    berval at{.bv_len = cookie.size(), .bv_val = cookie.data()};
    if (search.page_size > 0) {
      const auto size = static_cast<ber_int_t>(search.page_size);
      if (const int code = ldap_create_page_control(ldap_, size, &at, 0, &page); code != LDAP_SUCCESS)
        return failure(code, what);
    }
    const std::unique_ptr<LDAPControl, decltype(&ldap_control_free)> owner(page, &ldap_control_free);
    std::vector<LDAPControl*> controls{page, nullptr};
    const auto left = std::chrono::ceil<std::chrono::seconds>(op.deadline - clock_.mono());
    timeval limit{.tv_sec = std::max<time_t>(1, left.count()), .tv_usec = 0};
    int id = 0;
    const int sent = ldap_search_ext(ldap_, search.base.c_str(), scope, search.filter.c_str(), attributes.data(), 0,
                                     controls.data(), nullptr, &limit, static_cast<int>(search.size_limit), &id);
    if (sent != LDAP_SUCCESS) return failure(sent, what, diagnostic());
    HOMEPORT_TRY(auto ended, read_page(op, id, answer));
    if (ended.code == LDAP_SIZELIMIT_EXCEEDED && search.size_limit > 0 && answer.entries.size() >= search.size_limit) {
      answer.cut = true;
      return answer;
    }
    if (ended.code == LDAP_REFERRAL && !ended.referrals.empty()) ended.said = "it points to " + ended.referrals.front();
    if (ended.code != LDAP_SUCCESS) return failure(ended.code, what, ended.said);
    cookie = std::move(ended.cookie);
  } while (!cookie.empty());
  return answer;
}

}  // namespace homeport::drivers::identity
