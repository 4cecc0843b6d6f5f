// One array's management interface: version, login, and calls that carry the session.
//
// Threads: every method from any thread. Blocking: until op.deadline. However many threads find their session expired,
// one logs in and the others wait for it. A 429 is waited out within the deadline; nothing else is tried again but what
// an expired session or a changed REST version refused, once.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drivers/core/call_slots.h"
#include "drivers/flashblade/pace.h"
#include "drivers/flashblade/picked_json.h"
#include "drivers/flashblade/rest_version.h"
#include "drivers/http/client.h"
#include "provisioner/config/secrets.h"

namespace homeport::drivers::flashblade {

struct ManagementConfig {
  Url url;                                    // https://array; http only where the configuration says so
  std::string ca_file{};                      // PEM; empty: the machine's own trust
  config::SecretRef api_token;                // read for each login
  std::chrono::milliseconds timeout{30'000};  // longest wait for one answer
  std::uint32_t connections = 8;              // calls at once; as many connections are kept open
};

struct ApiCall {
  std::string method;                                        // "PATCH"
  std::string endpoint;                                      // "file-systems": after /api/2.N/
  std::vector<std::pair<std::string, std::string>> query{};  // values as they are; encoded when sent
  std::optional<nlohmann::json> body{};
  const MemberNames* members = nullptr;  // of the answer's items, where only these are looked at
  [[nodiscard]] bool changing() const { return method != "GET"; }
  [[nodiscard]] std::string words() const;  // "PATCH file-systems"
  // "PATCH /file-systems?names=x {…}": what an admin reads in a preview.
  [[nodiscard]] std::string line() const;
};

class ArraySession {
 public:
  ArraySession(ManagementConfig config, Clock& clock);
  // Gives the session back, within two seconds; an array that does not answer ends it by itself.
  ~ArraySession();
  ArraySession(const ArraySession&) = delete;
  ArraySession& operator=(const ArraySession&) = delete;

  // The body of a 2xx answer; null for an empty one. Errors: refusal() and garbled() of api_error.h, those of the HTTP
  // client, those of a login. A changing call is recorded in op.calls; op.dry_run is the caller's business: this sends.
  Result<nlohmann::json> call(const OpContext& op, const ApiCall& call);
  // Logs in where nobody has. Errors: permission_denied (the token), failed_precondition (no version in common, not an
  // array), those of the HTTP client.
  Result<RestVersion> version(const OpContext& op);

  // For tests and reports.
  [[nodiscard]] std::uint64_t logins() const;
  [[nodiscard]] std::chrono::microseconds interval() const { return pace_.interval(); }
  [[nodiscard]] const ManagementConfig& config() const { return config_; }

 private:
  struct Login {
    Secret token;
    RestVersion version;
    std::uint64_t number;  // from 1
  };
  struct Refused {
    std::string api_token;
    Error error;
    MonoTime until;
  };
  Result<Login> current(const OpContext& op);
  // The login after number `stale`; made by this thread or by another one.
  Result<Login> renew(const OpContext& op, std::uint64_t stale);
  Result<Login> log_in(const OpContext& op, std::uint64_t number);
  Result<RestVersion> negotiate(const OpContext& op);
  Result<http::Reply> exchange(const OpContext& op, const http::Request& request);
  Result<http::Reply> send_once(const OpContext& op, const ApiCall& call, const Login& login);
  Result<http::Reply> send(const OpContext& op, const ApiCall& call);
  bool forbidden_before(const ApiCall& call);
  void remember_forbidden(const ApiCall& call);
  [[nodiscard]] OpContext bounded(const OpContext& op) const;
  [[nodiscard]] std::string without_secrets(std::string text) const;

  const ManagementConfig config_;
  Clock& clock_;
  const std::unique_ptr<http::Client> client_;
  Pace pace_;
  CallSlots slots_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<Login> login_{};
  std::uint64_t logins_ = 0;
  bool logging_in_ = false;
  std::uint64_t attempts_ = 0;           // ended
  std::optional<Error> last_failure_{};  // of the attempt that ended last
  std::optional<Refused> refused_{};
  std::map<std::string, MonoTime> forbidden_{};  // calls that a fresh session was refused
};

}  // namespace homeport::drivers::flashblade
