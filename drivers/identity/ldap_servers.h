// Several LDAP servers that hold the same: connections kept for the next question, failover, and back-off.
//
// The first server of the list that is well is asked; one that failed is left alone for a while (1 s, doubled each time
// up to retry_after), then one question tries it again. A question goes on to the next server when one cannot be
// reached, does not answer or is busy; every other answer (no rights, a search that makes no sense) is final. While
// every server is being left alone, questions fail at once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drivers/identity/ldap_connection.h"

namespace homeport::drivers::identity {

struct LdapServerSettings {
  std::vector<LdapUrl> urls{};
  LdapTls tls{};
  std::string bind_dn{};                                                // empty: nobody
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(3);  // connect, TLS and bind together
  std::chrono::milliseconds timeout = std::chrono::seconds(5);          // one server's time for one question
  std::chrono::milliseconds retry_after = std::chrono::seconds(30);
  std::size_t connections = 8;  // kept open, per server
};

// Threads: every method from any thread.
class LdapServers {
 public:
  // Called for every bind, so that a changed secret is used by the next one.
  using ReadPassword = std::function<Result<Secret>()>;
  // May run again on another connection or server: it must not keep anything of a failed run.
  using Work = std::function<Result<void>(LdapConnection&, const OpContext&)>;

  // `clock` must outlive it. Makes no contact. `read_password` is not called while bind_dn is empty.
  LdapServers(LdapServerSettings settings, ReadPassword read_password, const Clock& clock);

  // Errors: unavailable with each server's own reason; timed_out; cancelled; permission_denied; those of `work`.
  Result<void> run(const OpContext& op, const Work& work);

  [[nodiscard]] std::size_t count() const { return settings_.urls.size(); }
  [[nodiscard]] std::string url(std::size_t server) const { return settings_.urls[server].text(); }
  // On a connection of its own, whatever is known of that server: for checks.
  Result<void> run_on(const OpContext& op, std::size_t server, const Work& work);

 private:
  struct Idle {
    std::unique_ptr<LdapConnection> connection;
    MonoTime since;
  };
  struct Server {
    std::vector<Idle> idle{};
    unsigned failures = 0;  // in a row
    MonoTime retry_at{};
    std::string why{};
  };
  // A password the directory refused: it is not shown again for a while, since directories lock who is refused often.
  struct Refusal {
    Secret password;
    MonoTime until;
    Error error;
  };

  [[nodiscard]] std::vector<std::size_t> candidates();
  [[nodiscard]] std::unique_ptr<LdapConnection> take_idle(std::size_t server);
  void give_back(std::size_t server, std::unique_ptr<LdapConnection> connection);
  void note_success(std::size_t server);
  void note_failure(std::size_t server, const Error& why);
  [[nodiscard]] Error nobody_answers();
  Result<void> attempt(const OpContext& op, std::size_t server, const Work& work);
  Result<std::unique_ptr<LdapConnection>> connect(const OpContext& op, std::size_t server);
  Result<void> bind(const OpContext& op, LdapConnection& connection);

  const LdapServerSettings settings_;
  const ReadPassword read_password_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<Server> servers_;
  std::optional<Refusal> refusal_{};
};

}  // namespace homeport::drivers::identity
