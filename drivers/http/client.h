// HTTP/1.1 to an API that we call (a cluster's, a hub's), over TCP or TLS. It follows no redirect, uses no proxy, keeps
// no cookie and repeats no request that may have been acted upon: whoever calls knows what may be repeated.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "provisioner/base/op_context.h"
#include "provisioner/base/secret.h"
#include "provisioner/base/url.h"

namespace homeport::drivers::http {

struct Request {
  std::string method;  // "GET"
  std::string target;  // encoded, with the query, without the base path: Target builds it
  std::vector<std::pair<std::string, std::string>> headers{};
  std::optional<Secret> bearer{};  // sent as "Authorization: Bearer …"
  std::string body{};
};

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers{};  // names in lower case
  std::string body{};
  [[nodiscard]] std::string header(const std::string& lower_name) const;  // "" when absent
};

struct Settings {
  Url url;
  std::string name;       // what messages call the other side: "the Kubernetes API"
  std::string ca_file{};  // https: PEM certificates trusted instead of the machine's own; read for each connection
  // For name, connection and handshake together; the call's deadline when that is sooner.
  std::chrono::milliseconds connect_limit = std::chrono::seconds(5);
  std::size_t max_body = std::size_t{8} << 20U;  // of an answer, in bytes
  std::size_t max_idle = 4;                      // connections kept for later requests; 0: none
};

// Threads: every method from any thread; each call has a connection of its own.
class Client {
 public:
  virtual ~Client() = default;
  // Blocks until the whole answer, the deadline or the stop. Any status is an answer. op.request_id goes along as
  // X-Request-Id. op.dry_run is the caller's business: this sends.
  // Errors, with maybe_applied once the request may have left us: unavailable (name, connection, certificate, closed
  // without an answer), timed_out, cancelled, failed_precondition (ca_file cannot be used), invalid_argument (a header
  // that cannot be one), internal (what came is not HTTP or too large).
  [[nodiscard]] virtual Result<Reply> send(const OpContext& op, const Request& request) = 0;
};

// The clock must outlive the client. Certificates and host names are always checked.
[[nodiscard]] std::unique_ptr<Client> make_client(Settings settings, const Clock& clock);

}  // namespace homeport::drivers::http
