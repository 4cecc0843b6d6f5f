// A real OpenLDAP server for tests: a process of its own on free loopback ports over a temporary database.
//
// It dies with the thread that started it (PR_SET_PDEATHSIG): start it in the test's main thread. Its certificate is
// signed by a CA made for it. Needs no root. Threads: one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "provisioner/base/result.h"
#include "tests/support/server_process.h"

namespace homeport::testing {

struct SlapdOptions {
  std::string ldif{};      // entries below kSuffix, which is there already
  std::string settings{};  // more lines of the database section of slapd.conf: "sizelimit 100"
  std::string global{};    // more lines before it
  bool tls = true;
  std::string names = "IP:127.0.0.1,DNS:localhost";  // that its certificate is for
};

class Slapd {
 public:
  static constexpr const char* kSuffix = "dc=example,dc=org";
  static constexpr const char* kBindDn = "cn=homeport,dc=example,dc=org";
  static constexpr const char* kPassword = "s3cret-in-a-test";

  // Serving when it returns. Errors: failed_precondition without the program; internal with the end of its log.
  static Result<std::unique_ptr<Slapd>> start(SlapdOptions options);
  ~Slapd();
  Slapd(const Slapd&) = delete;
  Slapd& operator=(const Slapd&) = delete;

  [[nodiscard]] std::string ldap_url() const { return "ldap://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string ldaps_url() const { return "ldaps://127.0.0.1:" + std::to_string(tls_port_); }
  [[nodiscard]] std::string ca_file() const { return (root_ / "ca.pem").string(); }
  [[nodiscard]] std::string other_ca_file() const { return (root_ / "other-ca.pem").string(); }  // signed nothing here

  void kill();
  Result<void> restart();  // same ports, same data
  void pause();            // stopped when it returns: the kernel takes connections, nothing answers
  void resume();
  void set_password(const std::string& password);  // of kBindDn, over LDAP; the test fails when it does not work
  void remove(const std::string& dn);

  // How often `what` stands in its log of operations: " SRCH base=", " BIND dn=\"cn=homeport", " STARTTLS".
  [[nodiscard]] std::size_t logged(const std::string& what) const;
  // Waits until it stands there `count` times: results are logged after they are sent. False: it never did.
  [[nodiscard]] bool logs(const std::string& what, std::size_t count) const;
  [[nodiscard]] std::size_t searches() const { return logged(" SRCH base="); }
  [[nodiscard]] std::string log_text() const;

 private:
  explicit Slapd(SlapdOptions options) : options_(std::move(options)) {}
  Result<void> prepare();
  Result<void> make_certificates();
  Result<void> launch();
  void write_configuration() const;
  [[nodiscard]] bool stopped() const;

  SlapdOptions options_;
  std::filesystem::path root_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  ServerProcess process_;
};

// A listener that takes connections and then does what it is told: nothing, or sends something and is silent.
class SilentServer {
 public:
  explicit SilentServer(std::string says = {});
  ~SilentServer();
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint16_t port_ = 0;
};

}  // namespace homeport::testing
